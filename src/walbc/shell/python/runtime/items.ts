/** `a[i]`, slices, and changing and deleting them. */
import { exceptionClasses, raise } from './exceptions.ts';
import { isCallable } from './functions.ts';
import { specialMethod } from './instances.ts';
import { iter } from './iteration.ts';
import { isInt } from './numbers.ts';
import { repr } from './repr.ts';
import { typeName } from './types.ts';
import { isNone, isRecord, PyDict, PyModule, PyRange, PySlice, PyTuple, tuple } from './values.ts';

/** Where a slice begins, how many elements it has, and the step between them. */
interface Span {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

function spanOf(slice: PySlice, size: number): Span {
  const step = isNone(slice.step) ? 1 : sliceIndex(slice.step);
  if (step === 0) raise('ValueError', 'slice step cannot be zero');
  const bound = (value: unknown, missing: number): number => {
    if (isNone(value)) return missing;
    const at = sliceIndex(value);
    const counted = at < 0 ? at + size : at;
    return step > 0
      ? Math.min(Math.max(counted, 0), size)
      : Math.min(Math.max(counted, -1), size - 1);
  };
  const start = bound(slice.start, step > 0 ? 0 : size - 1);
  const stop = bound(slice.stop, step > 0 ? size : -1);
  return { start, step, count: Math.max(0, Math.ceil((stop - start) / step)) };
}

function sliceIndex(value: unknown): number {
  if (isInt(value)) return Number(value);
  return raise('TypeError', 'slice indices must be integers or None or have an __index__ method');
}

function pick<T>(list: ArrayLike<T>, { start, step, count }: Span): T[] {
  return Array.from({ length: count }, (_, at) => list[start + at * step]!);
}

/** The place in a list of `size` elements, or IndexError. */
function indexIn(key: unknown, size: number, kind: string, doing = ''): number {
  if (!isInt(key)) {
    const wants =
      kind === 'string'
        ? 'string indices must be integers'
        : `${kind} indices must be integers or slices`;
    const not = kind === 'string' ? `, not '${typeName(key)}'` : `, not ${typeName(key)}`;
    return raise('TypeError', `${wants}${not}`);
  }
  const at = Number(key) < 0 ? Number(key) + size : Number(key);
  if (at < 0 || at >= size) raise('IndexError', `${kind} ${doing}index out of range`);
  return at;
}

export function item(owner: unknown, key: unknown): unknown {
  if (typeof owner === 'string') return textItem(owner, key);
  if (Array.isArray(owner)) {
    const isTuple = owner instanceof PyTuple;
    if (!(key instanceof PySlice))
      return owner[indexIn(key, owner.length, isTuple ? 'tuple' : 'list')];
    const picked = pick(owner, spanOf(key, owner.length));
    return isTuple ? tuple(picked) : picked;
  }
  if (owner instanceof Map) return dictItem(owner, key);
  const own = specialMethod(owner, '__getitem__');
  if (own !== undefined) return own(key);
  if (owner instanceof PyModule && isCallable(owner.members['__getitem__']))
    return owner.members['__getitem__'](key);
  if (owner instanceof PyRange) return rangeItem(owner, key);
  if (isRecord(owner)) return recordItem(owner, key);
  if (ArrayBuffer.isView(owner))
    return (owner as Uint8Array)[indexIn(key, owner.byteLength, 'bytes')];
  return raise('TypeError', `'${typeName(owner)}' object is not subscriptable`);
}

/** A table of the library; numbers are keys too: serverKindMap[K_PROXY]. */
function recordItem(owner: Readonly<Record<string, unknown>>, key: unknown): unknown {
  const name = typeof key === 'number' ? String(key) : key;
  if (typeof name === 'string' && Object.hasOwn(owner, name)) return owner[name];
  return missingKey(key);
}

function missingKey(key: unknown): never {
  throw new exceptionClasses.KeyError(key);
}

function textItem(text: string, key: unknown): string {
  const chars: ArrayLike<string> = /[\ud800-\udfff]/.test(text) ? Array.from(text) : text;
  if (key instanceof PySlice) return pick(chars, spanOf(key, chars.length)).join('');
  return chars[indexIn(key, chars.length, 'string')]!;
}

function dictItem(owner: Map<unknown, unknown>, key: unknown): unknown {
  if (owner.has(key)) return owner.get(key);
  if (!(owner instanceof PyDict)) {
    // A Map of the library may have bigints where an int is given.
    const same = new PyDict(owner);
    if (same.has(key)) return same.get(key);
  }
  const { missing } = owner as { missing?: unknown };
  if (isCallable(missing)) return missing(key);
  return missingKey(key);
}

function rangeItem(owner: PyRange, key: unknown): unknown {
  if (!(key instanceof PySlice)) return owner.at(indexIn(key, owner.length, 'range object'));
  const { start, step, count } = spanOf(key, owner.length);
  const first = owner.at(start);
  return new PyRange(first, first + count * step * owner.step, step * owner.step);
}

export function setItem(owner: unknown, key: unknown, value: unknown): void {
  const own = specialMethod(owner, '__setitem__');
  if (own !== undefined) own(key, value);
  else if (Array.isArray(owner) && !(owner instanceof PyTuple)) {
    if (key instanceof PySlice) setSlice(owner, key, value);
    else owner[indexIn(key, owner.length, 'list', 'assignment ')] = value;
  } else if (owner instanceof Map) owner.set(key, value);
  else if (isRecord(owner)) owner[typeof key === 'string' ? key : repr(key)] = value;
  else raise('TypeError', `'${typeName(owner)}' object does not support item assignment`);
}

function setSlice(list: unknown[], key: PySlice, value: unknown): void {
  const { start, step, count } = spanOf(key, list.length);
  const parts = [...iter(value)];
  if (step === 1) {
    list.splice(start, count, ...parts);
    return;
  }
  if (parts.length !== count) {
    raise(
      'ValueError',
      `attempt to assign sequence of size ${parts.length} to extended slice of size ${count}`,
    );
  }
  parts.forEach((part, at) => {
    list[start + at * step] = part;
  });
}

export function deleteItem(owner: unknown, key: unknown): void {
  const own = specialMethod(owner, '__delitem__');
  if (own !== undefined) own(key);
  else if (Array.isArray(owner) && !(owner instanceof PyTuple)) deleteFromList(owner, key);
  else if (owner instanceof Map) {
    if (!owner.delete(key)) missingKey(key);
  } else if (isRecord(owner)) {
    if (typeof key !== 'string' || !Object.hasOwn(owner, key)) missingKey(key);
    delete owner[key as string];
  } else raise('TypeError', `'${typeName(owner)}' object doesn't support item deletion`);
}

function deleteFromList(list: unknown[], key: unknown): void {
  if (!(key instanceof PySlice)) {
    list.splice(indexIn(key, list.length, 'list', 'assignment '), 1);
    return;
  }
  const { start, step, count } = spanOf(key, list.length);
  const gone = new Set(Array.from({ length: count }, (_, at) => start + at * step));
  const kept = list.filter((_, at) => !gone.has(at));
  list.splice(0, list.length, ...kept);
}
