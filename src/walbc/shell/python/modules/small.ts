/** `json` and `collections`, as far as a runbook needs them. */

import { pairsOf } from '../methods/mappings.ts';
import { attribute } from '../runtime/attributes.ts';
import { invoke } from '../runtime/calling.ts';
import { raise } from '../runtime/exceptions.ts';
import { iter } from '../runtime/iteration.ts';
import { fn } from '../runtime/natives.ts';
import { big, isFloat, isInt } from '../runtime/numbers.ts';
import { typeName } from '../runtime/types.ts';
import { floatText, isNone, isRecord, PyDict, PyModule } from '../runtime/values.ts';

/** JSON of anything deeper is a list that contains itself. */
const MAX_DEPTH = 200;

interface Layout {
  /** Blanks for each level; undefined: all on one line. */
  readonly indent: number | undefined;
  readonly sorted: boolean;
}

function toJson(value: unknown, layout: Layout, depth: number): string {
  if (depth > MAX_DEPTH) return raise('ValueError', 'Circular reference detected');
  if (isNone(value)) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value).replace(/[\u007f-\uffff]/g, escaped);
  if (isInt(value)) return String(big(value));
  if (isFloat(value)) return floatText(Number(value));
  const inner = (part: unknown): string => toJson(part, layout, depth + 1);
  if (Array.isArray(value)) return brackets('[', value.map(inner), ']', layout, depth);
  if (value instanceof Map || isRecord(value)) {
    const pairs = pairsOf(value).map(([key, part]) => [jsonKey(key), part] as const);
    const list = layout.sorted ? [...pairs].sort(([a], [b]) => (a < b ? -1 : 1)) : pairs;
    const parts = list.map(([key, part]) => `${toJson(key, layout, depth)}: ${inner(part)}`);
    return brackets('{', parts, '}', layout, depth);
  }
  return raise('TypeError', `Object of type ${typeName(value)} is not JSON serializable`);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function jsonKey(key: unknown): string {
  return typeof key === 'string' ? key : toJson(key, { indent: undefined, sorted: false }, 0);
}

function brackets(
  open: string,
  parts: readonly string[],
  close: string,
  { indent }: Layout,
  depth: number,
): string {
  if (indent === undefined || parts.length === 0) return `${open}${parts.join(', ')}${close}`;
  const line = (level: number): string => `\n${' '.repeat(indent * level)}`;
  return `${open}${line(depth + 1)}${parts.join(`,${line(depth + 1)}`)}${line(depth)}${close}`;
}

function fromJson(text: string): unknown {
  try {
    return pythonic(JSON.parse(text));
  } catch (thrown) {
    return raise('ValueError', (thrown as Error).message);
  }
}

function pythonic(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(pythonic);
  if (isRecord(value))
    return new PyDict(Object.entries(value).map(([key, part]) => [key, pythonic(part)] as const));
  return value ?? undefined;
}

function dumps(value: unknown, indent?: unknown, sorted?: unknown): string {
  const layout = { indent: isNone(indent) ? undefined : Number(indent), sorted: sorted === true };
  return toJson(value, layout, 0);
}

export function jsonModule(): PyModule {
  return new PyModule('json', {
    dump: fn(
      'dump',
      'obj, fp, *, indent=, sort_keys=',
      (value: unknown, file: unknown, indent?: unknown, sorted?: unknown) =>
        void invoke(attribute(file, 'write'), [dumps(value, indent, sorted)]),
    ),
    dumps: fn('dumps', 'obj, *, indent=, sort_keys=', dumps),
    load: fn('load', 'fp, /', (file: unknown) =>
      fromJson(String(invoke(attribute(file, 'read'), []))),
    ),
    loads: fn('loads', 's, /', fromJson),
  });
}

/** A dict that makes the value of a key that is not there. */
class DefaultDict extends PyDict {
  readonly missing: (key: unknown) => unknown;

  constructor(make: unknown) {
    super();
    this.missing = (key) => {
      const value = invoke(make, []);
      this.set(key, value);
      return value;
    };
  }
}

function count(list: unknown): PyDict {
  const counts = new PyDict();
  for (const value of iter(list)) counts.set(value, Number(counts.get(value) ?? 0) + 1);
  return counts;
}

export function collectionsModule(): PyModule {
  return new PyModule('collections', {
    OrderedDict: fn(
      'OrderedDict',
      'mapping=, /, **kwargs',
      (value: unknown, kwargs: PyDict) =>
        new PyDict([...(isNone(value) ? [] : pairsOf(value)), ...kwargs]),
    ),
    defaultdict: fn('defaultdict', 'default_factory, /', (make: unknown) => new DefaultDict(make)),
    Counter: fn('Counter', 'iterable=, /', (list: unknown) => count(isNone(list) ? [] : list)),
  });
}
