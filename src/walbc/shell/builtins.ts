/**
 * The names Python brings along that an operator uses at the prompt. They are functions and values of
 * the worker's global scope; `print` and the others that write take `write`.
 */
import { WalbError } from '../../core/index.ts';
import { pause } from './interruptible.ts';
import { Keywords, splitKeywords } from './keywords.ts';
import { repr, str } from './show.ts';

/** More would be a slip of the finger, not a list. */
const MAX_RANGE = 10_000_000;

/** Leaves the shell or ends a script; not to be caught. */
export class SystemExit extends Error {
  override readonly name = 'SystemExit';
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit ${exitCode}`);
    this.exitCode = exitCode;
  }
}

interface PrintOptions {
  readonly sep: string;
  readonly end: string;
}

interface SortOptions {
  readonly key: (value: never) => unknown;
  readonly reverse: boolean;
}

/** All of them, by name. */
export function pythonNames(write: (text: string) => void): Record<string, unknown> {
  const print = (...args: unknown[]): void => {
    const [values, options] = splitKeywords<PrintOptions>(args);
    write(values.map(str).join(options.sep ?? ' ') + (options.end ?? '\n'));
  };
  return {
    True: true,
    False: false,
    None: undefined,
    print,
    pprint: print,
    ...CONVERSIONS,
    ...LISTS,
    repr: (value: unknown) => repr(value),
    exit: leave,
    quit: leave,
    sleep,
    time: { sleep, time: () => Date.now() / 1000 },
  };
}

function leave(code: unknown = 0): never {
  throw new SystemExit(Number(code) & 0xff);
}

/** Waits so many seconds; Ctrl-C ends it. */
export function sleep(seconds: number): void {
  if (!(seconds >= 0)) throw bad(`sleep() takes seconds, not ${repr(seconds)}`);
  pause(seconds * 1000);
}

function bad(message: string): WalbError {
  return new WalbError('invalid-argument', message);
}

const CONVERSIONS = {
  str: (value: unknown = ''): string => str(value),
  int: (value: unknown = 0, base?: unknown): number | bigint => toInteger(value, base),
  float: (value: unknown = 0): number => toNumber(value),
  bool: (value?: unknown): boolean => isTrue(value),
  list: (value: unknown = []): unknown[] => toList(value),
  dict: (value: unknown = {}): Record<string, unknown> =>
    value instanceof Keywords
      ? { ...value.values }
      : Object.fromEntries(
          Symbol.iterator in Object(value)
            ? (value as Iterable<[string, unknown]>)
            : Object.entries(value as object),
        ),
  hex: (value: number | bigint): string => `0x${value.toString(16)}`,
  abs: <T extends number | bigint>(value: T): T => (value < 0 ? (-value as T) : value),
  isinstance: (value: unknown, type: unknown): boolean => isInstance(value, type),
};

const LISTS = {
  len,
  range,
  sorted,
  reversed: (value: unknown): unknown[] => toList(value).reverse(),
  enumerate: (value: unknown, start = 0): [number, unknown][] =>
    toList(value).map((part, index) => [index + start, part]),
  zip: (...lists: unknown[]): unknown[][] => zip(lists.map(toList)),
  min: (...args: unknown[]): unknown => extreme('min', args, -1),
  max: (...args: unknown[]): unknown => extreme('max', args, 1),
  sum: (value: unknown, start: number | bigint = 0): number | bigint => sum(value, start),
  any: (value: unknown): boolean => toList(value).some(isTrue),
  all: (value: unknown): boolean => toList(value).every(isTrue),
};

/** Any iterable as a new list; a dictionary as its keys. */
function toList(value: unknown): unknown[] {
  if (typeof value === 'string') return Array.from(value);
  if (typeof value === 'object' && value !== null) {
    if (value instanceof Map) return [...value.keys()];
    if (Symbol.iterator in value) return [...(value as Iterable<unknown>)];
    return Object.keys(value);
  }
  throw bad(`${repr(value)} is not a list`);
}

function len(value: unknown): number {
  if (typeof value === 'string' || Array.isArray(value)) return value.length;
  if (value instanceof Map || value instanceof Set) return value.size;
  if (ArrayBuffer.isView(value)) return value.byteLength;
  if (typeof value === 'object' && value !== null) return Object.keys(value).length;
  throw bad(`${repr(value)} has no length`);
}

function range(...args: (number | bigint)[]): (number | bigint)[] {
  const [start, stop, step] =
    args.length === 1 ? [0, args[0]!, 1] : [args[0] ?? 0, args[1] ?? 0, args[2] ?? 1];
  const isBig = [start, stop, step].some((part) => typeof part === 'bigint');
  const [from, to, by] = [Number(start), Number(stop), Number(step)];
  if (![from, to, by].every(Number.isSafeInteger) || by === 0) {
    throw bad('range() takes whole numbers, and a step that is not 0');
  }
  const length = Math.max(0, Math.ceil((to - from) / by));
  if (length > MAX_RANGE) throw bad(`range() of ${length} numbers is too long`);
  const numbers = Array.from({ length }, (_, index) => from + index * by);
  return isBig ? numbers.map(BigInt) : numbers;
}

/** Order of numbers, gids, texts, times, lists, and of what has a gid or text of its own. */
export function compare(a: unknown, b: unknown): number {
  const [left, right] = [orderKey(a), orderKey(b)];
  if (Array.isArray(left) && Array.isArray(right)) {
    for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
      const order = compare(left[at], right[at]);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  }
  const areNumbers = isNumeric(left) && isNumeric(right);
  if (!areNumbers && typeof left !== typeof right) {
    throw bad(`${repr(a)} and ${repr(b)} can not be compared`);
  }
  return (left as number) < (right as number) ? -1 : (left as number) > (right as number) ? 1 : 0;
}

function isNumeric(value: unknown): boolean {
  return typeof value === 'number' || typeof value === 'bigint';
}

function orderKey(value: unknown): unknown {
  if (value instanceof Date) return value.getTime();
  if (typeof value === 'boolean') return Number(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const { gid } = value as { gid?: unknown };
  return typeof gid === 'bigint' ? gid : String(value);
}

function sorted(...args: unknown[]): unknown[] {
  const [[value, second], keywords] = splitKeywords<SortOptions>(args);
  // A second argument is the key function, or the options as an object.
  const options: Partial<SortOptions> =
    typeof second === 'function'
      ? { ...keywords, key: second as SortOptions['key'] }
      : { ...(second as object | undefined), ...keywords };
  const { key = (part: never): unknown => part } = options;
  const direction = isTrue(options.reverse) ? -1 : 1;
  return toList(value)
    .map((part) => ({ part, by: key(part as never) }))
    .sort((a, b) => direction * compare(a.by, b.by))
    .map(({ part }) => part);
}

function zip(lists: readonly unknown[][]): unknown[][] {
  const length = Math.min(...lists.map((list) => list.length));
  return lists.length === 0
    ? []
    : Array.from({ length }, (_, index) => lists.map((list) => list[index]));
}

function extreme(name: string, args: readonly unknown[], direction: 1 | -1): unknown {
  const [values, { key = (part: never): unknown => part }] = splitKeywords<SortOptions>(args);
  const list = values.length === 1 ? toList(values[0]) : values;
  if (list.length === 0) throw bad(`${name}() of an empty list`);
  return list.reduce((best, part) =>
    direction * compare(key(part as never), key(best as never)) > 0 ? part : best,
  );
}

function sum(value: unknown, start: number | bigint): number | bigint {
  const list = [start, ...toList(value)];
  if (!list.every(isNumeric)) throw bad('sum() takes a list of numbers');
  const isBig = list.some((part) => typeof part === 'bigint');
  return isBig
    ? list.reduce<bigint>((total, part) => total + BigInt(part as number), 0n)
    : list.reduce<number>((total, part) => total + (part as number), 0);
}

/** Python's notion: empty texts, lists and dictionaries are false. */
function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map || value instanceof Set) return value.size > 0;
  if (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype
  )
    return Object.keys(value).length > 0;
  return Boolean(value);
}

function toInteger(value: unknown, base: unknown): number | bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value);
  const text = typeof value === 'string' ? value.trim().replace(/^([+-])/, '$1') : '';
  const radix = base instanceof Keywords ? base.values['base'] : base;
  if (radix !== undefined && Number(radix) !== 10) {
    const parsed = Number.parseInt(text, Number(radix));
    if (Number.isSafeInteger(parsed)) return parsed;
  } else if (/^[+-]?\d+$/.test(text)) {
    const exact = BigInt(text.replace('+', ''));
    const isSafe = Number.isSafeInteger(Number(exact));
    return isSafe ? Number(exact) : exact;
  }
  throw bad(`int() can not read ${repr(value)} as a whole number`);
}

function toNumber(value: unknown): number {
  const number = typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isNaN(number)) throw bad(`float() can not read ${repr(value)} as a number`);
  return number;
}

function isInstance(value: unknown, type: unknown): boolean {
  if (Array.isArray(type)) return type.some((one) => isInstance(value, one));
  if (type === CONVERSIONS.str || type === String) return typeof value === 'string';
  if (type === CONVERSIONS.int) return typeof value === 'bigint' || Number.isInteger(value);
  if (type === CONVERSIONS.float || type === Number) return typeof value === 'number';
  if (type === CONVERSIONS.bool || type === Boolean) return typeof value === 'boolean';
  if (type === CONVERSIONS.list) return Array.isArray(value);
  if (typeof type !== 'function') throw bad(`isinstance() takes a class, not ${repr(type)}`);
  return value instanceof type;
}
