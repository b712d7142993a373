// semantics.md A.4, A.5, A.7, D.6-D.9: choosing diffs, by example.
import { describe, expect, it } from 'vitest';
import {
  applicableAndMergeableChain,
  applicableChain,
  applyingStateUpTo,
  type Diff,
  DiffSet,
  diffOf,
  diffsUpTo,
  diffsWithin,
  findGaps,
  formatMetaState,
  formatSpan,
  formatSpanOf,
  gapBefore,
  latestSnapshot,
  limitChain,
  mergeableChain,
  minimumChain,
  oldestCleanState,
  parseMetaState,
  planApply,
  planGc,
  planMaterialise,
  planMerge,
  planRestore,
  planScan,
  planSnapshotFlags,
  restorableSnapshots,
  snapshot,
  snapshotUpTo,
  stateUpTo,
  totalSize,
} from '../../../src/wdiff/algebra/index.ts';

/** `d('0-5 M')`, `d('0-1-5-9 MC')`: gids as in a file name; the timestamp is the end gid. */
function d(text: string): Diff {
  const [span = '', flags = ''] = text.split(' ');
  const gids = span.split('-').map(BigInt);
  const [a = 0n, b = 0n, c, e] = gids;
  const isCleanForm = c === undefined || e === undefined;
  const B = isCleanForm ? snapshot(a) : snapshot(a, b);
  const E = isCleanForm ? snapshot(b) : snapshot(c, e);
  return diffOf(B, E, {
    isMergeable: flags.includes('M'),
    isCompared: flags.includes('C'),
    timestamp: Number(E.b),
    dataSize: 10,
  });
}

const set = (...texts: string[]): DiffSet => DiffSet.of(texts.map(d));
const spans = (diffs: readonly Diff[]): string[] =>
  diffs.map((x) => formatSpan(x).replaceAll('|', '').replace('-->', '-'));
const meta = (text: string): ReturnType<typeof parseMetaState> => parseMetaState(text, 0);
const code = (wanted: string): unknown => expect.objectContaining({ code: wanted });

describe('DiffSet', () => {
  it('orders by begin, equal begins as added, and refuses an equal diff', () => {
    const s = set('5-9', '0-5', '0-3').add(d('0-9')).add(d('3-4'));
    expect(spans(s.diffs)).toEqual(['0-5', '0-3', '0-9', '3-4', '5-9']);
    expect(() => s.add(d('0-3 MC'))).toThrow(code('already-exists'));
    expect(() => set('0-3', '1-2', '0-3 M')).toThrow(code('already-exists'));
    expect(() => s.add({ ...d('0-3'), E: snapshot(0n) })).toThrow(code('invalid-argument'));
    expect(s.has(d('5-9'))).toBe(true);
    expect(s.find(d('5-8'))).toBeUndefined();
  });

  it('is a value: changes leave the old one as it was', () => {
    const s = set('0-5', '5-9');
    expect(spans(s.remove([d('0-5'), d('7-8')]).diffs)).toEqual(['5-9']);
    const changed = s.replace(d('5-9'), d('5-9 M'));
    expect(changed.find(d('5-9'))?.isMergeable).toBe(true);
    expect(s.find(d('5-9'))?.isMergeable).toBe(false);
    expect(spans(s.replace(d('0-5'), d('0-6')).diffs)).toEqual(['0-6', '5-9']);
    expect(() => s.replace(d('1-2'), d('1-2 M'))).toThrow(code('not-found'));
    expect([...s].length).toBe(s.size);
  });

  it('lists by begin gid, from inclusive, to exclusive (get diff)', () => {
    const s = set('0-5', '5-9', '9-12');
    expect(spans(s.between())).toEqual(['0-5', '5-9', '9-12']);
    expect(spans(s.between(5n, 9n))).toEqual(['5-9']);
    expect(totalSize(s)).toBe(30);
  });
});

describe('chains (A.4)', () => {
  it('take the most progress, then the larger begin, then the first', () => {
    expect(spans(applicableChain(set('0-3', '0-5', '3-9', '5-7'), snapshot(0n)))).toEqual([
      '0-5',
      '3-9',
    ]);
    expect(spans(applicableChain(set('0-9', '3-9', '5-9'), snapshot(4n)))).toEqual(['3-9']);
    expect(spans(applicableChain(set('0-0-5-7', '0-0-5-6'), snapshot(0n)))).toEqual(['0-5,7']);
  });

  it('end where the next result would pass the limit, without another try', () => {
    const s = set('0-5', '5-7', '5-9');
    expect(spans(applicableChain(s, snapshot(0n), 8n))).toEqual(['0-5']);
    expect(spans(applicableChain(s, snapshot(0n), 9n))).toEqual(['0-5', '5-9']);
    expect(spans(applicableChain(s, snapshot(0n), 4n))).toEqual([]);
  });

  it('use a compared diff only at its own begin', () => {
    expect(spans(applicableChain(set('0-9 C'), snapshot(1n)))).toEqual([]);
    expect(spans(applicableChain(set('0-2', '2-9 C', '2-5'), snapshot(0n)))).toEqual([
      '0-2',
      '2-9',
    ]);
    expect(spans(applicableChain(set('0-2', '1-9 C'), snapshot(0n)))).toEqual(['0-2']);
    // Full tie of a plain and a compared one: the first in the set.
    const tie = DiffSet.of([d('2-9 C'), { ...d('2-9'), E: snapshot(9n, 10n) }]);
    expect(applicableChain(tie, snapshot(2n))[0]?.isCompared).toBe(true);
    const reverse = DiffSet.of([{ ...d('2-9'), E: snapshot(9n, 10n) }, d('2-9 C')]);
    expect(applicableChain(reverse, snapshot(2n))[0]?.isCompared).toBe(false);
  });

  it('begin merging at the first begin at or after the gid, mergeable or not', () => {
    const s = set('0-5', '5-7 M', '7-9 M', '9-12', '12-15 M');
    expect(spans(mergeableChain(s))).toEqual(['0-5', '5-7', '7-9']);
    expect(spans(mergeableChain(s, 1n))).toEqual(['5-7', '7-9']);
    expect(spans(mergeableChain(s, 9n))).toEqual(['9-12', '12-15']);
    expect(spans(mergeableChain(s, 13n))).toEqual([]);
    expect(spans(mergeableChain(set('0-5 C', '5-7 M')))).toEqual(['0-5']);
    expect(spans(mergeableChain(set('0-5', '6-7 M')))).toEqual(['0-5']);
    expect(spans(mergeableChain(set('0-3', '0-5', '3-9 M')))).toEqual(['0-5', '3-9']);
  });

  it('cut an applicable chain before what can not be merged', () => {
    const s = set('0-5', '5-7 M', '7-9', '9-12 M');
    expect(spans(applicableAndMergeableChain(s, snapshot(0n)))).toEqual(['0-5', '5-7']);
    expect(spans(applicableAndMergeableChain(s, snapshot(6n)))).toEqual(['5-7']);
    expect(applicableAndMergeableChain(s, snapshot(12n))).toEqual([]);
  });

  it('limits keep the first element whatever its size', () => {
    const chain = applicableChain(set('0-1', '1-2', '2-3'), snapshot(0n));
    expect(spans(limitChain(chain, { maxSize: 1 }))).toEqual(['0-1']);
    expect(spans(limitChain(chain, { maxSize: 20 }))).toEqual(['0-1', '1-2']);
    expect(spans(limitChain(chain, { maxCount: 2 }))).toEqual(['0-1', '1-2']);
    expect(limitChain(chain, { maxCount: 0 })).toHaveLength(3);
    expect(limitChain([], { maxCount: 1 })).toEqual([]);
  });

  it('the minimum chain finishes an interrupted apply', () => {
    const s = set('0-1', '1-2', '2-3');
    expect(minimumChain(s, meta('<|0|>'))).toEqual([]);
    expect(spans(minimumChain(s, meta('<|0|-->|2|>')) ?? [])).toEqual(['0-1', '1-2']);
    expect(minimumChain(s, meta('<|0|-->|4|>'))).toBeUndefined();
    // A longer diff over the same range arrived during the apply: its end counts.
    expect(spans(minimumChain(s.add(d('0-3')), meta('<|0|-->|2|>')) ?? [])).toEqual(['0-3']);
  });

  it('stays quick on a long history', () => {
    const count = 20_000;
    const many = DiffSet.of(Array.from({ length: count }, (_, i) => d(`${i}-${i + 1} M`)));
    expect(applicableChain(many, snapshot(0n))).toHaveLength(count);
    expect(mergeableChain(many)).toHaveLength(count);
    expect(findGaps(many, snapshot(0n))).toEqual([]);
  });
});

describe('restorable snapshots (A.5)', () => {
  const list = (s: DiffSet, state: string, all = false): string[] =>
    restorableSnapshots(s, meta(state), { all }).map((r) => `${r.gid}${r.isExplicit ? '!' : ''}`);

  it('are the clean base, explicit ones and the end; with all, implicit ones too', () => {
    const s = set('0-1', '1-2 M', '2-3', '3-4 M');
    expect(list(s, '<|0|>')).toEqual(['0', '2!', '4!']);
    expect(list(s, '<|0|>', true)).toEqual(['0', '1', '2!', '3', '4!']);
    expect(restorableSnapshots(s, meta('<|0|>')).map((r) => r.timestamp)).toEqual([0, 2, 4]);
  });

  it('leave dirty states out', () => {
    expect(list(set('0-1', '1-3'), '<|0,2|>', true)).toEqual(['3!']);
    expect(list(set(), '<|0,1|>', true)).toEqual([]);
    // End of a hash backup, before and after the first following wdiff.
    expect(list(set('0-1', '1-1-2-4'), '<|0|>')).toEqual(['0', '1!']);
    expect(list(set('0-1', '1-1-2-4', '2-4'), '<|0|>')).toEqual(['0', '1!', '4!']);
  });

  it('typical first full backup: <|0,1|>, then |0|-->|1| gives gid 1 (B.6)', () => {
    expect(list(set('0-1'), '<|0,1|>')).toEqual(['1!']);
  });

  it('start after the minimum chain while applying', () => {
    const s = set('0-1', '1-2 M', '2-3');
    expect(list(s, '<|0|-->|2|>', true)).toEqual(['2', '3!']);
    expect(list(set('0-1', '2-3'), '<|0|-->|2|>', true)).toEqual([]);
  });

  it('the fresh archive has one at 2^64-1 only by name', () => {
    expect(latestSnapshot(DiffSet.empty, meta('<|18446744073709551615|>')).b).toBe(2n ** 64n - 1n);
  });
});

describe('latest, oldest, up to a gid', () => {
  const s = set('0-2', '2-5', '5-7');

  it('follow the chain', () => {
    const base = meta('<|0,1|>-20200101000000');
    expect(latestSnapshot(s, base)).toEqual(snapshot(7n));
    expect(snapshotUpTo(s, base, 6n)).toEqual(snapshot(5n));
    expect(formatMetaState(stateUpTo(s, base, 6n))).toBe('<|5|>-19700101000005');
    expect(formatMetaState(applyingStateUpTo(s, base, 6n))).toBe('<|0,1|-->|5|>-19700101000005');
    expect(stateUpTo(s, base, 1n)).toBe(base);
    expect(applyingStateUpTo(s, base, 1n)).toBe(base);
    expect(formatSpanOf(oldestCleanState(s, base) ?? base)).toBe('<|2|>');
    expect(formatSpanOf(oldestCleanState(s, meta('<|0|>')) ?? base)).toBe('<|0|>');
    expect(oldestCleanState(set(), base)).toBeUndefined();
  });
});

describe('gaps (W7)', () => {
  it('are named by the gids on both sides', () => {
    const s = set('0-2', '4-5', '5-7', '9-12');
    expect(findGaps(s, snapshot(0n))).toEqual([
      { from: 2n, to: 4n },
      { from: 7n, to: 9n },
    ]);
    expect(findGaps(s, snapshot(9n))).toEqual([]);
    expect(gapBefore(snapshot(2n), d('4-5'))).toEqual({ from: 2n, to: 4n });
    expect(gapBefore(snapshot(4n), d('4-5'))).toBeUndefined();
    expect(gapBefore(snapshot(6n), d('4-5'))).toBeUndefined();
  });
});

describe('planApply (A.4, A.7)', () => {
  const s = set('0-2', '2-5', '5-7');

  it('applies everything that ends at or before the gid', () => {
    const plan = planApply(s, meta('<|0|>'), 6n);
    expect(spans(plan?.diffs ?? [])).toEqual(['0-2', '2-5']);
    expect(formatMetaState(plan?.during ?? meta('<|9|>'))).toBe('<|0|-->|5|>-19700101000005');
    expect(formatMetaState(plan?.after ?? meta('<|9|>'))).toBe('<|5|>-19700101000005');
    expect(spans(plan?.obsolete ?? [])).toEqual(['0-2', '2-5']);
    expect(planApply(s, meta('<|0|>'), 1n)).toBeUndefined();
    expect(planApply(s, meta('<|7|>'), 99n)).toBeUndefined();
  });

  it('keeps to the limit per pass, but never below what was interrupted', () => {
    expect(planApply(s, meta('<|0|>'), 7n, 1)?.diffs).toHaveLength(1);
    expect(planApply(s, meta('<|0|-->|5|>'), 7n, 1)?.diffs).toHaveLength(2);
    expect(planApply(s, meta('<|0|-->|5|>'), 0n)?.diffs).toHaveLength(2);
    expect(planApply(s, meta('<|0|-->|5|>'), 7n)?.diffs).toHaveLength(3);
  });

  it('says so when diffs of an interrupted pass are missing', () => {
    expect(() => planApply(set('0-2'), meta('<|0|-->|5|>'), 9n)).toThrow(code('not-found'));
    expect(() => planApply(set('0-2'), meta('<|0|-->|5|>'), 9n)).toThrow(
      /half-way in <\|0\|-->\|5\|>/,
    );
  });
});

describe('planMaterialise, planRestore, planScan', () => {
  const s = set('0-2', '2-5', '5-7');

  it('reach exactly the gid or refuse', () => {
    expect(spans(planMaterialise(s, meta('<|0|>'), 5n).diffs)).toEqual(['0-2', '2-5']);
    expect(planMaterialise(s, meta('<|0|>'), 0n).diffs).toEqual([]);
    expect(spans(planMaterialise(s, meta('<|2|>'), 5n).diffs)).toEqual(['2-5']);
    for (const gid of [1n, 6n, 8n]) {
      expect(() => planMaterialise(s, meta('<|0|>'), gid)).toThrow(code('not-found'));
    }
    expect(() => planMaterialise(s, meta('<|5|>'), 2n)).toThrow(code('not-found'));
    expect(() => planMaterialise(s, meta('<|0|-->|5|>'), 2n)).toThrow(code('not-found'));
    expect(planMaterialise(s, meta('<|0|-->|5|>'), 5n).diffs).toHaveLength(2);
  });

  it('refuse a dirty snapshot unless asked for it', () => {
    const dirty = set('0-2', '2-2-3-6', '3-6');
    expect(() => planMaterialise(dirty, meta('<|0|>'), 3n)).toThrow(code('wrong-state'));
    expect(planMaterialise(dirty, meta('<|0|>'), 3n, { allowDirty: true }).diffs).toHaveLength(2);
    expect(planMaterialise(dirty, meta('<|0|>'), 6n).diffs).toHaveLength(3);
    expect(() => planRestore(dirty, meta('<|0|>'), 3n)).toThrow(/is dirty/);
  });

  it('restore in passes, scan at once or not at all', () => {
    expect(planRestore(s, meta('<|0|>'), 7n, 2).passes.map(spans)).toEqual([
      ['0-2', '2-5'],
      ['5-7'],
    ]);
    expect(planRestore(s, meta('<|0|>'), 7n).passes.map(spans)).toEqual([['0-2', '2-5', '5-7']]);
    expect(planRestore(s, meta('<|0|>'), 0n).passes).toEqual([]);
    expect(planScan(s, meta('<|0|>'), 7n, { maxCount: 3 }).diffs).toHaveLength(3);
    expect(() => planScan(s, meta('<|0|>'), 7n, { maxCount: 2 })).toThrow(code('limit-exceeded'));
  });
});

describe('planMerge (D.8)', () => {
  const s = set('0-2', '2-5 M', '5-7 M', '7-9', '9-12 M');
  const base = meta('<|0|>');

  it('merges up to an explicit snapshot, a gid, a size or a number', () => {
    expect(spans(planMerge(s, base, 0n).diffs)).toEqual(['0-2', '2-5', '5-7']);
    expect(formatSpan(planMerge(s, base, 0n).merged)).toBe('|0|-->|7|');
    expect(spans(planMerge(s, base, 0n, { untilGid: 3n }).diffs)).toEqual(['0-2', '2-5']);
    expect(spans(planMerge(s, base, 1n).diffs)).toEqual(['2-5', '5-7']);
    expect(spans(planMerge(s, base, 0n, { maxSize: 20 }).diffs)).toEqual(['0-2', '2-5']);
    expect(spans(planMerge(s, base, 0n, { maxCount: 2 }).diffs)).toEqual(['0-2', '2-5']);
    expect(spans(planMerge(s, base, 7n).obsolete)).toEqual(['7-9', '9-12']);
  });

  it('refuses one diff alone, an empty range, and a base half-way', () => {
    expect(() => planMerge(s, base, 10n)).toThrow(code('not-found'));
    expect(() => planMerge(s, base, 0n, { untilGid: 2n })).toThrow(code('not-found'));
    expect(() => planMerge(s, base, 5n, { untilGid: 5n })).toThrow(code('invalid-argument'));
    expect(() => planMerge(s, meta('<|0|-->|2|>'), 0n)).toThrow(code('wrong-state'));
  });

  it('does not follow an overtaken diff past an explicit snapshot', () => {
    // 1-2 was made mergeable (disable-snapshot 1); then 1-3 came, sent again after a lost ack.
    const resent = set('0-1', '1-2 M', '1-3');
    expect(() => planMerge(resent, meta('<|0|>'), 0n)).toThrow(code('not-found'));
  });
});

describe('planGc and ranges', () => {
  it('takes what the chain has overtaken and spares what is beyond a gap', () => {
    const s = set('0-2', '0-3', '1-2', '3-5', '7-9', '8-9');
    const { garbage, unreachable } = planGc(s, snapshot(0n));
    expect(spans(garbage)).toEqual(['0-2', '1-2']);
    expect(spans(unreachable)).toEqual(['7-9', '8-9']);
    expect(spans(planGc(set('0-2', '1-9 C'), snapshot(0n)).unreachable)).toEqual(['1-9']);
    expect(spans(planGc(s, snapshot(5n)).garbage)).toEqual(['0-2', '0-3', '1-2', '3-5']);
  });

  it('finds what lies within a range, without the diff over the whole', () => {
    const s = set('0-2', '0-5', '2-5', '2-7', '5-7');
    expect(spans(diffsWithin(s, 0n, 5n))).toEqual(['0-2', '2-5']);
    expect(spans(diffsUpTo(s, 5n))).toEqual(['0-2', '0-5', '2-5']);
  });
});

describe('planSnapshotFlags (A.5)', () => {
  it('changes every diff that starts there, and does the good ones in spite of bad ones', () => {
    const s = set('0-2', '2-5 M', '2-6 M', '5-7');
    const plan = planSnapshotFlags(s, [2n, 9n, 7n, 5n, 2n], true);
    expect(
      plan.changes.map(({ from, to }) => [formatSpan(from), from.isMergeable, to.isMergeable]),
    ).toEqual([
      ['|2|-->|5|', true, false],
      ['|2|-->|6|', true, false],
    ]);
    expect(plan.failed).toEqual([9n, 7n]);
    expect(plan.unchanged).toEqual([5n]);
    expect(planSnapshotFlags(s, [5n], false).changes[0]?.to.isMergeable).toBe(true);
    expect(planSnapshotFlags(s, [2n], false).unchanged).toEqual([2n]);
  });
});
