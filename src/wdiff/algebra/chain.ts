/**
 * Chains: which diffs of a set lead on from a snapshot, and which may be merged into one.
 *
 * Source: semantics.md A.4. Among several candidates the one with the most progress is taken: the
 * largest E.b, then the larger B.b, then the first. One sweep over the ordered set finds a whole chain.
 */
import type { Bytes, Gid } from '../../core/index.ts';
import { apply, canMerge, type Diff, merge } from './diff.ts';
import type { DiffSet } from './diff-set.ts';
import type { MetaState } from './meta-state.ts';
import type { Snapshot } from './snapshot.ts';

export interface ChainLimit {
  readonly maxSize?: Bytes | undefined;
  /** 0 or absent: no limit. */
  readonly maxCount?: number | undefined;
}

/** The one that leads further; of equals, the first argument. */
function moreProgress(first: Diff | undefined, second: Diff | undefined): Diff | undefined {
  if (first === undefined || second === undefined) return first ?? second;
  if (second.E.b !== first.E.b) return second.E.b > first.E.b ? second : first;
  return second.B.b > first.B.b ? second : first;
}

/**
 * Diffs that lead on from `from`, one after another. `maxGid` ends the chain before the first result
 * beyond it. O(size of the set).
 */
export function applicableChain(set: DiffSet, from: Snapshot, maxGid?: Gid): Diff[] {
  const chain: Diff[] = [];
  let at = from;
  let scanned = 0;
  // As the chain only moves forward, the best plain diff seen so far is enough: if it does not lead
  // beyond `at`, no other one that begins before `at` does.
  let plain: Diff | undefined;
  while (true) {
    // A compared diff fits only the very gid it begins at.
    let compared: Diff | undefined;
    for (; scanned < set.size; scanned += 1) {
      const d = set.diffs[scanned] as Diff;
      if (d.B.b > at.b) break;
      if (!d.isCompared) plain = moreProgress(plain, d);
      else if (d.B.b === at.b) compared = moreProgress(compared, d);
    }
    const usable = plain !== undefined && plain.E.b > at.b ? plain : undefined;
    const next = firstOfBest(set, usable, compared);
    if (next === undefined) return chain;
    const result = apply(at, next);
    if (maxGid !== undefined && result.b > maxGid) return chain;
    chain.push(next);
    at = result;
  }
}

/** A plain and a compared diff over the same gids: the order of the set decides. */
function firstOfBest(
  set: DiffSet,
  plain: Diff | undefined,
  compared: Diff | undefined,
): Diff | undefined {
  if (plain === undefined || compared === undefined) return plain ?? compared;
  const [first, second] =
    set.diffs.indexOf(plain) < set.diffs.indexOf(compared) ? [plain, compared] : [compared, plain];
  return moreProgress(first, second);
}

/**
 * Diffs that may be merged into one, beginning with the first diff at or after `gid`. One element
 * means that there is nothing to merge; none, that there is no diff.
 */
export function mergeableChain(set: DiffSet, gid: Gid = 0n): Diff[] {
  const start = set.lowerBound(gid);
  const beginGid = set.diffs[start]?.B.b;
  if (beginGid === undefined) return [];
  let first: Diff | undefined;
  for (const d of set.startingAt(beginGid)) first = moreProgress(first, d);
  const chain = [first as Diff];
  let merged = first as Diff;
  let best: Diff | undefined;
  let scanned = start;
  while (true) {
    for (; scanned < set.size; scanned += 1) {
      const d = set.diffs[scanned] as Diff;
      if (d.B.b > merged.E.b) break;
      if (d.isMergeable && !d.isCompared) best = moreProgress(best, d);
    }
    if (best === undefined || !canMerge(merged, best)) return chain;
    chain.push(best);
    merged = merge(merged, best);
  }
}

/** The longest beginning of the applicable chain that may be merged into one diff. */
export function applicableAndMergeableChain(set: DiffSet, from: Snapshot): Diff[] {
  const chain: Diff[] = [];
  let merged: Diff | undefined;
  for (const d of applicableChain(set, from)) {
    if (merged !== undefined && !canMerge(merged, d)) break;
    merged = merged === undefined ? d : merge(merged, d);
    chain.push(d);
  }
  return chain;
}

/**
 * The diffs that have to be applied before the base image is any snapshot at all: those of the step
 * it was in when applying stopped. Empty for a state that is not applying; undefined when the diffs
 * that are needed are not there.
 *
 * It ends with the first result at or beyond the target. (A longer diff over the same range may have
 * arrived since; then the exact target is not on the chain any more.)
 */
export function minimumChain(set: DiffSet, state: MetaState): Diff[] | undefined {
  if (state.applyingTo === undefined) return [];
  const chain: Diff[] = [];
  let at = state.base;
  for (const d of applicableChain(set, state.base)) {
    chain.push(d);
    at = apply(at, d);
    if (at.b >= state.applyingTo.b) return chain;
  }
  return undefined;
}

/** The first diff in any case, then as many as both limits allow. */
export function limitChain(chain: readonly Diff[], limit: ChainLimit): Diff[] {
  const maxCount = limit.maxCount === undefined || limit.maxCount === 0 ? Infinity : limit.maxCount;
  const maxSize = limit.maxSize ?? Infinity;
  const limited: Diff[] = [];
  let size = 0;
  for (const d of chain) {
    size += d.dataSize;
    if (limited.length > 0 && (size > maxSize || limited.length >= maxCount)) break;
    limited.push(d);
  }
  return limited;
}
