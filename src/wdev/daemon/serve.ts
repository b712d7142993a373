/**
 * A device in a process of its own: engine, NBD server and control service put together, and taken
 * apart in order.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import {
  type Bytes,
  type Env,
  KIB,
  LB_SIZE,
  type Lb,
  type Listener,
  MIB,
  WalbError,
} from '../../core/index.ts';
import { openRingLog } from '../../wlog/index.ts';
import { blockBackend, formatDevice, openDevice, type WalbDevice } from '../engine/index.ts';
import {
  checkListenAllowed,
  listenNbd,
  type NbdAddress,
  type NbdListener,
  NbdServer,
  type NbdTls,
} from '../nbd/index.ts';
import { checkDeviceName, devicePathOf } from './definition.ts';
import { deviceBindings } from './device-service.ts';

/** Ring of a new log file when nothing else is said; the file is sparse. */
export const DEFAULT_LOG_SIZE: Bytes = 256 * MIB;
const DEFAULT_PBS: Bytes = 4 * KIB;

export interface ServeOptions {
  readonly log: string;
  readonly data: string;
  /** Name of the device and of its NBD export. */
  readonly name: string;
  /** Size of a volume to be formatted; the data image's when omitted. */
  readonly sizeLb?: Lb;
  readonly logBytes?: Bytes;
  readonly pbs?: Bytes;
  readonly nbd: readonly NbdAddress[];
  readonly nbdTls?: NbdTls;
  /** Unix socket of the control service; none when omitted. */
  readonly control?: string;
}

export interface ServedDevice {
  readonly device: WalbDevice;
  /** As NBD clients write it. */
  readonly uris: readonly string[];
  /** True when the log had to be formatted first. */
  readonly isNew: boolean;
  /** Finishes requests, takes a checkpoint, closes. */
  stop(): Promise<void>;
  /** Resolves once stopped, also by DeleteDevice. */
  readonly stopped: Promise<void>;
}

/**
 * Opens (or first formats) the device and serves it. Throws `busy` when another process has it,
 * `invalid-argument` when a new device has no size, and what the engine and the sockets throw.
 */
export async function serveDevice(env: Env, options: ServeOptions): Promise<ServedDevice> {
  // Before anything is formatted.
  for (const address of options.nbd) checkListenAllowed(address, options.nbdTls);
  const files = { log: resolve(options.log), data: resolve(options.data) };
  const isNew = await formatIfNew(env, { ...options, ...files });
  const device = await openDevice(env, { ...files, path: devicePathOf(options.name) });
  const served = new Serving(env, device, { ...options, ...files }, isNew);
  try {
    await served.start();
    return served;
  } catch (error) {
    await served.stop();
    throw error;
  }
}

async function formatIfNew(env: Env, options: ServeOptions): Promise<boolean> {
  checkDeviceName(options.name);
  const { log, data } = options;
  const logInfo = env.files.info(log);
  if (logInfo !== undefined) return false;
  const imageSize = env.files.info(data)?.size ?? 0;
  const sizeLb = options.sizeLb ?? Math.floor(imageSize / LB_SIZE);
  if (sizeLb === 0) {
    throw new WalbError(
      'invalid-argument',
      `${log} and ${data} are new: say how big the volume shall be (--size)`,
      { details: { log, data } },
    );
  }
  const { name, pbs = DEFAULT_PBS, logBytes = DEFAULT_LOG_SIZE } = options;
  await formatDevice(env, { log, data, name, sizeLb, pbs, logBytes });
  return true;
}

class Serving implements ServedDevice {
  readonly device: WalbDevice;
  readonly isNew: boolean;
  readonly #env: Env;
  readonly #options: ServeOptions;
  readonly #server: NbdServer;
  readonly #nbd: NbdListener[] = [];
  readonly #closing = new AbortController();
  #control: Listener | undefined;
  #stopping: Promise<void> | undefined;
  readonly #stopped = Promise.withResolvers<void>();

  constructor(env: Env, device: WalbDevice, options: ServeOptions, isNew: boolean) {
    this.device = device;
    this.isNew = isNew;
    this.#env = env;
    this.#options = options;
    this.#server = new NbdServer({ clock: env.clock, log: env.log });
    this.#server.addExport(options.name, blockBackend(device), `walb device ${options.name}`);
  }

  get uris(): readonly string[] {
    return this.#nbd.map(({ uri }) => uri);
  }

  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Control last: who can reach it may rely on NBD. */
  async start(): Promise<void> {
    const { nbd, nbdTls, control } = this.#options;
    for (const address of nbd) {
      const tls = nbdTls === undefined || address.kind === 'unix' ? {} : { tls: nbdTls };
      this.#nbd.push(await listenNbd(this.#server, address, tls));
    }
    if (control === undefined) return;
    this.#control = await this.#env.network.listen(`unix:${resolve(control)}`, this.#bindings());
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** No new clients, then no more requests, then the engine's last checkpoint. */
  async #stop(): Promise<void> {
    try {
      await Promise.all([...this.#nbd.map((listener) => listener.close()), this.#server.close()]);
      await this.device.close();
      // Watchers are let go; every other call ends by itself, that of DeleteDevice included.
      this.#closing.abort();
      await this.#control?.close();
    } finally {
      this.#stopped.resolve();
    }
  }

  #bindings() {
    const { log, data, name } = this.#options;
    const handle = this.#env.files.open(log, 'read');
    const { ringOffsetPb } = openRingLog(handle).geometry;
    handle.close();
    return deviceBindings({
      device: this.device,
      name,
      files: this.#env.files,
      clock: this.#env.clock,
      logPath: log,
      dataPath: data,
      ringOffsetPb,
      nbdAddresses: this.#nbd.map(({ address }) =>
        address.kind === 'unix' ? `unix:${address.path}` : `${address.host}:${address.port}`,
      ),
      pid: process.pid,
      version: packageVersion(),
      clients: () => this.#server.clientsOf(name),
      closing: this.#closing.signal,
      stop: () => void this.stop(),
    });
  }
}

export function packageVersion(): string {
  const file = new URL('../../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return version;
}
