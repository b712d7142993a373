/**
 * One volume at a storage server: its device, its files, its records, and what was last done for it.
 *
 * Source: semantics.md B.1, B.2, B.7.
 */
import {
  type CancelTimer,
  type Gid,
  type Lsid,
  Mutex,
  type Pb,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { ServerVolume } from '../server/volume.ts';
import type { DeviceInfo, Lsids, VolumeDevice } from '../wdev/volume-device.ts';
import type { StorageConfig } from './config.ts';
import { LogRate } from './log-rate.ts';
import {
  dropDelivered,
  INITIAL_RECORDS,
  type LsidGid,
  type Records,
  resetRecords,
  takeSnapshot,
} from './records.ts';
import {
  type StorageAction,
  type StorageCommand,
  type StorageState,
  type StorageTrigger,
  storageModel,
} from './states.ts';
import { VolumeFiles } from './volume-files.ts';

export class StorageVolume extends ServerVolume<
  StorageState,
  StorageTrigger,
  StorageAction,
  StorageCommand
> {
  readonly files: VolumeFiles;
  readonly logRate = new LogRate();
  lastSent: UnixSeconds = 0;
  lastProxy = '';
  lastBackup: UnixSeconds = 0;
  retryDelay: number | undefined;
  readonly #core: ServerCore;
  readonly #config: StorageConfig;
  readonly #recordsLock = new Mutex();
  #device: VolumeDevice | undefined;
  #info: DeviceInfo | undefined;
  #records: Records = INITIAL_RECORDS;
  #uuid: Uint8Array = new Uint8Array(16);
  #devicePath = '';
  #isOverflow = false;
  #unwatch: CancelTimer | undefined;

  constructor(core: ServerCore, config: StorageConfig, id: string, initial: StorageState) {
    super(core, id, storageModel, initial);
    this.#core = core;
    this.#config = config;
    this.files = new VolumeFiles(core.env, `${config.baseDirectory}/${id}`);
  }

  // ---- device

  async attach(path: string, device: VolumeDevice): Promise<void> {
    this.#devicePath = path;
    this.#device = device;
    this.#info = await device.info();
  }

  async detach(): Promise<void> {
    this.stopMonitoring();
    await this.#device?.close();
    this.#device = undefined;
  }

  get device(): VolumeDevice {
    if (this.#device !== undefined) return this.#device;
    throw new WalbError('unavailable', `the device of volume ${this.id} is not open`);
  }

  get devicePath(): string {
    return this.#devicePath;
  }

  /** As of the last attach, reset or resize. */
  get info(): DeviceInfo {
    if (this.#info !== undefined) return this.#info;
    throw new WalbError('unavailable', `the device of volume ${this.id} is not open`);
  }

  /** `-wl` in physical blocks of this device. */
  get maxPb(): Pb {
    return Math.floor(this.#config.maxWlogSend / this.info.pbs);
  }

  async lsids(): Promise<Lsids> {
    const lsids = await this.device.lsids();
    this.logRate.note(this.#core.clock.monotonic(), lsids.latest);
    return lsids;
  }

  // ---- monitoring

  get isMonitored(): boolean {
    return this.#unwatch !== undefined;
  }

  startMonitoring(onEvent: () => void): void {
    this.#unwatch ??= this.device.watch(onEvent);
    onEvent();
  }

  stopMonitoring(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
  }

  /** Work on this volume gives up when this aborts: force stop, or shutdown by force. */
  get forceSignal(): AbortSignal {
    return AbortSignal.any([this.stop.forceSignal, this.#core.forced]);
  }

  // ---- records

  get records(): Records {
    return this.#records;
  }

  get uuid(): Uint8Array {
    return this.#uuid;
  }

  /** Takes over what was stored; at start-up. */
  restore(records: Records, uuid: Uint8Array): void {
    this.#records = records;
    this.#uuid = uuid;
  }

  /** A durable snapshot at `lsid`. Throws `overflow`, `conflict`. */
  async takeSnapshot(lsid: Lsid, isMergeable: boolean): Promise<LsidGid> {
    await this.requireNoOverflow('snapshot');
    using _lock = await this.#recordsLock.lock();
    const at = { lsid, isMergeable, now: this.now() };
    const { records, taken } = takeSnapshot(this.#records, at, this.maxPb);
    await this.files.setQueue(records.queue);
    this.#records = records;
    this.changed.notify();
    return taken;
  }

  /** Everything up to `done` has been delivered: remembered durably before log is freed. */
  async delivered(done: LsidGid): Promise<void> {
    using _lock = await this.#recordsLock.lock();
    const records = dropDelivered({ done, queue: this.#records.queue });
    await this.files.setDelivered(records);
    this.#records = records;
    this.lastSent = this.now();
    this.changed.notify();
  }

  async dropDelivered(): Promise<void> {
    using _lock = await this.#recordsLock.lock();
    const records = dropDelivered(this.#records);
    if (records === this.#records || records.queue === this.#records.queue) return;
    await this.files.setQueue(records.queue);
    this.#records = records;
  }

  /**
   * Drops all log and begins a new history at `gid`. The device first: a crash afterwards leaves
   * records of a log that is gone, which the uuid tells.
   */
  async resetLog(gid: Gid): Promise<void> {
    using _lock = await this.#recordsLock.lock();
    this.#info = await this.device.resetLog();
    this.#uuid = this.#info.uuid;
    this.#records = resetRecords(gid, this.now());
    await this.files.setRecords(this.#records);
    await this.files.setUuid(this.#uuid);
    this.#isOverflow = false;
    this.changed.notify();
  }

  async resize(sizeLb: number): Promise<void> {
    await this.device.resize(sizeLb);
    this.#info = await this.device.info();
    this.touch('size');
  }

  /** As of the last look at the device. */
  get isOverflow(): boolean {
    return this.#isOverflow;
  }

  async checkOverflow(): Promise<boolean> {
    const before = this.#isOverflow;
    this.#isOverflow = await this.device.isOverflow();
    if (before !== this.#isOverflow) this.changed.notify();
    return this.#isOverflow;
  }

  async requireNoOverflow(command: string): Promise<void> {
    if (!(await this.checkOverflow())) return;
    throw new WalbError(
      'overflow',
      `the log of volume ${this.id} has overflowed, so ${command} is not possible: run stop(storage, '${this.id}') if it is Target, then hash_backup(storage, '${this.id}')`,
      { details: { volume: this.id, command } },
    );
  }
}
