/**
 * Functions and calls. Every function, of Python or not, is a function of JavaScript that takes its
 * keyword arguments as a last argument of class Keywords (../../keywords.ts): so each mode can call
 * what the other made.
 */
import { Keywords } from '../../keywords.ts';
import { nameSignature, signatureOf } from '../../signature.ts';
import { raise } from './exceptions.ts';

export type Callable = (...args: readonly unknown[]) => unknown;

/** What a function takes, in the order in which its JavaScript gets it. */
export interface Parameters {
  readonly name: string;
  /** By position or name; those from `required` on have a value in `defaults`. */
  readonly positional: readonly string[];
  readonly defaults: ReadonlyMap<string, unknown>;
  readonly keywordOnly: readonly string[];
  /** Takes the positional arguments that are left over. */
  readonly star: boolean;
  /** Takes the keyword arguments that are left over. */
  readonly kwargs: boolean;
  /** So many of `positional` have no name for callers. */
  readonly positionalOnly: number;
}

interface Collectors {
  readonly tuple: (items: readonly unknown[]) => unknown;
  readonly dict: (entries: readonly (readonly [string, unknown])[]) => unknown;
}

const builtins = new WeakSet<object>();
/** Made by Python or for it: takes Python's values as they are. */
const native = new WeakSet<object>();
const docs = new WeakMap<object, string>();
const parameters = new WeakMap<object, Parameters>();

export function isCallable(value: unknown): value is Callable {
  return typeof value === 'function';
}

export function isNative(value: object): boolean {
  return native.has(value);
}

export function docOf(value: unknown): string | undefined {
  return typeof value === 'function' ? docs.get(value) : undefined;
}

export function parametersOf(value: unknown): Parameters | undefined {
  return typeof value === 'function' ? parameters.get(value) : undefined;
}

/** A function that Python code calls; `work` gets its arguments in the order of the parameters. */
export function makeFunction(
  spec: Parameters,
  shown: readonly string[],
  work: Callable,
  collectors: Collectors,
  doc?: string,
): Callable {
  const count = spec.positional.length;
  const isSimple = !spec.star && !spec.kwargs && spec.keywordOnly.length === 0;
  const made = (...args: readonly unknown[]): unknown =>
    isSimple && args.length === count && !(args[count - 1] instanceof Keywords)
      ? work(...args)
      : work(...bind(spec, args, collectors));
  Object.defineProperty(made, 'name', { value: spec.name });
  native.add(made);
  parameters.set(made, spec);
  if (doc !== undefined) docs.set(made, doc);
  return nameSignature(made, { className: '', name: spec.name, params: shown });
}

/** A function of the runtime, which Python shows as built in. */
export function markBuiltin<T extends object>(fn: T): T {
  builtins.add(fn);
  return fn;
}

export function isBuiltin(value: object): boolean {
  return builtins.has(value);
}

/** A function of the runtime as native: its keyword arguments are its own business. */
export function markNative<T extends object>(fn: T): T {
  native.add(fn);
  return fn;
}

/** Arguments in their places. Throws TypeError as Python does. */
export function bind(
  spec: Parameters,
  args: readonly unknown[],
  { tuple, dict }: Collectors,
): unknown[] {
  const last = args.at(-1);
  const given = last instanceof Keywords ? args.slice(0, -1) : args;
  const keywords = new Map(last instanceof Keywords ? Object.entries(last.values) : []);
  const { positional, keywordOnly } = spec;
  if (given.length > positional.length && !spec.star) tooMany(spec, given.length);
  const unknown = spec.kwargs ? undefined : [...keywords.keys()].find((name) => !takes(spec, name));
  if (unknown !== undefined) {
    raise('TypeError', `${spec.name}() got an unexpected keyword argument '${unknown}'`);
  }
  const bound: unknown[] = positional.map((name, at) => {
    if (at < given.length) {
      if (keywords.has(name) && at >= spec.positionalOnly) {
        raise('TypeError', `${spec.name}() got multiple values for argument '${name}'`);
      }
      return given[at];
    }
    return take(spec, keywords, name, at < spec.positionalOnly);
  });
  for (const name of keywordOnly) bound.push(take(spec, keywords, name, false));
  if (spec.star) bound.push(tuple(given.slice(positional.length)));
  if (spec.kwargs) bound.push(dict([...keywords]));
  return bound;
}

function takes({ positional, positionalOnly, keywordOnly }: Parameters, name: string): boolean {
  return positional.indexOf(name) >= positionalOnly || keywordOnly.includes(name);
}

function take(
  spec: Parameters,
  keywords: Map<string, unknown>,
  name: string,
  isNameless: boolean,
): unknown {
  if (!isNameless && keywords.has(name)) {
    const value = keywords.get(name);
    keywords.delete(name);
    return value;
  }
  if (spec.defaults.has(name)) return spec.defaults.get(name);
  const isKeyword = spec.keywordOnly.includes(name);
  const kind = isKeyword ? 'keyword-only' : 'positional';
  return raise('TypeError', `${spec.name}() missing 1 required ${kind} argument: '${name}'`);
}

function tooMany({ name, positional, defaults }: Parameters, given: number): never {
  const required = positional.filter((parameter) => !defaults.has(parameter)).length;
  const range =
    required === positional.length ? `${required}` : `from ${required} to ${positional.length}`;
  const noun = positional.length === 1 ? 'argument' : 'arguments';
  const verb = given === 1 ? 'was' : 'were';
  return raise(
    'TypeError',
    `${name}() takes ${range} positional ${noun} but ${given} ${verb} given`,
  );
}

/**
 * Parameters written as Python writes them: `'sep=None, maxsplit=-1, /'`. What a default is, the
 * function itself knows: it gets undefined.
 */
export function parseParameters(name: string, text: string): Parameters {
  const parts = text === '' ? [] : text.split(/,\s*/);
  const slash = parts.indexOf('/');
  const star = parts.findIndex((part) => part.startsWith('*') && !part.startsWith('**'));
  const isPlain = (part: string): boolean => part !== '/' && !part.startsWith('*');
  const nameIn = (part: string): string => part.split('=')[0]!;
  const before = parts.filter((part, at) => isPlain(part) && (star < 0 || at < star));
  const after = parts.filter((part, at) => isPlain(part) && star >= 0 && at > star);
  const optional = parts.filter((part) => part.includes('='));
  return {
    name,
    positional: before.map(nameIn),
    defaults: new Map(optional.map((part) => [nameIn(part), undefined])),
    keywordOnly: after.map(nameIn),
    star: star >= 0 && parts[star] !== '*',
    kwargs: parts.some((part) => part.startsWith('**')),
    positionalOnly: Math.max(0, slash),
  };
}

/** A method as a function of its own: `f = walbc.restore`. Help and completion know it still. */
export function bound(method: Callable, owner: unknown): Callable {
  const made = (...args: readonly unknown[]): unknown => Reflect.apply(method, owner, args);
  Object.defineProperty(made, 'name', { value: method.name });
  const signature = signatureOf(method);
  if (isNative(method)) native.add(made);
  return signature === undefined ? made : nameSignature(made, signature);
}
