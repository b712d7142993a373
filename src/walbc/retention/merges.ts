/**
 * The merges that remove dropped snapshots: each runs from one snapshot that stays to the next, or as
 * far as the diffs between them fit together. Pure.
 *
 * Source: semantics.md A.3, D.8; worker.md 4 (size limit, do-not-merge gids, never the newest diff).
 */
import type { Bytes, Gid } from '../../core/index.ts';
import { canMerge, type Diff, merge } from '../../wdiff/algebra/index.ts';
import { chainOf, type RetentionFacts } from './candidates.ts';
import type { Kept } from './rules.ts';

export interface PrunedRange {
  readonly gidB: Gid;
  readonly gidE: Gid;
  /** Of all its diffs; the merged one is at most as large. */
  readonly bytes: Bytes;
  /** How many become one. */
  readonly count: number;
  /** Where two of them meet: these vanish. */
  readonly gids: readonly Gid[];
}

/** An archive opens all diffs of a merge at once. What is left is merged in a second round. */
export const MAX_MERGED_DIFFS = 100;

export interface MergeOrders {
  /** Where the base image will be. */
  readonly oldest: Gid;
  /** To be explicit and implicit by then. */
  readonly pin: readonly Gid[];
  readonly disable: readonly Gid[];
  readonly kept: Kept;
}

interface Run {
  readonly merged: Diff;
  readonly count: number;
  readonly gids: readonly Gid[];
}

export function planMerges(facts: RetentionFacts, orders: MergeOrders): PrunedRange[] {
  const chain = chainOf(facts.base, facts.diffs).filter((diff) => diff.E.b > orders.oldest);
  const ranges: PrunedRange[] = [];
  let run: Run | undefined;
  for (const [index, one] of chain.entries()) {
    const diff = withFlag(one, orders);
    // The newest diff is left out: what follows it may have to be merged onto it.
    const isNewest = index === chain.length - 1;
    if (run !== undefined && !isNewest && continues(run, diff, facts, orders)) {
      const { merged, count, gids } = run;
      run = { merged: merge(merged, diff), count: count + 1, gids: [...gids, merged.E.b] };
      continue;
    }
    if (run !== undefined) ranges.push(...rangeOf(run, diff));
    run = { merged: diff, count: 1, gids: [] };
  }
  return ranges;
}

function withFlag(diff: Diff, { pin, disable }: MergeOrders): Diff {
  if (pin.includes(diff.B.b)) return { ...diff, isMergeable: false };
  return disable.includes(diff.B.b) ? { ...diff, isMergeable: true } : diff;
}

function continues(
  { merged, count }: Run,
  next: Diff,
  { replicas, maxMergeSize = Number.POSITIVE_INFINITY }: RetentionFacts,
  { kept }: MergeOrders,
): boolean {
  return (
    canMerge(merged, next) &&
    !kept.has(merged.E.b) &&
    count < MAX_MERGED_DIFFS &&
    merged.dataSize + next.dataSize <= maxMergeSize &&
    !replicas.some((gid) => merged.B.b < gid && gid < next.E.b)
  );
}

/** An archive merges all that begins before the end of the range, so the next diff must not. */
function rangeOf({ merged, count, gids }: Run, next: Diff): PrunedRange[] {
  if (count < 2 || next.B.b < merged.E.b) return [];
  return [{ gidB: merged.B.b, gidE: merged.E.b, bytes: merged.dataSize, count, gids }];
}
