/**
 * Completion of arguments from the group as it is now: the servers of the right kind, the volumes of
 * the server named before, the gids its archive can restore. What a parameter takes follows from its
 * name (controller-api.md: s, sx, px, ax; vol; gid).
 */
import { Diff } from '../values/diff.ts';
import { parameterNames } from './keywords.ts';
import { repr } from './show.ts';
import { signatureOf } from './signature.ts';
import { type Token, tokenize } from './tokens.ts';

export interface OpenCall {
  readonly callee: unknown;
  readonly receiver: unknown;
  /** Texts of the arguments before the cursor, the one it is in last. */
  readonly args: readonly string[];
}

export interface LibraryCall extends OpenCall {
  readonly params: readonly string[];
  readonly name: string;
}

type Lookup = (expression: string) => unknown;

const SERVER_KIND_OF: Readonly<Record<string, number>> = {
  sx: 0,
  px: 1,
  pSrc: 1,
  pDst: 1,
  ax: 2,
  aSrc: 2,
  aDst: 2,
};
const SERVER_PARAMS = new Set(['s', ...Object.keys(SERVER_KIND_OF)]);
/** Which list of gids a method takes its gid from; the others take restorable ones. */
const GID_SOURCE: Readonly<Record<string, readonly [string, ...string[]]>> = {
  del_restored: ['get_restored'],
  get_restored_path: ['get_restored'],
  del_cold: ['get_cold'],
  enable_snapshot: ['get_restorable_gid', 'all'],
};
/** Methods whose gids are the ends of a range of diffs. */
const RANGES = new Set(['merge', 'exists_diff', 'get_diff_list', 'print_diff_list']);
/** Parameters that take a list, with that of one element. */
const LISTS: Readonly<Record<string, string>> = { axL: 'ax', sL: 's', gidL: 'gid' };
const SHUTDOWN_MODES = ['graceful', 'force'];
const WORDS: Readonly<Record<string, readonly string[]>> = {
  mode: [...SHUTDOWN_MODES, 'empty'],
  opt: ['all'],
};
const PROXY = SERVER_KIND_OF['px'];

/** The innermost call that the end of the line is in, whatever is called. */
export function openCall(line: string, lookup: Lookup): OpenCall | undefined {
  const { tokens } = tokenize(line);
  const open = lastOpen(tokens);
  const path = open === undefined ? undefined : pathBefore(tokens, open);
  if (open === undefined || path === undefined) return undefined;
  return {
    callee: lookup(path.join('.')),
    receiver: path.length > 1 ? lookup(path.slice(0, -1).join('.')) : undefined,
    args: splitArguments(line, tokens[open]!, tokens.slice(open + 1)),
  };
}

/** The call with what its arguments are; undefined where the library is not called. */
export function libraryCall(call: OpenCall): LibraryCall | undefined {
  const signature = signatureOf(call.callee);
  if (signature === undefined) return undefined;
  return { ...call, params: parameterNames(signature.params), name: signature.name };
}

function lastOpen(tokens: readonly Token[]): number | undefined {
  const stack: number[] = [];
  tokens.forEach((token, index) => {
    if ('([{'.includes(token.text)) stack.push(index);
    else if (')]}'.includes(token.text)) stack.pop();
  });
  return stack.findLast((index) => tokens[index]!.text === '(');
}

/** `['walbc', 'restore']` before the bracket. */
function pathBefore(tokens: readonly Token[], open: number): string[] | undefined {
  const path: string[] = [];
  for (let at = open - 1; at >= 0 && tokens[at]!.kind === 'word'; at -= 2) {
    path.unshift(tokens[at]!.text);
    if (tokens[at - 1]?.text !== '.') return path;
  }
  return undefined;
}

function splitArguments(line: string, open: Token, inner: readonly Token[]): string[] {
  const commas = inner.filter((token) => token.text === ',' && token.depth === open.depth + 1);
  const starts = [open.end, ...commas.map((token) => token.end)];
  const ends = [...commas.map((token) => token.start), line.length];
  return starts.map((start, index) => line.slice(start, ends[index]).trimStart());
}

/** Texts that may stand where the cursor is. Asks servers; bounded by the caller. */
export function liveArguments(call: LibraryCall, globals: object, lookup: Lookup): string[] {
  const slot = slotAt(call);
  if (slot.isFilled) return [];
  const offered = valuesFor(slot, call, globals, lookup);
  return offered.filter((text) => !slot.taken.includes(text));
}

/** Where the cursor is: in an argument, or in an element of one that is a list. */
interface Slot {
  /** Parameter, of one element where it takes a list; undefined where there is none. */
  readonly param: string | undefined;
  /** The parameter takes a list, and no list is begun. */
  readonly needsList: boolean;
  /** Something stands there already, and a blank behind it. */
  readonly isFilled: boolean;
  /** Elements of the list before the cursor. */
  readonly taken: readonly string[];
  /** Names that may follow as keyword arguments. */
  readonly keywords: readonly string[];
  /** What is typed of it. */
  readonly typed: string;
}

function slotAt({ args, params }: LibraryCall): Slot {
  const position = args.length - 1;
  const text = args[position] ?? '';
  const [, keyword, rest] = /^\s*([\p{L}_$][\p{L}\p{N}_$]*)\s*=(?!=)\s*(.*)$/su.exec(text) ?? [];
  const param = keyword ?? params[position];
  const value = (rest ?? text).trimStart();
  const isList = LISTS[param ?? ''] !== undefined;
  const isInList = value.startsWith('[') && !/\]\s*$/.test(value);
  const elements = isList && isInList ? value.slice(1).split(',') : [];
  const typed = elements.at(-1)?.trimStart() ?? value;
  return {
    param: isList ? LISTS[param!] : param,
    needsList: isList && !isInList,
    isFilled: /\S\s+$/.test(typed) || (!isList && typed.startsWith('[')) || typed.endsWith(']'),
    taken: elements.slice(0, -1).map((element) => element.trim()),
    keywords: keyword === undefined ? params.slice(Math.max(1, position)) : [],
    typed,
  };
}

function valuesFor(slot: Slot, call: LibraryCall, globals: object, lookup: Lookup): string[] {
  const { param, typed } = slot;
  if (param === undefined) return [];
  if (slot.needsList) return typed === '' ? ['['] : [];
  if (SERVER_PARAMS.has(param)) return serverNames(globals, SERVER_KIND_OF[param]);
  if (param === 'vol') {
    return volumes(call, globals, lookup).map((name) => quoted(name, typed));
  }
  if (/^gid[BE01]?$/.test(param)) return gids(call, lookup);
  const words =
    param === 'mode' && call.name.startsWith('shutdown') ? SHUTDOWN_MODES : WORDS[param];
  if (words !== undefined) return words.map((word) => quoted(word, typed));
  return slot.keywords.filter((name) => !SERVER_PARAMS.has(name)).map((name) => `${name}=`);
}

/** In the quotes that were typed. */
function quoted(value: string, typed: string): string {
  return typed.startsWith('"') ? JSON.stringify(value) : repr(value);
}

/** Variables that hold a server, of one kind where one is wanted. */
function serverNames(globals: object, kind: number | undefined): string[] {
  return Object.keys(globals).filter((name) => {
    const value: unknown = Reflect.getOwnPropertyDescriptor(globals, name)?.value;
    return isServer(value) && (kind === undefined || value.kind === kind) && name !== '_';
  });
}

interface Server {
  readonly kind: number;
}

function isServer(value: unknown): value is Server {
  return typeof value === 'object' && value !== null && 'get_host_port' in value && 'kind' in value;
}

/** Those of the server named before; of every storage and archive where the call takes none before. */
function volumes(call: LibraryCall, globals: object, lookup: Lookup): string[] {
  const server = serverOf(call, lookup);
  const servers =
    server === undefined && !SERVER_PARAMS.has(call.params[0] ?? '')
      ? Object.values(globals).filter((value) => isServer(value) && value.kind !== PROXY)
      : [server];
  const found = servers.flatMap((one) => ask(call, 'get_vol_list', [one]));
  return [...new Set(found.map(String))].sort();
}

/** The value of the argument that is the server, when it is a plain name. */
function serverOf(call: LibraryCall, lookup: Lookup): unknown {
  const at = call.params.findIndex((name) => SERVER_PARAMS.has(name));
  const text = at < 0 ? undefined : call.args[at];
  return text === undefined ? undefined : lookup(text.trim());
}

function gids(call: LibraryCall, lookup: Lookup): string[] {
  const volumeText = (call.args[call.params.indexOf('vol')] ?? '').trim();
  const literal = /^(['"])(.*)\1$/.exec(volumeText)?.[2];
  const volume = literal ?? lookup(volumeText);
  const of = [serverOf(call, lookup), volume];
  if (RANGES.has(call.name)) return diffEnds(ask(call, 'get_diff_list', of));
  const [source, ...more] = GID_SOURCE[call.name] ?? ['get_restorable_gid'];
  // The newest first: that is what is wanted most of the time.
  return ask(call, source, [...of, ...more])
    .map(String)
    .reverse();
}

/** Where diffs begin and end: the ends of a range are among these. */
function diffEnds(diffs: readonly unknown[]): string[] {
  const ends = diffs
    .filter((diff) => diff instanceof Diff)
    .flatMap(({ B, E }) => [BigInt(B.gidB), BigInt(E.gidB)]);
  return [...new Set(ends)].sort((a, b) => Number(b - a)).map(String);
}

/** Calls a method of the same controller; whatever goes wrong just means that nothing is offered. */
function ask(call: LibraryCall, method: string, args: readonly unknown[]): unknown[] {
  const receiver = call.receiver as Record<string, unknown> | undefined;
  const fn = receiver?.[method];
  if (typeof fn !== 'function' || args.includes(undefined)) return [];
  try {
    const result: unknown = Reflect.apply(fn, receiver, args);
    return Array.isArray(result) ? result : [];
  } catch {
    return [];
  }
}
