/**
 * One volume at an archive: its catalogue, its images, and what was last done for it.
 *
 * Source: semantics.md D; systems.md W7 (a gap is reported, not waited for).
 */
import {
  type Bytes,
  bytesToLb,
  type Gid,
  hasCode,
  INVALID_GID,
  type Lb,
  type Millis,
  throwIfAborted,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import { diffToMessage, type GapReport, snapshotToMessage } from '../rpc/index.ts';
import type { Remembered } from '../server/history.ts';
import type { ServerCore } from '../server/server-core.ts';
import { ServerVolume } from '../server/volume.ts';
import { findGaps, type Snapshot, stateUpTo } from '../wdiff/index.ts';
import { BaseReaders } from './base-readers.ts';
import { Catalogue } from './catalogue.ts';
import type { ArchiveConfig } from './config.ts';
import type { ImageStore, StoredImage } from './image-store.ts';
import { Replicas } from './replicas.ts';
import {
  type ArchiveAction,
  type ArchiveCommand,
  type ArchiveState,
  type ArchiveTrigger,
  archiveModel,
} from './states.ts';
import { TimedLock } from './timed-lock.ts';

/** Where the settings do not say anything else. */
const LOCK_TIME_MS: Millis = 10_000;

/** Subjects of the history. */
export const WDIFF_RECEIVED = 'wdiff-received';
export const APPLY = 'apply';
const SYNC = 'sync';

export type ImageStoreFactory = (volume: string, directory: string) => ImageStore;

export class ArchiveVolume extends ServerVolume<
  ArchiveState,
  ArchiveTrigger,
  ArchiveAction,
  ArchiveCommand
> {
  readonly catalogue: Catalogue;
  readonly images: ImageStore;
  /** Held while the catalogue and its files are changed together. */
  readonly lock: TimedLock;
  readonly readers = new BaseReaders();
  readonly replicas = new Replicas();
  /** Snapshots that a running restore leads to: a merge leaves them where they are, no list shows them. */
  readonly wanted = new Set<Gid>();
  /** Blocks done by the running full, hash or resync server; 0 = none. */
  progressLb: Lb = 0;
  #refusedGap: GapReport | undefined;
  readonly #core: ServerCore;

  constructor(
    core: ServerCore,
    config: ArchiveConfig,
    images: ImageStoreFactory,
    id: string,
    initial: ArchiveState,
  ) {
    super(core, id, archiveModel, initial);
    this.#core = core;
    const directory = `${config.baseDirectory}/${id}`;
    this.catalogue = new Catalogue(core.env, directory);
    this.images = images(id, directory);
    this.lock = new TimedLock(core.clock, this.log, config.lockTimeThreshold ?? LOCK_TIME_MS);
  }

  get core(): ServerCore {
    return this.#core;
  }

  /** Work on this volume gives up when this aborts: force stop, or shutdown by force. */
  get forceSignal(): AbortSignal {
    return AbortSignal.any([this.stop.forceSignal, this.#core.forced]);
  }

  /** Throws `cancelled`; cheap enough to be asked for every piece of work. */
  requireRunning(what: string): void {
    throwIfAborted(this.stop.forceSignal, what);
    throwIfAborted(this.#core.forced, what);
  }

  /** Throws `not-found` without a base image. */
  requireSize(): Bytes {
    const size = this.images.baseSize();
    if (size !== undefined) return size;
    throw new WalbError(
      'not-found',
      `volume ${this.id} has no base image: run full_backup(storage, '${this.id}')`,
      { details: { volume: this.id } },
    );
  }

  get sizeLb(): Lb | undefined {
    const size = this.images.baseSize();
    return size === undefined ? undefined : bytesToLb(size);
  }

  latest(): Snapshot {
    return this.catalogue.latest();
  }

  /** Restored images that no running restore is still busy with. */
  restored(): StoredImage[] {
    return this.images.restored().filter(({ gid }) => !this.wanted.has(gid));
  }

  /**
   * Everything but the base image: base state, uuids, diffs, cold snapshots and restored images. Call
   * it in SyncReady (see `Catalogue.forget`).
   */
  async forgetData(): Promise<void> {
    await this.catalogue.forget();
    await this.dropSnapshotImages();
  }

  /** Restored images and cold snapshots. */
  async dropSnapshotImages(): Promise<void> {
    const { images } = this;
    for (const { gid } of images.cold()) await images.coldImages?.delete(gid);
    for (const { gid } of images.restored()) await images.deleteRestored(gid);
  }

  /** A backup or replication from `sender` has brought everything that was missing. */
  synced(sender: string): void {
    this.remember(SYNC, sender);
    this.succeeded();
    this.clearGap();
  }

  /** The last backup or replication that ended. */
  get lastSync(): Remembered {
    return this.remembered(SYNC);
  }

  get lastReceived(): Remembered {
    return this.remembered(WDIFF_RECEIVED);
  }

  get lastApply(): Remembered {
    return this.remembered(APPLY);
  }

  /** Proxy, archive or storage that brought something last. */
  get lastSender(): string {
    const { lastSync, lastReceived } = this;
    return lastSync.success > lastReceived.success ? lastSync.peer : lastReceived.peer;
  }

  /** Makes a plan for snapshot `gid`; when it can not be found because diffs are missing, says so. */
  explained<T>(gid: Gid, plan: () => T): T {
    try {
      return plan();
    } catch (error) {
      const gap = this.#missing().find(({ from }) => from < gid);
      if (!hasCode(error, 'not-found')) throw error;
      const way =
        gap === undefined
          ? `get_restorable(archive, '${this.id}', 'all') lists what can be`
          : `the diffs from gid ${gap.from} to ${gap.to} are missing; run hash_backup(storage, '${this.id}') or replicate from another archive`;
      const where = gap === undefined ? {} : { gapFrom: gap.from, gapTo: gap.to };
      throw new WalbError('not-found', `${(error as WalbError).message}: ${way}`, {
        details: { volume: this.id, gid, ...where },
        cause: error,
      });
    }
  }

  /** From where to where diffs are missing, as far as is known. */
  #missing(): { from: Gid; to: Gid }[] {
    const { diffs, base } = this.catalogue;
    const { expected, found } = this.#refusedGap ?? {};
    const stored = findGaps(diffs, base.base);
    if (expected === undefined || found?.snapB === undefined) return stored;
    return [...stored, { from: expected.gidB, to: found.snapB.gidB }];
  }

  /** When the latest snapshot was taken; its age is how far the backup lags. */
  latestTimestamp(): UnixSeconds {
    const { diffs, base } = this.catalogue;
    return this.catalogue.hasBase() ? stateUpTo(diffs, base).timestamp : 0;
  }

  /** A sender's diff did not follow: something before it is lost. Kept until a diff is accepted. */
  noteGap(gap: Omit<GapReport, 'since' | 'advice'>): void {
    const advice = `nothing continues gid ${gap.expected?.gidB ?? '?'}: when no other proxy still has those diffs, they are lost; run hash_backup(storage, '${this.id}')`;
    this.#refusedGap = { ...gap, since: this.#refusedGap?.since ?? this.now(), advice };
    this.changed.notify();
  }

  clearGap(): void {
    if (this.#refusedGap === undefined) return;
    this.#refusedGap = undefined;
    this.changed.notify();
  }

  /** Missing pieces: in what is stored, and before what a sender offered. */
  gaps(): GapReport[] {
    const { diffs, base } = this.catalogue;
    if (base.base.b === INVALID_GID) return [];
    const stored = findGaps(diffs, base.base).map(({ from, to }): GapReport => {
      const found = diffs.startingAt(to)[0];
      return {
        expected: snapshotToMessage({ b: from, e: from }),
        found: found === undefined ? undefined : diffToMessage(found),
        since: found?.timestamp ?? 0,
        peer: '',
        advice: `diffs from gid ${from} to ${to} are missing: run hash_backup(storage, '${this.id}'), or replicate from another archive`,
      };
    });
    return this.#refusedGap === undefined ? stored : [...stored, this.#refusedGap];
  }
}
