/** Python's own functions and types, by name. */
import { SystemExit } from '../builtins.ts';
import { KeyboardInterrupt } from '../interruptible.ts';
import { pairsOf } from './methods/mappings.ts';
import { Timedelta } from './modules/timedelta.ts';
import {
  attribute,
  attributeOr,
  defineClassOf,
  defineStatics,
  hasAttribute,
  setAttribute,
} from './runtime/attributes.ts';
import { invoke } from './runtime/calling.ts';
import { round, toFloat, toInt } from './runtime/conversions.ts';
import { marked, PyProperty } from './runtime/descriptors.ts';
import { classOfForeign, exceptionClasses, isExceptionClass, raise } from './runtime/exceptions.ts';
import { formatValue } from './runtime/format-spec.ts';
import { type Callable, isCallable, markNative } from './runtime/functions.ts';
import { isOwnClass, isOwnInstance, specialMethod, superOf } from './runtime/instances.ts';
import { isTrue, iter, iterator, length, toList } from './runtime/iteration.ts';
import { identityOf, keyOf } from './runtime/keys.ts';
import { fn } from './runtime/natives.ts';
import {
  big,
  double,
  type Int,
  int,
  isInt,
  isNumber,
  negate,
  quotientAndRest,
} from './runtime/numbers.ts';
import { operate } from './runtime/operators.ts';
import { repr, str } from './runtime/repr.ts';
import { extreme, sorted } from './runtime/sorting.ts';
import { CHECKS, defineType, isType, typeInfo, typeName } from './runtime/types.ts';
import {
  ELLIPSIS,
  isNone,
  PyDict,
  PyIterator,
  PyRange,
  PySet,
  PySlice,
  PyTuple,
  tuple,
} from './runtime/values.ts';

/** More would be a slip of the finger, not a list. */
const MAX_RANGE = 2 ** 53;

const type = (name: string, parameters: string, make: (...args: never[]) => unknown): unknown => {
  const made = fn(name, parameters, make);
  defineType(made, { name, check: CHECKS[name]! });
  return made;
};

/** A type that takes one value or none; None is a value. */
function ofOne(name: string, none: () => unknown, make: (value: unknown) => unknown): unknown {
  return type(name, '*args', (given: unknown[]) => {
    if (given.length > 1) {
      raise('TypeError', `${name} expected at most 1 argument, got ${given.length}`);
    }
    return given.length === 0 ? none() : make(given[0]);
  });
}

function makeInt(base: unknown, given: unknown[]): unknown {
  const [value, second] = given;
  if (given.length > 2)
    raise('TypeError', `int() takes at most 2 arguments (${given.length} given)`);
  if (given.length === 0) return 0;
  return toInt(value, given.length === 2 ? second : base);
}

function makeDict(given: unknown[], kwargs: PyDict): PyDict {
  if (given.length > 1) {
    raise('TypeError', `dict expected at most 1 argument, got ${given.length}`);
  }
  return new PyDict([...(given.length === 0 ? [] : pairsOf(given[0])), ...kwargs]);
}

const TYPES = {
  int: type('int', '*args, base=', makeInt),
  float: ofOne('float', () => toFloat(0), toFloat),
  bool: ofOne('bool', () => false, isTrue),
  str: ofOne('str', () => '', str),
  list: ofOne('list', () => [], toList),
  tuple: ofOne(
    'tuple',
    () => tuple([]),
    (value) => tuple(iter(value)),
  ),
  set: ofOne(
    'set',
    () => new PySet(),
    (value) => new PySet(iter(value)),
  ),
  frozenset: ofOne(
    'frozenset',
    () => new PySet([], true),
    (value) => new PySet(iter(value), true),
  ),
  dict: type('dict', '*args, **kwargs', makeDict),
  range: type('range', 'start, stop=, step=, /', range),
  slice: type('slice', 'start, stop=, step=, /', (...args: unknown[]) =>
    args[1] === undefined
      ? new PySlice(undefined, args[0], undefined)
      : new PySlice(args[0], args[1], args[2]),
  ),
  object: type('object', '', () => raise('TypeError', 'object() is not supported; make a class')),
  type: type('type', 'object, /', (value: unknown) => typeOf(value)),
} as const;

const NONE_TYPE = type('NoneType', '', () => undefined);
defineType(NONE_TYPE as object, { name: 'NoneType', check: isNone });

/** Types that are not named in Python without an import, or at all. */
const otherTypes = new Map<string, unknown>();

function typeOf(value: unknown): unknown {
  if (isNone(value)) return NONE_TYPE;
  if (value instanceof Error && !isOwnInstance(value)) {
    return isExceptionClass(value.constructor) ? value.constructor : foreignErrorType(value);
  }
  if (isOwnInstance(value)) return value.constructor;
  const name = typeName(value);
  if (Object.hasOwn(TYPES, name)) return TYPES[name as keyof typeof TYPES];
  const known = typesByName.get(name) ?? otherTypes.get(name);
  if (known !== undefined) return known;
  const isLibrary =
    typeof value === 'object' && isCallable(value.constructor) && value.constructor !== Object;
  if (isLibrary) return value.constructor;
  const made = type(name, '', () => raise('TypeError', `cannot create '${name}' instances`));
  defineType(made as object, { name, check: (other) => typeName(other) === name });
  otherTypes.set(name, made);
  return made;
}

function foreignErrorType(error: Error): unknown {
  const cls = classOfForeign(error);
  return cls === exceptionClasses.Exception ? error.constructor : cls;
}

defineClassOf(typeOf);

/** Types of modules: `datetime.datetime` is the type of a Date. */
const typesByName = new Map<string, unknown>();

export function nameType(name: string, made: unknown): void {
  typesByName.set(name, made);
}

defineStatics(TYPES.dict as object, {
  fromkeys: fn(
    'fromkeys',
    'iterable, value=, /',
    (list: unknown, value?: unknown) =>
      new PyDict([...iter(list)].map((key) => [key, value] as const)),
  ),
});

function range(first: unknown, second?: unknown, third?: unknown): PyRange {
  const [start, stop, step] = isNone(second)
    ? [0, first, 1]
    : [first, second, isNone(third) ? 1 : third];
  const numbers = [start, stop, step].map((value) =>
    isInt(value)
      ? Number(value)
      : raise('TypeError', `'${typeName(value)}' object cannot be interpreted as an integer`),
  );
  if (numbers[2] === 0) raise('ValueError', 'range() arg 3 must not be zero');
  if (numbers.some((value) => Math.abs(value) > MAX_RANGE))
    raise('OverflowError', 'range() takes numbers up to 2 ** 53');
  return new PyRange(numbers[0]!, numbers[1]!, numbers[2]!);
}

function isInstance(value: unknown, cls: unknown): boolean {
  if (cls instanceof PyTuple || Array.isArray(cls))
    return cls.some((one) => isInstance(value, one));
  const info = typeInfo(cls);
  if (info !== undefined) return info.check(value);
  if (isExceptionClass(cls))
    return value instanceof cls || (value instanceof Error && matchesForeign(value, cls));
  const isClass =
    isType(cls) || isOwnClass(cls) || (isCallable(cls) && typeof cls.prototype === 'object');
  if (!isClass)
    raise('TypeError', 'isinstance() arg 2 must be a type, a tuple of types, or a union');
  return value instanceof (cls as new () => object);
}

function matchesForeign(value: Error, cls: unknown): boolean {
  const known = classOfForeign(value);
  return known === cls || known.prototype instanceof (cls as new () => object);
}

function isSubclass(one: unknown, cls: unknown): boolean {
  if (cls instanceof PyTuple) return cls.some((other) => isSubclass(one, other));
  if (one === cls || cls === TYPES.object || (one === TYPES.bool && cls === TYPES.int)) return true;
  if (!isType(one)) raise('TypeError', 'issubclass() arg 1 must be a class');
  return typeof cls === 'function' && (one as { prototype?: unknown }).prototype instanceof cls;
}

function* enumerated(list: unknown, start: unknown): Generator<unknown, undefined> {
  let at = isNone(start) ? 0 : Number(start);
  for (const value of iter(list)) {
    yield tuple([at, value]);
    at += 1;
  }
  return undefined;
}

function* zipped(lists: readonly unknown[], strict: unknown): Generator<unknown, undefined> {
  const sources = lists.map((list) => iterator(list));
  while (sources.length > 0) {
    const parts: unknown[] = [];
    for (const [at, source] of sources.entries()) {
      const next = source.next();
      if (next.done === true) {
        const isUneven =
          isTrue(strict) &&
          (at > 0 || sources.slice(1).some((other) => other.next().done !== true));
        if (isUneven) raise('ValueError', `zip() argument ${at + 1} is shorter than argument 1`);
        return undefined;
      }
      parts.push(next.value);
    }
    yield tuple(parts);
  }
  return undefined;
}

function* mapped(work: unknown, lists: readonly unknown[]): Generator<unknown, undefined> {
  for (const parts of zipped(lists, false)) yield invoke(work, parts as PyTuple);
  return undefined;
}

function* filtered(test: unknown, list: unknown): Generator<unknown, undefined> {
  for (const value of iter(list))
    if (isTrue(isNone(test) ? value : invoke(test, [value]))) yield value;
  return undefined;
}

function* backwards(value: unknown): Generator<unknown, undefined> {
  const list = toList(value);
  for (let at = list.length - 1; at >= 0; at -= 1) yield list[at];
  return undefined;
}

function reversed(value: unknown): PyIterator {
  const own = specialMethod(value, '__reversed__');
  if (own !== undefined) return iterator(own());
  const hasOrder =
    typeof value === 'string' ||
    Array.isArray(value) ||
    value instanceof PyRange ||
    value instanceof Map;
  if (!hasOrder) raise('TypeError', `'${typeName(value)}' object is not reversible`);
  return new PyIterator(backwards(value), 'reversed');
}

function sum(list: unknown, start: unknown): unknown {
  if (typeof start === 'string')
    raise('TypeError', "sum() can't sum strings [use ''.join(seq) instead]");
  let total: unknown = isNone(start) ? 0 : start;
  for (const value of iter(list)) total = operate('add', total, value);
  return total;
}

function largest(kind: 'min' | 'max'): unknown {
  const work = (key: unknown, args: unknown[], rest: PyDict): unknown => {
    if (args.length === 0) raise('TypeError', `${kind} expected at least 1 argument, got 0`);
    const list = args.length === 1 ? toList(args[0]) : args;
    return list.length === 0 && rest.has('default')
      ? rest.get('default')
      : extreme(list, key, kind);
  };
  return fn(kind, '*args, key=, **options', work);
}

function next(value: unknown, rest: readonly unknown[]): unknown {
  const own = specialMethod(value, '__next__');
  if (own !== undefined) return own();
  if (!(value instanceof PyIterator))
    return raise('TypeError', `'${typeName(value)}' object is not an iterator`);
  const result = value.next();
  if (result.done !== true) return result.value;
  if (rest.length > 0) return rest[0];
  throw new exceptionClasses.StopIteration();
}

function absolute(value: unknown): unknown {
  const own = specialMethod(value, '__abs__');
  if (own !== undefined) return own();
  if (value instanceof Timedelta)
    return value.microseconds < 0n ? new Timedelta(-value.microseconds) : value;
  if (!isNumber(value))
    return raise('TypeError', `bad operand type for abs(): '${typeName(value)}'`);
  return Number(value) < 0 || Object.is(double(value), -0)
    ? negate(value)
    : typeof value === 'boolean'
      ? Number(value)
      : value;
}

function inBase(name: string, radix: number, prefix: string): unknown {
  return fn(name, 'number, /', (value: unknown) => {
    if (!isInt(value))
      return raise('TypeError', `'${typeName(value)}' object cannot be interpreted as an integer`);
    const number = big(value);
    return `${number < 0n ? '-' : ''}${prefix}${(number < 0n ? -number : number).toString(radix)}`;
  });
}

function character(value: unknown): string {
  const code = Number(value);
  if (!isInt(value))
    raise('TypeError', `'${typeName(value)}' object cannot be interpreted as an integer`);
  if (code < 0 || code > 0x10ffff) raise('ValueError', 'chr() arg not in range(0x110000)');
  return String.fromCodePoint(code);
}

function ordinal(value: unknown): number {
  if (typeof value !== 'string')
    return raise('TypeError', `ord() expected string of length 1, but ${typeName(value)} found`);
  const chars = Array.from(value);
  if (chars.length !== 1)
    raise('TypeError', `ord() expected a character, but string of length ${chars.length} found`);
  return value.codePointAt(0)!;
}

function modularPower(base: unknown, exponent: unknown, modulus: unknown): unknown {
  if (isNone(modulus)) return operate('pow', base, exponent);
  if (![base, exponent, modulus].every(isInt))
    raise('TypeError', 'pow() 3rd argument not allowed unless all arguments are integers');
  let [result, square, rest] = [1n, big(base as Int), big(exponent as Int)];
  const by = big(modulus as Int);
  if (rest < 0n)
    raise('ValueError', 'pow() with a negative exponent and a modulus is not supported');
  for (; rest > 0n; rest >>= 1n) {
    if (rest & 1n) result = (result * square) % by;
    square = (square * square) % by;
  }
  return quotientAndRest(int(result), int(by))[1];
}

const any = (list: unknown): boolean => {
  for (const value of iter(list)) if (isTrue(value)) return true;
  return false;
};

const all = (list: unknown): boolean => {
  for (const value of iter(list)) if (!isTrue(value)) return false;
  return true;
};

function divided(a: unknown, b: unknown): unknown {
  if (!isNumber(a) || !isNumber(b)) {
    return tuple([operate('floordiv', a, b), operate('mod', a, b)]);
  }
  return tuple(quotientAndRest(a, b));
}

function hash(value: unknown): Int {
  const key = keyOf(value);
  if (typeof key === 'number' && Number.isInteger(key)) return key;
  if (typeof key === 'object' && key !== null) return identityOf(key);
  let result = 7n;
  for (const char of String(key))
    result = (result * 31n + BigInt(char.codePointAt(0)!)) % 2n ** 61n;
  return int(result);
}

/** Functions that need nothing of the shell. */
const FUNCTIONS: Readonly<Record<string, unknown>> = {
  abs: fn('abs', 'x, /', absolute),
  all: fn('all', 'iterable, /', all),
  any: fn('any', 'iterable, /', any),
  ascii: fn('ascii', 'object, /', (value: unknown) => repr(value)),
  bin: inBase('bin', 2, '0b'),
  callable: fn(
    'callable',
    'object, /',
    (value: unknown) => isCallable(value) || specialMethod(value, '__call__') !== undefined,
  ),
  classmethod: fn('classmethod', 'function, /', (work: unknown) => marked(work, 'class')),
  chr: fn('chr', 'i, /', character),
  delattr: fn(
    'delattr',
    'object, name, /',
    (owner: unknown, name: string) => void delete (owner as Record<string, unknown>)[name],
  ),
  divmod: fn('divmod', 'x, y, /', divided),
  enumerate: fn(
    'enumerate',
    'iterable, start=',
    (list: unknown, start?: unknown) => new PyIterator(enumerated(iter(list), start), 'enumerate'),
  ),
  filter: fn(
    'filter',
    'function, iterable, /',
    (test: unknown, list: unknown) => new PyIterator(filtered(test, iter(list)), 'filter'),
  ),
  format: fn('format', 'value, spec=, /', (value: unknown, spec?: unknown) =>
    formatValue(value, isNone(spec) ? '' : String(spec)),
  ),
  getattr: fn(
    'getattr',
    'object, name, *default',
    (owner: unknown, name: string, rest: unknown[]) =>
      rest.length > 0 ? attributeOr(owner, name, rest[0]) : attribute(owner, name),
  ),
  hasattr: fn('hasattr', 'object, name, /', (owner: unknown, name: string) =>
    hasAttribute(owner, name),
  ),
  hash: fn('hash', 'object, /', hash),
  hex: inBase('hex', 16, '0x'),
  id: fn('id', 'object, /', (value: unknown) =>
    typeof value === 'object' && value !== null ? identityOf(value) : 0,
  ),
  isinstance: fn('isinstance', 'object, classinfo, /', isInstance),
  issubclass: fn('issubclass', 'cls, classinfo, /', isSubclass),
  iter: fn('iter', 'iterable, /', iterator),
  len: fn('len', 'obj, /', length),
  map: fn(
    'map',
    'function, *iterables',
    (work: unknown, lists: unknown[]) => new PyIterator(mapped(work, lists.map(iterator)), 'map'),
  ),
  max: largest('max'),
  min: largest('min'),
  next: fn('next', 'iterator, *default', next),
  oct: inBase('oct', 8, '0o'),
  ord: fn('ord', 'c, /', ordinal),
  pow: fn('pow', 'base, exp, mod=', modularPower),
  repr: fn('repr', 'object, /', (value: unknown) => repr(value)),
  property: fn(
    'property',
    'fget=, fset=',
    (get?: Callable, set?: Callable) => new PyProperty(get, set),
  ),
  reversed: fn('reversed', 'sequence, /', reversed),
  round: fn('round', 'number, ndigits=', round),
  setattr: fn('setattr', 'object, name, value, /', (owner: unknown, name: string, value: unknown) =>
    setAttribute(owner, name, value),
  ),
  sorted: fn('sorted', 'iterable, /, *, key=, reverse=', sorted),
  staticmethod: fn('staticmethod', 'function, /', (work: unknown) => marked(work, 'nothing')),
  sum: fn('sum', 'iterable, /, start=', sum),
  super: fn('super', 'type, object, /', superOf),
  zip: fn(
    'zip',
    '*iterables, strict=',
    (strict: unknown, lists: unknown[]) =>
      new PyIterator(zipped(lists.map(iterator), strict), 'zip'),
  ),
};

/** What the names of the module are that need no output and no globals. */
export const PURE_BUILTINS: Readonly<Record<string, unknown>> = {
  True: true,
  False: false,
  None: undefined,
  Ellipsis: ELLIPSIS,
  NotImplemented: ELLIPSIS,
  ...TYPES,
  ...FUNCTIONS,
  ...exceptionClasses,
  IOError: exceptionClasses.OSError,
  KeyboardInterrupt: markNative(KeyboardInterrupt),
  SystemExit: markNative(SystemExit),
  // Names of Python 2, in which the original and its runbooks are written.
  xrange: TYPES.range,
  long: TYPES.int,
  unicode: TYPES.str,
  basestring: TYPES.str,
};
