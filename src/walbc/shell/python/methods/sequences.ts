/** Methods of list, tuple and range. */
import { equals } from '../runtime/comparison.ts';
import { raise } from '../runtime/exceptions.ts';
import { iter } from '../runtime/iteration.ts';
import { methods } from '../runtime/natives.ts';
import { repr } from '../runtime/repr.ts';
import { sortInPlace } from '../runtime/sorting.ts';
import { isNone, type PyRange, type PyTuple } from '../runtime/values.ts';

function position(
  list: readonly unknown[],
  value: unknown,
  start: unknown,
  end: unknown,
  kind: string,
): number {
  const size = list.length;
  const bound = (given: unknown, missing: number): number => {
    if (isNone(given)) return missing;
    return Number(given) < 0 ? Math.max(0, Number(given) + size) : Math.min(Number(given), size);
  };
  const stop = bound(end, size);
  for (let at = bound(start, 0); at < stop; at += 1) if (equals(list[at], value)) return at;
  const what =
    kind === 'tuple' ? 'tuple.index(x): x not in tuple' : `${repr(value)} is not in ${kind}`;
  return raise('ValueError', what);
}

function occurrences(list: readonly unknown[], value: unknown): number {
  return list.filter((part) => equals(part, value)).length;
}

export const listMethods = methods<unknown[]>({
  append: ['object, /', (self, value: unknown) => void self.push(value)],
  extend: [
    'iterable, /',
    (self, list: unknown) => {
      for (const part of [...iter(list)]) self.push(part);
    },
  ],
  insert: [
    'index, object, /',
    (self, at: unknown, value: unknown) => {
      const index = Number(at);
      self.splice(index < 0 ? Math.max(0, index + self.length) : index, 0, value);
    },
  ],
  pop: ['index=, /', (self, at?: unknown) => pop(self, at)],
  remove: [
    'value, /',
    (self, value: unknown) => {
      const at = self.findIndex((part) => equals(part, value));
      if (at < 0) raise('ValueError', 'list.remove(x): x not in list');
      self.splice(at, 1);
    },
  ],
  clear: [
    '',
    (self) => {
      self.length = 0;
    },
  ],
  index: [
    'value, start=, stop=, /',
    (self, value: unknown, start?: unknown, end?: unknown) =>
      position(self, value, start, end, 'list'),
  ],
  count: ['value, /', occurrences],
  reverse: ['', (self) => void self.reverse()],
  copy: ['', (self) => [...self]],
  sort: [
    '*, key=, reverse=',
    (self, key?: unknown, reverse?: unknown) => sortInPlace(self, key, reverse),
  ],
});

function pop(self: unknown[], at: unknown): unknown {
  if (self.length === 0) raise('IndexError', 'pop from empty list');
  const given = isNone(at) ? -1 : Number(at);
  const index = given < 0 ? given + self.length : given;
  if (index < 0 || index >= self.length) raise('IndexError', 'pop index out of range');
  return self.splice(index, 1)[0];
}

export const tupleMethods = methods<PyTuple>({
  index: [
    'value, start=, stop=, /',
    (self, value: unknown, start?: unknown, end?: unknown) =>
      position(self, value, start, end, 'tuple'),
  ],
  count: ['value, /', occurrences],
});

export const rangeMethods = methods<PyRange>({
  index: [
    'value, /',
    (self, value: unknown) => position([...self], value, undefined, undefined, 'range'),
  ],
  count: ['value, /', (self, value: unknown) => occurrences([...self], value)],
});
