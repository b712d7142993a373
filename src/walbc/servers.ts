/**
 * How a server is reached, and how it is started.
 *
 * Source: controller-api.md 4.1, 4.2.
 */
import { formatHostPort, WalbError } from '../core/index.ts';
import { K_ARCHIVE, type ServerKind, serverKindMap, serverKinds } from './constants.ts';

/** What methods take as a server. */
export type ServerParam = ServerConnectionParam | ServerStartupParam;

function bad(message: string): WalbError {
  return new WalbError('invalid-argument', message);
}

function check(condition: boolean, message: string): void {
  if (!condition) throw bad(message);
}

/**
 * How to reach a server. `name` is the identifier of the daemon, and the archive's name at proxies.
 *
 *     s0 = ServerConnectionParam('s0', 'localhost', 10000, K_STORAGE)
 */
export class ServerConnectionParam {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly kind: ServerKind;

  constructor(name: string, address: string, port: number, kind: ServerKind) {
    check(typeof name === 'string' && name !== '', `bad server name ${String(name)}`);
    check(typeof address === 'string' && address !== '', `bad address of server ${name}`);
    const isPort = Number.isInteger(port) && port > 0 && port < 65_536;
    check(isPort, `bad port ${String(port)} of server ${name}: expected 1 to 65535`);
    check(
      serverKinds.includes(kind),
      `bad kind ${String(kind)} of server ${name}: expected K_STORAGE, K_PROXY or K_ARCHIVE`,
    );
    this.name = name;
    this.address = address;
    this.port = port;
    this.kind = kind;
  }

  /** `address:port`. */
  get_host_port(): string {
    return formatHostPort({ host: this.address, port: this.port });
  }

  equals(other: unknown): boolean {
    return (
      other instanceof ServerConnectionParam &&
      this.name === other.name &&
      this.address === other.address &&
      this.port === other.port &&
      this.kind === other.kind
    );
  }

  toString(): string {
    return `${this.name}, ${this.address}, ${this.port}, ${serverKindMap[this.kind]}`;
  }
}

/** A value of a server option: true for a flag. */
export type OptionValue = string | number | boolean;

/** What the original's API has no place for; a layout file has. */
export interface StartOptions {
  /** `user@host` (or a name of ssh_config) of another machine, to start the server there. */
  readonly ssh?: string;
  /** Configuration file of the server, on its machine (`-config`). */
  readonly config?: string;
  /** More options of the server program, without dash; they win over all others. */
  readonly options?: Readonly<Record<string, OptionValue>>;
}

/**
 * How to reach a server and how to start it. `binDir` holds the programs ('' = they are in the PATH),
 * `dataDir` its metadata. An archive with `vg` keeps its images in that volume group, with `tp` in a
 * thin pool of it; without `vg` images are files in `dataDir`.
 *
 *     a0 = ServerStartupParam(a0conn, 'bin/', '/var/walb/a0', '/var/log/a0.log', 'vg0')
 */
export class ServerStartupParam {
  readonly connParam: ServerConnectionParam;
  readonly binDir: string;
  readonly dataDir: string;
  readonly logPath: string | null;
  /** Archives only. */
  declare readonly vg?: string | null;
  declare readonly tp?: string | null;
  /** Given by a layout file. */
  declare readonly start?: StartOptions;

  constructor(
    connParam: ServerConnectionParam,
    binDir: string,
    dataDir: string,
    logPath: string | null = null,
    vg: string | null = null,
    tp: string | null = null,
    start: StartOptions | null = null,
  ) {
    check(connParam instanceof ServerConnectionParam, 'connParam must be a ServerConnectionParam');
    const { name } = connParam;
    check(typeof binDir === 'string', `binDir of ${name} must be text`);
    check(typeof dataDir === 'string', `dataDir of ${name} must be text`);
    check(logPath === null || typeof logPath === 'string', `logPath of ${name} must be text`);
    this.connParam = connParam;
    this.binDir = binDir;
    this.dataDir = dataDir;
    this.logPath = logPath;
    if (start !== null) this.start = start;
    if (connParam.kind !== K_ARCHIVE) return;
    check(vg === null || (typeof vg === 'string' && vg !== ''), `vg of ${name} must be text`);
    check(tp === null || typeof tp === 'string', `tp of ${name} must be text`);
    check(
      tp === null || vg !== null,
      `archive ${name} has a thin pool (tp), but no volume group (vg)`,
    );
    this.vg = vg;
    this.tp = tp;
  }

  get name(): string {
    return this.connParam.name;
  }

  get address(): string {
    return this.connParam.address;
  }

  get port(): number {
    return this.connParam.port;
  }

  get kind(): ServerKind {
    return this.connParam.kind;
  }

  /** `address:port`. */
  get_host_port(): string {
    return this.connParam.get_host_port();
  }

  equals(other: unknown): boolean {
    return (
      other instanceof ServerStartupParam &&
      this.connParam.equals(other.connParam) &&
      this.toString() === other.toString()
    );
  }

  toString(): string {
    const rest =
      this.kind === K_ARCHIVE ? [`vg=${this.vg ?? 'none'}`, `tp=${this.tp ?? 'none'}`] : [];
    const log = this.logPath ?? 'default';
    return [
      this.connParam,
      `bin=${this.binDir}`,
      `data=${this.dataDir}`,
      `log=${log}`,
      ...rest,
    ].join(', ');
  }
}
