/**
 * Which servers make up a backup group.
 *
 * Source: controller-api.md 4.3.
 */
import { WalbError } from '../core/index.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind, serverKindMap } from './constants.ts';
import { shellLine, startCommand } from './server-params.ts';
import { ServerConnectionParam, type ServerParam, ServerStartupParam } from './servers.ts';

function bad(message: string): WalbError {
  return new WalbError('invalid-argument', message);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw bad(message);
}

/**
 * The servers of one backup group. Storages prefer proxies in the order given; the first archive is
 * the primary one.
 *
 *     sLayout = ServerLayout([s0, s1], [p0, p1], [a0, a1])
 */
export class ServerLayout {
  /** Takes a line that `to_cmd_string` prints; the shell puts its own here. */
  static print: (line: string) => void = (line) => void process.stdout.write(`${line}\n`);

  readonly storageL: readonly ServerParam[];
  readonly proxyL: readonly ServerParam[];
  readonly archiveL: readonly ServerParam[];

  constructor(
    storageL: readonly ServerParam[],
    proxyL: readonly ServerParam[],
    archiveL: readonly ServerParam[],
  ) {
    this.storageL = checkList(storageL, K_STORAGE);
    this.proxyL = checkList(proxyL, K_PROXY);
    this.archiveL = checkList(archiveL, K_ARCHIVE);
    checkNames(this.get_all());
  }

  /** The first archive. Throws when there is none. */
  get_primary_archive(): ServerParam {
    const [primary] = this.archiveL;
    if (primary === undefined) throw bad('the server layout has no archive');
    return primary;
  }

  /** Storages, then proxies, then archives. */
  get_all(): ServerParam[] {
    return [...this.storageL, ...this.proxyL, ...this.archiveL];
  }

  /** A new layout; null or an empty list keeps what there is. */
  replace(
    storageL: readonly ServerParam[] | null = null,
    proxyL: readonly ServerParam[] | null = null,
    archiveL: readonly ServerParam[] | null = null,
  ): ServerLayout {
    const choose = (
      given: readonly ServerParam[] | null,
      old: readonly ServerParam[],
    ): readonly ServerParam[] => (given === null || given.length === 0 ? old : given);
    return new ServerLayout(
      choose(storageL, this.storageL),
      choose(proxyL, this.proxyL),
      choose(archiveL, this.archiveL),
    );
  }

  /** Throws when there are fewer servers of a kind. */
  verify(minNrStorage: number, minNrProxy: number, minNrArchive: number): void {
    const rules = [
      ['storage', this.storageL.length, minNrStorage],
      ['proxy', this.proxyL.length, minNrProxy],
      ['archive', this.archiveL.length, minNrArchive],
    ] as const;
    for (const [kind, count, min] of rules) {
      check(count >= min, `the server layout has ${count} ${kind} servers; at least ${min} needed`);
    }
  }

  /**
   * Prints one command line per server that starts it, ready for a shell. Each must be a
   * ServerStartupParam, which says where programs and data are.
   *
   *     sLayout.to_cmd_string()
   */
  to_cmd_string(print: (line: string) => void = ServerLayout.print): void {
    for (const line of this.get_cmd_lines()) print(line);
  }

  /** The lines of to_cmd_string. Throws `invalid-argument` naming a server that can not be started. */
  get_cmd_lines(): string[] {
    return this.get_all().map((server) => shellLine(startCommand(startable(server), this)));
  }

  toString(): string {
    return this.get_all()
      .map(({ name }) => name)
      .join(', ');
  }
}

/** The server as one that can be started. Throws `invalid-argument` that says what is missing. */
export function startable(server: ServerParam): ServerStartupParam {
  if (server instanceof ServerStartupParam) return server;
  throw bad(
    `${server.name} can not be started from here: the layout does not say where its programs and data are (dataDir in walb.yaml, or a ServerStartupParam)`,
  );
}

function checkList(servers: readonly ServerParam[], kind: ServerKind): readonly ServerParam[] {
  check(Array.isArray(servers), `expected a list of ${serverKindMap[kind]} servers`);
  for (const server of servers) {
    const isServer =
      server instanceof ServerConnectionParam || server instanceof ServerStartupParam;
    if (!isServer) throw bad('a server layout holds ServerConnectionParam or ServerStartupParam');
    const actual = serverKindMap[server.kind];
    check(
      server.kind === kind,
      `${server.name} is a ${actual}, not a ${serverKindMap[kind]} server`,
    );
  }
  return [...servers];
}

/** Two servers with one name would be one archive at the proxies, and one line in every report. */
function checkNames(servers: readonly ServerParam[]): void {
  const seen = new Set<string>();
  for (const { name } of servers) {
    check(!seen.has(name), `two servers of the layout are called ${name}`);
    seen.add(name);
  }
}
