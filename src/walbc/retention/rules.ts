/**
 * Which snapshots a policy keeps, and by which of its rules. Pure.
 *
 * - `keep_all`: everything younger than that.
 * - `hourly`, `daily`, ...: the first snapshot of each hour, day, ... The first one never loses its
 *   place to a newer one, and the first of a day is also the first of its hour, so that what a longer
 *   period needs is there when a shorter one ends. An explicit snapshot goes before an implicit one.
 *   A period leaves as a whole, when its end is too old.
 * - `keep`: those named one by one. `latest`: the end of the chain, always.
 * - `min_restorable`: the newest of the rest, until there are as many.
 * - `clock`: one after which the clock went back, while a later one with an earlier time stays. Without
 *   it, that one would look older than it is.
 *
 * Ages are counted back from the newest snapshot, not from the clock: while backups fail, or the
 * clock is wrong, nothing grows old.
 */
import type { Gid, UnixSeconds } from '../../core/index.ts';
import { type Candidate, canBePinned } from './candidates.ts';
import { PERIODS, type PeriodName } from './periods.ts';
import type { RetentionPolicy } from './policy.ts';

export type RuleName = 'keep_all' | PeriodName | 'keep' | 'latest' | 'min_restorable' | 'clock';

/** The rules that keep each snapshot; those not in the map are to be dropped. */
export type Kept = ReadonlyMap<Gid, readonly RuleName[]>;

/** `candidates` ascending, at least one; `reference` is what ages are counted back from. */
export function keptSnapshots(
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  reference: UnixSeconds,
): Kept {
  const safe = new Set([...policy.keep, ...candidates.filter(isSafe).map(({ gid }) => gid)]);
  const kept = keptWhere(safe, candidates, policy, reference);
  // The oldest one becomes the base image, and by that safe: so it counts as such from the start.
  const oldest = candidates.find(({ gid }) => kept.has(gid)) as Candidate;
  if (safe.has(oldest.gid)) return kept;
  return keptWhere(safe.add(oldest.gid), candidates, policy, reference);
}

function keptWhere(
  safe: ReadonlySet<Gid>,
  candidates: readonly Candidate[],
  policy: RetentionPolicy,
  reference: UnixSeconds,
): Kept {
  const kept = new Map<Gid, RuleName[]>();
  const keep = ({ gid }: Candidate, rule: RuleName): void => {
    kept.set(gid, [...(kept.get(gid) ?? []), rule]);
  };
  for (const one of candidates) {
    if (one === candidates.at(-1)) keep(one, 'latest');
    if (one.time >= reference - policy.keepAll) keep(one, 'keep_all');
    if (policy.keep.includes(one.gid)) keep(one, 'keep');
  }
  for (const [name, span] of Object.entries(policy.periods) as [PeriodName, number][]) {
    for (const one of firstOfEach(candidates, name, reference - span, safe)) keep(one, name);
  }
  const missing = Math.max(0, policy.minRestorable - kept.size);
  const dropped = candidates.filter(({ gid }) => !kept.has(gid));
  for (const one of dropped.slice(Math.max(0, dropped.length - missing))) {
    keep(one, 'min_restorable');
  }
  const since = new Set(candidates.filter((one) => isShifted(one, kept)).map(({ time }) => time));
  for (const one of candidates) if (since.has(one.timestamp)) keep(one, 'clock');
  return kept;
}

function isSafe(one: Candidate): boolean {
  return one.isSafe;
}

/** Kept, and taken after the clock went back. */
function isShifted({ gid, time, timestamp }: Candidate, kept: Kept): boolean {
  return kept.has(gid) && time > timestamp;
}

/**
 * Of each period that ends at `since` or later: the first safe snapshot; or else the first that can be
 * made explicit; or else the first.
 */
function firstOfEach(
  candidates: readonly Candidate[],
  name: PeriodName,
  since: UnixSeconds,
  safe: ReadonlySet<Gid>,
): Candidate[] {
  const periodOf = PERIODS[name];
  const oldest = periodOf(Math.max(0, since));
  const rank = (one: Candidate): number => (safe.has(one.gid) ? 2 : canBePinned(one) ? 1 : 0);
  const chosen = new Map<number, Candidate>();
  for (const one of candidates) {
    const period = periodOf(one.time);
    if (period < oldest) continue;
    const before = chosen.get(period);
    if (before === undefined || rank(one) > rank(before)) chosen.set(period, one);
  }
  return [...chosen.values()];
}

/** A merge for other reasons must leave it. (An implicit snapshot that is merely young may go.) */
export function isProtected(rules: readonly RuleName[]): boolean {
  return rules.some((rule) => !['keep_all', 'latest', 'clock'].includes(rule));
}

/** It is to be explicit: for those that are only to be enough, it does not matter which they are. */
export function isPromised(rules: readonly RuleName[]): boolean {
  return rules.some((rule) => rule !== 'min_restorable' && isProtected([rule]));
}
