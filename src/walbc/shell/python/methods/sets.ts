/** Methods of set and frozenset. */
import { isSubset } from '../runtime/comparison.ts';
import { exceptionClasses, raise } from '../runtime/exceptions.ts';
import { iter } from '../runtime/iteration.ts';
import { methods } from '../runtime/natives.ts';
import { PySet } from '../runtime/values.ts';

type Lists = readonly unknown[];

const asSet = (list: unknown): PySet => new PySet(iter(list));

function like(self: Set<unknown>, members: Iterable<unknown>): PySet {
  return new PySet(members, self instanceof PySet && self.frozen);
}

function union(self: Set<unknown>, lists: Lists): unknown[] {
  return [...self, ...lists.flatMap((list) => [...iter(list)])];
}

function intersection(self: Set<unknown>, lists: Lists): unknown[] {
  const others = lists.map(asSet);
  return [...self].filter((member) => others.every((other) => other.has(member)));
}

function difference(self: Set<unknown>, lists: Lists): unknown[] {
  const others = lists.map(asSet);
  return [...self].filter((member) => !others.some((other) => other.has(member)));
}

function symmetric(self: Set<unknown>, list: unknown): unknown[] {
  const [mine, other] = [new PySet(self), asSet(list)];
  return [
    ...[...mine].filter((one) => !other.has(one)),
    ...[...other].filter((one) => !mine.has(one)),
  ];
}

function become(self: Set<unknown>, members: readonly unknown[]): void {
  self.clear();
  for (const member of members) self.add(member);
}

const READING = {
  union: ['*others', (self: Set<unknown>, lists: Lists) => like(self, union(self, lists))],
  intersection: [
    '*others',
    (self: Set<unknown>, lists: Lists) => like(self, intersection(self, lists)),
  ],
  difference: [
    '*others',
    (self: Set<unknown>, lists: Lists) => like(self, difference(self, lists)),
  ],
  symmetric_difference: [
    'other, /',
    (self: Set<unknown>, list: unknown) => like(self, symmetric(self, list)),
  ],
  issubset: ['other, /', (self: Set<unknown>, list: unknown) => isSubset(self, asSet(list))],
  issuperset: ['other, /', (self: Set<unknown>, list: unknown) => isSubset(asSet(list), self)],
  isdisjoint: [
    'other, /',
    (self: Set<unknown>, list: unknown) => intersection(self, [list]).length === 0,
  ],
  copy: ['', (self: Set<unknown>) => like(self, self)],
} as const;

export const frozenSetMethods = methods<Set<unknown>>(READING);

export const setMethods = methods<Set<unknown>>({
  ...READING,
  add: ['elem, /', (self, member: unknown) => void self.add(member)],
  discard: ['elem, /', (self, member: unknown) => void self.delete(member)],
  remove: [
    'elem, /',
    (self, member: unknown) => {
      if (!self.delete(member)) throw new exceptionClasses.KeyError(member);
    },
  ],
  pop: [
    '',
    (self) => {
      const [first] = self;
      if (self.size === 0) raise('KeyError', 'pop from an empty set');
      self.delete(first);
      return first;
    },
  ],
  clear: ['', (self) => self.clear()],
  update: ['*others', (self, lists: Lists) => become(self, union(self, lists))],
  intersection_update: ['*others', (self, lists: Lists) => become(self, intersection(self, lists))],
  difference_update: ['*others', (self, lists: Lists) => become(self, difference(self, lists))],
  symmetric_difference_update: [
    'other, /',
    (self, list: unknown) => become(self, symmetric(self, list)),
  ],
});
