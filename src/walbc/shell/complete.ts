/** What Tab offers: global names, members of what is left of the dot, and live arguments. */
import { type Help, namesOf } from './help.ts';
import { libraryCall, liveArguments, openCall } from './live-arguments.ts';
import type { Completions } from './protocol.ts';
import { tokenize } from './tokens.ts';

const PATH = /((?:[\p{L}_$][\p{L}\p{N}_$]*\.)*)([\p{L}\p{N}_$]+)?$/u;
const KEYWORDS = [
  'for',
  'const',
  'let',
  'function',
  'return',
  'while',
  'if',
  'else',
  'throw',
  'try',
];

export interface CompletionScope {
  /** The global object of the shell. */
  readonly globals: object;
  /** Names that Node itself brings along; offered only when part of one is typed. */
  readonly ambient: ReadonlySet<string>;
  readonly help: Help;
  /** Words of the language, and how the members of a value are found, where it is not TypeScript. */
  readonly keywords?: readonly string[];
  readonly members?: (value: unknown) => readonly string[];
  readonly attribute?: (value: unknown, name: string) => unknown;
}

export function complete(line: string, scope: CompletionScope): Completions {
  const lookup = (path: string): unknown => valueAt(scope, path);
  const open = openCall(line, lookup);
  const call = open && libraryCall(open);
  const inString = isInString(line);
  const typed = inString ?? PATH.exec(line)?.[0] ?? '';
  const live = call === undefined ? [] : liveArguments(call, scope.globals, lookup);
  const members = inString === undefined ? names(typed, scope, lookup) : [];
  const matches = [...new Set([...live.filter((name) => name.startsWith(typed)), ...members])];
  const hint = scope.help.hint(open?.callee);
  // Right after `(` or `,` only what fits there; names of everything else would bury it.
  const shown = typed === '' && call !== undefined ? live : matches;
  return { matches: shown, typed, ...(hint === undefined ? {} : { hint }) };
}

/** As `complete`, with nothing but what is known of the call the line ends in. */
export function hintAt(line: string, scope: CompletionScope): Completions {
  const hint = scope.help.hint(openCall(line, (path) => valueAt(scope, path))?.callee);
  return { matches: [], typed: '', ...(hint === undefined ? {} : { hint }) };
}

/** The text from the opening quote on when the cursor is inside a string. */
function isInString(line: string): string | undefined {
  const last = tokenize(line).tokens.at(-1);
  if (last?.kind !== 'string') return undefined;
  const isClosed = last.text.length > 1 && last.text.endsWith(last.text[0]!);
  return isClosed ? undefined : last.text;
}

function names(typed: string, scope: CompletionScope, lookup: (path: string) => unknown): string[] {
  const dot = typed.lastIndexOf('.');
  const prefix = typed.slice(dot + 1);
  if (dot < 0) return globalNames(prefix, scope);
  const owner = lookup(typed.slice(0, dot));
  if (owner === undefined || owner === null) return [];
  // Private ones only when asked for.
  return (scope.members ?? namesOf)(owner)
    .filter((name) => name.startsWith(prefix) && (prefix.startsWith('_') || !name.startsWith('_')))
    .map((name) => typed.slice(0, dot + 1) + name);
}

function globalNames(
  prefix: string,
  { globals, ambient, keywords = KEYWORDS }: CompletionScope,
): string[] {
  const own = Object.getOwnPropertyNames(globals).filter(
    (name) => !name.startsWith('__') && (prefix !== '' || !ambient.has(name)),
  );
  return [...own, ...(prefix === '' ? [] : keywords)]
    .filter((name) => name.startsWith(prefix))
    .sort();
}

function valueAt({ globals, attribute }: CompletionScope, path: string): unknown {
  if (!/^[\p{L}\p{N}_$.]+$/u.test(path)) return undefined;
  const [first = '', ...rest] = path.split('.');
  let value: unknown = Reflect.get(globals, first);
  for (const name of rest) {
    if (value === undefined || value === null) return undefined;
    value = attribute?.(value, name) ?? (value as Record<string, unknown>)[name];
  }
  return value;
}
