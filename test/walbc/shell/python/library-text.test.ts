/** Objects of the library as text in Python mode (controller-api.md 2 and 4: what `str` gives). */
import { expect, test } from 'vitest';
import { K_STORAGE, ServerConnectionParam, Snapshot } from '../../../../src/walbc/index.ts';
import { repr, str } from '../../../../src/walbc/shell/python/runtime/repr.ts';

const s0 = new ServerConnectionParam('s0', 'localhost', 10000, K_STORAGE);

test('alone they are the text that the library gives', () => {
  expect(str(s0)).toBe('s0, localhost, 10000, storage');
  expect(str(new Snapshot(1n, 2n))).toBe('|1,2|');
});

test('within a list, what has commas of its own is bracketed', () => {
  expect(repr([s0])).toBe('[<s0, localhost, 10000, storage>]');
  expect(repr([new Snapshot(3n, 3n)])).toBe('[|3|]');
});
