/** `==`, `<`, `in`, `is`. */
import { microsecondsOf, PyDate } from '../modules/datetimes.ts';
import { Timedelta } from '../modules/timedelta.ts';
import { raise } from './exceptions.ts';
import { specialMethod } from './instances.ts';
import { isTrue, iter } from './iteration.ts';
import { isInt, isNumber } from './numbers.ts';
import { typeName } from './types.ts';
import { isNone, isRecord, PyDict, PyFloat, PyRange, PySet, PyTuple, PyView } from './values.ts';

/** Deeper lists are compared no further: they may contain themselves. */
const MAX_DEPTH = 1000;

export function equals(a: unknown, b: unknown, depth = 0): boolean {
  if (a === b) return true;
  if (isNone(a) || isNone(b)) return isNone(a) && isNone(b);
  if (isNumber(a)) return isNumber(b) && numericEquals(a, b);
  if (typeof a !== 'object' || typeof b !== 'object') return ownEquals(a, b) ?? false;
  if (depth > MAX_DEPTH)
    return raise('RecursionError', 'maximum recursion depth exceeded in comparison');
  return ownEquals(a, b) ?? objectEquals(a as object, b as object, depth + 1);
}

function numericEquals(a: unknown, b: unknown): boolean {
  const [left, right] = [plain(a), plain(b)];
  // biome-ignore lint/suspicious/noDoubleEquals: a bigint equals the number of the same value
  return left == right;
}

function plain(value: unknown): number | bigint {
  if (value instanceof PyFloat) return value.value;
  return typeof value === 'boolean' ? Number(value) : (value as number | bigint);
}

function ownEquals(a: unknown, b: unknown): boolean | undefined {
  const left = specialMethod(a, '__eq__');
  if (left !== undefined) return isTrue(left(b));
  const right = specialMethod(b, '__eq__');
  return right === undefined ? undefined : isTrue(right(a));
}

function objectEquals(a: object, b: object, depth: number): boolean {
  if (Array.isArray(a)) {
    const isSameKind = Array.isArray(b) && a instanceof PyTuple === b instanceof PyTuple;
    return isSameKind && listEquals(a, b as unknown[], depth);
  }
  if (a instanceof Date) return isSameKind(a, b) && microsecondsOf(a) === microsecondsOf(b);
  if (a instanceof Timedelta) return b instanceof Timedelta && a.microseconds === b.microseconds;
  if (isSetLike(a)) return isSetLike(b) && a.size === b.size && isSubset(a, b);
  if (a instanceof Map || isRecord(a)) {
    return (b instanceof Map || isRecord(b)) && dictEquals(asMap(a), asMap(b), depth);
  }
  if (a instanceof PyRange) return b instanceof PyRange && listEquals([...a], [...b], depth);
  return libraryEquals(a, b);
}

/** Value classes of the library with fields of the same values are equal, as in the original. */
function libraryEquals(a: object, b: object): boolean {
  const { equals: own } = a as { equals?: unknown };
  if (typeof own === 'function') return Reflect.apply(own, a, [b]) === true;
  return false;
}

function listEquals(a: readonly unknown[], b: readonly unknown[], depth: number): boolean {
  return a.length === b.length && a.every((part, at) => equals(part, b[at], depth));
}

function dictEquals(a: Map<unknown, unknown>, b: Map<unknown, unknown>, depth: number): boolean {
  if (a.size !== b.size) return false;
  return [...a].every(([key, value]) => b.has(key) && equals(value, b.get(key), depth));
}

/** A dict of any kind with Python's keys. */
export function asMap(value: object): Map<unknown, unknown> {
  if (value instanceof PyDict) return value;
  return new PyDict(value instanceof Map ? value : Object.entries(value));
}

type SetLike = Set<unknown> | PyView;

export function isSetLike(value: unknown): value is SetLike {
  return value instanceof Set || (value instanceof PyView && value.kind !== 'values');
}

export function isSubset(a: SetLike, b: SetLike): boolean {
  const members = b instanceof PySet ? b : new PySet(b);
  return [...a].every((member) => members.has(member));
}

const FLIPPED: Readonly<Record<string, string>> = { lt: 'gt', le: 'ge', gt: 'lt', ge: 'le' };
const SIGNS: Readonly<Record<string, string>> = { lt: '<', le: '<=', gt: '>', ge: '>=' };

export type Ordering = 'lt' | 'le' | 'gt' | 'ge';

/** `a < b` and its like. Throws TypeError for values that have no order. */
export function ordered(kind: Ordering, a: unknown, b: unknown): boolean {
  if (isNumber(a) && isNumber(b)) return holds(kind, plain(a), plain(b));
  if (typeof a === 'string' && typeof b === 'string') return holds(kind, compareText(a, b), 0);
  const own = specialMethod(a, `__${kind}__`);
  if (own !== undefined) return isTrue(own(b));
  const other = specialMethod(b, `__${FLIPPED[kind]}__`);
  if (other !== undefined) return isTrue(other(a));
  if (Array.isArray(a) && Array.isArray(b) && a instanceof PyTuple === b instanceof PyTuple) {
    return listOrder(kind, a, b);
  }
  if (a instanceof Date && isSameKind(a, b))
    return holds(kind, microsecondsOf(a), microsecondsOf(b));
  if (a instanceof Timedelta && b instanceof Timedelta)
    return holds(kind, a.microseconds, b.microseconds);
  if (isSetLike(a) && isSetLike(b)) return setOrder(kind, a, b);
  return raise(
    'TypeError',
    `'${SIGNS[kind]}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`,
  );
}

function holds(kind: Ordering, a: number | bigint, b: number | bigint): boolean {
  switch (kind) {
    case 'lt':
      return a < b;
    case 'le':
      return a <= b;
    case 'gt':
      return a > b;
    case 'ge':
      return a >= b;
  }
}

/** By code points; JavaScript's own order is that of UTF-16. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  if (!/[\ud800-\uffff]/.test(a + b)) return a < b ? -1 : 1;
  const [left, right] = [Array.from(a), Array.from(b)];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const order = left[at]!.codePointAt(0)! - right[at]!.codePointAt(0)!;
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function listOrder(kind: Ordering, a: readonly unknown[], b: readonly unknown[]): boolean {
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    if (!equals(a[at], b[at])) return ordered(kind, a[at], b[at]);
  }
  return holds(kind, a.length, b.length);
}

function setOrder(kind: Ordering, a: SetLike, b: SetLike): boolean {
  if (kind === 'gt' || kind === 'ge') return setOrder(kind === 'gt' ? 'lt' : 'le', b, a);
  return isSubset(a, b) && (kind === 'le' || a.size < b.size);
}

/** `item in container`. */
export function contains(item: unknown, container: unknown): boolean {
  if (typeof container === 'string') {
    if (typeof item === 'string') return container.includes(item);
    return raise(
      'TypeError',
      `'in <string>' requires string as left operand, not ${typeName(item)}`,
    );
  }
  const own = specialMethod(container, '__contains__');
  if (own !== undefined) return isTrue(own(item));
  if (container instanceof Map || container instanceof Set) {
    const isOurs = container instanceof PyDict || container instanceof PySet;
    return isOurs ? container.has(item) : new PySet(container.keys()).has(item);
  }
  if (isRecord(container)) return typeof item === 'string' && Object.hasOwn(container, item);
  if (container instanceof PyView && container.kind === 'keys')
    return contains(item, container.dict);
  if (container instanceof PyRange && isInt(item)) return inRange(container, Number(item));
  for (const part of iterated(container)) if (part === item || equals(part, item)) return true;
  return false;
}

function iterated(container: unknown): Iterable<unknown> {
  const isPlain = isNone(container) || isNumber(container) || typeof container === 'function';
  return isPlain
    ? raise('TypeError', `argument of type '${typeName(container)}' is not iterable`)
    : iter(container);
}

function inRange({ start, stop, step }: PyRange, value: number): boolean {
  const isWithin = step > 0 ? value >= start && value < stop : value <= start && value > stop;
  return isWithin && (value - start) % step === 0;
}

/** `a is b`: the same object; numbers and texts of the same type and value count as one. */
export function isSame(a: unknown, b: unknown): boolean {
  if (isNone(a) || isNone(b)) return isNone(a) && isNone(b);
  if (isInt(a) && isInt(b) && typeof a !== 'boolean' && typeof b !== 'boolean') return equals(a, b);
  return a === b;
}

/** A date is no datetime, even at midnight. */
function isSameKind(a: Date, b: unknown): b is Date {
  return b instanceof Date && a instanceof PyDate === b instanceof PyDate;
}
