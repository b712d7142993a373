import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  chooseKind,
  decideRound,
  historyOfBase,
  type OwnData,
  type Round,
  type RoundLimits,
  type ServerPoint,
} from '../../src/archive-server/replication-decision.ts';
import {
  applicableChain,
  apply,
  canApply,
  type Diff,
  DiffSet,
  diffOf,
  isClean,
  latestSnapshot,
  metaState,
  type Snapshot,
  snapshot,
} from '../../src/wdiff/index.ts';

const LIMITS: RoundLimits = {
  until: { kind: 'size', bytes: 0 },
  dontMerge: false,
  maxMerge: 1 << 30,
  maxFiles: 1000,
};

interface Made {
  readonly diff: Diff;
  readonly history: string | undefined;
}

type Gids = readonly [bigint, bigint?];

function made(
  from: Gids,
  to: Gids,
  history: string | undefined,
  flags: { m?: boolean; c?: boolean; size?: number } = {},
): Made {
  const diff = diffOf(snapshot(from[0], from[1] ?? from[0]), snapshot(to[0], to[1] ?? to[0]), {
    isMergeable: flags.m ?? false,
    isCompared: flags.c ?? false,
    dataSize: flags.size ?? 1000,
    timestamp: Number(to[0]),
  });
  return { diff, history };
}

function own(base: Snapshot, list: readonly Made[], history = list.at(-1)?.history): OwnData {
  return {
    base: metaState(base, Number(base.b)),
    diffs: DiffSet.of(list.map(({ diff }) => diff)),
    history,
    historyOf: (diff) => list.find((one) => one.diff === diff)?.history,
  };
}

function at(history: string | undefined, b: bigint, e = b): ServerPoint {
  return { latest: snapshot(b, e), history };
}

describe('the kind the destination chooses (D.9)', () => {
  const cases = [
    ['SyncReady', false, false, false, 'full'],
    ['SyncReady', true, false, false, 'full'],
    ['SyncReady', true, true, true, 'resync'],
    ['SyncReady', false, false, true, 'full'],
    ['Archived', true, true, false, 'hash-or-diff'],
    ['Archived', true, true, true, 'resync'],
    ['Archived', true, false, true, 'resync'],
  ] as const;
  it.each(cases)(
    '%s, image %s, same archive %s, doResync %s: %s',
    (state, hasImage, isSameArchive, doResync, kind) => {
      expect(chooseKind({ state, hasImage, isSameArchive, doResync })).toBe(kind);
    },
  );

  it('refuses another archive_uuid without doResync, before anything is touched', () => {
    const server = {
      state: 'Archived',
      hasImage: true,
      isSameArchive: false,
      doResync: false,
    } as const;
    expect(() => chooseKind(server)).toThrow(/resync is required but not allowed/);
  });
});

describe('one round (D.9)', () => {
  const line = [
    made([0n], [1n], 'A'),
    made([1n], [5n], 'A', { m: true }),
    made([5n], [9n], 'A', { m: true }),
    made([9n], [12n], 'A'),
  ];
  const base = snapshot(0n, 1n);
  const mine = own(base, line);
  const sent = (round: Round): string =>
    round.kind === 'finish' ? 'finish' : `${round.kind} ${round.diff.B.b}-${round.diff.E.b}`;
  const round = (server: ServerPoint, limits: Partial<RoundLimits> = {}, data = mine): string =>
    sent(decideRound(data, server, { ...LIMITS, ...limits }));

  it('is over when the destination has all there is', () => {
    expect(round(at('A', 12n))).toBe('finish');
    expect(round(at('A', 15n))).toBe('finish');
  });

  it('merges what may be merged, up to an explicit snapshot', () => {
    expect(round(at('A', 0n, 1n))).toBe('diff 0-9');
    expect(round(at('A', 1n))).toBe('diff 1-9');
    expect(round(at('A', 9n))).toBe('diff 9-12');
  });

  it('begins with an earlier diff when none begins at the snapshot', () => {
    expect(round(at('A', 3n))).toBe('diff 1-9');
  });

  it('sends single diffs with dontMerge', () => {
    expect(round(at('A', 1n), { dontMerge: true })).toBe('diff 1-5');
  });

  it('keeps to the limits of size and number, at least one diff', () => {
    expect(round(at('A', 1n), { maxMerge: 1999 })).toBe('diff 1-5');
    expect(round(at('A', 1n), { maxMerge: 2000 })).toBe('diff 1-9');
    expect(round(at('A', 1n), { maxMerge: 1 })).toBe('diff 1-5');
    expect(round(at('A', 0n, 1n), { maxFiles: 2 })).toBe('diff 0-5');
  });

  it('ends at the wished gid or size', () => {
    expect(round(at('A', 9n), { until: { kind: 'gid', gid: 9n } })).toBe('finish');
    expect(round(at('A', 5n), { until: { kind: 'gid', gid: 9n } })).toBe('diff 5-9');
    expect(round(at('A', 9n), { until: { kind: 'size', bytes: 1000 } })).toBe('finish');
    expect(round(at('A', 5n), { until: { kind: 'size', bytes: 1000 } })).toBe('diff 5-9');
    expect(round(at('A', 9n), { until: { kind: 'size', bytes: 0 } })).toBe('diff 9-12');
  });

  it('compares with the oldest clean snapshot when the destination is older than the base', () => {
    const later = own(snapshot(5n), line.slice(2));
    expect(round(at('A', 1n), {}, later)).toBe('hash 1-5');
    const dirty = own(snapshot(5n, 9n), line.slice(2));
    expect(round(at('A', 1n), {}, dirty)).toBe('hash 1-9');
  });

  it('compares with a later clean snapshot when the destination is dirty beyond the oldest one', () => {
    const later = own(snapshot(5n), line.slice(2));
    expect(round(at('A', 1n, 7n), {}, later)).toBe('hash 1-9');
    expect(() => round(at('A', 1n, 13n), {}, later)).toThrow(/needs a clean snapshot from gid 13/);
  });

  it('names what is missing when its own chain does not lead on', () => {
    const holed = own(base, [line[0] as Made, line[1] as Made]);
    expect(round(at('A', 5n), {}, holed)).toBe('finish');
    expect(() =>
      round(at('A', 2n), {}, own(snapshot(0n), [made([0n], [9n], 'A', { c: true })])),
    ).toThrow(/no diff here leads on/);
  });
});

describe('log histories', () => {
  // A hash backup at gid 9 of history A began history B at gid 10.
  const forked = [
    made([5n], [9n], 'A', { m: true }),
    made([9n], [10n, 14n], 'B'),
    made([10n], [14n], 'B'),
    made([14n], [20n], 'B', { m: true }),
  ];
  const mine = own(snapshot(5n), forked);

  it('go on across a hash backup where the destination is on the line', () => {
    expect(decideRound(mine, at('A', 9n), LIMITS)).toMatchObject({ kind: 'diff', history: 'B' });
    expect(decideRound(mine, at('A', 7n), LIMITS)).toMatchObject({ kind: 'diff', history: 'A' });
    expect(decideRound(mine, at('B', 10n, 14n), LIMITS)).toMatchObject({ kind: 'diff' });
    expect(decideRound(mine, at('B', 12n), LIMITS)).toMatchObject({ kind: 'diff' });
  });

  it('conflict where the destination was ahead of the archive that got the hash backup', () => {
    for (const gid of [10n, 12n, 14n, 17n, 20n, 25n]) {
      expect(() => decideRound(mine, at('A', gid), LIMITS)).toThrow(/doResync/);
    }
  });

  it('conflict also when the wished gid seems to be reached', () => {
    const limits = { ...LIMITS, until: { kind: 'gid', gid: 12n } } as const;
    expect(() => decideRound(mine, at('A', 12n), limits)).toThrow(/histories have diverged/);
  });

  it('compare images when the base hides whether they are the same', () => {
    const applied = own(snapshot(9n), forked.slice(1));
    expect(decideRound(applied, at('A', 9n), LIMITS)).toMatchObject({ kind: 'hash' });
    expect(decideRound(applied, at('B', 9n), LIMITS)).toMatchObject({ kind: 'diff' });
  });

  it('compare images when files of walb-tools do not tell', () => {
    const old = own(snapshot(5n), [made([5n], [9n], undefined), made([9n], [12n], undefined)], 'A');
    expect(decideRound(old, at('A', 7n), LIMITS)).toMatchObject({ kind: 'diff', history: 'A' });
    expect(decideRound(old, at('Z', 7n), LIMITS)).toMatchObject({ kind: 'hash' });
    expect(decideRound(old, at(undefined, 7n), LIMITS)).toMatchObject({ kind: 'hash' });
  });

  it('are not mixed in one merged diff', () => {
    const dirty = own(snapshot(5n), [
      made([5n], [9n], 'A'),
      made([9n], [10n, 14n], 'B', { m: true }),
      made([10n], [14n], 'B', { m: true }),
    ]);
    const round = decideRound(dirty, at('A', 5n), LIMITS);
    expect(round).toMatchObject({ kind: 'diff', parts: [{ E: { b: 9n } }] });
  });

  it('of a compared diff fit only the very snapshot it was made from', () => {
    // Healed by comparison: the line at 8 was of C, at 12 it is of A.
    const healed = own(snapshot(5n), [
      made([5n], [8n], 'C'),
      made([8n], [12n], 'A', { c: true }),
      made([12n], [15n], 'A'),
    ]);
    expect(decideRound(healed, at('C', 8n), LIMITS)).toMatchObject({ kind: 'diff' });
    expect(() => decideRound(healed, at('A', 8n), LIMITS)).toThrow(/diverged/);
    expect(historyOfBase(healed, snapshot(8n))).toBeUndefined();
    expect(historyOfBase(healed, snapshot(5n))).toBe('C');
  });
});

/** A line of histories on one archive, and where another one stands relative to it. */
const steps = fc.array(
  fc.record({
    kind: fc.constantFrom('log', 'log', 'log', 'hash'),
    length: fc.bigInt({ min: 1n, max: 4n }),
    m: fc.boolean(),
    size: fc.integer({ min: 1, max: 5000 }),
  }),
  { minLength: 1, maxLength: 12 },
);

interface Line {
  readonly base: Snapshot;
  readonly list: Made[];
  readonly points: { readonly at: Snapshot; readonly history: string }[];
}

function lineOf(plan: readonly { kind: string; length: bigint; m: boolean; size: number }[]): Line {
  const list: Made[] = [];
  let now = snapshot(0n);
  let history = 0;
  const points = [{ at: now, history: 'h0' }];
  for (const { kind, length, m, size } of plan) {
    const last = list.at(-1);
    let next: Made;
    if (kind === 'hash' && isClean(now)) {
      history += 1;
      next = made([now.b], [now.b + 1n, now.b + 1n + length], `h${history}`, { size });
    } else {
      const isFirst = last?.history !== `h${history}` || !isClean(now);
      next = made([now.b], [now.b + length], `h${history}`, { m: m && !isFirst, size });
    }
    list.push(next);
    now = apply(now, next.diff);
    points.push({ at: now, history: `h${history}` });
  }
  return { base: snapshot(0n), list, points };
}

describe('rounds on random lines', () => {
  const limits = fc.record({
    until: fc.constant({ kind: 'size', bytes: 0 } as const),
    dontMerge: fc.boolean(),
    maxMerge: fc.integer({ min: 1, max: 20_000 }),
    maxFiles: fc.integer({ min: 1, max: 5 }),
  });

  it('always lead to the latest snapshot, each applicable to what came before', () => {
    fc.assert(
      fc.property(steps, limits, fc.nat(), fc.nat(), (plan, wished, baseAt, serverAt) => {
        const line = lineOf(plan);
        const start = baseAt % line.points.length;
        const from = line.points[start] as Line['points'][0];
        const mine = own(from.at, line.list.slice(start), line.points.at(-1)?.history);
        const there = line.points[serverAt % line.points.length] as Line['points'][0];
        let server: ServerPoint = { latest: there.at, history: there.history };
        for (let rounds = 0; rounds <= line.list.length + 1; rounds += 1) {
          let next: Round;
          try {
            next = decideRound(mine, server, wished);
          } catch (error) {
            // Only a comparison may be impossible: nothing clean lies ahead.
            expect(String(error)).toMatch(/needs a clean snapshot/);
            return;
          }
          if (next.kind === 'finish') {
            expect(server.latest.b).toBe(latestSnapshot(mine.diffs, mine.base).b);
            return;
          }
          expect(canApply(server.latest, next.diff)).toBe(true);
          if (next.kind === 'diff') {
            const chain = applicableChain(mine.diffs, server.latest);
            expect(next.parts).toEqual(chain.slice(0, next.parts.length));
            expect(new Set(next.parts.map(mine.historyOf)).size).toBe(1);
          }
          server = { latest: apply(server.latest, next.diff), history: next.history };
        }
        throw new Error('the rounds did not end');
      }),
      { seed: 20260101, numRuns: 500 },
    );
  });

  it('never send a diff to a destination of a history that is not on the line', () => {
    fc.assert(
      fc.property(
        steps,
        limits,
        fc.nat(),
        fc.bigInt({ min: 1n, max: 6n }),
        (plan, wished, forkAt, ahead) => {
          const line = lineOf(plan);
          const fork = line.points[forkAt % line.points.length] as Line['points'][0];
          // It went on in its history after the line had left it.
          const nextHash = line.points.find(
            (p) => p.at.b > fork.at.b && p.history !== fork.history,
          );
          fc.pre(nextHash !== undefined && isClean(fork.at));
          const last = line.points.filter((p) => p.history === fork.history).at(-1);
          const server: ServerPoint = {
            latest: snapshot((last?.at.b ?? 0n) + ahead),
            history: fork.history,
          };
          const mine = own(line.base, line.list);
          expect(() => decideRound(mine, server, wished)).toThrow(/doResync/);
        },
      ),
      { seed: 20260102, numRuns: 500 },
    );
  });
});
