/**
 * The user-space walb device: every write goes to the ring log first, is acknowledged, and reaches
 * the data image in the background. docs/device.md tells the whole story.
 *
 *     const device = await openDevice(env, { log: 'vol.log', data: 'vol.img' });
 *     device.submit([{ kind: 'write', offset: 0, data }]);   // undefined: logged already
 *     await device.flush();                                  // on stable storage
 *     device.read(0, into);                                  // sees what was written
 *
 * Source: semantics.md B, formats.md 3; behaviours W1, W2, W5, W10, X1-X6 (hooks).
 */
import {
  type Bytes,
  type CancelTimer,
  type Env,
  LB_SIZE,
  type Lb,
  type Lsid,
  type Millis,
  WalbError,
} from '../../core/index.ts';
import type { RingLog } from '../../wlog/index.ts';
import type { DeviceInfo, Lsids, RawLogpack, VolumeDevice } from '../volume-device.ts';
import { Administration } from './administration.ts';
import { Applier } from './applier.ts';
import { Checkpointer } from './checkpointer.ts';
import type { DataImage } from './data-image.ts';
import type { BlockHooks } from './hooks.ts';
import { Intake } from './intake.ts';
import { appendLimits, LogAppender } from './log-appender.ts';
import { lostLog, readPacks } from './log-reader.ts';
import { LogSyncer } from './log-syncer.ts';
import { PendingWrites } from './pending.ts';
import { groupRequests, validateRequest, type WriteRequest } from './requests.ts';
import { EngineState, positionsAt } from './state.ts';
import type { SuperStore } from './super-store.ts';

/** What `openDevice` puts together: files open and locked, log redone. */
export interface EngineParts {
  readonly env: Env;
  readonly log: RingLog;
  readonly image: DataImage;
  readonly superStore: SuperStore;
  readonly hooks: BlockHooks;
  readonly path: string;
  readonly checkpointInterval: Millis;
  readonly pendingMemory: Uint8Array;
  readonly pendingWrites: number;
  /** Closes files and gives back locks and memory. */
  readonly release: () => void;
}

/** Figures beyond the lsids, for status displays. */
export interface EngineStatus {
  readonly condition: 'ok' | 'overflow' | 'no-space' | 'failed' | 'closed';
  /** What the condition is about; undefined when ok. */
  readonly reason: WalbError | undefined;
  readonly pendingBytes: number;
  readonly pendingWrites: number;
  readonly isFrozen: boolean;
}

export class WalbDevice implements VolumeDevice {
  readonly #parts: EngineParts;
  readonly #state: EngineState;
  readonly #pending: PendingWrites;
  readonly #appender: LogAppender;
  readonly #syncer: LogSyncer;
  readonly #applier: Applier;
  readonly #checkpointer: Checkpointer;
  readonly #intake: Intake;
  readonly #readImage: (into: Uint8Array, offset: Lb) => void;
  readonly #admin: Administration;
  #closing: Promise<void> | undefined;

  /** Use `openDevice`. */
  constructor(parts: EngineParts) {
    const { env, log, image, superStore, hooks } = parts;
    const { pbs, ringPb } = log.geometry;
    const { writtenLsid, oldestLsid } = superStore.fields;
    this.#parts = parts;
    const positions = positionsAt(Number(writtenLsid), Number(oldestLsid));
    this.#state = new EngineState(positions, ringPb, env.log);
    const state = this.#state;
    this.#pending = new PendingWrites(parts.pendingMemory, parts.pendingWrites);
    const { salt } = superStore.fields;
    this.#appender = new LogAppender(
      log.file,
      log.geometry,
      salt,
      state,
      this.#pending,
      hooks,
      appendLimits(log.geometry, parts.pendingMemory.length),
    );
    this.#syncer = new LogSyncer(log.file, env.clock, state, pbs);
    const joins = hooks.beforeReplace === undefined;
    this.#applier = new Applier(env.clock, state, this.#pending, image, joins);
    this.#checkpointer = new Checkpointer(
      env.clock,
      state,
      image,
      superStore,
      this.#syncer,
      parts.checkpointInterval,
    );
    this.#intake = new Intake(
      state,
      this.#pending,
      this.#appender,
      this.#syncer,
      this.#checkpointer,
    );
    this.#admin = new Administration({
      ...parts,
      state,
      appender: this.#appender,
      intake: this.#intake,
      checkpointer: this.#checkpointer,
      requireOpen: () => this.#requireOpen(),
    });
    this.#readImage = (into, offset) => image.read(into, offset);
  }

  get sizeLb(): Lb {
    return this.#parts.superStore.fields.deviceLb;
  }

  get status(): EngineStatus {
    const { failure, stall, isOverflow } = this.#state;
    let condition: EngineStatus['condition'] = isOverflow ? 'overflow' : 'ok';
    if (stall !== undefined) condition = 'no-space';
    if (failure !== undefined) condition = 'failed';
    if (this.#closing !== undefined) condition = 'closed';
    return {
      condition,
      reason: failure ?? stall,
      pendingBytes: this.#pending.bytes,
      pendingWrites: this.#pending.count,
      isFrozen: this.#admin.isFrozen,
    };
  }

  /**
   * Writes, discards and zeroes the ranges of one batch, in order, by one log write. Undefined: all of
   * it is in the log already and every later read sees it; it survives a crash of the process, and a
   * power cut after `flush`. A promise: the same once it resolves; until then `data` must not change.
   * Throws (or rejects) `invalid-argument`, `no-space`, or `io` when the device failed.
   */
  submit(requests: readonly WriteRequest[]): Promise<void> | undefined {
    this.#requireOpen();
    const { sizeLb } = this;
    for (const request of requests) validateRequest(request, sizeLb);
    return this.#intake.submit(groupRequests(requests, this.#appender.limits));
  }

  /** Fills `into` (whole blocks) with the present content from `offset` on. */
  read(offset: Lb, into: Uint8Array): void {
    this.#requireOpen();
    const blocks = into.length / LB_SIZE;
    if (!Number.isInteger(blocks) || offset < 0 || offset + blocks > this.sizeLb) {
      throw new WalbError(
        'invalid-argument',
        `read of ${into.length} bytes at block ${offset} is not within the ${this.sizeLb} blocks`,
        { details: { offset, length: into.length } },
      );
    }
    this.#pending.read(offset, into, this.#readImage);
  }

  /**
   * First byte range at or after `position` that may hold data: data of the image or pending writes.
   * Everything before it reads as zeros; undefined when only zeros follow.
   */
  nextData(position: Bytes): { readonly start: Bytes; readonly end: Bytes } | undefined {
    this.#requireOpen();
    const pending = this.#pending.next(Math.floor(position / LB_SIZE));
    const start = pending && Math.max(pending.start * LB_SIZE, position);
    const stored = this.#parts.image.nextData(position);
    if (start === undefined || pending === undefined) return stored;
    if (stored !== undefined && stored.start <= start) return stored;
    return { start, end: pending.end * LB_SIZE };
  }

  readBlocks(offset: Lb, into: Uint8Array): Promise<void> {
    try {
      this.read(offset, into);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  flush(): Promise<void> {
    return this.#syncer.sync();
  }

  info(): Promise<DeviceInfo> {
    const { name, deviceLb, pbs, ringPb, uuid, salt } = this.#parts.superStore.fields;
    const { path } = this.#parts;
    return Promise.resolve({ name, path, sizeLb: deviceLb, pbs, ringPb, uuid: uuid.slice(), salt });
  }

  lsids(): Promise<Lsids> {
    const { latest, flush, permanent, applied, checkpointed, oldest } = this.#state.positions;
    return Promise.resolve({
      latest: BigInt(latest),
      submitted: BigInt(latest),
      flush: BigInt(flush),
      completed: BigInt(latest),
      permanent: BigInt(permanent),
      written: BigInt(applied),
      prevWritten: BigInt(checkpointed),
      oldest: BigInt(oldest),
    });
  }

  isOverflow(): Promise<boolean> {
    return Promise.resolve(this.#state.isOverflow);
  }

  watch(listener: () => void): CancelTimer {
    let isScheduled = false;
    let isCancelled = false;
    const unsubscribe = this.#state.changed.subscribe(() => {
      if (isScheduled) return;
      isScheduled = true;
      queueMicrotask(() => {
        isScheduled = false;
        if (!isCancelled) listener();
      });
    });
    return () => {
      isCancelled = true;
      unsubscribe();
    };
  }

  readLog(begin: Lsid, signal?: AbortSignal): AsyncIterable<RawLogpack> {
    const { log, superStore } = this.#parts;
    const { history } = this.#admin;
    const present: RingLog = { ...log, superSector: superStore.fields };
    const window = () => {
      this.#requireOpen();
      return {
        permanent: BigInt(this.#state.positions.permanent),
        requirePresent: (lsid: Lsid) => this.#requireLog(lsid, history),
      };
    };
    return readPacks(present, begin, window, signal);
  }

  async takeCheckpoint(): Promise<void> {
    this.#requireOpen();
    await this.#checkpointer.take();
  }

  get checkpointInterval(): Millis {
    return this.#checkpointer.interval;
  }

  setCheckpointInterval(interval: Millis): void {
    this.#checkpointer.changeInterval(interval);
  }

  setOldestLsid(lsid: Lsid): Promise<void> {
    return this.#admin.setOldestLsid(lsid);
  }

  async resetLog(): Promise<DeviceInfo> {
    await this.#admin.resetLog();
    return this.info();
  }

  resize(sizeLb: Lb): Promise<void> {
    return this.#admin.resize(sizeLb);
  }

  /**
   * Holds all writes back and brings the image up to date, until `melt` or for `seconds` (0: no end):
   * meanwhile the data image by itself is the volume. Freezing again sets a new time.
   */
  freeze(seconds = 0): Promise<void> {
    return this.#admin.freeze(seconds);
  }

  /** Lets writes go on; false when the device was not frozen. */
  melt(): boolean {
    return this.#admin.melt();
  }

  /**
   * Takes what was submitted to the image, records it and lets go of the files. A failed device just
   * lets go: the log has what was acknowledged.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    try {
      await this.#admin.end();
    } finally {
      await this.#applier.stop();
      await this.#checkpointer.stop();
      await this.#syncer.stop();
      this.#parts.release();
    }
  }

  #requireOpen(): void {
    if (this.#closing === undefined) return;
    throw new WalbError('wrong-state', `${this.#parts.path} is closed`, {
      details: { path: this.#parts.path },
    });
  }

  #requireLog(lsid: Lsid, history: number): void {
    const { path } = this.#parts;
    if (history !== this.#admin.history) {
      throw new WalbError('conflict', `${path}: the log was reset while it was read`, {
        details: { file: path, lsid },
      });
    }
    const { positions, isOverflow } = this.#state;
    const oldest = BigInt(positions.oldest);
    if (isOverflow || lsid < oldest) throw lostLog(lsid, oldest, path, isOverflow);
  }
}
