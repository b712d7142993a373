/**
 * A backup group of real processes on this machine: a device, a0, p0 and s0, on loopback and ports
 * the system chose. Everything lies in one folder:
 *
 *     devices/NAME/     log, data image, sockets of the device (as `walb wdev` keeps them)
 *     s0/ p0/ a0/       base directories of the servers
 *     logs/             what they log
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Bytes, type Env, parseHostPort, silentLogger } from '../core/index.ts';
import { createRealEnv } from '../core/real-env.ts';
import { grpcNetwork } from '../rpc/index.ts';
import {
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
  type ServerKind,
  ServerLayout,
} from '../walbc/index.ts';
import { DeviceDirectory, devicePathOf } from '../wdev/daemon/index.ts';
import { connectNbd, type NbdClient } from '../wdev/nbd/index.ts';
import type { Keeper } from './group-keeping.ts';
import {
  type GroupProcess,
  type ProcessOptions,
  type ProgramName,
  startProcess,
} from './group-process.ts';

export interface GroupOptions {
  /** Must exist. */
  readonly folder: string;
  /** Of the device, and of the volume's NBD export. */
  readonly device: { readonly name: string; readonly size: Bytes; readonly logSize?: Bytes };
  readonly keeper?: Keeper;
  /** The address others are told of a server; its own when omitted. */
  readonly link?: (name: MemberName, address: string) => Promise<string>;
  /** More options of the servers, as their command lines have them. */
  readonly storage?: readonly string[];
  readonly proxy?: readonly string[];
  readonly archive?: readonly string[];
}

export type MemberName = 'device' | 'a0' | 'p0' | 's0';

interface Server {
  readonly name: MemberName;
  readonly program: ProgramName;
  readonly kind: ServerKind;
  /** What it needs to know of those started before it. */
  readonly args: (group: BackupGroup) => readonly string[];
}

const SERVERS: readonly Server[] = [
  {
    name: 'a0',
    program: 'walb-archive',
    kind: K_ARCHIVE,
    args: ({ options }) => options.archive ?? [],
  },
  { name: 'p0', program: 'walb-proxy', kind: K_PROXY, args: ({ options }) => options.proxy ?? [] },
  {
    name: 's0',
    program: 'walb-storage',
    kind: K_STORAGE,
    args: (group) => [
      ...['-archive', group.address('a0'), '-proxy', group.address('p0')],
      ...['-devices', group.devices.path],
      ...(group.options.storage ?? []),
    ],
  },
];

const LISTENS = /listens on (\S+)$/;
const NBD_URI = /^nbd\S+$/;

export class BackupGroup implements AsyncDisposable {
  readonly options: GroupOptions;
  readonly devices: DeviceDirectory;
  readonly #env: Env;
  readonly #members = new Map<MemberName, GroupProcess>();
  /** Where servers really listen. */
  readonly #own = new Map<MemberName, string>();
  /** What others are told. */
  readonly #addresses = new Map<MemberName, string>();
  #onDeath: (name: MemberName, how: string) => void = () => {};

  private constructor(options: GroupOptions) {
    this.options = options;
    this.#env = createRealEnv({ network: grpcNetwork(), log: silentLogger });
    this.devices = new DeviceDirectory(this.#env, join(options.folder, 'devices'));
  }

  /** Throws what keeps a member from starting; nothing is left running then. */
  static async start(options: GroupOptions): Promise<BackupGroup> {
    const group = new BackupGroup(options);
    try {
      mkdirSync(join(options.folder, 'logs'), { recursive: true });
      await group.#defineDevice();
      await Promise.all([group.startMember('device'), group.#startServers()]);
      return group;
    } catch (error) {
      await group.stop();
      throw error;
    }
  }

  /** As NBD clients write it. */
  get nbdUri(): string {
    return this.member('device').ready[0];
  }

  /** What `init-vol` takes. */
  get devicePath(): string {
    return devicePathOf(this.options.device.name);
  }

  /** Of a server, `host:port`. */
  address(name: MemberName): string {
    const found = this.#addresses.get(name);
    if (found === undefined) throw new Error(`${name} was not started yet`);
    return found;
  }

  server(name: 's0' | 'p0' | 'a0'): ServerConnectionParam {
    const { host, port } = parseHostPort(this.address(name));
    const { kind } = SERVERS.find((server) => server.name === name) as Server;
    return new ServerConnectionParam(name, host, port, kind);
  }

  layout(): ServerLayout {
    return new ServerLayout([this.server('s0')], [this.server('p0')], [this.server('a0')]);
  }

  member(name: MemberName): GroupProcess {
    const found = this.#members.get(name);
    if (found === undefined) throw new Error(`${name} does not run`);
    return found;
  }

  members(): GroupProcess[] {
    return [...this.#members.values()];
  }

  logFile(name: MemberName): string {
    return join(this.options.folder, 'logs', `${name}.log`);
  }

  /** Called when a member ends that nobody here stopped or killed. */
  onDeath(listener: (name: MemberName, how: string) => void): void {
    this.#onDeath = listener;
  }

  /** A client of the volume. */
  connect(): Promise<NbdClient> {
    const { name } = this.options.device;
    const { nbdSocket } = this.devices.paths(name);
    return connectNbd(
      { kind: 'unix', path: nbdSocket },
      { exportName: name, clock: this.#env.clock },
    );
  }

  /** Starts a member, again with the port it had. */
  async startMember(name: MemberName): Promise<GroupProcess> {
    const started = await startProcess(
      name === 'device' ? this.#deviceProcess() : this.#serverProcess(name),
    );
    this.#members.set(name, started);
    if (name !== 'device') await this.#listens(name, started.ready[1] as string);
    void started.ended.then((how) => {
      if (this.#members.get(name) === started) this.#onDeath(name, how);
    });
    return started;
  }

  /** As a crash or power cut of that process. */
  async kill(name: MemberName): Promise<void> {
    const member = this.member(name);
    this.#members.delete(name);
    await member.kill();
  }

  async stopMember(name: MemberName): Promise<void> {
    const member = this.member(name);
    this.#members.delete(name);
    await member.stop();
  }

  /** Ends everything: first the servers, then the device they use. */
  async stop(): Promise<void> {
    const running = (['s0', 'p0', 'a0'] as const).filter((name) => this.#members.has(name));
    await Promise.all(running.map((name) => this.stopMember(name)));
    if (this.#members.has('device')) await this.stopMember('device');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #defineDevice(): Promise<void> {
    const { name } = this.options.device;
    if (this.devices.find(name) !== undefined) return;
    const { log, data } = this.devices.paths(name);
    await this.devices.add({ name, log, data, port: undefined });
  }

  async #startServers(): Promise<void> {
    for (const { name } of SERVERS) await this.startMember(name);
  }

  async #listens(name: MemberName, address: string): Promise<void> {
    if (this.#own.get(name) === address) return;
    this.#own.set(name, address);
    this.#addresses.set(name, (await this.options.link?.(name, address)) ?? address);
  }

  #deviceProcess(): ProcessOptions {
    const { name, size, logSize } = this.options.device;
    const paths = this.devices.paths(name);
    return this.#process('device', 'walb', NBD_URI, [
      ...['wdev', 'serve', '--name', name, '--size', String(size)],
      ...['--log', paths.log, '--data', paths.data],
      ...['--socket', paths.nbdSocket, '--control', paths.controlSocket],
      ...(logSize === undefined ? [] : ['--log-size', String(logSize)]),
    ]);
  }

  #serverProcess(name: MemberName): ProcessOptions {
    const { program, args } = SERVERS.find((server) => server.name === name) as Server;
    const folder = join(this.options.folder, name);
    // An archive does not make its own; ours is never on a disk that is not mounted.
    mkdirSync(folder, { recursive: true });
    const known = this.#own.get(name);
    const port = known === undefined ? 0 : parseHostPort(known).port;
    return this.#process(name, program, LISTENS, [
      ...['-id', name, '-p', String(port), '-b', folder],
      ...['-l', this.logFile(name)],
      ...args(this),
    ]);
  }

  #process(
    name: MemberName,
    program: ProgramName,
    ready: RegExp,
    args: readonly string[],
  ): ProcessOptions {
    const { keeper } = this.options;
    const logFile = this.logFile(name);
    return { name, program, args, ready, logFile, ...(keeper === undefined ? {} : { keeper }) };
  }
}
