/** The block set of the statistics against a plain set, across its chunks of 64 Ki blocks. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { BlockSet } from '../../src/wlog/block-set.ts';

const CHUNK = 65536;

test('property: add and remove count what they change', () => {
  // Ranges begin and end near chunk borders, so that whole, partial and empty chunks all occur.
  const border = fc
    .record({ chunk: fc.integer({ min: 0, max: 3 }), shift: fc.integer({ min: -3, max: 3 }) })
    .map(({ chunk, shift }) => Math.max(0, chunk * CHUNK + shift));
  const step = fc.record({ add: fc.boolean(), a: border, b: border });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const set = new BlockSet();
      const model = new Uint8Array(4 * CHUNK);
      let size = 0;
      for (const { add, a, b } of steps) {
        const [start, end] = [Math.min(a, b), Math.max(a, b)];
        const present = model.subarray(start, end).reduce((sum, one) => sum + one, 0);
        const changed = add ? end - start - present : present;
        expect(add ? set.add(start, end) : set.remove(start, end)).toBe(changed);
        model.fill(add ? 1 : 0, start, end);
        size += add ? changed : -changed;
        expect(set.size).toBe(size);
      }
    }),
    { seed: 3, numRuns: 100 },
  );
});

test('2 TiB of blocks are marks only', () => {
  const set = new BlockSet();
  expect(set.add(0, 2 ** 32 - 1)).toBe(2 ** 32 - 1);
  expect(set.remove(5, 2 ** 32 - 6)).toBe(2 ** 32 - 11);
  expect(set.size).toBe(10);
});
