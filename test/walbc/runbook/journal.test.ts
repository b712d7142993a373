import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Controller, GidInfo, MemoryNetwork, ServerLayout } from '../../../src/walbc/index.ts';
import { keep, recall } from '../../../src/walbc/runbook/journal.ts';
import { classes } from '../../../src/walbc/shell/library-names.ts';

function again(value: unknown): unknown {
  const kept = keep(value, classes);
  if ('lost' in kept) throw new Error(kept.lost);
  return recall(JSON.parse(JSON.stringify(kept.json)) as string, classes);
}

describe('values of steps', () => {
  test('come back as they were', () => {
    const leaf = fc.oneof(
      fc.constantFrom(undefined, null, true, Number.NaN, Number.POSITIVE_INFINITY, '$', '#'),
      fc.integer(),
      fc.string(),
      fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      fc.date({ noInvalidDate: true }),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.array(fc.tuple(leaf, tie('tree')), { maxLength: 3 }).map((list) => new Map(list)),
        fc.array(leaf, { maxLength: 3 }).map((list) => new Set(list)),
        fc.dictionary(fc.stringMatching(/^[a-z$]{1,4}$/), tie('tree'), { maxKeys: 4 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(again(value)).toEqual(value);
      }),
      { seed: 4 },
    );
  });

  test('keep the classes of the library', () => {
    const back = again([new GidInfo('5 2026-01-31T23:59:59 1')]) as GidInfo[];
    expect(back[0]).toBeInstanceOf(GidInfo);
    expect(String(back[0])).toBe('5 2026-01-31T23:59:59 1');
  });

  test.each([
    ['a function', () => 1, /function/],
    ['a promise', Promise.resolve(1), /promise/],
    ['bytes', new Uint8Array(4), /can not be kept/],
    ['a lot', 'x'.repeat(2 ** 20), /longer/],
    [
      'a controller',
      new Controller('walbc', new ServerLayout([], [], []), false, 0, {
        network: new MemoryNetwork().host('ctl'),
      }),
      /can not/,
    ],
  ])('%s can not be kept, and says why', (_, value, why) => {
    expect(keep(value, classes)).toEqual({ lost: expect.stringMatching(why) as string });
  });

  test.each(['', '{', '{"#":"what"}', '{"$":"handle","id":1}', '{"#":"int","value":"x"}'])(
    'text that nobody kept is refused: %s',
    (text) => {
      expect(() => recall(text, classes)).toThrow('can not be read');
    },
  );
});
