/** Which of the delivered diffs are still on their way (delivered.ts). */
import { expect, it } from 'vitest';
import { reachOf } from '../../src/storage-server/delivered.ts';

const spans = (...pairs: readonly (readonly [bigint, bigint])[]) =>
  pairs.map(([b, e]) => ({ b, e }));

it.each([
  ['nothing', spans(), 0n],
  ['a chain, in any order', spans([3n, 5n], [0n, 2n], [2n, 3n]), 5n],
  ['a gap', spans([0n, 2n], [3n, 5n]), 2n],
  ['what begins later', spans([1n, 5n]), 0n],
  ['the same at two proxies', spans([0n, 2n], [0n, 2n], [2n, 4n]), 4n],
  ['pieces that overlap: one was sent again, longer', spans([0n, 4n], [2n, 3n], [3n, 6n]), 6n],
  ['what was there before', spans([0n, 1n], [0n, 3n], [1n, 2n]), 3n],
])('%s', (_what, found, reach) => {
  expect(reachOf(found, 0n)).toBe(reach);
});
