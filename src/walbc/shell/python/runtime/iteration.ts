/** What can be iterated over, counted and tested for truth. */

import { Timedelta } from '../modules/timedelta.ts';
import { raise } from './exceptions.ts';
import { isCallable } from './functions.ts';
import { specialMethod } from './instances.ts';
import { isFloat } from './numbers.ts';
import { typeName } from './types.ts';
import { isNone, isRecord, PyFloat, PyIterator, PyModule, PyRange, PyView } from './values.ts';

/** The elements, for a JavaScript loop. Leaving the loop does not end an iterator. */
export function iter(value: unknown): Iterable<unknown> {
  if (Array.isArray(value) || typeof value === 'string') return value;
  if (value instanceof Map) return value.keys();
  if (typeof value === 'object' && value !== null) {
    const own = specialMethod(value, '__iter__');
    if (own !== undefined) return iterated(own());
    if (specialMethod(value, '__getitem__') !== undefined) return byIndex(value);
    if (value instanceof PyModule && isCallable(value.members['__iter__']))
      return iter(value.members['__iter__']());
    if (isIterable(value)) return value;
    if (isRecord(value)) return Object.keys(value);
  }
  return raise('TypeError', `'${typeName(value)}' object is not iterable`);
}

function isIterable(value: object): value is Iterable<unknown> {
  return Symbol.iterator in value;
}

function iterated(value: unknown): Iterable<unknown> {
  const next = specialMethod(value, '__next__');
  return next === undefined ? iter(value) : new PyIterator(stepping(next), 'iterator');
}

/** An iterator written in Python: `__next__` until StopIteration. */
function* stepping(next: () => unknown): Generator<unknown, undefined> {
  for (;;) {
    let value: unknown;
    try {
      value = next();
    } catch (thrown) {
      if (isNamed(thrown, 'StopIteration')) return undefined;
      throw thrown;
    }
    yield value;
  }
}

function isNamed(thrown: unknown, name: string): boolean {
  return thrown instanceof Error && thrown.name === name;
}

function* byIndex(value: object): Generator<unknown, undefined> {
  const item = specialMethod(value, '__getitem__')!;
  for (let at = 0; ; at += 1) {
    let element: unknown;
    try {
      element = item(at);
    } catch (thrown) {
      if (isNamed(thrown, 'IndexError')) return undefined;
      throw thrown;
    }
    yield element;
  }
}

/** `iter(x)`: one value after the other with `next`. */
export function iterator(value: unknown): PyIterator {
  if (value instanceof PyIterator) return value;
  const source = iter(value);
  const kind = `${typeName(value)}_iterator`;
  return source instanceof PyIterator ? source : new PyIterator(source[Symbol.iterator](), kind);
}

/** All elements as a new list. */
export function toList(value: unknown): unknown[] {
  return Array.from(iter(value));
}

export function length(value: unknown): number {
  if (typeof value === 'string')
    return /[\ud800-\udfff]/.test(value) ? Array.from(value).length : value.length;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Map || value instanceof Set || value instanceof PyView) return value.size;
  if (value instanceof PyRange) return value.length;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  const own = specialMethod(value, '__len__');
  if (own !== undefined) return Number(own());
  if (isRecord(value)) return Object.keys(value).length;
  return raise('TypeError', `object of type '${typeName(value)}' has no len()`);
}

/** Python's notion of truth: empty texts, lists and dicts are false, and zero is. */
export function isTrue(value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  if (isNone(value)) return false;
  if (typeof value === 'string' || Array.isArray(value)) return value.length > 0;
  if (isFloat(value)) return Number(value) !== 0;
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value) !== 0;
  if (value instanceof Map || value instanceof Set || value instanceof PyView)
    return value.size > 0;
  if (value instanceof PyRange) return value.length > 0;
  if (value instanceof Timedelta) return value.microseconds !== 0n;
  const own = specialMethod(value, '__bool__');
  if (own !== undefined) return isTrue(own());
  if (specialMethod(value, '__len__') !== undefined) return length(value) > 0;
  return isRecord(value) ? Object.keys(value).length > 0 : true;
}

/** Unpacks into `count` parts; the one at `starred` (from 0, or -1) takes what is left over. */
export function unpack(value: unknown, count: number, starred: number): unknown[] {
  if (value === undefined || value === null || !canIterate(value)) {
    raise('TypeError', `cannot unpack non-iterable ${typeName(value)} object`);
  }
  const parts: unknown[] = [];
  for (const part of iter(value)) {
    parts.push(part);
    if (starred < 0 && parts.length > count) {
      raise('ValueError', `too many values to unpack (expected ${count})`);
    }
  }
  if (starred >= 0) {
    if (parts.length < count - 1) {
      raise(
        'ValueError',
        `not enough values to unpack (expected at least ${count - 1}, got ${parts.length})`,
      );
    }
    const extra = parts.length - count + 1;
    return [
      ...parts.slice(0, starred),
      parts.slice(starred, starred + extra),
      ...parts.slice(starred + extra),
    ];
  }
  if (parts.length < count) {
    raise('ValueError', `not enough values to unpack (expected ${count}, got ${parts.length})`);
  }
  return parts;
}

function canIterate(value: unknown): boolean {
  if (isCallable(value)) return false;
  return !(
    typeof value === 'number' ||
    typeof value === 'bigint' ||
    typeof value === 'boolean' ||
    value instanceof PyFloat
  );
}
