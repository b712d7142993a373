/**
 * Keyword arguments at the prompt. `f(a, timeoutS=10)` arrives as `f(a, ...__kw({ timeoutS: 10 }, f, 1))`
 * (source.ts); here the names become positions, by the parameter list of what is called. What belongs
 * to the shell gets them as one `Keywords` and does that itself; the operator's own functions, which
 * know nothing of it, get positions.
 */
import { WalbError } from '../../core/index.ts';
import { parametersOf } from './remote-shape.ts';
import { type Signature, signatureOf } from './signature.ts';

/** An underscore in front only says that the method does not use the argument. */
const PARAMETER = /^(?:\.\.\.)?_?([\p{L}_$][\p{L}\p{N}_$]*)/u;

export class Keywords {
  readonly values: Readonly<Record<string, unknown>>;

  constructor(values: Readonly<Record<string, unknown>>) {
    this.values = values;
  }
}

/** The names in a parameter list such as `['vol', 'timeoutS = TIMEOUT_SEC']`. */
export function parameterNames(params: readonly string[]): string[] {
  return params.flatMap((param) => PARAMETER.exec(param)?.[1] ?? []);
}

/**
 * The arguments with keywords put in place. A plain object in the last place counts as keywords when
 * all its keys are parameters that have no value yet: `walbc.full_backup(s0, vol, { timeoutS: 10 })`.
 * Throws `invalid-argument` for a name that there is not, or that has a value already.
 */
export function toPositional(args: readonly unknown[], signature: Signature): readonly unknown[] {
  const last = args.at(-1);
  const names = parameterNames(signature.params);
  const given = args.slice(0, -1);
  if (last instanceof Keywords) return place(given, last.values, names, signature.name);
  if (!isPlainObject(last)) return args;
  const keys = Object.keys(last);
  const areKeywords = keys.length > 0 && keys.every((key) => names.indexOf(key) >= given.length);
  return areKeywords ? place(given, last, names, signature.name) : args;
}

/**
 * The arguments of a call of the library, in their places. Throws `invalid-argument` also where some are
 * missing or too many: a question about no volume must not be answered.
 */
export function argumentsFor(args: readonly unknown[], signature: Signature): readonly unknown[] {
  const placed = toPositional(args, signature);
  const { params, name } = signature;
  const names = parameterNames(params);
  const missing = names.filter((_, at) => isRequired(params[at]!) && !(at in placed));
  if (missing.length > 0) {
    const which = missing.map((one) => `'${one}'`).join(' and ');
    throw new WalbError(
      'invalid-argument',
      `${name}() is missing ${which}: ${callText(signature)}`,
    );
  }
  if (placed.length > params.length && !params.at(-1)?.startsWith('...')) {
    const problem = `${name}() takes at most ${params.length} arguments, not ${placed.length}`;
    throw new WalbError('invalid-argument', `${problem}: ${callText(signature)}`);
  }
  return placed;
}

function isRequired(param: string): boolean {
  return !param.startsWith('...') && !param.includes('=');
}

function callText({ name, params }: Signature): string {
  return `${name}(${params.join(', ')})`;
}

/**
 * The arguments that stand for keywords in a call of `callee`, after `count` others. `isOfShell` says
 * which functions take `Keywords`. Throws `invalid-argument` where names can not be put in place.
 */
export function keywordsFor(
  values: Readonly<Record<string, unknown>>,
  callee: unknown,
  count: number,
  isOfShell: (callee: object) => boolean,
): unknown[] {
  const isOwn =
    typeof callee === 'function' && signatureOf(callee) === undefined && !isOfShell(callee);
  if (!isOwn) return [new Keywords(values)];
  const name = callee.name || 'this function';
  const params = parametersOf(callee);
  if (/\{\s*\[native code\]\s*\}$/.test(Function.prototype.toString.call(callee))) {
    throw new WalbError('invalid-argument', `${name}() takes no keyword arguments`);
  }
  if (params.some((param) => /^(\{|\[|\.\.\.)/.test(param))) {
    throw new WalbError(
      'invalid-argument',
      `${name}() takes no keyword arguments: its parameters (${params.join(', ')}) are not all plain names`,
    );
  }
  const given = Array.from({ length: count }, () => undefined);
  return place(given, values, parameterNames(params), name).slice(count);
}

/** The function with keyword arguments put in place before it is called. */
export function acceptingKeywords<F extends (...args: never[]) => unknown>(
  fn: F,
  signature: Signature,
): F {
  const accepting = function (this: unknown, ...args: unknown[]): unknown {
    const isKeyed = args.at(-1) instanceof Keywords;
    return Reflect.apply(fn, this, isKeyed ? toPositional(args, signature) : args);
  };
  return Object.defineProperty(accepting, 'name', { value: fn.name }) as unknown as F;
}

function place(
  given: readonly unknown[],
  keywords: Readonly<Record<string, unknown>>,
  names: readonly string[],
  callee: string,
): unknown[] {
  const placed = [...given];
  for (const [name, value] of Object.entries(keywords)) {
    const position = names.indexOf(name);
    if (position < 0) {
      throw new WalbError(
        'invalid-argument',
        `${callee}() has no argument '${name}'; there are: ${names.join(', ') || 'none'}`,
      );
    }
    if (position < given.length) {
      throw new WalbError('invalid-argument', `${callee}() got argument '${name}' twice`);
    }
    placed[position] = value;
  }
  return placed;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** For functions of the shell itself: `sorted(list, reverse=True)` as the list and the options. */
export function splitKeywords<T extends object>(args: readonly unknown[]): [unknown[], Partial<T>] {
  const last = args.at(-1);
  return last instanceof Keywords
    ? [args.slice(0, -1), last.values as Partial<T>]
    : [[...args], {}];
}
