/**
 * What a translated text (translate/translate.ts) calls: operators, calls, names. One runtime belongs to
 * one set of global names.
 */

import { pairsOf } from '../methods/mappings.ts';
import { attribute, callMethod, deleteAttribute, setAttribute } from './attributes.ts';
import { invoke, type KeywordList } from './calling.ts';
import { caught, matches, throwValue } from './catching.ts';
import { contains, equals, isSame, ordered } from './comparison.ts';
import { exceptionClasses, raise } from './exceptions.ts';
import { formatValue } from './format-spec.ts';
import { type Callable, makeFunction } from './functions.ts';
import { makeClass, type Namespace, superIn } from './instances.ts';
import { deleteItem, item, setItem } from './items.ts';
import { isTrue, iter, unpack } from './iteration.ts';
import { enter } from './managers.ts';
import { collectors } from './natives.ts';
import { type Operator, operate, operateInPlace, unary } from './operators.ts';
import { repr, str } from './repr.ts';
import { typeInfo } from './types.ts';
import { ELLIPSIS, float, PyDict, PyIterator, PySet, PySlice, tuple } from './values.ts';

/** The global names, shared with whoever else uses them. */
export interface Names {
  /** Undefined also for a name that holds None; then `has` tells. */
  readonly get: (name: string) => unknown;
  readonly has: (name: string) => boolean;
  readonly set: (name: string, value: unknown) => void;
  readonly delete: (name: string) => boolean;
}

/** What is imported from where. */
export interface Importer {
  readonly module: (name: string, isWhole: boolean) => unknown;
  readonly member: (module: string, name: string) => unknown;
  readonly all: (module: string) => void;
}

export interface RuntimeOptions {
  readonly names: Names;
  readonly importer: Importer;
  /** An expression statement at the prompt. */
  readonly echo: (value: unknown) => void;
  /** The value of the last expression of a command. */
  readonly result: (value: unknown) => void;
  /** At every round of a loop and every call of a function: throws after Ctrl-C. */
  readonly tick: () => void;
}

const UNBOUND = Symbol('unbound');

type ParameterPair = readonly [name: string, value?: unknown, text?: string];

/** The arguments of `py.def` after the name, as the translator writes them. */
type Definition = readonly [
  positional: readonly ParameterPair[],
  keywordOnly: readonly ParameterPair[],
  star: string | undefined,
  kwargs: string | undefined,
  positionalOnly: number,
  doc: string | undefined,
  work: Callable,
];

function define(
  name: string,
  ...[positional, keywordOnly, star, kwargs, positionalOnly, doc, work]: Definition
): Callable {
  const all = [...positional, ...keywordOnly];
  const shown = [
    ...positional.map(shownParameter),
    ...(star === undefined ? [] : [`*${star}`]),
    ...keywordOnly.map(shownParameter),
    ...(kwargs === undefined ? [] : [`**${kwargs}`]),
  ];
  const spec = {
    name,
    positional: positional.map(([parameter]) => parameter),
    defaults: new Map(
      all.filter((pair) => pair.length > 1).map(([parameter, value]) => [parameter, value]),
    ),
    keywordOnly: keywordOnly.map(([parameter]) => parameter),
    star: star !== undefined,
    kwargs: kwargs !== undefined,
    positionalOnly,
  };
  return makeFunction(spec, shown, work, collectors, doc);
}

function shownParameter([name, , text]: ParameterPair): string {
  return text === undefined ? name : `${name} = ${text}`;
}

const generator = (source: Iterator<unknown>): PyIterator => new PyIterator(source, 'generator');

function defineGenerator(name: string, ...definition: Definition): Callable {
  const work = definition[6] as unknown as (...args: readonly unknown[]) => Iterator<unknown>;
  const parts = [
    ...definition.slice(0, 6),
    (...args: readonly unknown[]) => generator(work(...args)),
  ];
  return define(name, ...(parts as unknown as Definition));
}

const arithmetic = (operator: Operator) => (a: unknown, b: unknown) => operate(operator, a, b);

/** Operators and everything else that needs no names. */
const STATIC = {
  unbound: UNBOUND,
  ellipsis: ELLIPSIS,
  // The two that loops are made of, without a detour for small ints.
  add: (a: unknown, b: unknown): unknown => {
    const result = typeof a === 'number' && typeof b === 'number' ? a + b : Number.NaN;
    return Number.isSafeInteger(result) && Number.isInteger(a) && Number.isInteger(b)
      ? result
      : operate('add', a, b);
  },
  sub: arithmetic('sub'),
  mul: arithmetic('mul'),
  div: arithmetic('div'),
  floordiv: arithmetic('floordiv'),
  mod: arithmetic('mod'),
  pow: arithmetic('pow'),
  shl: arithmetic('shl'),
  shr: arithmetic('shr'),
  bitand: arithmetic('bitand'),
  bitor: arithmetic('bitor'),
  bitxor: arithmetic('bitxor'),
  inplace: operateInPlace,
  neg: (value: unknown) => unary('neg', value),
  pos: (value: unknown) => unary('pos', value),
  invert: (value: unknown) => unary('invert', value),
  lt: (a: unknown, b: unknown) =>
    typeof a === 'number' && typeof b === 'number' ? a < b : ordered('lt', a, b),
  le: (a: unknown, b: unknown) => ordered('le', a, b),
  gt: (a: unknown, b: unknown) => ordered('gt', a, b),
  ge: (a: unknown, b: unknown) => ordered('ge', a, b),
  eq: (a: unknown, b: unknown) => equals(a, b),
  ne: (a: unknown, b: unknown) => !equals(a, b),
  contains,
  notContains: (a: unknown, b: unknown) => !contains(a, b),
  is: isSame,
  isNot: (a: unknown, b: unknown) => !isSame(a, b),
  true: isTrue,
  iter,
  unpack,
  float,
  tuple,
  newDict: (entries: Iterable<readonly [unknown, unknown]>) => new PyDict(entries),
  newSet: (members: Iterable<unknown>) => new PySet(members),
  entries: pairsOf,
  slice: (start: unknown, stop: unknown, step?: unknown) => new PySlice(start, stop, step),
  item,
  setItem,
  deleteItem,
  attribute,
  setAttribute,
  deleteAttribute,
  call: invoke,
  method: callMethod,
  keywordsOf: (value: unknown): KeywordList =>
    pairsOf(value).map(([key, part]) =>
      typeof key === 'string'
        ? ([key, part] as const)
        : raise('TypeError', 'keywords must be strings'),
    ),
  formatted: (value: unknown, conversion: string, spec: string): string => {
    if (conversion === '') return formatValue(value, spec);
    return formatValue(conversion === 's' ? str(value) : repr(value), spec);
  },
  def: define,
  defGenerator: defineGenerator,
  generator,
  class: (name: string, base: unknown, doc: unknown, body: (namespace: Namespace) => void) =>
    makeClass(name, typeInfo(base)?.name === 'object' ? undefined : base, doc, body),
  superOf: superIn,
  noSuper: (): never => raise('RuntimeError', 'super(): no arguments'),
  setClassName: (namespace: Namespace, name: string, value: unknown): unknown =>
    (namespace[name] = value),
  deleteClassName: (namespace: Namespace, name: string) => void delete namespace[name],
  raise: throwValue,
  raiseAgain: () => raise('RuntimeError', 'No active exception to reraise'),
  assertionFailed: (...message: readonly unknown[]): never => {
    throw new exceptionClasses.AssertionError(...message);
  },
  caught,
  matches,
  enter,
  missing: (name: string): never =>
    raise(
      'UnboundLocalError',
      `cannot access local variable '${name}' where it is not associated with a value`,
    ),
};

export type Runtime = ReturnType<typeof createRuntime>;

/** The runtime over these names. */
export function createRuntime({ names, importer, echo, result, tick }: RuntimeOptions) {
  const name = (wanted: string): unknown => {
    const value = names.get(wanted);
    return value === undefined && !names.has(wanted)
      ? raise('NameError', `name '${wanted}' is not defined`)
      : value;
  };
  return {
    ...STATIC,
    name,
    setName: (wanted: string, value: unknown): unknown => {
      names.set(wanted, value);
      return value;
    },
    deleteName: (wanted: string): void => {
      if (!names.delete(wanted)) raise('NameError', `name '${wanted}' is not defined`);
    },
    forgetName: (wanted: string): void => void names.delete(wanted),
    className: (namespace: Namespace, wanted: string): unknown =>
      wanted in namespace ? namespace[wanted] : name(wanted),
    echo,
    result,
    tick,
    importModule: importer.module,
    importMember: importer.member,
    importAll: importer.all,
  };
}
