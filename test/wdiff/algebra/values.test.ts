// semantics.md A.1-A.3, formats.md 8, controller-api.md 2, cli.md 1.5: every rule and example.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  apply,
  applyAll,
  beginApplying,
  canApplyAllToState,
  canApplyToState,
  canMerge,
  contains,
  type Diff,
  diffOf,
  endApplying,
  equalDiffs,
  equalMetaStates,
  formatDiff,
  formatMetaState,
  formatSnapshot,
  formatSpanOf,
  merge,
  mergeAll,
  metaState,
  parseDiff,
  parseMetaState,
  parseSnapshot,
  relation,
  snapshot,
} from '../../../src/wdiff/algebra/index.ts';

const invalid = expect.objectContaining({ code: 'invalid-argument' });
const conflict = expect.objectContaining({ code: 'conflict' });
const U64 = 2n ** 64n - 1n;

/** `d('|0|', '|10|', 'M')`; flags as in a diff line. */
function d(B: string, E: string, flags = ''): Diff {
  return diffOf(parseSnapshot(B), parseSnapshot(E), {
    isMergeable: flags.includes('M'),
    isCompared: flags.includes('C'),
  });
}

function state(text: string): ReturnType<typeof parseMetaState> {
  return parseMetaState(text, 0);
}

describe('Snapshot', () => {
  it.each([
    ['|0|', 0n, 0n],
    ['|0,7|', 0n, 7n],
    [`|${U64}|`, U64, U64],
  ])('reads and prints %s', (text, b, e) => {
    expect(parseSnapshot(text)).toEqual({ b, e });
    expect(formatSnapshot({ b, e })).toBe(text);
  });

  it.each([
    '',
    '||',
    '|1',
    '1|',
    '|1,2,3|',
    '|2,1|',
    '|-1|',
    '|1, 2|',
    '|0x1|',
    `|${U64 + 1n}|`,
    '|1,|',
  ])('refuses %j', (text) => {
    expect(() => parseSnapshot(text)).toThrow(invalid);
  });
});

describe('Diff', () => {
  it.each([
    ['|0|', '|0|'],
    ['|1|', '|0|'],
    ['|0,5|', '|1,4|'],
  ])('%s-->%s does not lead forward', (B, E) => {
    expect(() => d(B, E)).toThrow(/must lead forward/);
  });

  it('is equal by its snapshots only (A.1)', () => {
    expect(equalDiffs(d('|0|', '|1|'), d('|0|', '|1|', 'MC'))).toBe(true);
    expect(equalDiffs(d('|0|', '|1|'), d('|0|', '|1,2|'))).toBe(false);
  });

  it.each([
    '|0|-->|1| -- 2024-01-01T00:00:02 8192',
    '|1,5|-->|7,9| MC 2020-01-01T00:00:00 0',
    '|3|-->|4| M- --- 12',
  ])('reads and prints %s', (line) => {
    expect(formatDiff(parseDiff(line))).toBe(line);
  });

  it.each([
    '',
    '|0|-->|1|',
    '|0|-->|1| -- 2024-01-01T00:00:02',
    '|0|-->|1| CM 2024-01-01T00:00:02 1',
    '|0|-->|1|  -- 2024-01-01T00:00:02 1',
    '|0|-->|1| -- 2024-01-01 1',
    '|0|-->|1| -- 2024-01-01T00:00:02 -1',
    '|1|-->|0| -- 2024-01-01T00:00:02 1',
  ])('refuses %j', (line) => {
    expect(() => parseDiff(line)).toThrow(invalid);
  });
});

describe('relation and apply (A.2)', () => {
  it.each([
    ['|5|', '|6|', '|9|', '', 'too-new'],
    ['|5|', '|5|', '|9|', '', 'applicable'],
    ['|5|', '|3|', '|6|', '', 'applicable'],
    ['|5|', '|3|', '|5|', '', 'too-old'],
    ['|5,8|', '|5|', '|6|', '', 'applicable'],
    ['|5,8|', '|8|', '|9|', '', 'too-new'],
    ['|5|', '|5|', '|9|', 'C', 'applicable'],
    ['|5|', '|4|', '|9|', 'C', 'not-applicable'],
    ['|5|', '|6|', '|9|', 'C', 'not-applicable'],
    ['|5,7|', '|5|', '|9|', 'C', 'applicable'],
  ])('%s with %s-->%s %s is %s', (s, B, E, flags, expected) => {
    expect(relation(parseSnapshot(s), d(B, E, flags))).toBe(expected);
  });

  it.each([
    ['|0,7|', '|0|', '|10|', '|10|'],
    ['|0,2|', '|0|', '|1|', '|1,2|'],
    ['|0|', '|0|', '|1|', '|1|'],
    ['|5|', '|3|', '|9|', '|9|'],
    ['|5,6|', '|5,6|', '|7,9|', '|7,9|'],
    ['|5|', '|5|', '|7,9|', '|7,9|'],
    ['|0,9|', '|0,3|', '|5|', '|5|'],
  ])('%s with %s-->%s gives %s', (s, B, E, expected) => {
    expect(formatSnapshot(apply(parseSnapshot(s), d(B, E)))).toBe(expected);
  });

  it('refuses what is not applicable, anywhere in a list', () => {
    expect(() => apply(snapshot(5n), d('|6|', '|7|'))).toThrow(conflict);
    expect(() => apply(snapshot(5n), d('|6|', '|7|'))).toThrow(
      'diff |6|-->|7| can not be applied to |5|: too-new',
    );
    expect(() => applyAll(snapshot(0n), [d('|0|', '|1|'), d('|2|', '|3|')])).toThrow(conflict);
    expect(applyAll(snapshot(0n), [d('|0|', '|1|'), d('|1|', '|3|')])).toEqual(snapshot(3n));
    expect(applyAll(snapshot(4n), [])).toEqual(snapshot(4n));
  });
});

describe('merge (A.3)', () => {
  it.each([
    ['|0|', '|5|', '', '|5|', '|9|', 'M', true],
    ['|0|', '|5|', '', '|5|', '|9|', '', false], // |5| is explicit
    ['|0|', '|5|', 'C', '|5|', '|9|', 'M', false],
    ['|0|', '|5|', '', '|5|', '|9|', 'MC', false],
    ['|0|', '|5|', '', '|6|', '|9|', 'M', false], // gap
    ['|0|', '|5|', '', '|3|', '|9|', 'M', true], // overlap
    ['|0|', '|5|', '', '|0|', '|9|', 'M', true], // same begin
    ['|3|', '|5|', '', '|0|', '|9|', 'M', false], // begins before
    ['|0|', '|5|', '', '|3|', '|5|', 'M', false], // no progress
  ])('%s-->%s %s and %s-->%s %s: %s', (B0, E0, f0, B1, E1, f1, expected) => {
    const prior = d(B0, E0, f0);
    const next = d(B1, E1, f1);
    expect(canMerge(prior, next)).toBe(expected);
    if (!expected) expect(() => merge(prior, next)).toThrow(conflict);
  });

  it('takes the begin and the flag of the first, the end and the time of the last', () => {
    const prior = { ...d('|0|', '|5|'), timestamp: 1, dataSize: 10 };
    const next = { ...d('|5|', '|9|', 'M'), timestamp: 2, dataSize: 20 };
    expect(merge(prior, next)).toEqual({
      B: snapshot(0n),
      E: snapshot(9n),
      isMergeable: false,
      isCompared: false,
      timestamp: 2,
      dataSize: 30,
    });
    expect(merge({ ...prior, isMergeable: true }, next).isMergeable).toBe(true);
  });

  it.each([
    ['|0|', '|5,8|', '|5|', '|6|', '|0|-->|6,8|'],
    ['|0|', '|5,8|', '|5|', '|9|', '|0|-->|9|'],
    ['|0|', '|5|', '|5|', '|7,9|', '|0|-->|7,9|'],
    ['|0,3|', '|5|', '|5|', '|7|', '|0,3|-->|7|'],
  ])('%s-->%s and %s-->%s give %s', (B0, E0, B1, E1, expected) => {
    expect(formatDiff(merge(d(B0, E0), d(B1, E1, 'M')))).toMatch(expected);
  });

  it('merges a list from left to right, and not an empty one', () => {
    const list = [d('|0|', '|1|'), d('|1|', '|2|', 'M'), d('|2|', '|3|', 'M')];
    expect(mergeAll(list).E).toEqual(snapshot(3n));
    expect(() => mergeAll([])).toThrow(invalid);
  });

  it('does the same as applying one after the other', () => {
    const gid = fc.bigInt({ min: 0n, max: 12n });
    const snap = fc.tuple(gid, gid).map(([a, b]) => (a < b ? snapshot(a, b) : snapshot(b, a)));
    const diff = fc
      .tuple(snap, snap)
      .filter(([B, E]) => B.b < E.b && B.e <= E.e)
      .map(([B, E]) => diffOf(B, E, { isMergeable: true }));
    fc.assert(
      fc.property(snap, diff, diff, (s, prior, next) => {
        fc.pre(canMerge(prior, next) && relation(s, prior) === 'applicable');
        const oneByOne = applyAll(s, [prior, next]);
        const atOnce = apply(s, merge(prior, next));
        expect(atOnce.b).toBe(oneByOne.b);
        // The merged diff may be dirty where its parts were clean, so it may promise less, never more.
        expect(atOnce.e >= next.E.e && oneByOne.e >= next.E.e).toBe(true);
      }),
      { seed: 7, numRuns: 2000 },
    );
  });

  it('contains (A.3)', () => {
    expect(contains(d('|0|', '|9|'), d('|3|', '|5|'))).toBe(true);
    expect(contains(d('|0|', '|9|'), d('|0|', '|9,12|'))).toBe(true);
    expect(contains(d('|1|', '|9|'), d('|0|', '|5|'))).toBe(false);
    expect(contains(d('|0|', '|9|'), d('|5|', '|10|'))).toBe(false);
  });
});

describe('MetaState (A.1, A.2)', () => {
  it.each(['<|2|>-20240101000002', '<|0,1|>-20200101000000', '<|0|-->|5,7|>-19700101000000'])(
    'reads and prints %s',
    (text) => {
      expect(formatMetaState(parseMetaState(text, 99))).toBe(text);
    },
  );

  it('takes the present time where none is written', () => {
    expect(parseMetaState('<|0|-->|5|>', 99)).toEqual({
      base: snapshot(0n),
      applyingTo: snapshot(5n),
      timestamp: 99,
    });
    expect(formatSpanOf(state('<|0|-->|5|>'))).toBe('<|0|-->|5|>');
  });

  it.each([
    '',
    '|0|',
    '<|0|',
    '<|0|>-2024',
    '<|0|-->|0|>',
    '<|5|-->|4|>',
    '<|0|>-20230229000000',
    '<|0|> ',
  ])('refuses %j', (text) => {
    expect(() => parseMetaState(text, 0)).toThrow(invalid);
  });

  it('is equal whatever its time', () => {
    expect(equalMetaStates(state('<|0|>-20200101000000'), state('<|0|>'))).toBe(true);
    expect(equalMetaStates(state('<|0|-->|1|>'), state('<|0|-->|1|>'))).toBe(true);
    expect(equalMetaStates(state('<|0|-->|1|>'), state('<|0|>'))).toBe(false);
    expect(equalMetaStates(state('<|0|-->|1|>'), state('<|0|-->|1,2|>'))).toBe(false);
    expect(equalMetaStates(state('<|1|>'), state('<|0|>'))).toBe(false);
  });

  it('an applying state takes only what reaches its target', () => {
    const applying = state('<|0|-->|5|>');
    expect(canApplyToState(applying, d('|0|', '|4|'))).toBe(false);
    expect(canApplyToState(applying, d('|0|', '|5|'))).toBe(true);
    expect(canApplyToState(state('<|0|>'), d('|0|', '|4|'))).toBe(true);
    expect(canApplyAllToState(applying, [d('|0|', '|4|')])).toBe(false);
    expect(canApplyAllToState(applying, [d('|0|', '|4|'), d('|4|', '|5|')])).toBe(true);
    expect(canApplyAllToState(applying, [d('|0|', '|4|'), d('|5|', '|6|')])).toBe(false);
    expect(() => endApplying(applying, [d('|0|', '|4|')])).toThrow(conflict);
  });

  it('begins and ends applying with the time of the last diff', () => {
    const list = [
      { ...d('|0|', '|4|'), timestamp: 10 },
      { ...d('|4|', '|6|'), timestamp: 20 },
    ];
    const before = metaState(snapshot(0n, 3n), 1);
    expect(beginApplying(before, list)).toEqual(metaState(snapshot(0n, 3n), 20, snapshot(6n)));
    expect(endApplying(before, list)).toEqual(metaState(snapshot(6n), 20));
    const again = beginApplying(before, list);
    expect(endApplying(again, list)).toEqual(metaState(snapshot(6n), 20));
    expect(beginApplying(before, [])).toBe(before);
    expect(endApplying(again, [])).toBe(again);
  });
});
