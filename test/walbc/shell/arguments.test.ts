/** The arguments of a call of the library: places, names, none missing and none too many. */
import { expect, test } from 'vitest';
import { argumentsFor, Keywords } from '../../../src/walbc/shell/keywords.ts';

const signature = {
  className: 'Controller',
  name: 'restore',
  params: ['ax', 'vol', 'gid', 'timeoutS = TIMEOUT_SEC'],
};
const get = (...args: unknown[]): readonly unknown[] => argumentsFor(args, signature);

test('places and names', () => {
  expect(get('a0', 'vol', 5n)).toEqual(['a0', 'vol', 5n]);
  expect(get('a0', new Keywords({ gid: 5n, vol: 'vol' }))).toEqual(['a0', 'vol', 5n]);
  expect(get('a0', 'vol', 5n, { timeoutS: 7 })).toEqual(['a0', 'vol', 5n, 7]);
});

test('a missing argument is named, wherever it stands', () => {
  expect(() => get('a0')).toThrow(
    "restore() is missing 'vol' and 'gid': restore(ax, vol, gid, timeoutS = TIMEOUT_SEC)",
  );
  expect(() => get('a0', new Keywords({ gid: 5n }))).toThrow("restore() is missing 'vol'");
  expect(() => get()).toThrow("'ax' and 'vol' and 'gid'");
});

test('more arguments than there are places are refused', () => {
  expect(() => get('a0', 'vol', 5n, 7, true)).toThrow('takes at most 4 arguments, not 5');
  const rest = { ...signature, params: ['...args'] };
  expect(argumentsFor([1, 2, 3], rest)).toEqual([1, 2, 3]);
});
