/** Pieces of the sentences of a plan. */
import { formatSizeForHumans, formatTimestamp, LB_SIZE } from '../../core/index.ts';
import type { Diff } from '../values/diff.ts';
import type { GidInfo } from '../values/gid-info.ts';

/** `1 diff`, `12 diffs`. */
export function count(amount: number, noun: string): string {
  return `${amount} ${noun}${amount === 1 ? '' : 's'}`;
}

export const sizeText = formatSizeForHumans;

export function sizeOfLb(blocks: number): string {
  return formatSizeForHumans(blocks * LB_SIZE);
}

/** `gid 5 (2026-01-31T23:59:59)`. */
export function snapshotText(info: GidInfo): string {
  return `gid ${info.gid} (${formatTimestamp(Math.floor(info.ts.getTime() / 1000))})`;
}

/** `7 snapshots, gid 3 (...) to gid 9 (...)`, times in UTC. */
export function rangeText(list: readonly GidInfo[]): string {
  const [first, last] = [list[0], list.at(-1)];
  if (first === undefined || last === undefined) return 'no snapshot';
  if (list.length === 1) return `1 snapshot, ${snapshotText(first)}`;
  return `${list.length} snapshots, ${snapshotText(first)} to ${snapshotText(last)}`;
}

/** Gids that are named; of more, the number is said. */
const SHOWN_GIDS = 8;

export function gidsText(gids: readonly bigint[]): string {
  if (gids.length <= SHOWN_GIDS) return gids.join(', ');
  return `${gids.slice(0, SHOWN_GIDS).join(', ')} and ${gids.length - SHOWN_GIDS} more`;
}

/** `12 diffs (3.4 MiB)`. */
export function diffsText(diffs: readonly Diff[]): string {
  const bytes = diffs.reduce((sum, { dataSize }) => sum + dataSize, 0);
  return `${count(diffs.length, 'diff')} (${sizeText(bytes)})`;
}

const HOUR = 3600;

/** `45 s`, `12 min`, `3.5 h`, `4.2 days`. */
export function durationText(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 2 * HOUR) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * HOUR) return `${(seconds / HOUR).toFixed(1)} h`;
  return `${(seconds / (24 * HOUR)).toFixed(1)} days`;
}

/** Log of a volume: how full, and when it is full at the present rate of writing. */
export function logText(log: {
  readonly logUsagePb: number;
  readonly logCapacityPb: number;
  readonly logRatePbPerSec: number;
  readonly pbs: number;
}): string {
  const { logUsagePb, logCapacityPb, logRatePbPerSec, pbs } = log;
  const share = logCapacityPb === 0 ? 0 : Math.floor((100 * logUsagePb) / logCapacityPb);
  const full = `${share}% full (${sizeText(logUsagePb * pbs)} of ${sizeText(logCapacityPb * pbs)})`;
  if (logRatePbPerSec <= 0) return `${full}, no writes at present`;
  const left = Math.max(0, logCapacityPb - logUsagePb) / logRatePbPerSec;
  return `${full}, overflows in ${durationText(left)} at the present rate`;
}
