/**
 * Values as text: `repr` as they could be typed, `str` as `print` prints them. Tables: table.ts.
 */
import { formatTimestamp } from '../../core/index.ts';
import { signatureOf } from './signature.ts';

/** Elements of a list that are printed; more would scroll away what the operator wants to see. */
const MAX_ELEMENTS = 1000;
const MAX_DEPTH = 6;

/** As it could be typed: texts in quotes, gids without `n`, True, False and None. */
export function repr(value: unknown, columns = Number.POSITIVE_INFINITY, depth = 0): string {
  switch (typeof value) {
    case 'string':
      return quote(value);
    case 'undefined':
      return 'None';
    case 'boolean':
      return value ? 'True' : 'False';
    case 'function':
      return describeFunction(value);
    case 'object':
      return value === null ? 'None' : reprObject(value, columns, depth);
    default:
      return String(value);
  }
}

/** `str(x)` and `print(x)`: texts without quotes, everything else as `repr`. */
export function str(value: unknown): string {
  return typeof value === 'string' ? value : repr(value);
}

function quote(text: string): string {
  const escaped = text
    .replace(/\\/g, '\\\\')
    .replace(/\n/g, '\\n')
    .replace(/\t/g, '\\t')
    .replace(/\r/g, '\\r');
  return escaped.includes("'") && !escaped.includes('"')
    ? `"${escaped}"`
    : `'${escaped.replace(/'/g, "\\'")}'`;
}

// biome-ignore lint/complexity/noBannedTypes: any function the operator may name
function describeFunction(value: Function): string {
  const signature = signatureOf(value);
  if (signature === undefined) {
    return `<${/^class\b/.test(String(value)) ? 'class' : 'function'} ${value.name || 'anonymous'}>`;
  }
  const owner = signature.className === '' ? '' : `${signature.className}.`;
  return `<${owner}${signature.name}(${signature.params.join(', ')})>`;
}

function reprObject(value: object, columns: number, depth: number): string {
  if (value instanceof Date) return showDate(value);
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (depth > MAX_DEPTH) return '...';
  const inner = (part: unknown): string => repr(part, columns - 2, depth + 1);
  if (Array.isArray(value)) return brackets('[', elements(value, inner), ']', columns);
  if (value instanceof Set) return brackets('{', elements([...value], inner), '}', columns);
  if (ArrayBuffer.isView(value)) return `<${value.constructor.name} of ${value.byteLength} bytes>`;
  if (hasText(value)) return inContext(String(value), depth);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const parts = elements(entries, ([key, part]) => `${repr(key)}: ${inner(part)}`);
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || prototype === Object.prototype || value instanceof Map;
  const name = isPlain ? '' : (value.constructor?.name ?? '');
  return brackets(`${name}{`, parts, '}', columns);
}

/** Within a list, what has commas or blanks of its own must not look like several elements. */
function inContext(text: string, depth: number): string {
  return depth > 0 && /[\s,]/.test(text) ? `<${text}>` : text;
}

/** Classes of the library say themselves what they are. */
function hasText(value: object): boolean {
  const own: unknown = (value as { toString?: unknown }).toString;
  return typeof own === 'function' && own !== Object.prototype.toString;
}

function elements<T>(list: readonly T[], show: (element: T) => string): string[] {
  const shown = list.slice(0, MAX_ELEMENTS).map(show);
  return list.length > MAX_ELEMENTS ? [...shown, `... ${list.length - MAX_ELEMENTS} more`] : shown;
}

function brackets(open: string, parts: readonly string[], close: string, columns: number): string {
  const line = `${open}${parts.join(', ')}${close}`;
  if (line.length <= columns && !line.includes('\n')) return line;
  if (!Number.isFinite(columns)) return line;
  const indented = parts.map((part) => `  ${part.replaceAll('\n', '\n  ')}`);
  return `${open}\n${indented.join(',\n')}\n${close}`;
}

/** UTC, as everywhere in the library; fractions of a second only where there are some. */
export function showDate(date: Date): string {
  const millis = date.getTime();
  if (!Number.isFinite(millis)) return '---';
  if (millis % 1000 !== 0 || millis < 0) return date.toISOString().replace(/Z$/, '');
  return formatTimestamp(millis / 1000);
}
