/**
 * Start-up options of the server programs.
 *
 * Source: controller-api.md 1.3 (get_server_params, get_server_args, dict2args), cli.md 2.
 */
import { WalbError } from '../core/index.ts';
import { K_ARCHIVE, K_STORAGE, serverKindMap } from './constants.ts';
import { type ServerParam, ServerStartupParam } from './servers.ts';

/** Added to the port of a server behind a packet repeater. */
const REPEATER_PORT_OFFSET = 10_000;

/** Option name without dash to its value: null for a flag, a list for several words. */
export type ServerOptions = Readonly<
  Record<string, string | number | null | undefined | readonly string[]>
>;

/** What of a ServerLayout is needed here. */
export interface LayoutOfServers {
  readonly proxyL: readonly ServerParam[];
  get_primary_archive(): ServerParam;
}

/** `{ p: 5000, debug: null }` as `['-p', '5000', '-debug']`. */
export function dict2args(d: ServerOptions): string[] {
  return Object.entries(d).flatMap(([name, value]) => {
    if (value === null || value === undefined) return [`-${name}`];
    return [`-${name}`, ...(typeof value === 'object' ? value : [String(value)])];
  });
}

/**
 * Options to start a server with. A storage needs the layout: its primary archive and its proxies.
 *
 *     get_server_params(s0, sLayout)   # {'archive': 'host:10200', 'proxy': 'host:10100', 'p': ...}
 */
export function get_server_params(
  s: ServerParam,
  sLayout: LayoutOfServers | null = null,
  isDebug = false,
  useRepeater = false,
  maxFgTasks: number | null = 2,
  maxBgTasks: number | null = 1,
  maxConn: number | null = null,
  timeoutS: number | null = null,
): ServerOptions {
  if (!(s instanceof ServerStartupParam)) {
    throw new WalbError(
      'invalid-argument',
      `${s.name} can not be started: it is no ServerStartupParam, which says where programs and data are`,
    );
  }
  return {
    ...kindOptions(s, sLayout),
    p: s.port + (useRepeater ? REPEATER_PORT_OFFSET : 0),
    b: s.dataDir,
    l: s.logPath ?? `${s.dataDir}/${s.name}.log`,
    id: s.name,
    ...optional('fg', maxFgTasks),
    ...optional('bg', s.kind === K_ARCHIVE ? null : maxBgTasks),
    ...optional('maxconn', maxConn),
    ...optional('to', timeoutS),
    ...(isDebug ? { debug: null } : {}),
    ...optional('config', s.start?.config ?? null),
    ...givenOptions(s),
  };
}

/** Options of the layout file: true is a flag that is there, false one that is not. */
function givenOptions({ start }: ServerStartupParam): ServerOptions {
  const given: Record<string, string | number | null> = {};
  for (const [name, value] of Object.entries(start?.options ?? {})) {
    if (value !== false) given[name] = value === true ? null : value;
  }
  return given;
}

function kindOptions(s: ServerStartupParam, sLayout: LayoutOfServers | null): ServerOptions {
  if (s.kind === K_ARCHIVE) {
    return { ...optional('vg', s.vg ?? null), ...optional('tp', s.tp ?? null) };
  }
  if (s.kind !== K_STORAGE) return {};
  if (sLayout === null) {
    throw new WalbError('invalid-argument', `storage server ${s.name} needs the server layout`);
  }
  return {
    archive: sLayout.get_primary_archive().get_host_port(),
    proxy: sLayout.proxyL.map((proxy) => proxy.get_host_port()).join(','),
  };
}

function optional(name: string, value: string | number | null): ServerOptions {
  return value === null ? {} : { [name]: value };
}

/**
 * The command line that starts a server: its program, then its options.
 *
 *     run_local_command(get_server_args(p0))   # would run the proxy in the foreground
 */
export function get_server_args(
  s: ServerParam,
  sLayout: LayoutOfServers | null = null,
  isDebug = false,
  useRepeater = false,
  maxFgTasks: number | null = 2,
  maxBgTasks: number | null = 1,
): string[] {
  const params = get_server_params(s, sLayout, isDebug, useRepeater, maxFgTasks, maxBgTasks);
  const { binDir, kind } = s as ServerStartupParam;
  const folder = binDir === '' || binDir.endsWith('/') ? binDir : `${binDir}/`;
  return [`${folder}walb-${serverKindMap[kind]}`, ...dict2args(params)];
}

/**
 * A command line for a shell: words that a shell would take apart are quoted.
 *
 *     shellLine(['echo', 'a b'])   # "echo 'a b'"
 */
export function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(' ');
}

function shellWord(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/**
 * As get_server_args, with what the server's configuration file may say left to it: options on the
 * command line would win over the file.
 */
export function startCommand(s: ServerStartupParam, sLayout: LayoutOfServers): string[] {
  return s.start?.config === undefined
    ? get_server_args(s, sLayout)
    : get_server_args(s, sLayout, false, false, null, null);
}
