/**
 * What a base image and its diffs amount to: the latest snapshot, the restorable ones, and the gaps.
 *
 * Source: semantics.md A.4, A.5; systems.md W7 (a lost diff is detected instead of waited for).
 */
import { type Gid, U64_MAX, type UnixSeconds } from '../../core/index.ts';
import { applicableChain, minimumChain } from './chain.ts';
import { applyAll, type Diff, relation } from './diff.ts';
import type { DiffSet } from './diff-set.ts';
import { beginApplying, endApplying, type MetaState, metaState } from './meta-state.ts';
import { isClean, type Snapshot } from './snapshot.ts';

export interface Restorable {
  readonly gid: Gid;
  readonly timestamp: UnixSeconds;
  /** False for the base's own snapshot always, and for snapshots that a merge may remove. */
  readonly isExplicit: boolean;
}

/** No diff leads from `from` on, though there are diffs that begin at `to` or later. */
export interface Gap {
  readonly from: Gid;
  readonly to: Gid;
}

/** End of the applicable chain from the base, not beyond `maxGid`. */
export function snapshotUpTo(set: DiffSet, state: MetaState, maxGid: Gid = U64_MAX): Snapshot {
  return applyAll(state.base, applicableChain(set, state.base, maxGid));
}

export function latestSnapshot(set: DiffSet, state: MetaState): Snapshot {
  return snapshotUpTo(set, state);
}

/** The state once everything up to `maxGid` were applied; `state` itself when that is nothing. */
export function stateUpTo(set: DiffSet, state: MetaState, maxGid: Gid = U64_MAX): MetaState {
  const chain = applicableChain(set, state.base, maxGid);
  const plain = metaState(state.base, state.timestamp);
  return chain.length === 0 ? state : endApplying(plain, chain);
}

/** Like `stateUpTo`, as the applying state from the base to there (`get meta-state VOL 1`). */
export function applyingStateUpTo(
  set: DiffSet,
  state: MetaState,
  maxGid: Gid = U64_MAX,
): MetaState {
  const chain = applicableChain(set, state.base, maxGid);
  const plain = metaState(state.base, state.timestamp);
  return chain.length === 0 ? state : beginApplying(plain, chain);
}

/**
 * Every state along the chain that the image can be brought to, the nearest first, with the diff that
 * led to it (none for the base as it is). Empty when diffs of an interrupted apply are missing.
 */
function reachableStates(set: DiffSet, state: MetaState): { state: MetaState; via?: Diff }[] {
  const minimum = minimumChain(set, state);
  if (minimum === undefined) return [];
  let at = endApplying(state, minimum);
  const states: { state: MetaState; via?: Diff }[] = [{ state: at }];
  for (const d of applicableChain(set, at.base)) {
    at = endApplying(at, [d]);
    states.push({ state: at, via: d });
  }
  return states;
}

/**
 * Clean snapshots that can be restored, ascending: explicit ones and the base's own, or with `all`
 * implicit ones too. A snapshot is explicit when it is the last one, or when the diff that starts at
 * it is not mergeable. Dirty ones are never listed.
 */
export function restorableSnapshots(
  set: DiffSet,
  state: MetaState,
  options: { readonly all?: boolean } = {},
): Restorable[] {
  const states = reachableStates(set, state);
  return states.flatMap(({ state: at }, index) => {
    const next = states[index + 1]?.via;
    const isExplicit = index > 0 && (next === undefined || !next.isMergeable);
    const isListed = isClean(at.base) && (index === 0 || isExplicit || options.all === true);
    return isListed ? [{ gid: at.base.b, timestamp: at.timestamp, isExplicit }] : [];
  });
}

/** The nearest clean state along the chain; undefined when there is none. */
export function oldestCleanState(set: DiffSet, state: MetaState): MetaState | undefined {
  return reachableStates(set, state).find(({ state: at }) => isClean(at.base))?.state;
}

/**
 * Every gap between the snapshot and the end of the diffs, ascending. Diffs after a gap are of no use
 * until the missing ones come, or a hash backup takes their place.
 */
export function findGaps(set: DiffSet, from: Snapshot): Gap[] {
  const gaps: Gap[] = [];
  let at = applyAll(from, applicableChain(set, from));
  while (true) {
    const next = set.diffs[set.lowerBound(at.b + 1n)];
    if (next === undefined) return gaps;
    gaps.push({ from: at.b, to: next.B.b });
    at = applyAll(next.B, applicableChain(set, next.B));
  }
}

/** The gap that keeps a diff from being applied to `latest`; undefined when it is not too new. */
export function gapBefore(latest: Snapshot, d: Diff): Gap | undefined {
  return relation(latest, d) === 'too-new' ? { from: latest.b, to: d.B.b } : undefined;
}
