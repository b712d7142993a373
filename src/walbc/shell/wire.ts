/**
 * How values cross between the thread that runs the operator's code and the thread that does the
 * calls. A structured clone keeps numbers, bigints, dates, bytes, lists and maps, but loses classes;
 * so instances of the library's value classes travel with the name of their class, errors with their
 * code and details, and what can not be copied (controllers, devices, functions) as a handle.
 *
 *     port.postMessage(encode(value, sender))      // throws `invalid-argument` for what can not cross
 *     const value = decode(wire, receiver)
 */
import { type ErrorCode, type ErrorDetail, isErrorCode, WalbError } from '../../core/index.ts';

/** A class whose instances are plain data in public fields. */
export type ValueClass = abstract new (...args: never[]) => object;

export type ValueClasses = Readonly<Record<string, ValueClass>>;

/** What one side knows about things that stay on the calling thread. */
export interface HandleSide {
  /** The handle of a thing that stays where it is, or undefined for anything else. */
  handleOf(value: object): WireHandle | undefined;
  /** The thing, or its stand-in, behind a handle that arrived. */
  resolve(handle: WireHandle): unknown;
}

export interface WireSide extends HandleSide {
  readonly classes: ValueClasses;
}

export interface WireHandle {
  readonly $: 'handle';
  readonly id: number;
  /** Name of the remote class, or 'function'. */
  readonly kind: string;
  readonly name: string;
  /** Properties that the thing carries itself; of a function, its parameters. */
  readonly fields: readonly string[];
}

interface WireValue {
  readonly $: 'value';
  readonly class: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

interface WireObject {
  readonly $: 'object';
  readonly fields: Readonly<Record<string, unknown>>;
}

export interface WireError {
  readonly $: 'error';
  readonly name: string;
  readonly code?: ErrorCode;
  readonly message: string;
  readonly stack?: string;
  readonly details?: Readonly<Record<string, ErrorDetail>>;
  readonly cause?: WireError;
}

type Tagged = WireHandle | WireValue | WireObject | WireError;

/** No argument or result of the library is nested deeper; a cycle would never end. */
const MAX_DEPTH = 64;
/** Causes beyond this are of no use to an operator, and a chain of causes may be a ring. */
const MAX_CAUSES = 8;

function refuse(message: string): WalbError {
  return new WalbError('invalid-argument', message);
}

/** A clonable form of `value`. Throws `invalid-argument` for functions, promises and foreign objects. */
export function encode(value: unknown, side: WireSide, depth = 0): unknown {
  if (typeof value === 'function') return encodeFunction(value, side);
  if (typeof value === 'symbol') throw refuse('a symbol can not be passed to a call');
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) throw refuse('this object is nested too deep (or contains itself)');
  const inner = (part: unknown): unknown => encode(part, side, depth + 1);
  if (Array.isArray(value)) return Array.from(value, inner);
  if (value instanceof Date || ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return value;
  if (value instanceof Map) return new Map(Array.from(value, ([k, v]) => [inner(k), inner(v)]));
  if (value instanceof Set) return new Set(Array.from(value, inner));
  if (value instanceof Error) return encodeError(value);
  return side.handleOf(value) ?? encodeInstance(value, side, inner);
}

function encodeFunction(value: object, side: WireSide): WireHandle {
  const handle = side.handleOf(value);
  if (handle !== undefined) return handle;
  throw refuse(
    'a function can not be passed to this call: the call runs in another thread while your code waits. ' +
      'Call it with plain values and use the function on the result',
  );
}

function encodeInstance(
  value: object,
  side: WireSide,
  inner: (part: unknown) => unknown,
): WireValue | WireObject | Record<string, unknown> {
  const fields = Object.fromEntries(Object.entries(value).map(([key, part]) => [key, inner(part)]));
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) {
    return '$' in fields ? { $: 'object', fields } : fields;
  }
  const known = Object.entries(side.classes).find(([, cls]) => cls.prototype === prototype);
  if (known !== undefined) return { $: 'value', class: known[0], fields };
  if (typeof (value as { then?: unknown }).then === 'function') {
    throw refuse('a promise can not be passed to a call: await it first');
  }
  throw refuse(`a ${value.constructor?.name ?? 'foreign object'} can not cross a call`);
}

/** The real value of what `encode` of the other side made. */
export function decode(wire: unknown, side: WireSide): unknown {
  if (typeof wire !== 'object' || wire === null) return wire;
  const inner = (part: unknown): unknown => decode(part, side);
  if (Array.isArray(wire)) return wire.map(inner);
  if (wire instanceof Date || ArrayBuffer.isView(wire) || wire instanceof ArrayBuffer) return wire;
  if (wire instanceof Map) return new Map(Array.from(wire, ([k, v]) => [inner(k), inner(v)]));
  if (wire instanceof Set) return new Set(Array.from(wire, inner));
  if (!isTagged(wire)) return mapFields(wire as Record<string, unknown>, inner);
  switch (wire.$) {
    case 'handle':
      return side.resolve(wire);
    case 'object':
      return mapFields(wire.fields, inner);
    case 'error':
      return decodeError(wire);
    case 'value': {
      const cls = side.classes[wire.class];
      if (cls === undefined) throw new WalbError('internal', `no value class ${wire.class}`);
      return Object.assign(blank(cls), mapFields(wire.fields, inner));
    }
  }
}

/**
 * An instance to be filled. Made by the constructor where that needs no arguments, because private
 * methods exist only on what a constructor made.
 */
function blank(cls: ValueClass): object {
  try {
    return Reflect.construct(cls as unknown as new () => object, []);
  } catch {
    return Object.create(cls.prototype as object) as object;
  }
}

function isTagged(wire: object): wire is Tagged {
  return '$' in wire;
}

function mapFields(
  fields: Readonly<Record<string, unknown>>,
  inner: (part: unknown) => unknown,
): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, part]) => [key, inner(part)]));
}

/** Any thrown value as data. */
export function encodeError(thrown: unknown, causes = 0): WireError {
  if (!(thrown instanceof Error)) return { $: 'error', name: 'Error', message: String(thrown) };
  const isOurs = thrown instanceof WalbError;
  return {
    $: 'error',
    name: thrown.name,
    message: thrown.message,
    ...(thrown.stack === undefined ? {} : { stack: thrown.stack }),
    ...(isOurs ? { code: thrown.code, details: { ...thrown.details } } : {}),
    ...(thrown.cause instanceof Error && causes < MAX_CAUSES
      ? { cause: encodeError(thrown.cause, causes + 1) }
      : {}),
  };
}

/** The error again: a WalbError with its code and details, anything else as an Error of that name. */
export function decodeError(wire: WireError): Error {
  const cause = wire.cause === undefined ? undefined : decodeError(wire.cause);
  if (wire.code !== undefined && isErrorCode(wire.code)) {
    return new WalbError(wire.code, wire.message, { details: wire.details ?? {}, cause });
  }
  const error = new Error(wire.message, cause === undefined ? undefined : { cause });
  error.name = wire.name;
  if (wire.stack !== undefined) error.stack = wire.stack;
  return error;
}
