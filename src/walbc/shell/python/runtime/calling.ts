/** Calling what Python code names: functions of either mode, classes, the library. */
import { Keywords } from '../../keywords.ts';
import { signatureOf } from '../../signature.ts';
import { isExceptionClass, raise } from './exceptions.ts';
import { type Callable, isCallable, isNative } from './functions.ts';
import { isOwnClass, specialMethod } from './instances.ts';
import { isType, typeInfo, typeName } from './types.ts';
import { PyDict, PyFloat, PyIterator, PyRange, PySet, PyTuple, PyView } from './values.ts';

/** Keyword arguments as the translator passes them. */
export type KeywordList = readonly (readonly [string, unknown])[];

export function invoke(callee: unknown, args: readonly unknown[], keywords?: KeywordList): unknown {
  if (!isCallable(callee)) {
    const own = specialMethod(callee, '__call__');
    if (own === undefined)
      return raise('TypeError', `'${typeName(callee)}' object is not callable`);
    return invoke(own, args, keywords);
  }
  const all = keywords === undefined ? args : [...args, keywordsOf(callee, keywords)];
  return apply(callee, undefined, all);
}

/** Calls with `this`; what is not Python's own gets values as the library knows them. */
export function apply(callee: Callable, owner: unknown, args: readonly unknown[]): unknown {
  if (isExceptionClass(callee) || isOwnClass(callee)) return construct(callee, args);
  if (isNative(callee)) {
    // SystemExit and KeyboardInterrupt, which both languages share.
    const isError = (callee.prototype as unknown) instanceof Error;
    return isError ? construct(callee, args) : (Reflect.apply(callee, owner, args) as unknown);
  }
  const foreign = args.map((arg) => toForeign(arg));
  const isPlainClass =
    signatureOf(callee) === undefined && typeInfo(callee) === undefined && isType(callee);
  return isPlainClass
    ? construct(callee, foreign)
    : (Reflect.apply(callee, owner, foreign) as unknown);
}

function construct(callee: unknown, args: readonly unknown[]): object {
  return Reflect.construct(callee as new () => object, [...args]) as object;
}

function keywordsOf(callee: Callable, list: KeywordList): Keywords {
  const values: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  for (const [name, value] of list) {
    if (name in values)
      raise('TypeError', `${callee.name}() got multiple values for keyword argument '${name}'`);
    values[name] = value;
  }
  const takes = isNative(callee) || signatureOf(callee) !== undefined || isOwnClass(callee);
  if (!takes) {
    raise(
      'TypeError',
      `${callee.name || 'this function'}() is written in TypeScript and takes no keyword arguments`,
    );
  }
  return new Keywords(values);
}

/** Nothing that is passed to the library is nested deeper. */
const MAX_DEPTH = 64;

/**
 * A value for the library and for functions of the TypeScript mode: 2.0 as a number, a range as a list, a
 * dict with texts as keys as a plain object. A list that holds nothing of this kind stays itself.
 */
export function toForeign(value: unknown, depth = 0): unknown {
  if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
  const inner = (part: unknown): unknown => toForeign(part, depth + 1);
  if (value instanceof Keywords) {
    return new Keywords(
      Object.fromEntries(Object.entries(value.values).map(([name, part]) => [name, inner(part)])),
    );
  }
  if (value instanceof PyFloat) return value.value;
  if (value instanceof PyRange || value instanceof PyView || value instanceof PyIterator)
    return Array.from(value, inner);
  if (value instanceof PyTuple) return Array.from(value, inner);
  if (Array.isArray(value)) {
    const parts = value.map(inner);
    return parts.every((part, at) => part === value[at]) ? value : parts;
  }
  if (value instanceof PySet) return new Set(Array.from(value, inner));
  if (value instanceof PyDict) return foreignDict(value, inner);
  return value;
}

function foreignDict(dict: PyDict, inner: (part: unknown) => unknown): unknown {
  const entries = [...dict].map(([key, value]) => [key, inner(value)] as const);
  const isNamed = entries.every(([key]) => typeof key === 'string');
  return isNamed ? Object.fromEntries(entries as [string, unknown][]) : new Map(entries);
}
