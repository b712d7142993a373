/** Durations and shares as operators type and read them. */
import { WalbError } from '../../core/index.ts';

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;
const DURATION = /^(\d+(?:\.\d+)?)([smhd]?)$/;

/** `90`, `90s`, `10m`, `1.5h`, `2d` in seconds. Throws `invalid-argument`. */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (match !== null) return Number(match[1]) * UNITS[(match[2] || 's') as keyof typeof UNITS];
  throw new WalbError(
    'invalid-argument',
    `bad duration '${text}': a number with s, m, h or d is needed, for example 90s, 10m, 1.5h`,
  );
}

/** For people, two units at most: `59s`, `3m12s`, `4h`, `2d3h`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return two(whole, 60, 'm', 1, 's');
  if (whole < 86_400) return two(whole, 3600, 'h', 60, 'm');
  return two(whole, 86_400, 'd', 3600, 'h');
}

function two(value: number, big: number, bigUnit: string, small: number, unit: string): string {
  const rest = Math.floor((value % big) / small);
  return `${Math.floor(value / big)}${bigUnit}${rest === 0 ? '' : `${rest}${unit}`}`;
}

/** `3m12s ago`, `never`. */
export function formatAge(time: number, now: number): string {
  return time === 0 ? 'never' : `${formatDuration(now - time)} ago`;
}
