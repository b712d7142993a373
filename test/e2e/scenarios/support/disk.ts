/** The walb device of a scenario: a process of its own, written to over NBD, hashed, grown, lost. */
import { createHash } from 'node:crypto';
import { appendFileSync, mkdirSync, truncateSync } from 'node:fs';
import type { Keeper } from '../../../../src/cli/group-keeping.ts';
import { type GroupProcess, startProcess } from '../../../../src/cli/group-process.ts';
import { type Bytes, type Env, LB_SIZE, MIB } from '../../../../src/core/index.ts';
import {
  type DeviceDirectory,
  devicePathOf,
  openRemoteDevice,
  type RemoteDevice,
} from '../../../../src/wdev/daemon/index.ts';
import { connectNbd, type NbdClient } from '../../../../src/wdev/nbd/index.ts';
import { SeededRandom } from '../../../../src/wlog/seeded-random.ts';

export interface DiskOptions {
  readonly env: Env;
  readonly devices: DeviceDirectory;
  readonly name: string;
  readonly size: Bytes;
  readonly logSize: Bytes;
  readonly logFile: string;
  readonly keeper: Keeper;
  readonly seed: number;
}

const READ_STEP: Bytes = 2 * MIB;
const WRITE_STEP: Bytes = MIB;

export class Disk {
  readonly name: string;
  readonly #options: DiskOptions;
  readonly #random: SeededRandom;
  #process: GroupProcess | undefined;
  #client: NbdClient | undefined;
  #control: RemoteDevice | undefined;

  private constructor(options: DiskOptions) {
    this.name = options.name;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  static async start(options: DiskOptions): Promise<Disk> {
    const { devices, name } = options;
    const { folder, log, data } = devices.paths(name);
    mkdirSync(folder, { recursive: true });
    await devices.add({ name, log, data, port: undefined });
    const disk = new Disk(options);
    await disk.startProcess();
    return disk;
  }

  /** What `init-vol` takes. */
  get path(): string {
    return devicePathOf(this.name);
  }

  async startProcess(): Promise<void> {
    const { devices, name, size, logSize, logFile, keeper } = this.#options;
    const paths = devices.paths(name);
    this.#process = await startProcess({
      name,
      program: 'walb',
      ready: /^nbd\S+$/,
      logFile,
      keeper,
      args: [
        ...['wdev', 'serve', '--name', name, '--size', String(size), '--pbs', String(LB_SIZE)],
        ...['--log', paths.log, '--log-size', String(logSize), '--data', paths.data],
        ...['--socket', paths.nbdSocket, '--control', paths.controlSocket],
      ],
    });
  }

  /** As a crash of the machine the volume is on. */
  async kill(): Promise<void> {
    this.#disconnect();
    await this.#process?.kill();
    this.#process = undefined;
  }

  async stop(): Promise<void> {
    this.#disconnect();
    await this.#process?.stop();
    this.#process = undefined;
  }

  get dataFile(): string {
    return this.#options.devices.paths(this.name).data;
  }

  get logFile(): string {
    return this.#options.devices.paths(this.name).log;
  }

  /** Where NBD clients find it. */
  get nbdUri(): string {
    if (this.#process === undefined) throw new Error(`disk ${this.name} does not run`);
    return this.#process.ready[0];
  }

  /** A connection of its own; closed by whoever asked for it. */
  connect(): Promise<NbdClient> {
    const { devices, env } = this.#options;
    const { nbdSocket } = devices.paths(this.name);
    return connectNbd(
      { kind: 'unix', path: nbdSocket },
      { exportName: this.name, clock: env.clock },
    );
  }

  /** Random bytes to `length` bytes from `offset` on; by default one block somewhere. */
  async write(length: Bytes = LB_SIZE, offset?: Bytes): Promise<void> {
    const client = (this.#client ??= await this.connect());
    const place = offset ?? this.#random.below((client.size - length) / LB_SIZE + 1) * LB_SIZE;
    for (let at = 0; at < length; at += WRITE_STEP) {
      await client.write(place + at, this.#random.bytes(Math.min(WRITE_STEP, length - at)));
    }
  }

  /**
   * A tenth more than the ring holds. `draining` waits for room, as long as the log is delivered;
   * otherwise nothing waits, and the ring overflows when nobody takes the log.
   */
  async writeOverLog(mode: 'draining' | 'overflowing'): Promise<void> {
    const step = Math.min(this.#options.logSize, this.#options.size) / 4;
    const total = this.#options.logSize * 1.1;
    for (let written = 0; written < total; written += step) {
      await this.write(step, written % (this.#options.size - step));
      if (mode === 'draining') await this.drained();
    }
  }

  /** Everything written is in the data image, delivered, and gone from the ring. */
  async drained(): Promise<void> {
    const device = await this.#device();
    const { latest } = await device.lsids();
    await device.takeCheckpoint();
    const empty = Promise.withResolvers<void>();
    const look = (): void => {
      device.lsids().then(({ oldest }) => {
        if (oldest >= latest) empty.resolve();
      }, empty.reject);
    };
    const stop = device.watch(look);
    look();
    try {
      await empty.promise;
    } finally {
      stop();
    }
  }

  /** sha256 of all it holds. */
  async hash(): Promise<string> {
    await using client = await this.connect();
    const hash = createHash('sha256');
    const buffer = new Uint8Array(READ_STEP);
    for (let at = 0; at < client.size; at += READ_STEP) {
      const part = buffer.subarray(0, Math.min(READ_STEP, client.size - at));
      await client.read(at, part);
      hash.update(part);
    }
    return hash.digest('hex');
  }

  async size(): Promise<Bytes> {
    return (await (await this.#device()).info()).sizeLb * LB_SIZE;
  }

  /**
   * Makes the data image bigger, as lvresize does: with zeros, or with what happened to lie on the
   * disk there. The volume itself grows when its storage server is told to.
   */
  growImage(bytes: Bytes, content: 'zeros' | 'garbage'): void {
    const { size } = this.#options;
    if (content === 'garbage') appendFileSync(this.dataFile, this.#random.bytes(bytes));
    else truncateSync(this.dataFile, size + bytes);
  }

  /** After the volume has grown: writes reach the extension then. */
  reconnect(): void {
    this.#disconnect();
  }

  async #device(): Promise<RemoteDevice> {
    const { devices, env } = this.#options;
    this.#control ??= await openRemoteDevice(env, {
      control: `unix:${devices.paths(this.name).controlSocket}`,
      clientId: 'scenario',
    });
    return this.#control;
  }

  #disconnect(): void {
    void this.#client?.close().catch(() => {});
    this.#client = undefined;
    void this.#control?.close().catch(() => {});
    this.#control = undefined;
  }
}
