/**
 * What must hold for every archive and every policy: nothing kept is lost at any moment, there are never
 * too few snapshots, and a plan that has been carried out leaves nothing to do.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Candidate,
  canBePinned,
  candidatesOf,
  type RetentionFacts,
} from '../../../src/walbc/retention/candidates.ts';
import {
  CLOCK_TOLERANCE_SEC,
  isSettled,
  planRetention,
  type RetentionPlan,
} from '../../../src/walbc/retention/plan.ts';
import { type RetentionPolicy, retentionPolicy } from '../../../src/walbc/retention/policy.ts';
import { isPromised } from '../../../src/walbc/retention/rules.ts';
import {
  applicableChain,
  type Diff,
  DiffSet,
  diffOf,
  metaState,
  snapshot,
} from '../../../src/wdiff/algebra/index.ts';
import { ArchiveModel } from './archive-model.ts';

const SEED = 20260721;
const RUNS = { seed: SEED, numRuns: 1000 };
const HOUR = 3600;
const START = 1_750_000_000;

/** One more diff: its length in gids and seconds, its kind, and how far it reaches back. */
const link = fc.record({
  gids: fc.integer({ min: 1, max: 4 }),
  seconds: fc.oneof(
    fc.integer({ min: 0, max: 2 * HOUR }),
    fc.integer({ min: 0, max: 40 * 24 * HOUR }),
    fc.integer({ min: -3 * HOUR, max: 0 }),
  ),
  kind: fc.constantFrom('implicit', 'implicit', 'explicit', 'explicit', 'compared', 'dirty'),
  overlap: fc.constantFrom(0, 0, 0, 0, 1, 2),
  size: fc.integer({ min: 1, max: 1000 }),
});

type Link = typeof link extends fc.Arbitrary<infer T> ? T : never;

/** A chain in which some diffs overlap, some are compared, and some lead to dirty snapshots. */
function chainOfLinks(links: readonly Link[], isDirtyBase: boolean): RetentionFacts {
  const diffs: Diff[] = [];
  let at = 0n;
  let time = START;
  let dirtyUntil = isDirtyBase ? 2n : 0n;
  for (const { gids, seconds, kind, overlap, size } of links) {
    time += seconds;
    const back = kind === 'compared' || kind === 'dirty' ? 0n : BigInt(overlap);
    const begin = at > back ? at - back : at;
    const end = at + BigInt(gids);
    const isClean = kind !== 'dirty';
    const E = isClean
      ? snapshot(end)
      : snapshot(end, end + 2n > dirtyUntil ? end + 2n : dirtyUntil);
    if (!isClean) dirtyUntil = E.e;
    const isBeginDirty = dirtyUntil > begin && !isClean;
    diffs.push(
      diffOf(isBeginDirty && begin === at ? snapshot(begin) : snapshot(begin), E, {
        isMergeable: kind !== 'explicit',
        isCompared: kind === 'compared',
        timestamp: Math.max(0, time),
        dataSize: size,
      }),
    );
    at = end;
  }
  const base = metaState(isDirtyBase ? snapshot(0n, 2n) : snapshot(0n), START);
  return { base, diffs: [...DiffSet.of(diffs)], replicas: [] };
}

const archive = fc
  .tuple(fc.array(link, { maxLength: 30 }), fc.boolean(), fc.array(fc.nat(60), { maxLength: 3 }))
  .map(
    ([links, isDirtyBase, replicas]): RetentionFacts => ({
      ...chainOfLinks(links, isDirtyBase),
      replicas: replicas.map(BigInt),
    }),
  );

const span = fc.option(
  fc.integer({ min: 1, max: 100 }).map((n) => `${n}d`),
  { nil: undefined },
);
const policy = fc
  .record({
    keep_all: fc.constantFrom('1m', '1h', '3h', '2d', '20d'),
    hourly: span,
    daily: span,
    weekly: span,
    monthly: span,
    yearly: span,
    min_restorable: fc.integer({ min: 1, max: 6 }),
    keep: fc.array(fc.nat(60), { maxLength: 2 }),
  })
  .map((tree) => {
    const given = Object.entries(tree).filter(([, value]) => value !== undefined);
    return retentionPolicy(Object.fromEntries(given) as never);
  });

function newestTime({ base, diffs }: RetentionFacts): number {
  return Math.max(base.timestamp, ...diffs.map(({ timestamp }) => timestamp));
}

const keptGids = (plan: RetentionPlan): bigint[] =>
  plan.snapshots.filter(({ rules }) => rules.length > 0).map(({ gid }) => gid);

const withPlan = (check: (facts: RetentionFacts, rules: RetentionPolicy, now: number) => void) =>
  fc.assert(
    fc.property(archive, policy, fc.nat(30 * 24 * HOUR), (facts, rules, later) =>
      check(facts, rules, newestTime(facts) + later),
    ),
    RUNS,
  );

describe('a retention plan, carried out step by step', () => {
  it('never makes a snapshot unrestorable that it keeps, whenever it is broken off', () => {
    withPlan((facts, rules, now) => {
      const plan = planRetention(facts, rules, now);
      const model = new ArchiveModel(facts);
      const kept = keptGids(plan);
      for (const step of model.steps(plan)) {
        step();
        expect(model.restorable()).toEqual(expect.arrayContaining(kept));
      }
    });
  });

  it('removes what it says it removes, and nothing else', () => {
    withPlan((facts, rules, now) => {
      const plan = planRetention(facts, rules, now);
      const model = new ArchiveModel(facts);
      for (const step of model.steps(plan)) step();
      const stays = plan.snapshots.filter(({ fate }) => ['keep', 'pin', 'later'].includes(fate));
      expect(model.restorable()).toEqual(stays.map(({ gid }) => gid));
    });
  });

  it('leaves at least min_restorable, where there were as many', () => {
    withPlan((facts, rules, now) => {
      const model = new ArchiveModel(facts);
      const before = model.restorable().length;
      const plan = planRetention(facts, rules, now);
      for (const step of model.steps(plan)) step();
      const least = Math.min(before, rules.minRestorable);
      expect(keptGids(plan).length).toBeGreaterThanOrEqual(plan.hold === undefined ? least : 0);
      expect(model.restorable().length).toBeGreaterThanOrEqual(least);
    });
  });

  it('has nothing left to do afterwards', () => {
    withPlan((facts, rules, now) => {
      const model = new ArchiveModel(facts);
      for (const step of model.steps(planRetention(facts, rules, now))) step();
      const again = planRetention(model.facts(), rules, now);
      expect(isSettled(again), JSON.stringify(again, show)).toBe(true);
    });
  });

  it('goes on to nothing left from wherever it was broken off', () => {
    withPlan((facts, rules, now) => {
      const model = new ArchiveModel(facts);
      const first = planRetention(facts, rules, now);
      const steps = model.steps(first);
      for (const step of steps.slice(0, 1 + (facts.diffs.length % steps.length))) step();
      for (const step of model.steps(planRetention(model.facts(), rules, now))) step();
      expect(isSettled(planRetention(model.facts(), rules, now))).toBe(true);
      expect(model.restorable()).toEqual(expect.arrayContaining(keptGids(first)));
    });
  });

  it('merges over no destination of a replication and over no compared diff', () => {
    withPlan((facts, rules, now) => {
      for (const { gidB, gidE } of planRetention(facts, rules, now).merge) {
        expect(facts.replicas.filter((gid) => gidB < gid && gid < gidE)).toEqual([]);
        const chain = applicableChain(DiffSet.of(facts.diffs), facts.base.base);
        const inside = chain.filter(({ B, E }) => B.b >= gidB && E.b <= gidE);
        expect(inside.filter(({ isCompared }) => isCompared)).toEqual([]);
      }
    });
  });

  it('makes explicit what a rule promises, where a diff begins there, so that no merge takes it', () => {
    withPlan((facts, rules, now) => {
      const plan = planRetention(facts, rules, now);
      const model = new ArchiveModel(facts);
      for (const step of model.steps(plan)) step();
      const { base, diffs } = model.facts();
      const after = new Map(candidatesOf(base, diffs).map((one) => [one.gid, one]));
      for (const { gid, rules: by } of plan.snapshots.filter((one) => isPromised(one.rules))) {
        expect(plan.protect, by.join()).toContain(gid);
        expect(canBePinned(after.get(gid) as Candidate)).toBe(false);
      }
    });
  });
});

describe('clocks', () => {
  it('drops nothing while a snapshot is in the future, or the clock has gone back', () => {
    withPlan((facts, rules, now) => {
      const back = newestTime(facts) - CLOCK_TOLERANCE_SEC - 1 - (now % (90 * 24 * HOUR));
      const plan = planRetention(facts, rules, back);
      if (plan.snapshots.length === 0) return;
      const last = plan.snapshots.at(-1);
      const seen = Math.max(...plan.snapshots.map(({ timestamp }) => timestamp));
      if (last === undefined || seen - back <= CLOCK_TOLERANCE_SEC) return;
      expect(plan.hold).toMatch(/in the future/);
      expect(isSettled(plan)).toBe(true);
    });
  });

  it('drops no more when the clock of the machine is ahead by years', () => {
    withPlan((facts, rules, now) => {
      const at = (time: number) => keptGids(planRetention(facts, rules, time));
      expect(at(now + 10 * 365 * 24 * HOUR)).toEqual(at(now));
    });
  });
});

function show(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
