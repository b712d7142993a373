/**
 * Which diffs of a volume are worth merging: the run with the smallest diffs. Pure.
 *
 * Source: worker.md 4, "Merge range". The newest diff is never merged, because a run counts only when
 * a further diff ends it.
 */
import type { Gid } from '../../core/index.ts';
import type { Diff } from '../../wdiff/algebra/index.ts';

export interface MergeLimits {
  /** Most diffs after the first. */
  readonly maxNr: number;
  /** Bytes, of one diff and of a run. */
  readonly maxSize: number;
}

export interface MergeRange {
  readonly gidB: Gid;
  readonly gidE: Gid;
  /** Average size in bytes; the smaller, the more a merge saves. */
  readonly value: number;
}

interface Run {
  readonly diffs: Diff[];
  size: number;
}

/**
 * The best range among `diffs` (the applicable chain). `keep` are gids that must not vanish inside a
 * range: replication destinations are there. Undefined when there is nothing to merge.
 */
export function bestMergeRange(
  diffs: readonly Diff[],
  limits: MergeLimits,
  keep: readonly Gid[],
): MergeRange | undefined {
  let best: MergeRange | undefined;
  let run: Run | undefined;
  for (const diff of diffs) {
    if (run !== undefined && continues(run, diff, limits, keep)) {
      run.diffs.push(diff);
      run.size += diff.dataSize;
      continue;
    }
    const range = run === undefined ? undefined : rangeOf(run, diff);
    if (range !== undefined && (best === undefined || range.value < best.value)) best = range;
    run = mayStart(diff, limits) ? { diffs: [diff], size: diff.dataSize } : undefined;
  }
  return best;
}

function mayStart(diff: Diff, { maxSize }: MergeLimits): boolean {
  return !diff.isCompared && diff.dataSize <= maxSize;
}

function continues(run: Run, diff: Diff, limits: MergeLimits, keep: readonly Gid[]): boolean {
  const gidB = (run.diffs[0] as Diff).B.b;
  return (
    diff.isMergeable &&
    mayStart(diff, limits) &&
    run.size + diff.dataSize <= limits.maxSize &&
    run.diffs.length <= limits.maxNr &&
    !keep.some((gid) => gidB < gid && gid < diff.E.b)
  );
}

/**
 * A run that `ending` ends; its value counts the ending diff's size, as the original does. None when
 * `ending` begins inside the run: an archive would merge it too.
 */
function rangeOf({ diffs, size }: Run, ending: Diff): MergeRange | undefined {
  const gidE = (diffs.at(-1) as Diff).E.b;
  if (diffs.length < 2 || ending.B.b < gidE) return undefined;
  const value = Math.floor((size + ending.dataSize) / diffs.length);
  return { gidB: (diffs[0] as Diff).B.b, gidE, value };
}
