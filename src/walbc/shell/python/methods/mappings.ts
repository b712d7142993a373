/** Methods of dict and its views, also on the plain objects and maps of the library. */

import { contains } from '../runtime/comparison.ts';
import { exceptionClasses, raise } from '../runtime/exceptions.ts';
import { deleteItem, item, setItem } from '../runtime/items.ts';
import { iter, unpack } from '../runtime/iteration.ts';
import { methods } from '../runtime/natives.ts';
import { isNone, isRecord, PyDict, PyIterator, PyView, tuple } from '../runtime/values.ts';

type Dict = Map<unknown, unknown> | Record<string, unknown>;

function mapOf(self: Dict): Map<unknown, unknown> {
  return self instanceof Map ? self : new PyDict(Object.entries(self));
}

function view(kind: PyView['kind']): (self: Dict) => PyView {
  return (self) => new PyView(mapOf(self), kind);
}

function get(self: Dict, key: unknown, missing?: unknown): unknown {
  return contains(key, self) ? item(self, key) : missing;
}

/** Pairs of `dict(x)` and `update(x)`: a mapping, or a list of pairs. */
export function pairsOf(value: unknown): [unknown, unknown][] {
  if (value instanceof Map) return [...value];
  if (isRecord(value)) return Object.entries(value);
  return [...iter(value)].map((pair, at) => {
    const isList = typeof pair === 'string' || (typeof pair === 'object' && pair !== null);
    if (!isList) {
      raise('TypeError', `cannot convert dictionary update sequence element #${at} to a sequence`);
    }
    const parts = [...iter(pair)];
    if (parts.length !== 2) {
      raise(
        'ValueError',
        `dictionary update sequence element #${at} has length ${parts.length}; 2 is required`,
      );
    }
    return unpack(parts, 2, -1) as [unknown, unknown];
  });
}

const MISSING = Symbol('missing');

export const dictMethods = methods<Dict>({
  keys: ['', view('keys')],
  values: ['', view('values')],
  items: ['', view('items')],
  iterkeys: ['', (self) => new PyIterator(view('keys')(self)[Symbol.iterator](), 'iterator')],
  itervalues: ['', (self) => new PyIterator(view('values')(self)[Symbol.iterator](), 'iterator')],
  iteritems: ['', (self) => new PyIterator(view('items')(self)[Symbol.iterator](), 'iterator')],
  has_key: ['key, /', (self, key: unknown) => contains(key, self)],
  get: ['key, default=, /', get],
  setdefault: [
    'key, default=, /',
    (self, key: unknown, missing?: unknown) => {
      if (!contains(key, self)) setItem(self, key, missing);
      return item(self, key);
    },
  ],
  pop: [
    'key, *default',
    (self, key: unknown, rest: unknown[]) => {
      const found = get(self, key, MISSING);
      if (found !== MISSING) deleteItem(self, key);
      else if (rest.length === 0) throw new exceptionClasses.KeyError(key);
      return found === MISSING ? rest[0] : found;
    },
  ],
  popitem: [
    '',
    (self) => {
      const last = [...mapOf(self)].at(-1);
      if (last === undefined) throw new exceptionClasses.KeyError('popitem(): dictionary is empty');
      deleteItem(self, last[0]);
      return tuple(last);
    },
  ],
  update: [
    'other=, /, **kwargs',
    (self, other: unknown, kwargs: PyDict) => {
      for (const [key, value] of isNone(other) ? [] : pairsOf(other)) setItem(self, key, value);
      for (const [key, value] of kwargs) setItem(self, key, value);
    },
  ],
  clear: [
    '',
    (self) => {
      for (const key of [...mapOf(self).keys()]) deleteItem(self, key);
    },
  ],
  copy: ['', (self) => new PyDict(mapOf(self))],
});

export const viewMethods = methods<PyView>({
  isdisjoint: [
    'other, /',
    (self, other: unknown) => {
      const members = [...self];
      return ![...iter(other)].some((part) => contains(part, members));
    },
  ],
});
