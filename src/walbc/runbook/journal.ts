/**
 * Values of a runbook as text, so that a run that is resumed gets those of the steps it skips. JSON, with
 * gids, times and the value classes of the library on top. What lives in a process only (controllers,
 * functions) can not be kept, and says so.
 */
import { WalbError } from '../../core/index.ts';
import { decode, encode, type ValueClasses, type WireSide } from '../shell/wire.ts';

/** A value that was kept, or why it was not. */
export type Kept = { readonly json: string } | { readonly lost: string };

/** A step's value is a gid or a list of names, not an image. */
const MAX_JSON = 1024 * 1024;

/** The value as text. Never throws. */
export function keep(value: unknown, classes: ValueClasses): Kept {
  try {
    const json = JSON.stringify(flatten(encode(value, sideOf(classes))));
    if (json.length <= MAX_JSON) return { json };
    return { lost: `it is longer than ${MAX_JSON} characters` };
  } catch (thrown) {
    return { lost: WalbError.from(thrown).message };
  }
}

/** The value again. Throws `corrupt` for what `keep` did not make. */
export function recall(json: string, classes: ValueClasses): unknown {
  try {
    return decode(unflatten(JSON.parse(json) as unknown), sideOf(classes));
  } catch (thrown) {
    throw new WalbError('corrupt', 'a value of an earlier run can not be read', { cause: thrown });
  }
}

/** Nothing stays behind: what would need a handle is refused. */
function sideOf(classes: ValueClasses): WireSide {
  return {
    classes,
    handleOf: () => undefined,
    resolve: () => {
      throw new WalbError('corrupt', 'a handle in a journal');
    },
  };
}

/** What JSON has no form for, as an object with one key that nothing else has. */
function flatten(value: unknown): unknown {
  if (value === undefined) return { '#': 'none' };
  if (typeof value === 'bigint') return { '#': 'int', value: String(value) };
  if (typeof value === 'number' && !Number.isFinite(value)) {
    return { '#': 'float', value: String(value) };
  }
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Date) return { '#': 'time', value: value.getTime() };
  if (Array.isArray(value)) return value.map(flatten);
  // Dictionaries and sets of Python.
  if (value instanceof Map) return { '#': 'map', value: [...value].map(flatten) };
  if (value instanceof Set) return { '#': 'set', value: [...value].map(flatten) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw new WalbError('invalid-argument', `a ${value.constructor.name} can not be kept`);
  }
  if ('#' in value) throw new WalbError('invalid-argument', "an object with the key '#'");
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, flatten(part)]));
}

function unflatten(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(unflatten);
  if ('#' in value) return special(value as { '#': unknown; value?: unknown });
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, unflatten(part)]));
}

function special({ '#': kind, value }: { '#': unknown; value?: unknown }): unknown {
  switch (kind) {
    case 'none':
      return undefined;
    case 'int':
      return BigInt(value as string);
    case 'float':
      return Number(value);
    case 'map':
      return new Map(unflatten(value) as [unknown, unknown][]);
    case 'set':
      return new Set(unflatten(value) as unknown[]);
    case 'time':
      return new Date(value as number);
    default:
      throw new WalbError('corrupt', `unknown kind of value ${String(kind)}`);
  }
}
