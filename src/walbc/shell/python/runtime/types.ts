/** Python's types: what `type(x)` is, what `isinstance` asks, and how errors name a value. */

import { PyDate } from '../modules/datetimes.ts';
import { Timedelta } from '../modules/timedelta.ts';
import { classOfForeign, isExceptionClass, PythonError } from './exceptions.ts';
import { isBuiltin, isCallable } from './functions.ts';
import { isOwnClass, isOwnInstance } from './instances.ts';
import { isFloat, isInt } from './numbers.ts';
import {
  ELLIPSIS,
  isNone,
  isRecord,
  PyDict,
  PyIterator,
  PyModule,
  PyRange,
  PySet,
  PySlice,
  PyTuple,
  PyView,
} from './values.ts';

/** The name of a value's type: 'int', 'list', 'GidInfo'. */
export function typeName(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return 'str';
    case 'boolean':
      return 'bool';
    case 'function':
      return functionType(value);
    case 'undefined':
      return 'NoneType';
    case 'object':
      return isNone(value) ? 'NoneType' : objectType(value as object);
    default:
      return isInt(value) ? 'int' : isFloat(value) ? 'float' : typeof value;
  }
}

function functionType(value: object): string {
  if (isType(value)) return 'type';
  return isBuiltin(value) ? 'builtin_function_or_method' : 'function';
}

const NAMES: readonly (readonly [new (...args: never[]) => object, string])[] = [
  [PyTuple, 'tuple'],
  [PyRange, 'range'],
  [PySlice, 'slice'],
  [PyModule, 'module'],
  [Timedelta, 'datetime.timedelta'],
  [PyDate, 'datetime.date'],
  [Date, 'datetime.datetime'],
  [Array, 'list'],
  [Map, 'dict'],
];

function objectType(value: object): string {
  if (isFloat(value)) return 'float';
  if (isOwnInstance(value)) return value.constructor.name;
  if (value === ELLIPSIS) return 'ellipsis';
  const known = NAMES.find(([cls]) => value instanceof cls);
  if (known !== undefined) return known[1];
  if (value instanceof Set) return value instanceof PySet && value.frozen ? 'frozenset' : 'set';
  if (value instanceof PyIterator) return value.kind;
  if (value instanceof PyView) return `dict_${value.kind}`;
  if (isRecord(value)) return 'dict';
  if (value instanceof Error) return errorName(value);
  return value.constructor?.name ?? 'object';
}

/** The class an exception is printed with. */
export function errorName(error: Error): string {
  if (error instanceof PythonError) return error.name;
  const foreign = classOfForeign(error).name;
  return foreign === 'Exception' ? error.name : foreign;
}

/** A type of Python, such as `int`: it converts, and it answers `isinstance`. */
export interface TypeInfo {
  readonly name: string;
  readonly check: (value: unknown) => boolean;
}

const types = new WeakMap<object, TypeInfo>();

export function defineType(type: object, info: TypeInfo): void {
  types.set(type, info);
  // So the library can ask as well: verify_type(x, int).
  Object.defineProperty(type, Symbol.hasInstance, { value: info.check, configurable: true });
}

export function typeInfo(value: unknown): TypeInfo | undefined {
  return typeof value === 'function' ? types.get(value) : undefined;
}

/** Whether this is a class: of Python, of the library, or an exception. */
export function isType(value: unknown): boolean {
  return (
    typeInfo(value) !== undefined ||
    isExceptionClass(value) ||
    isOwnClass(value) ||
    (isCallable(value) && /^class\b/.test(Function.prototype.toString.call(value)))
  );
}

export const CHECKS: Readonly<Record<string, (value: unknown) => boolean>> = {
  int: isInt,
  float: isFloat,
  bool: (value) => typeof value === 'boolean',
  str: (value) => typeof value === 'string',
  list: (value) => Array.isArray(value) && !(value instanceof PyTuple),
  tuple: (value) => value instanceof PyTuple,
  dict: (value) => value instanceof PyDict || value instanceof Map || isRecord(value),
  set: (value) => value instanceof Set && !(value instanceof PySet && value.frozen),
  frozenset: (value) => value instanceof PySet && value.frozen,
  range: (value) => value instanceof PyRange,
  slice: (value) => value instanceof PySlice,
  object: () => true,
  type: isType,
};
