// semantics.md A.6, formats.md 8: wdiff names, with the names that the original printed.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TIMESTAMP, parseTimestampDigits } from '../../src/core/index.ts';
import { type Diff, diffOf, snapshot } from '../../src/wdiff/algebra/index.ts';
import { formatDiffName, hasDiffSuffix, parseDiffName } from '../../src/wdiff/name.ts';
import { describeGolden, golden } from '../golden/golden.ts';

/** The diff that `-d DATE [-nomerge] [-comp] GID...` describes; the original's flags default to M. */
function diffOfOptions(options: string): Diff {
  const words = options.split(' ');
  const gids = words.filter((word, index) => /^\d+$/.test(word) && index !== 1).map(BigInt);
  const [a = 0n, b = 0n, c, e] = gids;
  const [B, E] =
    c === undefined || e === undefined
      ? [snapshot(a), snapshot(b)]
      : [snapshot(a, b), snapshot(c, e)];
  return diffOf(B, E, {
    isMergeable: !words.includes('-nomerge'),
    isCompared: words.includes('-comp'),
    timestamp: parseTimestampDigits(words[1] ?? ''),
  });
}

describeGolden('names printed by the original', () => {
  const lines = golden.available ? golden.read('text/names.txt').toString().trim().split('\n') : [];

  it.each(lines.map((line) => line.split('\t') as [string, string]))('%s', (options, name) => {
    const diff = diffOfOptions(options);
    expect(formatDiffName(diff)).toBe(name);
    expect(parseDiffName(name)).toEqual(diff);
  });
});

describe('wdiff names', () => {
  it('reads the example of the specification', () => {
    expect(parseDiffName('20200101000000----0-1.wdiff', 4096)).toEqual(
      diffOf(snapshot(0n), snapshot(1n), { timestamp: 1577836800, dataSize: 4096 }),
    );
  });

  it('round-trips every diff', () => {
    const gid = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    const four = fc.tuple(gid, gid, gid, gid).map((g) => g.sort((x, y) => (x < y ? -1 : 1)));
    fc.assert(
      fc.property(four, fc.nat(MAX_TIMESTAMP), fc.nat(15), ([a, b, c, e], timestamp, bits) => {
        const [p = 0n, q = 0n, r = 0n, s = 0n] = [a, b, c, e];
        fc.pre(p < r);
        const B = bits & 1 ? snapshot(p) : snapshot(p, q);
        const E = bits & 2 ? snapshot(r) : snapshot(r, s);
        fc.pre(B.e <= E.e);
        const flags = { isMergeable: (bits & 4) > 0, isCompared: (bits & 8) > 0 };
        const diff = diffOf(B, E, { ...flags, timestamp });
        expect(parseDiffName(formatDiffName(diff))).toEqual(diff);
      }),
      { seed: 11, numRuns: 500 },
    );
  });

  it.each([
    '',
    '.wdiff',
    'tmpAbC123',
    '20200101000000----0-1',
    '20200101000000----0-1.wdiff~',
    '2020010100000----0-1.wdiff',
    '20201301000000----0-1.wdiff',
    '20200101000000-C--0-1.wdiff',
    '20200101000000-00-0-1.wdiff',
    '20200101000000-m--0-1.wdiff',
    '20200101000000----0.wdiff',
    '20200101000000----0-1-2.wdiff',
    '20200101000000----0-1-2-3-4.wdiff',
    '20200101000000----1-0.wdiff',
    '20200101000000----1-1.wdiff',
    '20200101000000----5-1-7-9.wdiff',
    '20200101000000----0-9-1-3.wdiff',
    '20200101000000----a-f.wdiff',
    '20200101000000----00-1.wdiff', // two spellings of one diff
    '20200101000000----0-0-1-1.wdiff', // clean, written like a dirty one
    '20200101000000----0-18446744073709551616.wdiff',
    '20200101000000----0-' + '9'.repeat(300) + '.wdiff',
    '../20200101000000----0-1.wdiff',
  ])('refuses %.60j', (name) => {
    expect(() => parseDiffName(name)).toThrow(expect.objectContaining({ code: 'corrupt' }));
  });

  it('refuses any other text without another error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(() => parseDiffName(text + '.wdiff')).toThrow(/bad wdiff name/);
      }),
      { seed: 12, numRuns: 500 },
    );
  });

  it('knows which directory entries claim to be wdiffs', () => {
    expect(hasDiffSuffix('x.wdiff')).toBe(true);
    expect(hasDiffSuffix('5.cold')).toBe(false);
  });
});
