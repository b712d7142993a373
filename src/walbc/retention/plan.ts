/**
 * What has to be done to an archive so that a volume holds the snapshots its policy keeps and no
 * others. Pure: whoever asks the archive and carries the plan out is elsewhere, so that a preview shows
 * exactly what would be done.
 *
 * Snapshots go in two ways: the base image moves up to the oldest one that stays (apply), and between
 * two that stay the diffs become one (merge), for which an explicit snapshot is first made implicit
 * (disable-snapshot). An implicit snapshot that must stay is made explicit (enable-snapshot). Each step
 * by itself removes only what is dropped, so a plan that is broken off does no harm.
 *
 * Source: semantics.md A.3, A.5, A.7, D.7, D.8; worker.md 4 (do-not-merge gids, merge limits).
 */
import type { Bytes, Gid, UnixSeconds } from '../../core/index.ts';
import { formatSpanOf, isApplying, type MetaState } from '../../wdiff/algebra/index.ts';
import {
  type Candidate,
  canBePinned,
  candidatesOf,
  isHeldByFlag,
  type RetentionFacts,
  sizeOf,
} from './candidates.ts';
import { type PrunedRange, planMerges } from './merges.ts';
import type { RetentionPolicy } from './policy.ts';
import { isPromised, isProtected, type Kept, keptSnapshots, type RuleName } from './rules.ts';

/**
 * - keep: stays. pin: stays, and is made explicit for it.
 * - apply: goes when the base image moves past it. merge: goes in a merge.
 * - later: is dropped, but stays for now; `why` says what it waits for.
 */
export type Fate = 'keep' | 'pin' | 'apply' | 'merge' | 'later';

export interface PlannedSnapshot {
  readonly gid: Gid;
  readonly timestamp: UnixSeconds;
  /** Of the diff that leads to it. */
  readonly bytes: Bytes;
  readonly fate: Fate;
  /** The rules that keep it; none for one that is dropped. */
  readonly rules: readonly RuleName[];
  readonly why: string;
}

export interface RetentionPlan {
  /** Why nothing is dropped at all; undefined when the policy is carried out. */
  readonly hold: string | undefined;
  /** Every snapshot that can be restored now, ascending. */
  readonly snapshots: readonly PlannedSnapshot[];
  /** To be made explicit, first of all. */
  readonly pin: readonly Gid[];
  /** Where the base image moves to. */
  readonly apply: Gid | undefined;
  /** Size of the diffs that go into the base image: freed. */
  readonly applyBytes: Bytes;
  /** To be made implicit. */
  readonly disable: readonly Gid[];
  readonly merge: readonly PrunedRange[];
  /** What merges for other reasons must leave. */
  readonly protect: readonly Gid[];
  /** What the operator should know besides. */
  readonly notes: readonly string[];
}

/** Clocks of a storage and of this machine may differ by so much; beyond that one is wrong. */
export const CLOCK_TOLERANCE_SEC = 300;

/** `now`: unix time. See rules.ts for what ages are counted from. */
export function planRetention(
  facts: RetentionFacts,
  policy: RetentionPolicy,
  now: UnixSeconds,
): RetentionPlan {
  const { base } = facts;
  if (isApplying(base)) return unfinishedApply(base);
  const candidates = candidatesOf(base, facts.diffs);
  const hold = reasonToHold(candidates, policy, now);
  if (hold !== undefined) return heldPlan(candidates, hold);
  const newest = candidates.at(-1) as Candidate;
  const kept = keptSnapshots(candidates, policy, Math.min(now, newest.time));
  return carryOut(facts, policy, candidates, kept);
}

/** Nothing is left to be done. */
export function isSettled({ pin, apply, disable, merge }: RetentionPlan): boolean {
  return pin.length === 0 && apply === undefined && disable.length === 0 && merge.length === 0;
}

function carryOut(
  facts: RetentionFacts,
  policy: RetentionPolicy,
  candidates: readonly Candidate[],
  kept: Kept,
): RetentionPlan {
  const { base, replicas } = facts;
  const staying = candidates.filter(({ gid }) => kept.has(gid));
  const pinned = staying.filter((one) => isPromised(kept.get(one.gid) ?? []) && canBePinned(one));
  const oldest = (staying[0] as Candidate).gid;
  const disabled = candidates.filter(
    (one) =>
      one.gid > oldest && !kept.has(one.gid) && isHeldByFlag(one) && !replicas.includes(one.gid),
  );
  const pin = pinned.map(({ gid }) => gid);
  const disable = disabled.map(({ gid }) => gid);
  const merge = planMerges(facts, { oldest, pin, disable, kept });
  const snapshots = candidates.map((one) => planned(one, { kept, pin, oldest, merge, replicas }));
  const guarded = staying.filter(({ gid }) => isProtected(kept.get(gid) ?? []));
  const protect = [...guarded, ...staying.slice(-policy.minRestorable)].map(({ gid }) => gid);
  const obsolete = facts.diffs.filter((diff) => diff.E.b <= oldest);
  return {
    hold: undefined,
    snapshots,
    pin,
    apply: oldest > base.base.b ? oldest : undefined,
    applyBytes: obsolete.reduce((sum, { dataSize }) => sum + dataSize, 0),
    disable,
    merge,
    protect: [...new Set(protect)],
    notes: notesOn(facts, policy, candidates, oldest),
  };
}

interface Decisions {
  readonly kept: Kept;
  readonly pin: readonly Gid[];
  readonly oldest: Gid;
  readonly merge: readonly PrunedRange[];
  readonly replicas: readonly Gid[];
}

function planned(one: Candidate, decisions: Decisions): PlannedSnapshot {
  const { gid, timestamp } = one;
  const rules = decisions.kept.get(gid) ?? [];
  return { gid, timestamp, bytes: sizeOf(one), rules, ...fateOf(one, rules, decisions) };
}

function fateOf(
  one: Candidate,
  rules: readonly RuleName[],
  { pin, oldest, merge, replicas }: Decisions,
): { fate: Fate; why: string } {
  const { gid } = one;
  if (rules.length > 0) return { fate: pin.includes(gid) ? 'pin' : 'keep', why: rules.join(', ') };
  if (gid < oldest) return { fate: 'apply', why: `no rule; the base image moves to ${oldest}` };
  const range = merge.find(({ gids }) => gids.includes(gid));
  if (range !== undefined) {
    return { fate: 'merge', why: `no rule; merged into ${range.gidB}-->${range.gidE}` };
  }
  return { fate: 'later', why: `no rule; ${obstacleOf(one, replicas)}` };
}

/** What keeps a dropped snapshot for now. */
function obstacleOf({ gid, prior, next }: Candidate, replicas: readonly Gid[]): string {
  if (replicas.includes(gid)) return 'a replication destination is there';
  if (prior?.isCompared === true || next?.isCompared === true) {
    return 'beside a compared diff, which merges with nothing';
  }
  return 'its diffs can not be merged yet (the newest, too large, or overlapping)';
}

function reasonToHold(
  candidates: readonly Candidate[],
  { enabled }: RetentionPolicy,
  now: UnixSeconds,
): string | undefined {
  const newest = candidates.at(-1);
  if (newest === undefined) return 'no snapshot can be restored';
  if (!enabled) return 'retention is switched off for this volume';
  const ahead = newest.time - now;
  if (ahead <= CLOCK_TOLERANCE_SEC) return undefined;
  const first = candidates.find(({ time }) => time === newest.time) as Candidate;
  return `snapshot ${first.gid} is ${ahead} s in the future: check the clocks of its storage and of this machine`;
}

function heldPlan(candidates: readonly Candidate[], hold: string): RetentionPlan {
  const snapshots = candidates.map((one): PlannedSnapshot => {
    const { gid, timestamp } = one;
    return {
      gid,
      timestamp,
      bytes: sizeOf(one),
      fate: 'keep',
      rules: [],
      why: 'nothing is dropped',
    };
  });
  return {
    hold,
    snapshots,
    pin: [],
    apply: undefined,
    applyBytes: 0,
    disable: [],
    merge: [],
    protect: candidates.map(({ gid }) => gid),
    notes: [],
  };
}

/** What it was going to drop is gone already; everything else waits until it is finished. */
function unfinishedApply(base: MetaState): RetentionPlan {
  const hold = `the base image is half-way in ${formatSpanOf(base)}: that apply is finished first`;
  return { ...heldPlan([], hold), apply: base.applyingTo?.b };
}

function notesOn(
  { base, replicas }: RetentionFacts,
  { keep }: RetentionPolicy,
  candidates: readonly Candidate[],
  oldest: Gid,
): string[] {
  const unknown = keep.filter((wanted) => !candidates.some(({ gid }) => gid === wanted));
  const behind = replicas.filter((gid) => gid >= base.base.b && gid < oldest);
  return [
    ...unknown.map((gid) => `gid ${gid} of 'keep' can not be restored here`),
    ...behind.map(
      (gid) =>
        `a replication destination is at gid ${gid}, behind the new base image: its next replication compares whole images`,
    ),
  ];
}
