/**
 * A group of real server processes for one scenario: as many storages, proxies and archives as it
 * needs, each storage with a disk, each server possibly behind a link that can be cut. Servers can be
 * killed, shut down, robbed of their data, started again, added and replaced.
 */
import { createHash } from 'node:crypto';
import { createReadStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { vi } from 'vitest';
import { Keeper } from '../../../../src/cli/group-keeping.ts';
import {
  type GroupProcess,
  type ProgramName,
  startProcess,
} from '../../../../src/cli/group-process.ts';
import {
  type Bytes,
  type Env,
  MIB,
  parseHostPort,
  silentLogger,
} from '../../../../src/core/index.ts';
import { createRealEnv } from '../../../../src/core/real-env.ts';
import { grpcNetwork } from '../../../../src/rpc/index.ts';
import {
  Controller,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
  type ServerKind,
  ServerLayout,
  type ServerParam,
} from '../../../../src/walbc/index.ts';
import { DeviceDirectory } from '../../../../src/wdev/daemon/index.ts';
import { Disk } from './disk.ts';
import { FaultProxy } from './fault-proxy.ts';

export const VOLUME = 'vol0';
export const SIZE: Bytes = 12 * MIB;
/** As big as the volume: a scenario that wants an overflow has it after a moment. */
const LOG_SIZE: Bytes = 12 * MIB;
/** Seconds any wait may take here. All is done in much less; a busy machine may need some. */
export const SOON = 60;

/** A scenario takes seconds; on a machine that is busy with other things many times that. */
vi.setConfig({ testTimeout: 180_000 });

export type ServerName = `${'s' | 'p' | 'a'}${number}`;

export interface ClusterOptions {
  /** How many of each kind are in the layout: s0.., p0.., a0... One each unless given. */
  readonly storages?: number;
  readonly proxies?: number;
  readonly archives?: number;
  /** Servers reached through a link that can be cut. */
  readonly linked?: readonly ServerName[];
  /** Devices beside the one per storage, for more volumes. */
  readonly moreDisks?: readonly string[];
  /** More options of the servers. */
  readonly storage?: readonly string[];
  readonly proxy?: readonly string[];
  readonly archive?: readonly string[];
  readonly seed?: number;
}

interface Member {
  readonly name: ServerName;
  readonly kind: ServerKind;
  readonly link: FaultProxy | undefined;
  /** Where it really listens; known from its first start on. */
  address: string | undefined;
  process: GroupProcess | undefined;
}

const KINDS: Readonly<Record<string, ServerKind>> = { s: K_STORAGE, p: K_PROXY, a: K_ARCHIVE };
const PROGRAMS: readonly ProgramName[] = ['walb-storage', 'walb-proxy', 'walb-archive'];
const LISTENS = /listens on (\S+)$/;

/** Retries come soon, as scenarios wait for them. */
const QUICK = ['-delay', '1', '-maxdelay', '1'];

export class Cluster implements AsyncDisposable {
  readonly folder: string;
  readonly walbc: Controller;
  readonly #options: ClusterOptions;
  readonly #env: Env;
  readonly #devices: DeviceDirectory;
  readonly #keeper = new Keeper();
  readonly #members = new Map<string, Member>();
  readonly #disks = new Map<string, Disk>();

  private constructor(options: ClusterOptions) {
    this.#options = options;
    this.folder = mkdtempSync(join(tmpdir(), 'walb-sc-'));
    this.#keeper.removeAtEnd(this.folder);
    this.#env = createRealEnv({ network: grpcNetwork(), log: silentLogger });
    this.#devices = new DeviceDirectory(this.#env, join(this.folder, 'devices'));
    this.walbc = new Controller('walbc', new ServerLayout([], [], []), false, 0, {
      print: () => {},
    });
  }

  static async start(options: ClusterOptions = {}): Promise<Cluster> {
    const cluster = new Cluster(options);
    try {
      await cluster.#startAll();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A server as the others see it. */
  server(name: ServerName): ServerParam {
    const { link, kind, address } = this.#member(name);
    if (link !== undefined) return new ServerConnectionParam(name, '127.0.0.1', link.port, kind);
    return paramOf(name, address, kind);
  }

  /** A server addressed past its link. */
  original(name: ServerName): ServerParam {
    const { kind, address } = this.#member(name);
    return paramOf(name, address, kind);
  }

  link(name: ServerName): FaultProxy {
    const { link } = this.#member(name);
    if (link === undefined) throw new Error(`${name} has no link`);
    return link;
  }

  get s0(): ServerParam {
    return this.server('s0');
  }

  get s1(): ServerParam {
    return this.server('s1');
  }

  get p0(): ServerParam {
    return this.server('p0');
  }

  get p1(): ServerParam {
    return this.server('p1');
  }

  get a0(): ServerParam {
    return this.server('a0');
  }

  get a1(): ServerParam {
    return this.server('a1');
  }

  /** The disk of a storage (`s0`), or one of `moreDisks`. */
  disk(name = 's0'): Disk {
    const disk = this.#disks.get(name);
    if (disk === undefined) throw new Error(`there is no disk ${name}`);
    return disk;
  }

  /** Makes these the servers of the group; storages learn of it when they are restarted. */
  setLayout(...names: readonly ServerName[]): void {
    const of = (kind: ServerKind): ServerParam[] =>
      names.map((name) => this.server(name)).filter((server) => server.kind === kind);
    this.walbc.set_server_layout(new ServerLayout(of(K_STORAGE), of(K_PROXY), of(K_ARCHIVE)));
  }

  /** Starts a server that is not in the layout yet; a storage comes with a disk. */
  async add(name: ServerName): Promise<ServerParam> {
    await this.#define(name);
    if (name.startsWith('s')) await this.addDisk(name);
    await this.start(name);
    return this.server(name);
  }

  async addDisk(name: string): Promise<Disk> {
    const disk = await Disk.start({
      env: this.#env,
      devices: this.#devices,
      name,
      size: SIZE,
      logSize: LOG_SIZE,
      logFile: this.logFile(`disk-${name}`),
      keeper: this.#keeper,
      seed: (this.#options.seed ?? 1) + 1000 * this.#disks.size,
    });
    this.#disks.set(name, disk);
    return disk;
  }

  /** Starts a server, again where it was; a storage with the archive and proxies of the layout. */
  async start(name: ServerName): Promise<void> {
    const member = this.#member(name);
    const port = member.address === undefined ? 0 : parseHostPort(member.address).port;
    mkdirSync(this.dataFolder(name), { recursive: true });
    member.process = await startProcess({
      name,
      program: PROGRAMS[member.kind] as ProgramName,
      ready: LISTENS,
      logFile: this.logFile(name),
      keeper: this.#keeper,
      args: [
        ...['-id', name, '-p', String(port), '-b', this.dataFolder(name)],
        ...['-l', this.logFile(name), '-fg', '6'],
        ...this.#argumentsOf(member),
      ],
    });
    member.address = member.process.ready[1] as string;
    if (member.link !== undefined) member.link.target = member.address;
  }

  runs(name: ServerName): boolean {
    return this.#member(name).process !== undefined;
  }

  /** kill -9. */
  async kill(name: ServerName): Promise<void> {
    await this.#process(name).kill();
    this.#member(name).process = undefined;
  }

  /** Through the controller; resolves when the process has vanished. */
  async shutdown(name: ServerName, mode: 'graceful' | 'force' = 'force'): Promise<void> {
    const { ended } = this.#process(name);
    await this.walbc.shutdown(this.original(name), mode);
    await ended;
    this.#member(name).process = undefined;
  }

  async restart(name: ServerName): Promise<void> {
    await this.shutdown(name, 'graceful');
    await this.start(name);
  }

  /** Everything a server that does not run knows and holds is gone. */
  loseData(name: ServerName): void {
    if (this.runs(name)) throw new Error(`${name} runs`);
    rmSync(this.dataFolder(name), { recursive: true, force: true });
  }

  dataFolder(name: ServerName): string {
    return join(this.folder, name);
  }

  logFile(name: string): string {
    return join(this.folder, 'logs', `${name}.log`);
  }

  /** The state most scenarios begin with: s0 Target, other storages Standby, a0 primary. */
  async backUp(vol = VOLUME): Promise<bigint> {
    for (const s of this.walbc.sLayout.storageL) {
      await this.walbc.init_storage(s, vol, this.disk(s.name).path);
    }
    return (await this.walbc.full_backup(this.s0, vol, SOON)) as bigint;
  }

  /** A write, and a snapshot of it that a0 (or `archives`) can restore. */
  async writeAndSnapshot(archives: readonly ServerParam[] = [this.a0]): Promise<bigint> {
    await this.disk().write();
    return await this.walbc.snapshot(this.s0, VOLUME, archives, SOON);
  }

  /** sha256 of a restored snapshot; the image is deleted again. */
  async restoredHash(ax: ServerParam, gid: bigint, vol = VOLUME): Promise<string> {
    await this.walbc.restore(ax, vol, gid, SOON);
    const hash = createHash('sha256');
    const path = await this.walbc.get_restored_path(ax, vol, gid);
    await pipeline(createReadStream(path, { highWaterMark: MIB }), hash);
    await this.walbc.del_restored(ax, vol, gid);
    return hash.digest('hex');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.walbc.close();
    const servers = [...this.#members.values()];
    await Promise.all(servers.map(({ process }) => process?.kill()));
    await Promise.all([...this.#disks.values()].map((disk) => disk.kill()));
    for (const { link } of servers) await link?.[Symbol.asyncDispose]();
    await this.#keeper.end();
  }

  async #startAll(): Promise<void> {
    const { storages = 1, proxies = 1, archives = 1, moreDisks = [] } = this.#options;
    mkdirSync(join(this.folder, 'devices'));
    const names = (letter: 's' | 'p' | 'a', count: number): ServerName[] =>
      Array.from({ length: count }, (_, i): ServerName => `${letter}${i}`);
    const [s, p, a] = [names('s', storages), names('p', proxies), names('a', archives)];
    for (const name of [...s, ...p, ...a]) await this.#define(name);
    const disks = [...s, ...moreDisks];
    await Promise.all([
      ...[...a, ...p].map((name) => this.start(name)),
      ...disks.map((name) => this.addDisk(name)),
    ]);
    // Storages are told where the others are, and have no address before they are started.
    this.setLayout(...p, ...a);
    await Promise.all(s.map((name) => this.start(name)));
    this.setLayout(...s, ...p, ...a);
  }

  async #define(name: ServerName): Promise<void> {
    const isLinked = this.#options.linked?.includes(name) === true;
    const link = isLinked ? await FaultProxy.listen() : undefined;
    const kind = KINDS[name.charAt(0)] as ServerKind;
    this.#members.set(name, { name, kind, link, address: undefined, process: undefined });
  }

  #argumentsOf({ kind }: Member): readonly string[] {
    const { storage = [], proxy = [], archive = [] } = this.#options;
    if (kind === K_ARCHIVE) return archive;
    if (kind === K_PROXY) return [...QUICK, ...proxy];
    const { sLayout } = this.walbc;
    const proxies = sLayout.proxyL.map((px) => px.get_host_port()).join(',');
    const primary = sLayout.get_primary_archive().get_host_port();
    const fixed = ['-archive', primary, '-proxy', proxies, '-devices', this.#devices.path];
    return [...fixed, ...QUICK, ...storage];
  }

  #member(name: ServerName): Member {
    const member = this.#members.get(name);
    if (member === undefined) throw new Error(`there is no server ${name}`);
    return member;
  }

  #process(name: ServerName): GroupProcess {
    const { process } = this.#member(name);
    if (process === undefined) throw new Error(`${name} does not run`);
    return process;
  }
}

function paramOf(name: string, address: string | undefined, kind: ServerKind): ServerParam {
  if (address === undefined) throw new Error(`${name} was never started`);
  const { host, port } = parseHostPort(address);
  return new ServerConnectionParam(name, host, port, kind);
}
