/**
 * Checks of arguments. Each returns nothing and throws `invalid-argument`, saying what was given and
 * what was expected.
 *
 * Source: controller-api.md 1.2.
 */
import { U64_MAX, WalbError } from '../core/index.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind, serverKindMap } from './constants.ts';
import { ServerConnectionParam, type ServerParam, ServerStartupParam } from './servers.ts';

/** A gid as an operator may write it: `5n` or `5`. */
export type GidLike = bigint | number;

/** A constructor: `String`, `Number`, `BigInt`, `Boolean`, `Array`, or a class. */
export type TypeValue = (abstract new (...args: never[]) => unknown) | BigIntConstructor;

function bad(message: string, details: Record<string, string> = {}): WalbError {
  return new WalbError('invalid-argument', message, { details });
}

/** A value as it may appear in a message: short, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null)
    return `a ${value.constructor?.name ?? 'object'}`;
  return String(value).slice(0, 80);
}

function isOf(value: unknown, type: TypeValue): boolean {
  const primitives: Readonly<Record<string, unknown>> = {
    string: String,
    number: Number,
    bigint: BigInt,
    boolean: Boolean,
  };
  return primitives[typeof value] === type || (type !== BigInt && value instanceof type);
}

/**
 * `obj` is of one of the types; with `elemType` it is a list whose elements are. `allowNone` accepts
 * null for `obj` and for each element.
 *
 *     verify_type(names, Array, String)
 */
export function verify_type(
  obj: unknown,
  typeValue: TypeValue | readonly TypeValue[],
  elemType: TypeValue | readonly TypeValue[] | null = null,
  allowNone = false,
): void {
  const ofOne = (value: unknown, types: TypeValue | readonly TypeValue[]): boolean => {
    if (value === null || value === undefined) return allowNone;
    return [types].flat().some((type) => isOf(value, type as TypeValue));
  };
  const names = (types: TypeValue | readonly TypeValue[]): string =>
    [types]
      .flat()
      .map((type) => (type as TypeValue).name)
      .join(' or ');
  if (!ofOne(obj, typeValue)) {
    throw bad(`wrong type: expected ${names(typeValue)}, got ${show(obj)}`);
  }
  if (elemType === null || obj === null || obj === undefined) return;
  if (!Array.isArray(obj)) throw bad(`wrong type: expected a list, got ${show(obj)}`);
  const wrong = obj.findIndex((element) => !ofOne(element, elemType));
  if (wrong < 0) return;
  throw bad(`wrong type of element ${wrong}: expected ${names(elemType)}, got ${show(obj[wrong])}`);
}

/** A whole number: a bigint, or a number without a fraction. */
export function verify_int(obj: unknown, allowNone = false): void {
  if (allowNone && (obj === null || obj === undefined)) return;
  if (typeof obj === 'bigint' || Number.isSafeInteger(obj)) return;
  throw bad(`expected a whole number, got ${show(obj)}`);
}

/** 0 <= obj < 2^64. */
export function verify_u64(obj: unknown, allowNone = false): void {
  if (allowNone && (obj === null || obj === undefined)) return;
  toGid(obj, 'value');
}

export function verify_function(obj: unknown, allowNone = false): void {
  if (allowNone && (obj === null || obj === undefined)) return;
  if (typeof obj !== 'function') throw bad(`expected a function, got ${show(obj)}`);
}

export function verify_iterable(obj: unknown, allowNone = false): void {
  if (allowNone && (obj === null || obj === undefined)) return;
  if (typeof obj === 'object' && obj !== null && Symbol.iterator in obj) return;
  throw bad(`expected a list or something else to iterate over, got ${show(obj)}`);
}

/** Both are u64 and gidB <= gidE. */
export function verify_gid_range(gidB: unknown, gidE: unknown, msg: string): void {
  if (toGid(gidB, 'gidB') <= toGid(gidE, 'gidE')) return;
  throw bad(`${msg}: bad gid range: ${gidB} is after ${gidE}`);
}

/** Digits and an optional unit k, m, g, t, p or e in either case. */
export function verify_size_unit(sizeU: unknown, allowNone = false): void {
  if (allowNone && (sizeU === null || sizeU === undefined)) return;
  if (typeof sizeU === 'string' && /^[0-9]+([kmgtpe](i?b)?)?$/i.test(sizeU)) return;
  throw bad(`bad size ${show(sizeU)}: expected text such as '64K' or '1G'`);
}

export function verify_shutdown_mode(mode: unknown, msg: string): void {
  if (mode === 'graceful' || mode === 'force') return;
  throw bad(`${msg}: bad shutdown mode ${show(mode)}: expected 'graceful' or 'force'`);
}

/** One of CMPR_NONE .. CMPR_ZSTD. */
export function verify_compress_kind(kind: unknown): void {
  if (Number.isInteger(kind) && Number(kind) >= 0 && Number(kind) <= 5) return;
  throw bad(`bad compression kind ${show(kind)}: expected one of CMPR_NONE .. CMPR_ZSTD`);
}

/** `s` is a server of one of the kinds. */
export function verify_server_kind(s: unknown, kindL: readonly ServerKind[]): void {
  verify_server(s);
  if (kindL.includes(s.kind)) return;
  const wanted = kindL.map((kind) => serverKindMap[kind]).join(' or ');
  throw bad(
    `invalid server type: ${s.name} is ${s.kind === K_ARCHIVE ? 'an' : 'a'} ${serverKindMap[s.kind]} server, not ${wanted}`,
    {
      server: s.name,
      kind: serverKindMap[s.kind],
    },
  );
}

/** The classes a server parameter may have. */
export const ServerParams = [ServerConnectionParam, ServerStartupParam] as const;

export function verify_server(s: unknown): asserts s is ServerParam {
  if (s instanceof ServerConnectionParam || s instanceof ServerStartupParam) return;
  throw bad(`expected a server parameter such as s0, got ${show(s)}`);
}

export const verify_storage = (s: unknown): void => verify_server_kind(s, [K_STORAGE]);
export const verify_proxy = (s: unknown): void => verify_server_kind(s, [K_PROXY]);
export const verify_archive = (s: unknown): void => verify_server_kind(s, [K_ARCHIVE]);

/** What to write instead of a value that is no gid. */
export function gidHint(value: unknown): string {
  const range = ': expected a whole number from 0 to 2^64-1';
  const isMissing = value === undefined || value === null;
  return isMissing
    ? `${range}; in TypeScript the last of a list is gids.at(-1), not gids[-1]`
    : range;
}

/** The gid as bigint. Numbers are accepted while they are exact. */
export function toGid(value: unknown, what = 'gid'): bigint {
  const gid =
    typeof value === 'bigint'
      ? value
      : typeof value === 'number' && Number.isSafeInteger(value)
        ? BigInt(value)
        : undefined;
  if (gid !== undefined && gid >= 0n && gid <= U64_MAX) return gid;
  throw bad(`bad ${what} ${show(value)}${gidHint(value)}`, { what });
}
