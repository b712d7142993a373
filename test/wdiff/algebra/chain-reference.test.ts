// semantics.md A.4 word for word, slowly: the one-sweep chains must choose the same diffs, also from
// sets that no real transfer would leave behind.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCode } from '../../../src/core/index.ts';
import {
  applicableAndMergeableChain,
  applicableChain,
  apply,
  canApply,
  canMerge,
  type Diff,
  DiffSet,
  diffOf,
  equalDiffs,
  findGaps,
  formatDiff,
  formatMetaState,
  formatSnapshot,
  isCleanDiff,
  merge,
  mergeableChain,
  metaState,
  parseDiff,
  parseMetaState,
  parseSnapshot,
  planGc,
  planMerge,
  restorableSnapshots,
  type Snapshot,
  snapshot,
} from '../../../src/wdiff/algebra/index.ts';

const SEED = 42;
const GIDS = 12n;

const gid = fc.bigInt({ min: 0n, max: GIDS });
const snap = fc.oneof(
  gid.map((g) => snapshot(g)),
  fc.tuple(gid, gid).map(([a, b]) => (a < b ? snapshot(a, b) : snapshot(b, a))),
);
const diff = fc
  .tuple(snap, snap, fc.boolean(), fc.nat(4))
  .filter(([B, E]) => B.b < E.b && B.e <= E.e)
  .map(([B, E, isMergeable, n]) => diffOf(B, E, { isMergeable, isCompared: n === 0 }));
const set = fc
  .uniqueArray(diff, { maxLength: 14, comparator: equalDiffs })
  .map((diffs) => DiffSet.of(diffs));

/** "largest E.B; tie: larger B.B; remaining tie: first". */
function maxProgress(candidates: readonly Diff[]): Diff | undefined {
  return candidates.reduce<Diff | undefined>((best, d) => {
    if (best === undefined || d.E.b > best.E.b) return d;
    return d.E.b === best.E.b && d.B.b > best.B.b ? d : best;
  }, undefined);
}

function slowApplicableChain(diffs: readonly Diff[], from: Snapshot, maxGid: bigint): Diff[] {
  const candidates = diffs.filter((d) => d.B.b <= from.b && from.b < d.E.b && canApply(from, d));
  const next = maxProgress(candidates);
  if (next === undefined || apply(from, next).b > maxGid) return [];
  return [next, ...slowApplicableChain(diffs, apply(from, next), maxGid)];
}

function slowMergeableChain(diffs: readonly Diff[], from: bigint): Diff[] {
  const begin = diffs.find((d) => d.B.b >= from)?.B.b;
  const first = maxProgress(diffs.filter((d) => d.B.b === begin));
  if (first === undefined) return [];
  const chain = [first];
  let merged = first;
  while (true) {
    const next = maxProgress(diffs.filter((d) => canMerge(merged, d)));
    if (next === undefined) return chain;
    chain.push(next);
    merged = merge(merged, next);
  }
}

describe('chains against the specification word for word', () => {
  it('applicable chain', () => {
    fc.assert(
      fc.property(set, snap, gid, (s, from, maxGid) => {
        expect(applicableChain(s, from)).toEqual(slowApplicableChain(s.diffs, from, GIDS));
        expect(applicableChain(s, from, maxGid)).toEqual(
          slowApplicableChain(s.diffs, from, maxGid),
        );
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('mergeable chain', () => {
    fc.assert(
      fc.property(set, gid, (s, from) => {
        expect(mergeableChain(s, from)).toEqual(slowMergeableChain(s.diffs, from));
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('applicable and mergeable chain: a beginning of the one, merged as the other', () => {
    fc.assert(
      fc.property(set, snap, (s, from) => {
        const chain = applicableChain(s, from);
        const both = applicableAndMergeableChain(s, from);
        expect(both).toEqual(chain.slice(0, both.length));
        expect(both.length > 0).toBe(chain.length > 0);
        const [first, ...rest] = both;
        const merged = first && rest.reduce(merge, first);
        const next = chain[both.length];
        if (merged && next) expect(canMerge(merged, next)).toBe(false);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});

describe('any set of diffs, however odd', () => {
  const listed = (s: DiffSet, from: Snapshot, all: boolean): bigint[] =>
    restorableSnapshots(s, metaState(from, 0), { all }).map((r) => r.gid);

  it('garbage collection keeps every snapshot', () => {
    fc.assert(
      fc.property(set, snap, (s, from) => {
        const { garbage, unreachable } = planGc(s, from);
        expect(listed(s.remove(garbage), from, true)).toEqual(listed(s, from, true));
        expect(s.size).toBe(applicableChain(s, from).length + garbage.length + unreachable.length);
      }),
      { seed: SEED, numRuns: 2000 },
    );
  });

  it('merging keeps every explicit snapshot', () => {
    // Clean diffs only: a dirty one belongs to one snapshot, which a random set does not respect.
    const clean = set.map((s) => DiffSet.of(s.diffs.filter(isCleanDiff)));
    fc.assert(
      fc.property(clean, snap, gid, fc.nat(4), (s, from, begin, maxCount) => {
        try {
          const plan = planMerge(s, metaState(from, 0), begin, { maxCount });
          const after = s.add(plan.merged).remove(plan.obsolete);
          expect(listed(after, from, false)).toEqual(listed(s, from, false));
        } catch (error) {
          if (!hasCode(error, 'not-found')) throw error;
        }
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it('gaps lead from the end of one chain to the begin of the next', () => {
    fc.assert(
      fc.property(set, snap, (s, from) => {
        let end = from.b;
        for (const gap of findGaps(s, from)) {
          expect(gap.from).toBeGreaterThanOrEqual(end);
          expect(gap.to).toBeGreaterThan(gap.from);
          expect(s.startingAt(gap.to).length).toBeGreaterThan(0);
          end = gap.to;
        }
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });
});

describe('texts from outside', () => {
  const PARSERS = [
    (text: string) => formatSnapshot(parseSnapshot(text)),
    (text: string) => formatDiff(parseDiff(text)),
    (text: string) => formatMetaState(parseMetaState(text, 0)),
  ];
  const pieces = fc.constantFrom(
    ...['|', '||', ',', '-->', '<', '>', '0', '5', '18446744073709551616', ' ', 'M-', '-C', '---'],
    ...['-20200101000000', '2020-01-01T00:00:00', '\n', 'x', '\u0000'],
  );
  const text = fc.oneof(
    fc.string(),
    fc.array(pieces, { maxLength: 14 }).map((list) => list.join('')),
  );

  it('are read or refused as invalid, never anything else', () => {
    fc.assert(
      fc.property(text, (input) => {
        for (const parse of PARSERS) {
          try {
            expect(parse(parse(input))).toBe(parse(input));
          } catch (error) {
            expect(error).toEqual(expect.objectContaining({ code: 'invalid-argument' }));
          }
        }
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });
});
