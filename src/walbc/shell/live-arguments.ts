/**
 * Completion of arguments from the group as it is now: the servers of the right kind, the volumes of
 * the server named before, the gids its archive can restore. What a parameter takes follows from its
 * name (controller-api.md: s, sx, px, ax; vol; gid).
 */
import { parameterNames } from './keywords.ts';
import { repr } from './show.ts';
import { signatureOf } from './signature.ts';
import { type Token, tokenize } from './tokens.ts';

interface OpenCall {
  readonly receiver: unknown;
  readonly params: readonly string[];
  /** Texts of the arguments before the cursor, the one it is in last. */
  readonly args: readonly string[];
  readonly callee: unknown;
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
const GID_SOURCE: Readonly<Record<string, string>> = {
  del_restored: 'get_restored',
  get_restored_path: 'get_restored',
  del_cold: 'get_cold',
};

/** The innermost call that the end of the line is in. */
export function openCall(line: string, lookup: Lookup): OpenCall | undefined {
  const { tokens } = tokenize(line);
  const open = lastOpen(tokens);
  if (open === undefined) return undefined;
  const path = pathBefore(tokens, open);
  if (path === undefined) return undefined;
  const callee = lookup(path.join('.'));
  const signature = signatureOf(callee);
  if (signature === undefined) return undefined;
  const inner = tokens.slice(open + 1);
  return {
    receiver: path.length > 1 ? lookup(path.slice(0, -1).join('.')) : undefined,
    callee,
    params: parameterNames(signature.params),
    args: splitArguments(line, tokens[open]!, inner),
    name: signature.name,
  };
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
  return starts.map((start, index) => line.slice(start, ends[index]).trim());
}

/** Texts that may stand where the cursor is. Asks servers; bounded by the caller. */
export function liveArguments(call: OpenCall, globals: object, lookup: Lookup): string[] {
  const position = call.args.length - 1;
  const param = call.params[position];
  const keywords = call.params.slice(Math.max(1, position)).map((name) => `${name}=`);
  if (param === undefined) return [];
  if (SERVER_PARAMS.has(param)) return serverNames(globals, SERVER_KIND_OF[param]);
  if (param === 'vol') return ask(call, 'get_vol_list', [serverOf(call, lookup)]).map(quoted);
  if (/^gid[BE01]?$/.test(param)) return gids(call, lookup);
  if (param === 'mode') return ["'graceful'", "'force'", "'empty'"];
  return keywords.filter((keyword) => !SERVER_PARAMS.has(keyword.slice(0, -1)));
}

function quoted(value: unknown): string {
  return repr(value);
}

/** Variables that hold a server, of one kind where one is wanted. */
function serverNames(globals: object, kind: number | undefined): string[] {
  return Object.keys(globals).filter((name) => {
    const value: unknown = Reflect.getOwnPropertyDescriptor(globals, name)?.value;
    return isServer(value) && (kind === undefined || value.kind === kind);
  });
}

interface Server {
  readonly kind: number;
}

function isServer(value: unknown): value is Server {
  return typeof value === 'object' && value !== null && 'get_host_port' in value && 'kind' in value;
}

/** The value of the argument that is the server, when it is a plain name. */
function serverOf(call: OpenCall, lookup: Lookup): unknown {
  const at = call.params.findIndex((name) => SERVER_PARAMS.has(name));
  const text = call.args[at];
  return at < 0 || text === undefined ? undefined : lookup(text);
}

function gids(call: OpenCall, lookup: Lookup): string[] {
  const volumeAt = call.params.indexOf('vol');
  const volumeText = call.args[volumeAt] ?? '';
  const literal = /^(['"])(.*)\1$/.exec(volumeText)?.[2];
  const volume = literal ?? lookup(volumeText);
  const source = GID_SOURCE[call.name] ?? 'get_restorable_gid';
  const found = ask(call, source, [serverOf(call, lookup), volume]);
  // The newest first: that is what is wanted most of the time.
  return found.map(String).reverse();
}

/** Calls a method of the same controller; whatever goes wrong just means that nothing is offered. */
function ask(call: OpenCall, method: string, args: readonly unknown[]): unknown[] {
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
