/** `datetime.timedelta`: a span of time in whole microseconds. */

const DAY = 86_400_000_000n;

export class Timedelta {
  readonly microseconds: bigint;

  constructor(microseconds: bigint) {
    this.microseconds = microseconds;
  }

  /** Python keeps days of any sign, and seconds and microseconds that are not negative. */
  get parts(): { readonly days: number; readonly seconds: number; readonly microseconds: number } {
    let days = this.microseconds / DAY;
    let rest = this.microseconds % DAY;
    if (rest < 0n) {
      rest += DAY;
      days -= 1n;
    }
    return {
      days: Number(days),
      seconds: Number(rest / 1_000_000n),
      microseconds: Number(rest % 1_000_000n),
    };
  }

  get totalSeconds(): number {
    return Number(this.microseconds) / 1e6;
  }

  /** `1 day, 2:03:04.000005`. */
  toString(): string {
    const { days, seconds, microseconds } = this.parts;
    const two = (value: number): string => String(value).padStart(2, '0');
    const clock = `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    const fraction = microseconds === 0 ? '' : `.${String(microseconds).padStart(6, '0')}`;
    const plural = Math.abs(days) === 1 ? '' : 's';
    return `${days === 0 ? '' : `${days} day${plural}, `}${clock}${fraction}`;
  }

  /** `datetime.timedelta(days=1, seconds=5)`. */
  toSource(): string {
    const parts = Object.entries(this.parts).filter(([, value]) => value !== 0);
    const text = parts.map(([name, value]) => `${name}=${value}`).join(', ');
    return `datetime.timedelta(${text === '' ? '0' : text})`;
  }
}
