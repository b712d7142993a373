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

/**
 * How to reach a server and how to start it. `binDir` holds the programs, `dataDir` its metadata;
 * archives need `vg`, and `tp` for a thin pool.
 *
 *     a0 = ServerStartupParam(a0conn, 'bin/', '/var/walb/a0', '/var/log/a0.log', 'vg0')
 */
export class ServerStartupParam {
  readonly connParam: ServerConnectionParam;
  readonly binDir: string;
  readonly dataDir: string;
  readonly logPath: string | null;
  /** Archives only. */
  declare readonly vg?: string;
  declare readonly tp?: string | null;

  constructor(
    connParam: ServerConnectionParam,
    binDir: string,
    dataDir: string,
    logPath: string | null = null,
    vg: string | null = null,
    tp: string | null = null,
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
    if (connParam.kind !== K_ARCHIVE) return;
    if (typeof vg !== 'string') throw bad(`archive server ${name} needs a volume group (vg)`);
    check(tp === null || typeof tp === 'string', `tp of ${name} must be text`);
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
    const rest = this.kind === K_ARCHIVE ? [`vg=${this.vg}`, `tp=${this.tp ?? 'none'}`] : [];
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
