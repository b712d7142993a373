/**
 * A device of the kernel driver behind `VolumeDevice`: positions from sysfs, log from the log device
 * node through the same pack reader, control through `wdevc`.
 *
 * Source: cli.md 3, semantics.md B.3 (watching `walb/lsids`), B.4.
 */
import {
  type Bytes,
  type CancelTimer,
  type Env,
  type FileHandle,
  LB_SIZE,
  type Lb,
  type Lsid,
  type Millis,
  WalbError,
} from '../../core/index.ts';
import { openRingLog, type RingLog } from '../../wlog/index.ts';
import { lostLog, readPacks } from '../engine/log-reader.ts';
import type {
  DeviceInfo,
  DeviceOpener,
  Lsids,
  RawLogpack,
  VolumeDevice,
} from '../volume-device.ts';
import { type KernelPaths, kernelPaths, parseLsids, parseOverflow, parseSize } from './sysfs.ts';

/** Runs `wdevc` with arguments and resolves with its standard output; rejects when it fails. */
export type WdevcRunner = (args: readonly string[]) => Promise<string>;

export interface KernelOptions {
  readonly runWdevc: WdevcRunner;
  /**
   * Opens the log device for reading past the page cache: the driver writes the disk underneath, so
   * cached pages of the log device go stale.
   */
  readonly openUncached: (path: string) => FileHandle;
  /** Time between looks at the positions while somebody watches. */
  readonly pollInterval?: Millis;
}

const POLL_INTERVAL: Millis = 100;
/** The files of sysfs are a page at most. */
const SYSFS_BYTES: Bytes = 4096;

export class KernelDevice implements VolumeDevice {
  readonly #env: Env;
  readonly #paths: KernelPaths;
  readonly #options: KernelOptions;
  readonly #device: FileHandle;
  readonly #log: FileHandle;
  readonly #watchers = new Set<() => void>();
  #poll: CancelTimer | undefined;
  #lastSeen = '';
  #isClosed = false;

  /** Throws `not-found` when there is no such device, `corrupt` when its super sector does not verify. */
  constructor(env: Env, path: string, options: KernelOptions) {
    this.#env = env;
    this.#paths = kernelPaths(path);
    this.#options = options;
    this.#device = env.files.open(this.#paths.device, 'update');
    try {
      this.#log = options.openUncached(this.#paths.logDevice);
    } catch (error) {
      this.#device.close();
      throw error;
    }
  }

  async info(): Promise<DeviceInfo> {
    const { pbs, ringPb, uuid, salt } = this.#ring().superSector;
    const { name, device: path, sysfs } = this.#paths;
    const sizeLb = parseSize(this.#sysfs('size'), `${sysfs}/size`);
    return { name, path, sizeLb, pbs, ringPb, uuid, salt };
  }

  async lsids(): Promise<Lsids> {
    return this.#lsids();
  }

  async isOverflow(): Promise<boolean> {
    return this.#isOverflow();
  }

  watch(listener: () => void): CancelTimer {
    const own = () => listener();
    this.#watchers.add(own);
    this.#lastSeen ||= this.#sysfs('walb/lsids');
    this.#arm();
    return () => {
      this.#watchers.delete(own);
      if (this.#watchers.size === 0) this.#disarm();
    };
  }

  readLog(begin: Lsid, signal?: AbortSignal): AsyncIterable<RawLogpack> {
    const ring = this.#ring();
    const window = () => {
      const lsids = this.#lsids();
      const isOverflow = this.#isOverflow();
      const { device } = this.#paths;
      const requirePresent = (lsid: Lsid) => {
        if (isOverflow || lsid < lsids.oldest)
          throw lostLog(lsid, lsids.oldest, device, isOverflow);
      };
      return { permanent: lsids.permanent, requirePresent };
    };
    return readPacks(ring, begin, window, signal);
  }

  async readBlocks(offset: Lb, into: Uint8Array): Promise<void> {
    const got = this.#device.read(into, offset * LB_SIZE);
    if (got === into.length) return;
    const { device } = this.#paths;
    throw new WalbError(
      'invalid-argument',
      `${device} ends within the range read at block ${offset}`,
      {
        details: { path: device, offset, length: into.length, got },
      },
    );
  }

  flush(): Promise<void> {
    return this.#device.sync();
  }

  async takeCheckpoint(): Promise<void> {
    await this.#wdevc('force-checkpoint');
  }

  async setOldestLsid(lsid: Lsid): Promise<void> {
    await this.#wdevc('set-oldest-lsid', String(lsid));
  }

  async resetLog(): Promise<DeviceInfo> {
    await this.#wdevc('reset-wal');
    return this.info();
  }

  async resize(sizeLb: Lb): Promise<void> {
    await this.#wdevc('resize', String(sizeLb));
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watchers.clear();
    this.#disarm();
    this.#device.close();
    this.#log.close();
  }

  async #wdevc(command: string, ...args: string[]): Promise<void> {
    await this.#options.runWdevc([command, this.#paths.device, ...args]);
  }

  /** The super sector is read anew: a reset, by whomever, changes uuid and salt. */
  #ring(): RingLog {
    return openRingLog(this.#log);
  }

  #lsids(): Lsids {
    return parseLsids(this.#sysfs('walb/lsids'), `${this.#paths.sysfs}/walb/lsids`);
  }

  #isOverflow(): boolean {
    return parseOverflow(this.#sysfs('walb/status'), `${this.#paths.sysfs}/walb/status`);
  }

  #sysfs(file: string): string {
    const handle = this.#env.files.open(`${this.#paths.sysfs}/${file}`, 'read');
    try {
      const bytes = new Uint8Array(SYSFS_BYTES);
      return new TextDecoder().decode(bytes.subarray(0, handle.read(bytes, 0)));
    } finally {
      handle.close();
    }
  }

  #arm(): void {
    const interval = this.#options.pollInterval ?? POLL_INTERVAL;
    this.#poll ??= this.#env.clock.after(interval, () => {
      this.#poll = undefined;
      this.#look();
      if (this.#watchers.size > 0) this.#arm();
    });
  }

  #disarm(): void {
    this.#poll?.();
    this.#poll = undefined;
  }

  #look(): void {
    try {
      const seen = this.#sysfs('walb/lsids');
      if (seen === this.#lastSeen) return;
      this.#lastSeen = seen;
    } catch (err) {
      // The device may be gone; whoever asks next gets the error, a watcher is told to ask.
      this.#env.log.warn({ err }, `${this.#paths.device}: positions can not be read`);
    }
    for (const listener of [...this.#watchers]) listener();
  }
}

/** Opens kernel devices by their path. */
export function kernelOpener(env: Env, options: KernelOptions): DeviceOpener {
  return { open: async (path) => new KernelDevice(env, path, options) };
}
