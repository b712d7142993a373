/**
 * Plans of what an archive or a proxy does with diffs: apply, merge, restore, scan, replicate,
 * collect garbage, make snapshots explicit. A plan is a value; whoever carries it out does the I/O.
 *
 * Source: semantics.md A.4, A.5, A.7, D.6-D.9. Refusals are WalbErrors that name the gids.
 */
import { type Bytes, type Gid, WalbError } from '../../core/index.ts';
import { applicableChain, limitChain, mergeableChain, minimumChain } from './chain.ts';
import { type Diff, mergeAll } from './diff.ts';
import { DiffSet } from './diff-set.ts';
import {
  beginApplying,
  endApplying,
  formatSpanOf,
  isApplying,
  type MetaState,
} from './meta-state.ts';
import { formatSnapshot, isClean, type Snapshot } from './snapshot.ts';

/** One pass of apply (A.7): record `during`, write `diffs`, sync, record `after`, drop `obsolete`. */
export interface ApplyPlan {
  readonly diffs: readonly Diff[];
  readonly during: MetaState;
  readonly after: MetaState;
  readonly obsolete: readonly Diff[];
}

/**
 * The next pass towards `gid`, of at most `maxCount` diffs (0: no limit) but at least of what an
 * interrupted pass left undone. `gid` need not be a snapshot: everything that ends at or before it is
 * applied. Undefined when nothing is left. Throws `not-found` when diffs of an interrupted pass are
 * missing.
 */
export function planApply(
  set: DiffSet,
  state: MetaState,
  gid: Gid,
  maxCount = 0,
): ApplyPlan | undefined {
  const minimum = requiredMinimum(set, state);
  const wanted = limitChain(applicableChain(set, state.base, gid), { maxCount });
  const diffs = minimum.length > wanted.length ? minimum : wanted;
  if (diffs.length === 0) return undefined;
  const after = endApplying(state, diffs);
  return {
    diffs,
    during: beginApplying(state, diffs),
    after,
    obsolete: diffsUpTo(set, after.base.b),
  };
}

function requiredMinimum(set: DiffSet, state: MetaState): Diff[] {
  const minimum = minimumChain(set, state);
  if (minimum !== undefined) return minimum;
  const text = formatSpanOf(state);
  throw new WalbError(
    'not-found',
    `the base image is half-way in ${text}, but diffs up to gid ${state.applyingTo?.b} are missing: replicate or back up the volume anew`,
    { details: { state: text, gid: state.applyingTo?.b } },
  );
}

/** How to bring an image of `from` to a snapshot; `from` is the base's state or a cold snapshot's. */
export interface MaterialisePlan {
  readonly diffs: readonly Diff[];
  readonly result: MetaState;
}

/**
 * Diffs that make the snapshot with begin gid `gid`. Throws `not-found` when it can not be reached
 * (unknown, before the base, or inside an interrupted apply), `wrong-state` when it is dirty and
 * `allowDirty` was not given.
 */
export function planMaterialise(
  set: DiffSet,
  from: MetaState,
  gid: Gid,
  options: { readonly allowDirty?: boolean } = {},
): MaterialisePlan {
  const minimum = requiredMinimum(set, from);
  const diffs = applicableChain(set, from.base, gid);
  const result = diffs.length < minimum.length ? undefined : endApplying(from, diffs);
  if (result === undefined || result.base.b !== gid) {
    throw new WalbError('not-found', `no snapshot ${gid} can be made from ${formatSpanOf(from)}`, {
      details: { gid, from: formatSpanOf(from) },
    });
  }
  if (options.allowDirty !== true && !isClean(result.base)) {
    const text = formatSnapshot(result.base);
    const message = `snapshot ${text} is dirty (a backup began there): wait for the next diff, then take the gid it ends at`;
    throw new WalbError('wrong-state', message, { details: { gid, snapshot: text } });
  }
  return { diffs, result };
}

export interface RestorePlan {
  /** Each pass is merged and written as a whole before the next one. */
  readonly passes: readonly (readonly Diff[])[];
  readonly result: MetaState;
}

/** A clean snapshot in passes of at most `maxPerPass` diffs (0: one pass). Throws like the above. */
export function planRestore(set: DiffSet, from: MetaState, gid: Gid, maxPerPass = 0): RestorePlan {
  const { diffs, result } = planMaterialise(set, from, gid);
  const count = maxPerPass === 0 ? Math.max(1, diffs.length) : maxPerPass;
  const passes = Array.from({ length: Math.ceil(diffs.length / count) }, (_, index) =>
    diffs.slice(index * count, (index + 1) * count),
  );
  return { passes, result };
}

/**
 * A snapshot to be read as one merged image. Throws `limit-exceeded` when more than `maxCount` diffs
 * (0: no limit) would have to be open at once.
 */
export function planScan(
  set: DiffSet,
  from: MetaState,
  gid: Gid,
  options: { readonly maxCount?: number; readonly allowDirty?: boolean } = {},
): MaterialisePlan {
  const plan = planMaterialise(set, from, gid, options);
  const maxCount = options.maxCount ?? 0;
  if (maxCount === 0 || plan.diffs.length <= maxCount) return plan;
  const message = `snapshot ${gid} needs ${plan.diffs.length} diffs open at once, ${maxCount} are allowed: apply or merge first`;
  throw new WalbError('limit-exceeded', message, {
    details: { gid, diffs: plan.diffs.length, maxCount },
  });
}

/** Write and add `merged` first, then remove `obsolete`: a crash between leaves only leftovers. */
export interface MergePlan {
  readonly diffs: readonly Diff[];
  /** What they become; `dataSize` is an upper bound. */
  readonly merged: Diff;
  /** The inputs, and overtaken diffs over parts of the same range. */
  readonly obsolete: readonly Diff[];
}

export interface MergeLimit {
  /** Merge only diffs that begin before this gid; the last one may end beyond it. */
  readonly untilGid?: Gid;
  readonly maxSize?: Bytes;
  readonly maxCount?: number;
}

/**
 * Merging of the diffs from `gid` on (D.8). Only diffs of the applicable chain take part: one that a
 * longer diff has overtaken may carry an outdated flag and would lead past an explicit snapshot. Throws `wrong-state` while the base is applying,
 * `invalid-argument` for an empty range, `not-found` when fewer than two diffs can be merged.
 */
export function planMerge(
  set: DiffSet,
  state: MetaState,
  gid: Gid,
  limit: MergeLimit = {},
): MergePlan {
  const { untilGid } = limit;
  if (isApplying(state)) {
    const message = `the base image is half-way in ${formatSpanOf(state)}: run apply before merge`;
    throw new WalbError('wrong-state', message, { details: { state: formatSpanOf(state) } });
  }
  if (untilGid !== undefined && untilGid <= gid) {
    const message = `empty range: the end gid ${untilGid} must be above the begin gid ${gid}`;
    throw new WalbError('invalid-argument', message, { details: { gid, untilGid } });
  }
  const live = DiffSet.of(applicableChain(set, state.base));
  const chain = mergeableChain(live, gid);
  const cut = untilGid === undefined ? -1 : chain.findIndex((d) => d.B.b >= untilGid);
  const diffs = limitChain(cut < 0 ? chain : chain.slice(0, cut), limit);
  if (diffs.length < 2) {
    const message = `nothing to merge from gid ${gid} on: fewer than two diffs fit together within the limits`;
    throw new WalbError('not-found', message, { details: { gid, diffs: diffs.length } });
  }
  const merged = mergeAll(diffs);
  return { diffs, merged, obsolete: diffsWithin(set, merged.B.b, merged.E.b) };
}

export interface GcPlan {
  /** Overtaken by diffs of the chain; may be removed. */
  readonly garbage: readonly Diff[];
  /** Lead beyond the end of the chain but do not connect to it: there is a gap. Keep them. */
  readonly unreachable: readonly Diff[];
}

/** What is not needed to go on from `from`, which is the snapshot of the base image. */
export function planGc(set: DiffSet, from: Snapshot): GcPlan {
  const chain = applicableChain(set, from);
  const inChain = new Set(chain);
  const end = chain.at(-1)?.E.b ?? from.b;
  const others = set.diffs.filter((d) => !inChain.has(d));
  return {
    garbage: others.filter((d) => d.E.b <= end),
    unreachable: others.filter((d) => d.E.b > end),
  };
}

/** Diffs inside [begin, end] that one diff over exactly that range makes superfluous. */
export function diffsWithin(set: DiffSet, begin: Gid, end: Gid): Diff[] {
  const isWhole = (d: Diff): boolean => d.B.b === begin && d.E.b === end;
  return set.diffs.filter((d) => d.B.b >= begin && d.E.b <= end && !isWhole(d));
}

/** Diffs that end at or before `gid`: superfluous once the base image is there. */
export function diffsUpTo(set: DiffSet, gid: Gid): Diff[] {
  return set.diffs.filter((d) => d.E.b <= gid);
}

export interface SnapshotFlagPlan {
  /** Changes of the mergeable flag; each is a rename of a file. */
  readonly changes: readonly { readonly from: Diff; readonly to: Diff }[];
  /** Gids where nothing had to change. */
  readonly unchanged: readonly Gid[];
  /** Gids at which no diff starts: unknown ones and the latest. To be reported as an error. */
  readonly failed: readonly Gid[];
}

/**
 * Making snapshots explicit (`enable-snapshot`) or free to vanish (`disable-snapshot`): the flag of
 * every diff that starts there (A.5). One bad gid does not keep the others from being done.
 */
export function planSnapshotFlags(
  set: DiffSet,
  gids: readonly Gid[],
  isExplicit: boolean,
): SnapshotFlagPlan {
  const changes: { from: Diff; to: Diff }[] = [];
  const unchanged: Gid[] = [];
  const failed: Gid[] = [];
  for (const gid of new Set(gids)) {
    const starting = set.startingAt(gid);
    const wrong = starting.filter((d) => d.isMergeable === isExplicit);
    for (const from of wrong) changes.push({ from, to: { ...from, isMergeable: !isExplicit } });
    if (starting.length === 0) failed.push(gid);
    else if (wrong.length === 0) unchanged.push(gid);
  }
  return { changes, unchanged, failed };
}
