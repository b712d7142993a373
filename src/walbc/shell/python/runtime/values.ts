/**
 * Python's values as values of JavaScript, shared with the TypeScript mode and the library:
 *
 *     int          number where it is safe, else bigint; a bigint of any size is an int too
 *     float        number with a fraction, NaN, Infinity; PyFloat for whole ones (1.0 is no 1)
 *     bool, str    boolean, string
 *     None         undefined (and null)
 *     list         Array
 *     tuple        PyTuple, an Array
 *     dict         PyDict, a Map; plain objects of the library are read as dicts too
 *     set          PySet, a Set
 *     datetime     Date; PyDatetime where there are microseconds
 */
import { float, floatText, PyFloat, PyTuple, tuple } from './basic-values.ts';
import { raise } from './exceptions.ts';
import { keyOf } from './keys.ts';

export { float, floatText, PyFloat, PyTuple, tuple };

/** A dict: keys are compared by value, `1` is `1.0`, and keep their order. */
export class PyDict extends Map<unknown, unknown> {
  readonly #entries = new Map<unknown, [unknown, unknown]>();

  constructor(entries: Iterable<readonly [unknown, unknown]> = []) {
    super();
    for (const [key, value] of entries) this.set(key, value);
  }

  override get size(): number {
    return this.#entries.size;
  }

  override get(key: unknown): unknown {
    return this.#entries.get(keyOf(key))?.[1];
  }

  override has(key: unknown): boolean {
    return this.#entries.has(keyOf(key));
  }

  override set(key: unknown, value: unknown): this {
    const by = keyOf(key);
    const entry = this.#entries.get(by);
    if (entry === undefined) this.#entries.set(by, [key, value]);
    else entry[1] = value;
    return this;
  }

  override delete(key: unknown): boolean {
    return this.#entries.delete(keyOf(key));
  }

  override clear(): void {
    this.#entries.clear();
  }

  override forEach(work: (value: unknown, key: unknown, map: PyDict) => void): void {
    for (const [key, value] of this) work(value, key, this);
  }

  override *entries(): MapIterator<[unknown, unknown]> {
    const { size } = this.#entries;
    for (const [key, value] of this.#entries.values()) {
      yield [key, value];
      if (this.#entries.size !== size) {
        raise('RuntimeError', 'dictionary changed size during iteration');
      }
    }
    return undefined;
  }

  override *keys(): MapIterator<unknown> {
    for (const [key] of this.entries()) yield key;
    return undefined;
  }

  override *values(): MapIterator<unknown> {
    for (const [, value] of this.entries()) yield value;
    return undefined;
  }

  override [Symbol.iterator](): MapIterator<[unknown, unknown]> {
    return this.entries();
  }
}

/** A set whose members are compared by value. `frozen`: it may be a member itself. */
export class PySet extends Set<unknown> {
  readonly frozen: boolean;
  readonly #members = new Map<unknown, unknown>();

  constructor(members: Iterable<unknown> = [], frozen = false) {
    super();
    this.frozen = frozen;
    for (const member of members) this.add(member);
  }

  override get size(): number {
    return this.#members.size;
  }

  override has(member: unknown): boolean {
    return this.#members.has(keyOf(member));
  }

  override add(member: unknown): this {
    const key = keyOf(member);
    if (!this.#members.has(key)) this.#members.set(key, member);
    return this;
  }

  override delete(member: unknown): boolean {
    return this.#members.delete(keyOf(member));
  }

  override clear(): void {
    this.#members.clear();
  }

  override forEach(work: (value: unknown, key: unknown, set: PySet) => void): void {
    for (const member of this) work(member, member, this);
  }

  override *values(): SetIterator<unknown> {
    const { size } = this.#members;
    for (const member of this.#members.values()) {
      yield member;
      if (this.#members.size !== size) {
        raise('RuntimeError', 'Set changed size during iteration');
      }
    }
    return undefined;
  }

  override keys(): SetIterator<unknown> {
    return this.values();
  }

  override *entries(): SetIterator<[unknown, unknown]> {
    for (const member of this.values()) yield [member, member];
    return undefined;
  }

  override [Symbol.iterator](): SetIterator<unknown> {
    return this.values();
  }
}

/** `range(...)`: its numbers are made when they are asked for. */
export class PyRange {
  readonly start: number;
  readonly stop: number;
  readonly step: number;

  constructor(start: number, stop: number, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }

  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }

  at(index: number): number {
    return this.start + index * this.step;
  }

  *[Symbol.iterator](): Generator<number, undefined> {
    const { length } = this;
    for (let index = 0; index < length; index += 1) yield this.at(index);
    return undefined;
  }

  toString(): string {
    const step = this.step === 1 ? '' : `, ${this.step}`;
    return `range(${this.start}, ${this.stop}${step})`;
  }
}

/** `a[start:stop:step]`. */
export class PySlice {
  readonly start: unknown;
  readonly stop: unknown;
  readonly step: unknown;

  constructor(start: unknown, stop: unknown, step: unknown) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
}

/** What `map`, `zip`, generators and `iter` give: values one after the other, once. */
export class PyIterator implements IterableIterator<unknown> {
  /** Python's name of the kind: 'map', 'generator', ... */
  readonly kind: string;
  readonly #source: Iterator<unknown>;

  constructor(source: Iterator<unknown>, kind: string) {
    this.#source = source;
    this.kind = kind;
  }

  next(value?: unknown): IteratorResult<unknown> {
    return this.#source.next(value as undefined);
  }

  /** Leaving a loop does not end the iterator: the rest may be taken later. */
  [Symbol.iterator](): this {
    return this;
  }

  close(): void {
    this.#source.return?.();
  }
}

/** `d.keys()`, `d.values()`, `d.items()`: they follow the dict. */
export class PyView {
  readonly dict: Map<unknown, unknown>;
  readonly kind: 'keys' | 'values' | 'items';

  constructor(dict: Map<unknown, unknown>, kind: PyView['kind']) {
    this.dict = dict;
    this.kind = kind;
  }

  get size(): number {
    return this.dict.size;
  }

  *[Symbol.iterator](): Generator<unknown, undefined> {
    for (const [key, value] of this.dict) {
      yield this.kind === 'keys' ? key : this.kind === 'values' ? value : tuple([key, value]);
    }
    return undefined;
  }
}

/** A module such as `os`. */
export class PyModule {
  readonly name: string;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(name: string, members: Readonly<Record<string, unknown>>) {
    this.name = name;
    this.members = members;
  }
}

/** `...`. */
class PyEllipsis {
  toString(): string {
    return 'Ellipsis';
  }
}

export const ELLIPSIS = new PyEllipsis();

export function isNone(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** A plain object, which the library uses for records. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
