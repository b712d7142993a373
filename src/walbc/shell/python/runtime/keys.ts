/** The key under which a value is found in a dict or set: equal values have the same. */

import { PyDate } from '../modules/datetimes.ts';
import { PyFloat, PyTuple } from './basic-values.ts';
import { raise } from './exceptions.ts';
import { specialMethod } from './instances.ts';

/** Texts of composite keys begin with this; so do texts of Python that begin with it. */
const MARK = '\u0000';

export function keyOf(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
      return value.startsWith(MARK) ? `${MARK}s${value}` : value;
    case 'number':
      return numberKey(value);
    case 'bigint':
      return bigKey(value);
    case 'boolean':
      return Number(value);
    case 'undefined':
      return null;
    case 'object':
      return value === null ? null : objectKey(value);
    default:
      return value;
  }
}

function numberKey(value: number): unknown {
  return Number.isInteger(value) && !Number.isSafeInteger(value) ? BigInt(value) : value;
}

function bigKey(value: bigint): unknown {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

function objectKey(value: object): unknown {
  if (value instanceof PyFloat) return numberKey(value.value);
  if (value instanceof PyTuple) return `${MARK}(${Array.from(value, partKey).join('')}`;
  if (value instanceof Set && (value as { frozen?: boolean }).frozen === true) {
    return `${MARK}{${Array.from(value, partKey).sort().join('')}`;
  }
  if (value instanceof Date)
    return `${MARK}${value instanceof PyDate ? 'D' : 'd'}${value.getTime()} ${microsecondsOf(value)}`;
  if (Array.isArray(value)) return raise('TypeError', "unhashable type: 'list'");
  if (value instanceof Set) return raise('TypeError', "unhashable type: 'set'");
  const prototype: unknown = Object.getPrototypeOf(value);
  if (value instanceof Map || prototype === Object.prototype) {
    return raise('TypeError', "unhashable type: 'dict'");
  }
  const hash = specialMethod(value, '__hash__');
  if (hash !== undefined) return `${MARK}h${String(hash())}`;
  return value;
}

function microsecondsOf(value: Date): number {
  return (value as { micro?: number }).micro ?? 0;
}

/** Length and kind in front, so that no two lists of parts look the same. */
function partKey(value: unknown): string {
  const key = keyOf(value);
  const isObject = (typeof key === 'object' && key !== null) || typeof key === 'function';
  const text = isObject ? String(identityOf(key)) : String(key);
  const kind = isObject ? 'o' : typeof key === 'bigint' ? 'n' : (typeof key)[0]!;
  return `${kind}${text.length}:${text}`;
}

const identities = new WeakMap<object, number>();
let lastIdentity = 0;

/** `id(x)`: a number that is this object's. */
export function identityOf(value: object): number {
  let id = identities.get(value);
  if (id === undefined) {
    lastIdentity += 1;
    id = lastIdentity;
    identities.set(value, id);
  }
  return id;
}
