/**
 * The snapshots of a volume that retention decides about, with what stands around each of them.
 *
 * Source: semantics.md A.3 (when a snapshot may vanish in a merge), A.5 (which can be restored).
 */
import type { Bytes, Gid, UnixSeconds } from '../../core/index.ts';
import {
  applicableChain,
  type Diff,
  DiffSet,
  endApplying,
  isClean,
  type MetaState,
} from '../../wdiff/algebra/index.ts';

/** What is known of one volume at one archive. */
export interface RetentionFacts {
  readonly base: MetaState;
  /** The applicable chain. */
  readonly diffs: readonly Diff[];
  /** Where replication destinations are: no merge may swallow these gids. */
  readonly replicas: readonly Gid[];
  /** Bytes of what is merged at once; no limit when absent. */
  readonly maxMergeSize?: number;
}

export interface Candidate {
  readonly gid: Gid;
  /** As the archive has it. */
  readonly timestamp: UnixSeconds;
  /**
   * The latest timestamp of the candidates up to here. Later snapshots are never older, so that one taken after a clock
   * went back does not count as older than it is.
   */
  readonly time: UnixSeconds;
  /** The diff that leads to it; undefined for the base image itself. */
  readonly prior: Diff | undefined;
  /** The diff of the chain that goes on from it; undefined for the latest. */
  readonly next: Diff | undefined;
  /** No merge can remove it: the base itself, an explicit snapshot, a neighbour of a compared diff. */
  readonly isSafe: boolean;
}

/** What the base image and its chain of diffs hold. `base` must not be applying. */
export function candidatesOf(base: MetaState, diffs: readonly Diff[]): Candidate[] {
  const chain = chainOf(base, diffs);
  const candidates: Candidate[] = [];
  let at = base;
  let time = 0;
  for (let index = 0; index <= chain.length; index += 1) {
    const prior = chain[index - 1];
    const next = chain[index];
    if (prior !== undefined) at = endApplying(at, [prior]);
    if (!isClean(at.base)) continue;
    time = Math.max(time, at.timestamp);
    const isSafe = prior === undefined || (next !== undefined && !mayMerge(prior, next));
    candidates.push({ gid: at.base.b, timestamp: at.timestamp, time, prior, next, isSafe });
  }
  return candidates;
}

export function chainOf({ base }: MetaState, diffs: readonly Diff[]): Diff[] {
  return applicableChain(DiffSet.of(diffs), base);
}

/** An explicit snapshot that would vanish in a merge if it were not explicit. */
export function isHeldByFlag({ prior, next, gid }: Candidate): boolean {
  if (prior === undefined || next === undefined) return false;
  return !next.isMergeable && next.B.b === gid && mayMerge(prior, { ...next, isMergeable: true });
}

/** `enable-snapshot` takes effect: a diff begins exactly there. */
export function canBePinned({ gid, next, isSafe }: Candidate): boolean {
  return !isSafe && next !== undefined && next.B.b === gid;
}

export function sizeOf({ prior }: Candidate): Bytes {
  return prior?.dataSize ?? 0;
}

/** Consecutive diffs of a chain always fit together; only their kinds decide. */
function mayMerge(prior: Diff, next: Diff): boolean {
  return next.isMergeable && !next.isCompared && !prior.isCompared;
}
