/** `sorted`, `list.sort`, `min`, `max`: stable, by key, with Python's order. */

import { invoke } from './calling.ts';
import { ordered } from './comparison.ts';
import { raise } from './exceptions.ts';
import { isCallable } from './functions.ts';
import { isTrue, toList } from './iteration.ts';
import { isNone } from './values.ts';

interface Keyed {
  readonly part: unknown;
  readonly by: unknown;
}

function order(a: unknown, b: unknown): number {
  if (ordered('lt', a, b)) return -1;
  return ordered('lt', b, a) ? 1 : 0;
}

function keyed(list: readonly unknown[], key: unknown): Keyed[] {
  if (isNone(key)) return list.map((part) => ({ part, by: part }));
  if (!isCallable(key)) return raise('TypeError', 'the key of a sort must be a function');
  return list.map((part) => ({ part, by: invoke(key, [part]) }));
}

export function sorted(value: unknown, key: unknown, reverse: unknown): unknown[] {
  const sign = isTrue(reverse) ? -1 : 1;
  return keyed(toList(value), key)
    .sort((a, b) => sign * order(a.by, b.by))
    .map(({ part }) => part);
}

export function sortInPlace(list: unknown[], key: unknown, reverse: unknown): void {
  const result = sorted(list, key, reverse);
  result.forEach((part, at) => {
    list[at] = part;
  });
}

/** The first of the smallest, or of the largest. */
export function extreme(list: readonly unknown[], key: unknown, kind: 'min' | 'max'): unknown {
  const [first, ...rest] = keyed(list, key);
  if (first === undefined) return raise('ValueError', `${kind}() arg is an empty sequence`);
  const comparison = kind === 'min' ? 'lt' : 'gt';
  return rest.reduce((best, one) => (ordered(comparison, one.by, best.by) ? one : best), first)
    .part;
}
