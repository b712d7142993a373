/** `re`: Python's patterns as those of JavaScript, for the texts that runbooks take apart. */
import { invoke } from '../runtime/calling.ts';
import { raise } from '../runtime/exceptions.ts';
import { isCallable } from '../runtime/functions.ts';
import { fn } from '../runtime/natives.ts';
import { isNone, PyDict, PyIterator, PyModule, tuple } from '../runtime/values.ts';

const FLAGS = { IGNORECASE: 2, MULTILINE: 8, DOTALL: 16 } as const;

const NAMED: Readonly<Record<string, number>> = {
  ...FLAGS,
  I: FLAGS.IGNORECASE,
  M: FLAGS.MULTILINE,
  S: FLAGS.DOTALL,
};

/** Longer ones are not compiled again and again; a book has a handful. */
const MAX_KNOWN = 100;
const known = new Map<string, RegExp>();

/** The same pattern for JavaScript: named groups, `\A` and `\Z` are written otherwise there. */
function translated(pattern: string, isMultiline: boolean): string {
  return pattern.replace(
    /\\([\s\S])|\(\?P<(\w+)>|\(\?P=(\w+)\)|\(\?P?[^:=!<]|\[\^?\]?(?:\\[\s\S]|[^\]\\])*\]|\$/g,
    (all: string, letter?: string, group?: string, reference?: string) => {
      if (letter === 'A') return '(?<![\\s\\S])';
      if (letter === 'Z') return '(?![\\s\\S])';
      if (group !== undefined) return `(?<${group}>`;
      if (reference !== undefined) return `\\k<${reference}>`;
      // The end of the text, or the line break that ends it.
      if (all === '$') return isMultiline ? '$' : '(?=\\n?(?![\\s\\S]))';
      if (all.startsWith('(?')) return raise('ValueError', `re: ${all}...) is not supported`);
      return all;
    },
  );
}

function compiled(pattern: unknown, given: unknown): RegExp {
  if (pattern instanceof PyModule) return pattern.members['regexp'] as RegExp;
  if (typeof pattern !== 'string')
    return raise('TypeError', 'first argument must be string or compiled pattern');
  const bits = isNone(given) ? 0 : Number(given);
  const id = `${bits} ${pattern}`;
  const before = known.get(id);
  if (before !== undefined) return before;
  const isMultiline = (bits & FLAGS.MULTILINE) !== 0;
  const flags = `dgu${bits & FLAGS.IGNORECASE ? 'i' : ''}${isMultiline ? 'm' : ''}${bits & FLAGS.DOTALL ? 's' : ''}`;
  const source = translated(pattern, isMultiline);
  if (known.size >= MAX_KNOWN) known.clear();
  const made = build(source, flags);
  known.set(id, made);
  return made;
}

/** Python takes `\-` and `\:` anywhere; the stricter mode of JavaScript does not. */
function build(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags);
  } catch {
    try {
      return new RegExp(source, flags.replace('u', ''));
    } catch (thrown) {
      return raise('ValueError', `re: ${(thrown as Error).message}`);
    }
  }
}

function group(found: RegExpExecArray, which: unknown): unknown {
  const value = typeof which === 'string' ? found.groups?.[which] : found[Number(which)];
  const isThere =
    typeof which === 'string'
      ? found.groups !== undefined && which in found.groups
      : Number(which) < found.length;
  return isThere ? value : raise('IndexError', 'no such group');
}

function matchOf(found: RegExpExecArray): PyModule {
  const place = (at: unknown, end: 0 | 1): number => {
    const places = found.indices!;
    const span = typeof at === 'string' ? places.groups?.[at] : places[isNone(at) ? 0 : Number(at)];
    return span?.[end] ?? -1;
  };
  return new PyModule('re.Match', {
    group: fn('group', '*groups', (which: unknown[]) => {
      const parts = (which.length === 0 ? [0] : which).map((one) => group(found, one));
      return parts.length === 1 ? parts[0] : tuple(parts);
    }),
    groups: fn('groups', 'default=', (missing?: unknown) =>
      tuple(found.slice(1).map((part) => part ?? missing)),
    ),
    groupdict: fn('groupdict', '', () => new PyDict(Object.entries(found.groups ?? {}))),
    start: fn('start', 'group=', (at?: unknown) => place(at, 0)),
    end: fn('end', 'group=', (at?: unknown) => place(at, 1)),
    span: fn('span', 'group=', (at?: unknown) => tuple([place(at, 0), place(at, 1)])),
    string: found.input,
    __getitem__: fn('__getitem__', 'group', (which: unknown) => group(found, which)),
  });
}

function all(regexp: RegExp, text: string): RegExpExecArray[] {
  return [...text.matchAll(regexp)];
}

type Where = 'search' | 'match' | 'fullmatch';

function find(regexp: RegExp, text: unknown, where: Where): unknown {
  if (typeof text !== 'string') return raise('TypeError', 'expected string or bytes-like object');
  const source = where === 'fullmatch' ? `(?:${regexp.source})(?![\\s\\S])` : regexp.source;
  const flags = where === 'search' ? regexp.flags : regexp.flags.replace('g', 'y');
  const found = new RegExp(source, flags).exec(text);
  return found === null ? undefined : matchOf(found);
}

/** One group: its texts; several: tuples of them; none: the whole. */
function findAll(regexp: RegExp, text: string): unknown[] {
  return all(regexp, text).map((found) => {
    const groups = found.slice(1).map((part) => part ?? '');
    if (groups.length === 0) return found[0];
    return groups.length === 1 ? groups[0] : tuple(groups);
  });
}

function replaced(regexp: RegExp, by: unknown, text: string, count: unknown): string {
  const limit = isNone(count) || Number(count) === 0 ? Infinity : Number(count);
  let [result, from, done] = ['', 0, 0];
  for (const found of all(regexp, text)) {
    if (done >= limit) break;
    done += 1;
    const value = isCallable(by) ? invoke(by, [matchOf(found)]) : expanded(String(by), found);
    result += text.slice(from, found.index) + String(value);
    from = found.index + found[0].length;
  }
  return result + text.slice(from);
}

/** `\1`, `\g<name>` and the escapes of a replacement. */
function expanded(template: string, found: RegExpExecArray): string {
  return template.replace(/\\(?:g<(\w+)>|(\d{1,2})|([\s\S]))/g, (text, name, number, other) => {
    const which: string | undefined = name ?? number;
    if (which !== undefined)
      return String(group(found, /^\d+$/.test(which) ? Number(which) : which) ?? '');
    return { n: '\n', t: '\t', '\\': '\\' }[other as string] ?? (text as string);
  });
}

function split(regexp: RegExp, text: string, most: unknown): unknown[] {
  const limit = isNone(most) || Number(most) === 0 ? Infinity : Number(most);
  const parts: unknown[] = [];
  let from = 0;
  for (const found of all(regexp, text).slice(0, limit)) {
    parts.push(text.slice(from, found.index), ...found.slice(1));
    from = found.index + found[0].length;
  }
  return [...parts, text.slice(from)];
}

const iterated = (regexp: RegExp, text: string): PyIterator =>
  new PyIterator(all(regexp, text).map(matchOf).values(), 'callable_iterator');

function patternOf(regexp: RegExp, pattern: string): PyModule {
  const finder = (where: Where): unknown =>
    fn(where, 'string', (text: unknown) => find(regexp, text, where));
  return new PyModule('re.Pattern', {
    regexp,
    pattern,
    search: finder('search'),
    match: finder('match'),
    fullmatch: finder('fullmatch'),
    findall: fn('findall', 'string', (text: string) => findAll(regexp, text)),
    finditer: fn('finditer', 'string', (text: string) => iterated(regexp, text)),
    sub: fn('sub', 'repl, string, count=', (by: unknown, text: string, count?: unknown) =>
      replaced(regexp, by, text, count),
    ),
    split: fn('split', 'string, maxsplit=', (text: string, most?: unknown) =>
      split(regexp, text, most),
    ),
  });
}

export function reModule(): PyModule {
  const finder = (where: Where): unknown =>
    fn(where, 'pattern, string, flags=', (pattern: unknown, text: unknown, flags?: unknown) =>
      find(compiled(pattern, flags), text, where),
    );
  return new PyModule('re', {
    ...NAMED,
    compile: fn('compile', 'pattern, flags=', (pattern: unknown, flags?: unknown) =>
      pattern instanceof PyModule ? pattern : patternOf(compiled(pattern, flags), String(pattern)),
    ),
    search: finder('search'),
    match: finder('match'),
    fullmatch: finder('fullmatch'),
    findall: fn(
      'findall',
      'pattern, string, flags=',
      (pattern: unknown, text: string, flags?: unknown) => findAll(compiled(pattern, flags), text),
    ),
    finditer: fn(
      'finditer',
      'pattern, string, flags=',
      (pattern: unknown, text: string, flags?: unknown) => iterated(compiled(pattern, flags), text),
    ),
    sub: fn(
      'sub',
      'pattern, repl, string, count=, flags=',
      (pattern: unknown, by: unknown, text: string, count?: unknown, flags?: unknown) =>
        replaced(compiled(pattern, flags), by, text, count),
    ),
    split: fn(
      'split',
      'pattern, string, maxsplit=, flags=',
      (pattern: unknown, text: string, most?: unknown, flags?: unknown) =>
        split(compiled(pattern, flags), text, most),
    ),
    escape: fn('escape', 'pattern', (text: string) =>
      text.replace(/[\s#$&()*+\-.?[\\\]^{|}~]/g, '\\$&'),
    ),
  });
}
