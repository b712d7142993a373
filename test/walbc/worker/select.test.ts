import { describe, expect, it } from 'vitest';
import { workerConfig } from '../../../src/walbc/worker/config.ts';
import { configTree } from '../../../src/walbc/worker/config-tree.ts';
import type { ConfigTree } from '../../../src/walbc/worker/config-values.ts';
import { bestMergeRange } from '../../../src/walbc/worker/merge-range.ts';
import type { DestinationFacts, Facts, VolumeFacts } from '../../../src/walbc/worker/model.ts';
import { selectTask, targetGid } from '../../../src/walbc/worker/select.ts';
import { type Diff, diffOf, metaState, snapshot } from '../../../src/wdiff/algebra/index.ts';

const NOW = 1_000_000;
const APPLYING = metaState(snapshot(0n), 0, snapshot(7n));
const NO_LIMITS = { maxNr: Number.POSITIVE_INFINITY, maxSize: Number.POSITIVE_INFINITY };

const config = (extra: ConfigTree = {}) =>
  workerConfig([
    {
      general: { addr: 'a0', port: 1, walbc_path: '/walbc' },
      apply: { keep_period: 1000, interval: 100 },
      merge: { interval: 50 },
      repl: { servers: { a1: { addr: 'a1', port: 2, interval: 10 } } },
    },
    extra,
  ]);

/** Mergeable clean diffs of the given sizes, one gid each; `-` in `flags` = explicit start. */
function chain(sizes: readonly number[], flags = 'M'.repeat(sizes.length)): Diff[] {
  return sizes.map((dataSize, i) =>
    diffOf(snapshot(BigInt(i)), snapshot(BigInt(i + 1)), {
      dataSize,
      isMergeable: flags[i] !== '-',
      isCompared: flags[i] === 'C',
      timestamp: i + 1,
    }),
  );
}

function volume(fields: Partial<VolumeFacts> = {}): VolumeFacts {
  return {
    volume: 'v',
    base: metaState(snapshot(0n), 0),
    lastApply: NOW,
    lastMerge: NOW,
    restorable: [],
    diffs: [],
    numDiff: fields.diffs?.length ?? 0,
    keepGids: [],
    latestGid: 5n,
    ...fields,
  };
}

const facts = (volumes: VolumeFacts[], destinations: DestinationFacts[] = []): Facts => ({
  now: NOW,
  volumes,
  destinations,
});

function destination(fields: Partial<DestinationFacts> = {}): DestinationFacts {
  return {
    server: config().repl.servers[0]!,
    volume: 'v',
    isActive: true,
    latestGid: 3n,
    lastReplicated: undefined,
    ...fields,
  };
}

describe('merge range (worker.md 4)', () => {
  it('never merges the newest diff', () => {
    expect(bestMergeRange(chain([1, 1]), NO_LIMITS, [])).toBeUndefined();
    expect(bestMergeRange(chain([1, 1, 1]), NO_LIMITS, [])).toBeUndefined();
  });

  it('takes the run that an explicit snapshot ends', () => {
    expect(bestMergeRange(chain([4, 4, 1], 'MM-'), NO_LIMITS, [])).toEqual({
      gidB: 0n,
      gidE: 2n,
      value: 4,
    });
  });

  it('prefers the run of small diffs, the first on ties', () => {
    const diffs = chain([100, 100, 10, 10, 10, 10, 10], 'MM-M-M-');
    expect(bestMergeRange(diffs, NO_LIMITS, [])).toMatchObject({ gidB: 2n, gidE: 4n });
  });

  it('keeps compared diffs out, and lets the ending diff start the next run', () => {
    const diffs = chain([1, 1, 1, 1, 1], 'MCMM-');
    expect(bestMergeRange(diffs, NO_LIMITS, [])).toMatchObject({ gidB: 2n, gidE: 4n });
  });

  it('obeys size and number limits', () => {
    const diffs = chain([3, 3, 3, 3, 3]);
    expect(bestMergeRange(diffs, { ...NO_LIMITS, maxSize: 6 }, [])).toMatchObject({
      gidB: 0n,
      gidE: 2n,
    });
    expect(bestMergeRange(diffs, { ...NO_LIMITS, maxNr: 2 }, [])).toMatchObject({
      gidB: 0n,
      gidE: 3n,
    });
    expect(bestMergeRange(diffs, { ...NO_LIMITS, maxSize: 2 }, [])).toBeUndefined();
  });

  it('leaves the gids replication destinations are at', () => {
    const diffs = chain([1, 1, 1, 1, 1], 'MMMM-');
    expect(bestMergeRange(diffs, NO_LIMITS, [2n])).toMatchObject({ gidB: 0n, gidE: 2n });
  });
});

describe('task selection (worker.md 4)', () => {
  it('finishes an interrupted apply before anything else', () => {
    const due = volume({ volume: 'w', lastMerge: undefined, diffs: chain([1, 1, 1], 'MM-') });
    const task = selectTask(facts([due, volume({ base: APPLYING })]), config());
    expect(task).toMatchObject({ kind: 'apply', volume: 'v', gid: 7n });
  });

  it('applies the volume whose old snapshots take the most, never a young one', () => {
    const restorable = [0n, 1n, 2n, 3n].map((gid, i) => ({
      gid,
      timestamp: NOW - 3000 + i * 1000,
    }));
    const small = volume({
      volume: 'small',
      lastApply: undefined,
      restorable,
      diffs: chain([1, 1, 9]),
    });
    const large = volume({
      volume: 'large',
      lastApply: undefined,
      restorable,
      diffs: chain([5, 5, 9]),
    });
    expect(selectTask(facts([small, large]), config())).toMatchObject({
      kind: 'apply',
      volume: 'large',
      gid: 2n,
    });
    const recent = { ...large, lastApply: NOW - 99 };
    expect(selectTask(facts([small, recent]), config())).toMatchObject({ volume: 'small' });
  });

  it('does not apply the base itself', () => {
    const only = volume({ lastApply: undefined, restorable: [{ gid: 0n, timestamp: 0 }] });
    expect(selectTask(facts([only]), config())).toBeUndefined();
  });

  it('merges urgently the volume with the most diffs that has something to merge', () => {
    const many = volume({ volume: 'many', diffs: chain([1, 1, 1, 1], '----') });
    const few = volume({ volume: 'few', diffs: chain([1, 1, 1], 'MM-') });
    const settings = config({ merge: { threshold_nr: 3 } });
    const merge = { kind: 'merge', volume: 'few', gidB: 0n, gidE: 2n };
    expect(selectTask(facts([many, few]), settings)).toMatchObject(merge);
    expect(selectTask(facts([many]), settings)).toBeUndefined();
  });

  it('replicates to where it was done least recently, unless both are equal', () => {
    const source = [volume(), volume({ volume: 'w' })];
    const both = [
      destination({ lastReplicated: NOW - 20 }),
      destination({ volume: 'w', lastReplicated: NOW - 30 }),
    ];
    expect(selectTask(facts(source, both), config())).toMatchObject({
      kind: 'replicate',
      volume: 'w',
    });
    const never = [...both, destination()];
    expect(selectTask(facts(source, never), config())).toMatchObject({ volume: 'v' });
  });

  it.each([
    ['is not active there', { isActive: false }],
    ['is equal already', { latestGid: 5n }],
    ['was replicated a moment ago', { lastReplicated: NOW - 9 }],
  ])('leaves a volume alone that %s', (_, fields) => {
    expect(selectTask(facts([volume()], [destination(fields)]), config())).toBeUndefined();
  });

  it('leaves disabled volumes alone', () => {
    const settings = config({ repl: { disabled_volumes: ['v'] } });
    expect(selectTask(facts([volume()], [destination()]), settings)).toBeUndefined();
  });

  it('merges now and then', () => {
    const due = volume({ lastMerge: NOW - 50, diffs: chain([1, 1, 1], 'MM-') });
    expect(selectTask(facts([due]), config())).toMatchObject({ kind: 'merge', volume: 'v' });
    expect(selectTask(facts([{ ...due, lastMerge: NOW - 49 }]), config())).toBeUndefined();
  });

  it('runs only the step it is told to', () => {
    const due = volume({ base: APPLYING, lastMerge: undefined, diffs: chain([1, 1, 1], 'MM-') });
    expect(selectTask(facts([due]), config(), 5)).toMatchObject({ kind: 'merge' });
    expect(selectTask(facts([due]), config(), 2)).toBeUndefined();
  });
});

describe('retention (step 2)', () => {
  const HOUR = 3600;
  const START = NOW - 100 * HOUR;
  const settings = workerConfig([
    {
      general: { addr: 'a0', port: 1 },
      apply: { interval: 100 },
      merge: { interval: 50 },
      retention: { keep_all: '10h', min_restorable: 1, volumes: { off: { enabled: false } } },
    },
  ]);
  const hourly = (flags: string) =>
    chain(Array(flags.length).fill(5), flags).map((diff, i) => ({
      ...diff,
      timestamp: START + (i + 1) * HOUR,
    }));
  const aged = (fields: Partial<VolumeFacts> = {}): VolumeFacts =>
    volume({
      base: metaState(snapshot(0n), START),
      lastApply: undefined,
      diffs: hourly('-'.repeat(100)),
      ...fields,
    });

  it('moves the base, then makes implicit what is dropped', () => {
    expect(selectTask(facts([aged()]), settings)).toMatchObject({
      kind: 'apply',
      gid: 90n,
      step: '2 apply old snapshots',
    });
    const daily = workerConfig([
      configTree(settings),
      { retention: { daily: '2d', volumes: { v: { daily: '2d' } } } },
    ]);
    const later = selectTask(facts([aged({ lastApply: NOW - 99 })]), daily);
    expect(later).toMatchObject({ kind: 'disable-snapshot', volume: 'v' });
    expect(later).toMatchObject({ gids: expect.not.arrayContaining([90n]) });
  });

  it('makes explicit what has to stay before anything else', () => {
    const diffs = hourly('M'.repeat(100));
    const daily = workerConfig([configTree(settings), { retention: { daily: '2d' } }]);
    const task = selectTask(facts([aged({ diffs })]), daily);
    expect(task).toMatchObject({ kind: 'enable-snapshot', volume: 'v' });
  });

  it('leaves a volume alone whose retention is off, and one whose snapshots are in the future', () => {
    const off = aged({ volume: 'off' });
    expect(selectTask(facts([off]), settings, 2)).toBeUndefined();
    const early = { ...facts([aged()]), now: NOW - HOUR };
    expect(selectTask(early, settings, 2)).toBeUndefined();
  });

  it('keeps merges away from the newest ones and from what a rule keeps', () => {
    const diffs = hourly('M'.repeat(20));
    const keeping = workerConfig([
      configTree(settings),
      { retention: { keep_all: '50h', min_restorable: 5, volumes: { v: { keep: [4] } } } },
    ]);
    const due = aged({ diffs, lastMerge: undefined });
    const task = selectTask(facts([due]), keeping, 5);
    expect(task).toMatchObject({ kind: 'merge', gidB: 4n, gidE: 16n });
  });
});

describe('target of a limited replication (worker.md 4, step 4)', () => {
  const diffs = chain([10, 10, 10, 10]);
  it.each([
    [0, undefined],
    [5, 3n],
    [15, 3n],
    [25, 4n],
    [1000, 4n],
  ])('with %i bytes from gid 1', (limit, gid) => {
    expect(targetGid(diffs, 1n, limit)).toBe(gid);
  });

  it('has no limit when the destination is at the last diff', () => {
    expect(targetGid(diffs, 4n, 5)).toBeUndefined();
    expect(targetGid(chain([10]), 0n, 5)).toBeUndefined();
  });
});
