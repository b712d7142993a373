/**
 * Small helpers of the library.
 *
 * Source: controller-api.md 1.3.
 */
import { malformed, WalbError } from '../core/index.ts';
import {
  type ServerKind,
  type ServerKindName,
  serverKindMap,
  serverKindRmap,
} from './constants.ts';
import type { ServerParam } from './servers.ts';

/** Joins words with single spaces. */
export function to_str(ss: readonly unknown[]): string {
  return ss.map(String).join(' ');
}

/** Prints each item on a line of its own. */
export function printL(
  ls: Iterable<unknown>,
  print: (line: string) => void = (line) => process.stdout.write(`${line}\n`),
): void {
  for (const item of ls) print(String(item));
}

/** The one server called `name`. Throws when there is none, or more than one. */
export function get_server(name: string, sL: readonly ServerParam[]): ServerParam {
  const found = sL.filter((s) => s.name === name);
  const [server] = found;
  if (server !== undefined && found.length === 1) return server;
  const names = sL.map((s) => s.name).join(', ');
  throw new WalbError(
    'not-found',
    `get_server: not one: ${found.length} servers are called ${JSON.stringify(name)}; there are: ${names}`,
    { details: { name, found: found.length } },
  );
}

/** `a:1<TAB>b:2` as `{ a: '1', b: '2' }`. Each item is split at its first colon. */
export function parse_ltsv(s: string): Record<string, string> {
  const items = s.split('\t').map((item) => {
    const colon = item.indexOf(':');
    if (colon < 0) throw malformed('LTSV item', item, 'label:value');
    return [item.slice(0, colon), item.slice(colon + 1)] as const;
  });
  return Object.fromEntries(items);
}

/** A line of `get ts-delta` as a dictionary. */
export function create_ts_delta_from_str(s: string): Record<string, string> {
  return parse_ltsv(s);
}

export function server_kind_to_str(kind: ServerKind): ServerKindName {
  const name = serverKindMap[kind] as ServerKindName | undefined;
  if (name !== undefined) return name;
  throw malformed('server kind', String(kind), 'K_STORAGE, K_PROXY or K_ARCHIVE');
}

export function str_to_server_kind(s: string): ServerKind {
  if (Object.hasOwn(serverKindRmap, s)) return serverKindRmap[s as ServerKindName];
  throw malformed('server kind', s, 'storage, proxy or archive');
}
