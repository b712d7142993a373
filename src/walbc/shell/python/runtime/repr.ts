/** `repr(x)` and `str(x)` as Python writes them; what only the library knows as the TypeScript mode does. */
import { repr as showRepr } from '../../show.ts';
import { signatureOf } from '../../signature.ts';
import { datetimeSource, isoText } from '../modules/datetimes.ts';
import { Timedelta } from '../modules/timedelta.ts';
import { PythonError } from './exceptions.ts';
import { isBuiltin, parametersOf } from './functions.ts';
import { isOwnClass, isOwnInstance, specialMethod } from './instances.ts';
import { isFloat, isInt } from './numbers.ts';
import { errorName, isType, typeInfo, typeName } from './types.ts';
import {
  floatText,
  isNone,
  isRecord,
  PyIterator,
  PyModule,
  PyRange,
  PySet,
  PySlice,
  PyTuple,
  PyView,
} from './values.ts';

const MAX_DEPTH = 100;

export function str(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '---' : isoText(value, ' ');
  if (value instanceof Timedelta) return value.toString();
  const own = specialMethod(value, '__str__');
  if (own !== undefined) return String(own());
  return value instanceof Error ? errorText(value) : repr(value);
}

/** `str(e)`: the one argument, or all of them as a tuple; a key that is missing in quotes. */
export function errorText(error: Error): string {
  if (!(error instanceof PythonError)) return error.message;
  const [first] = error.args;
  if (error.args.length === 0) return '';
  if (error.args.length > 1) return repr(tupleOf(error.args));
  return error.name === 'KeyError' ? repr(first) : str(first);
}

function tupleOf(items: readonly unknown[]): PyTuple {
  return Object.setPrototypeOf([...items], PyTuple.prototype) as PyTuple;
}

export function repr(value: unknown, around: readonly unknown[] = []): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'boolean':
      return value ? 'True' : 'False';
    case 'undefined':
      return 'None';
    case 'function':
      return functionRepr(value);
    case 'object':
      return value === null ? 'None' : objectRepr(value, around);
    default:
      return isFloat(value)
        ? floatText(Number(value))
        : String(isInt(value) ? BigInt(value) : value);
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** In single quotes unless that needs a backslash and double ones do not. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/[\\\p{Z}\p{C}]/gu, (char) =>
    char === ' ' ? char : (ESCAPES[char] ?? hexEscape(char.codePointAt(0)!)),
  );
  return `${mark}${escaped.replaceAll(mark, `\\${mark}`)}${mark}`;
}

function hexEscape(code: number): string {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`;
}

function functionRepr(value: object): string {
  const info = typeInfo(value);
  if (info !== undefined) return `<class '${info.name}'>`;
  const { name } = value as { name: string };
  if (isOwnClass(value)) return `<class '__main__.${name}'>`;
  if (isType(value)) return `<class '${name}'>`;
  if (isBuiltin(value)) return `<built-in function ${name}>`;
  if (parametersOf(value) !== undefined) return `<function ${name}>`;
  return signatureOf(value) === undefined ? `<function ${name}>` : showRepr(value);
}

function objectRepr(value: object, around: readonly unknown[]): string {
  if (isFloat(value)) return floatText(Number(value));
  const own = specialMethod(value, '__repr__');
  if (own !== undefined) return String(own());
  if (around.includes(value) || around.length > MAX_DEPTH) return cut(value);
  const inner = (part: unknown): string => repr(part, [...around, value]);
  if (value instanceof PyTuple) return tupleRepr(value, inner);
  if (Array.isArray(value)) return `[${Array.from(value, inner).join(', ')}]`;
  if (value instanceof Set) return setRepr(value, inner);
  if (value instanceof Map || isRecord(value)) return dictRepr(value, inner);
  if (value instanceof PyView)
    return `dict_${value.kind}([${Array.from(value, inner).join(', ')}])`;
  return otherRepr(value, around.length);
}

function cut(value: object): string {
  if (value instanceof PyTuple) return '(...)';
  return Array.isArray(value) ? '[...]' : '{...}';
}

function tupleRepr(value: PyTuple, inner: (part: unknown) => string): string {
  const parts = Array.from(value, inner);
  return parts.length === 1 ? `(${parts[0]},)` : `(${parts.join(', ')})`;
}

function setRepr(value: Set<unknown>, inner: (part: unknown) => string): string {
  const isFrozen = value instanceof PySet && value.frozen;
  if (value.size === 0) return isFrozen ? 'frozenset()' : 'set()';
  const text = `{${Array.from(value, inner).join(', ')}}`;
  return isFrozen ? `frozenset(${text})` : text;
}

function dictRepr(value: object, inner: (part: unknown) => string): string {
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return `{${entries.map(([key, part]) => `${inner(key)}: ${inner(part)}`).join(', ')}}`;
}

function otherRepr(value: object, depth: number): string {
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '---' : datetimeSource(value);
  if (value instanceof Timedelta) return value.toSource();
  if (value instanceof PySlice)
    return `slice(${[value.start, value.stop, value.step].map((part) => repr(part)).join(', ')})`;
  if (value instanceof PyRange) return value.toString();
  if (value instanceof PyModule) return `<module '${value.name}'>`;
  if (value instanceof PyIterator) return `<${value.kind} object>`;
  if (value instanceof PythonError) {
    return `${value.name}(${value.args.map((part) => repr(part)).join(', ')})`;
  }
  if (value instanceof Error) return `${errorName(value)}(${repr(value.message)})`;
  if (isOwnInstance(value)) return `<${typeName(value)} object>`;
  return isNone(value) ? 'None' : showRepr(value, Number.POSITIVE_INFINITY, depth);
}
