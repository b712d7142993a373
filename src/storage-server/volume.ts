/**
 * One volume at a storage server: its device, its files, its records, and what was last done for it.
 *
 * Source: semantics.md B.1, B.2, B.7.
 */
import {
  type CancelTimer,
  equalBytes,
  type Gid,
  type Lsid,
  Mutex,
  type Pb,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import type { Remembered } from '../server/history.ts';
import type { ServerCore } from '../server/server-core.ts';
import { ServerVolume } from '../server/volume.ts';
import type { DeviceInfo, Lsids, VolumeDevice } from '../wdev/volume-device.ts';
import type { StorageConfig } from './config.ts';
import { LogRate } from './log-rate.ts';
import {
  type BackupBegin,
  dropDelivered,
  INITIAL_RECORDS,
  type LsidGid,
  type PartSent,
  type Records,
  resetRecords,
  takeSnapshot,
  whyBackupCanNotGoOn,
} from './records.ts';
import {
  type StorageAction,
  type StorageCommand,
  type StorageState,
  type StorageTrigger,
  storageModel,
} from './states.ts';
import { type StoredVolume, VolumeFiles } from './volume-files.ts';

/** Subjects of the history. */
export const WLOG_SENT = 'wlog-sent';
export const BACKUP = 'backup';

const INFINITY = Number.POSITIVE_INFINITY;

export class StorageVolume extends ServerVolume<
  StorageState,
  StorageTrigger,
  StorageAction,
  StorageCommand
> {
  readonly files: VolumeFiles;
  readonly logRate = new LogRate();
  retryDelay: number | undefined;
  readonly #core: ServerCore;
  readonly #config: StorageConfig;
  readonly #recordsLock = new Mutex();
  #device: VolumeDevice | undefined;
  #info: DeviceInfo | undefined;
  #records: Records = INITIAL_RECORDS;
  #uuid: Uint8Array = new Uint8Array(16);
  #partSent: PartSent | undefined;
  #backup: BackupBegin | undefined;
  /** Aborts when the log is reset: what was read of the old one must not be delivered any more. */
  #history = new AbortController();
  #devicePath = '';
  #isOverflow = false;
  #unwatch: CancelTimer | undefined;
  /** As of the last look at the device. */
  #permanent: Lsid = 0n;
  #pendingSince: UnixSeconds | undefined;
  #hasLooked = false;

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

  /** False while the volume is being made or removed. */
  get isOpen(): boolean {
    return this.#device !== undefined;
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
    this.logRate.note(this.#core.clock.monotonic(), lsids);
    this.#notePending(lsids.permanent);
    return lsids;
  }

  /** When a proxy last took log of this volume, and which one. */
  get lastSent(): Remembered {
    return this.remembered(WLOG_SENT);
  }

  get lastBackup(): Remembered {
    return this.remembered(BACKUP);
  }

  /** How long the oldest log that no proxy has has been waiting; 0 when all is delivered. */
  get lag(): UnixSeconds {
    if (this.#pendingSince === undefined) return 0;
    const since = Math.min(this.#pendingSince, this.#records.queue[0]?.timestamp ?? INFINITY);
    return Math.max(0, this.now() - since);
  }

  /** Notes since when log waits. What waits at start-up may be as old as the last delivered snapshot. */
  #notePending(permanent: Lsid): void {
    this.#permanent = permanent;
    const { done } = this.#records;
    if (permanent <= done.lsid) this.#pendingSince = undefined;
    else if (this.#hasLooked) {
      // What is left of an earlier wait was written after the snapshot that is delivered now.
      this.#pendingSince = Math.max(this.#pendingSince ?? this.now(), done.timestamp);
    } else this.#pendingSince = done.timestamp;
    this.#hasLooked = true;
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

  /** As `forceSignal`, and when the log is reset. */
  get sendSignal(): AbortSignal {
    return AbortSignal.any([this.stop.forceSignal, this.#core.forced, this.#history.signal]);
  }

  // ---- records

  get records(): Records {
    return this.#records;
  }

  get uuid(): Uint8Array {
    return this.#uuid;
  }

  get partSent(): PartSent | undefined {
    return this.#partSent;
  }

  /** Takes over what was stored; at start-up. */
  restore({ records, uuid, partSent, backup }: Omit<StoredVolume, 'devicePath' | 'state'>): void {
    this.#records = records;
    this.#backup = backup;
    this.#uuid = uuid;
    this.#partSent = partSent;
  }

  /**
   * Throws `conflict` when the log is not the one the records tell of: a crash came between the reset
   * of the log and the files that tell of it, or the device was formatted.
   */
  requireOwnLog(): void {
    const isNew = this.#records.done.gid === INITIAL_RECORDS.done.gid;
    if (isNew || equalBytes(this.#uuid, this.info.uuid)) return;
    throw new WalbError(
      'conflict',
      `the log of ${this.devicePath} belongs to another history than volume ${this.id}: stop and reset it where it is Target or Stopped, then run hash_backup(storage, '${this.id}')`,
      { details: { volume: this.id, device: this.devicePath } },
    );
  }

  /** A durable snapshot of everything written before the call. Throws `overflow`, `conflict`. */
  async takeSnapshot(): Promise<LsidGid> {
    await this.requireNoOverflow('snapshot');
    this.requireOwnLog();
    using _lock = await this.#recordsLock.lock();
    const { latest } = await this.lsids();
    // Before the record: a power cut could otherwise take log that a snapshot is said to end with, and
    // that lsid would come to lie in the middle of other log.
    await this.device.flush();
    return await this.#record(latest, false);
  }

  /** An implicit snapshot, which merges may swallow; of permanent log, so that it can be sent now. */
  async takeImplicitSnapshot(): Promise<LsidGid> {
    using _lock = await this.#recordsLock.lock();
    const { permanent } = await this.lsids();
    return await this.#record(permanent, true);
  }

  async #record(lsid: Lsid, isMergeable: boolean): Promise<LsidGid> {
    const at = { lsid, isMergeable, now: this.now() };
    const { records, taken } = takeSnapshot(this.#records, at, this.maxPb);
    await this.files.setQueue(records.queue);
    this.#records = records;
    this.changed.notify();
    return taken;
  }

  /** Remembers durably where a part ends, before a proxy learns of it. */
  async willSendPart(part: PartSent): Promise<void> {
    await this.files.setPartSent(part);
    this.#partSent = part;
  }

  /**
   * Everything from `begin` up to `done` has been delivered: remembered durably before log is freed.
   * Throws `conflict` when `begin` is not where delivery stood: the log was reset meanwhile.
   */
  async delivered(begin: LsidGid, done: LsidGid, peer: string): Promise<void> {
    using _lock = await this.#recordsLock.lock();
    if (this.#records.done !== begin) {
      throw new WalbError('conflict', `the log of volume ${this.id} was reset while it was sent`, {
        details: { volume: this.id, lsid: begin.lsid, gid: begin.gid },
      });
    }
    const records = dropDelivered({ done, queue: this.#records.queue });
    await this.files.setDelivered(records);
    this.#records = records;
    this.remember(WLOG_SENT, peer);
    this.#notePending(this.#permanent);
    this.changed.notify();
  }

  async dropDelivered(): Promise<void> {
    using _lock = await this.#recordsLock.lock();
    const records = dropDelivered(this.#records);
    if (records.queue === this.#records.queue) return;
    await this.files.setQueue(records.queue);
    this.#records = records;
  }

  /**
   * Drops all log and begins a new history at `gid`. The device first: a crash afterwards leaves
   * records of a log that is gone, which the uuid tells.
   */
  async resetLog(gid: Gid): Promise<void> {
    using _lock = await this.#recordsLock.lock();
    this.#history.abort(new WalbError('cancelled', `the log of volume ${this.id} is reset`));
    this.#history = new AbortController();
    this.#info = await this.device.resetLog();
    this.#records = resetRecords(gid, this.now());
    await this.files.setRecords(this.#records);
    // Last, in memory too: with the old uuid every use of the log is refused.
    await this.files.setUuid(this.#info.uuid);
    this.#uuid = this.#info.uuid;
    this.#isOverflow = false;
    this.#pendingSince = undefined;
    this.changed.notify();
  }

  // ---- full backup

  /** Where the full backup began that has not ended; undefined when there is none. */
  get backup(): BackupBegin | undefined {
    return this.#backup;
  }

  /** A new history for a full backup; remembered, so that the backup can go on when it is broken off. */
  async beginBackup(gid: Gid): Promise<BackupBegin> {
    await this.resetLog(gid);
    const backup = { uuid: this.#uuid, gid, sizeLb: this.info.sizeLb };
    await this.files.setBackup(backup);
    this.#backup = backup;
    return backup;
  }

  async endBackup(): Promise<void> {
    this.#backup = undefined;
    await this.files.removeBackup();
  }

  /** Why `backup` can not go on (records.ts); undefined when it can. */
  async whyBackupCanNotGoOn(backup: BackupBegin): Promise<string | undefined> {
    const { oldest } = await this.lsids();
    // Asked anew: the log may have been reset behind this server's back.
    const { uuid, sizeLb } = await this.device.info();
    return whyBackupCanNotGoOn(backup, {
      records: this.#records,
      uuid,
      sizeLb,
      oldest,
      isOverflow: await this.checkOverflow(),
    });
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
