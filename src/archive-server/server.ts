/**
 * The archive server: keeps base images and diffs, restores and serves snapshots.
 *
 * Source: semantics.md D, E.3; cli.md kinds A.
 */
import { makeDirectoryDurably } from '../core/durable.ts';
import { type Binding, checkVolumeId, isVolumeId, WalbError } from '../core/index.ts';
import {
  type Accepted,
  ArchiveRpc,
  type ArchiveStatus,
  type ArchiveVolumeSummary,
  compressionToMessage,
  DiscardMode,
  HostType,
  handle,
  type InitVolumeRequest,
  type LastError,
  type LatestSnap,
  type ResetVolumeRequest,
  type StartRequest,
  StartRole,
  type StatusReply,
  type StopRequest,
  snapshotToMessage,
  type VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import type { ControlLogic } from '../server/control.ts';
import { nextFailure } from '../server/failures.ts';
import type { ServerCore } from '../server/server-core.ts';
import { type CommonSettings, clearView, commonStatus } from '../server/status.ts';
import { commandBindings } from './commands.ts';
import type { ArchiveConfig } from './config.ts';
import { debugBindings } from './debug.ts';
import { type ExportServing, Exports } from './exports.ts';
import { serveFullSync } from './full-sync.ts';
import { serveHashSync } from './hash-sync.ts';
import type { ImageParts } from './image-parts.ts';
import { loadVolume } from './load-volume.ts';
import { queryBindings } from './queries.ts';
import { receiveWdiff, type WdiffRefusal } from './receive-wdiff.ts';
import { startReplication } from './replication-client.ts';
import { serveReplication } from './replication-server.ts';
import {
  ARCHIVE_ACTIVE_OR_STOPPED_STATES,
  type ArchiveCommand,
  type ArchiveState,
} from './states.ts';
import { clearStatus, fullStatusOf, summaryOf, viewOf } from './status.ts';
import { stopArchiveVolume } from './stop.ts';
import { ArchiveVolume } from './volume.ts';

export interface ArchiveParts extends ImageParts {
  /** How exported snapshots get a socket. */
  readonly serveExport: ExportServing;
}

export class ArchiveServer implements ControlLogic {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
  readonly exports: Exports;
  readonly #settings: CommonSettings;
  readonly #parts: ArchiveParts;
  readonly #volumes = new Map<string, ArchiveVolume>();
  /** Volumes that could not be loaded, and why: they are shown, and left alone. */
  readonly #broken = new Map<string, WalbError>();

  constructor(
    core: ServerCore,
    config: ArchiveConfig,
    settings: CommonSettings,
    parts: ArchiveParts,
  ) {
    this.core = core;
    this.config = config;
    this.#settings = settings;
    this.#parts = parts;
    this.exports = new Exports(core, parts.serveExport, config.maxOpenDiffsVirtual);
  }

  /**
   * Loads every volume; what interrupted work left is tidied up. A volume that can not be used does not
   * keep the others from being served: every request for it is answered with what is wrong.
   */
  async load(): Promise<void> {
    const { files } = this.core.env;
    await makeDirectoryDurably(files, this.config.baseDirectory);
    this.core.history.open(this.config.baseDirectory);
    await this.#parts.volumeGroup?.load();
    for (const name of files.list(this.config.baseDirectory)) {
      if (isVolumeId(name)) await this.#loadVolume(name);
    }
    // Of every volume there is, served or not.
    this.core.history.keepOnly(files.list(this.config.baseDirectory));
  }

  async stopWork(): Promise<void> {
    // First the exports: filling one is a task, which would be waited for.
    await this.exports.closeAll();
    await Promise.all([...this.#volumes.values()].map(({ tasks }) => tasks.settled()));
    await this.core.history.close();
  }

  bindings(): Binding[] {
    return [
      ...queryBindings({
        all: () => this.all(),
        admitted: (id, command) => this.admitted(id, command),
        find: (id) => {
          this.#requireNotBroken(id);
          return this.find(id);
        },
      }),
      ...commandBindings(this),
      ...debugBindings(this),
      handle(ArchiveRpc.getVolumeGroup, async () => ({ name: this.config.lvm?.group ?? '' })),
      handle(ArchiveRpc.getThinpool, async () => ({ name: this.config.lvm?.pool ?? '' })),
      handle(ArchiveRpc.gatherLatestSnap, async ({ volumes }) => ({
        server: this.core.identity,
        items: volumes.map((volume) => this.#latestOf(checkVolumeId(volume))),
      })),
      handle(ArchiveRpc.fullSync, (stream, context) => serveFullSync(this, stream, context)),
      handle(ArchiveRpc.hashSync, (stream, context) => serveHashSync(this, stream, context)),
      handle(ArchiveRpc.transferWdiff, (stream, context) => receiveWdiff(this, stream, context)),
      handle(ArchiveRpc.replicate, (request) =>
        startReplication(this, this.require(request.volume, 'replicate'), request),
      ),
      handle(ArchiveRpc.serveReplication, (stream, context) =>
        serveReplication(this, stream, context),
      ),
    ];
  }

  // ---- what the actions and queries need

  all(): ArchiveVolume[] {
    return [...this.#volumes.values()];
  }

  find(id: string): ArchiveVolume | undefined {
    return this.#volumes.get(id);
  }

  /** Throws `wrong-state` for a volume that is Clear, `corrupt` for one that could not be loaded. */
  require(id: string, command: ArchiveCommand): ArchiveVolume {
    const volume = this.#volumes.get(checkVolumeId(id));
    if (volume !== undefined) return volume;
    this.#requireNotBroken(id);
    throw new WalbError(
      'wrong-state',
      `volume ${id} is Clear (not known here); ${command} needs it: run \`init-vol\` first`,
      { details: { volume: id, command, state: 'Clear' } },
    );
  }

  /** What a sender of diffs is told about a volume that is not served. */
  missing(id: string): WdiffRefusal {
    const error = this.#broken.get(id);
    if (error !== undefined) return { answer: 'other', text: error.message };
    return { answer: 'archive-not-found', text: `volume ${id} is not known here` };
  }

  admitted(id: string, command: ArchiveCommand): ArchiveVolume {
    const volume = this.require(id, command);
    volume.admit(command);
    return volume;
  }

  // ---- ControlLogic

  volumes(): string[] {
    return [...this.#volumes.keys(), ...this.#broken.keys()].sort();
  }

  state(id: string): VolumeState {
    this.#requireNotBroken(id);
    return this.#volumes.get(id)?.state ?? 'Clear';
  }

  view(id: string): VolumeView {
    const volume = this.#volumes.get(id);
    if (volume !== undefined) return viewOf(volume);
    return { ...clearView(id), lastError: this.#lastErrorOf(id) };
  }

  async status(id: string): Promise<StatusReply['status']> {
    if (id === '') return { $case: 'archive', value: this.#serverStatus() };
    const volume = this.#volumes.get(id);
    const value =
      volume === undefined
        ? { ...clearStatus(id), lastError: this.#lastErrorOf(id) }
        : fullStatusOf(volume, this.exports.count(id));
    return { $case: 'archiveVolume', value };
  }

  async initVolume({ volume: id, devicePath }: InitVolumeRequest): Promise<void> {
    if (devicePath !== '') {
      throw new WalbError(
        'invalid-argument',
        'an archive has no devices: init-vol takes only the volume',
      );
    }
    this.#requireNotBroken(id);
    const volume = this.#volumes.get(id) ?? this.#newVolume(id, 'Clear');
    volume.admit('init-vol');
    if (volume.catalogue.isComplete()) {
      throw new WalbError(
        'already-exists',
        `${volume.catalogue.directory} holds a volume this server has not loaded: restart it to have it served`,
        { details: { volume: id } },
      );
    }
    using change = volume.machine.begin('init-vol');
    this.#volumes.set(id, volume);
    try {
      await volume.catalogue.create();
    } catch (error) {
      // Or a repeated init would find a volume that looks whole, but was never promised to anybody.
      await volume.catalogue
        .destroy()
        .catch((err) => volume.log.warn({ err }, 'a failed init left files behind'));
      this.#forget(volume);
      throw error;
    }
    change.commit();
  }

  async clearVolume(id: string): Promise<void> {
    const volume = this.admitted(id, 'clear-vol');
    using change = volume.machine.begin('clear-vol');
    await this.#removeData(volume, change);
    await volume.catalogue.destroy();
    change.commit();
    this.#forget(volume);
  }

  async resetVolume({ volume: id, gid }: ResetVolumeRequest): Promise<void> {
    if (gid !== 0n)
      throw new WalbError('invalid-argument', 'an archive resets a volume without a gid');
    const volume = this.admitted(id, 'reset-vol');
    using change = volume.machine.begin('reset-vol');
    await this.#removeData(volume, change);
    change.commit();
    volume.touch('restorable', 'restored', 'cold', 'diff', 'size');
  }

  async start({ volume: id, role }: StartRequest): Promise<void> {
    if (role !== StartRole.UNSPECIFIED) {
      throw new WalbError('invalid-argument', 'an archive starts a volume without a role');
    }
    const volume = this.admitted(id, 'start');
    using change = volume.machine.begin('start');
    await volume.catalogue.setState('Archived');
    change.commit();
  }

  async stop({ volume, mode }: StopRequest): Promise<Accepted> {
    return stopArchiveVolume(this.require(volume, 'stop'), mode);
  }

  async latestSnap(id: string | undefined): Promise<LatestSnap[]> {
    const volumes = id === undefined ? this.all() : [this.#volumes.get(id)];
    return volumes.flatMap((volume) => {
      const isListed =
        volume !== undefined && ARCHIVE_ACTIVE_OR_STOPPED_STATES.includes(volume.state);
      if (!isListed || !volume.catalogue.hasBase()) return [];
      const gid = volume.latest().b;
      const timestamp = volume.latestTimestamp();
      return [{ volume: volume.id, kind: HostType.ARCHIVE, archive: '', gid, timestamp }];
    });
  }

  // ---- volumes

  #newVolume(id: string, state: ArchiveState): ArchiveVolume {
    return new ArchiveVolume(this.core, this.config, this.#parts.images, id, state);
  }

  async #loadVolume(id: string): Promise<void> {
    const { files } = this.core.env;
    const make = (state: ArchiveState) => this.#newVolume(id, state);
    try {
      const volume = await loadVolume(make, (directory) => files.list(directory));
      if (volume === undefined) return;
      this.exports.cleanTemporary(volume);
      this.#volumes.set(id, volume);
    } catch (thrown) {
      const { code, message, details } = WalbError.from(thrown);
      const text = `volume ${id} is not served, because it could not be loaded: ${message}; restart the server when that is repaired`;
      this.#broken.set(id, new WalbError(code, text, { details, cause: thrown }));
      this.core.log.error({ volume: id, err: thrown }, 'volume could not be loaded');
    }
  }

  /**
   * SyncReady first: whatever stops this half-way, here or after a restart, nobody takes what is left
   * for data, and the command can be repeated.
   */
  async #removeData(volume: ArchiveVolume, change: { rollback(): void }): Promise<void> {
    await volume.catalogue.setState('SyncReady');
    try {
      await this.exports.closeAll(volume.id);
      await volume.catalogue.forget();
      await volume.images.destroy();
    } catch (error) {
      change.rollback();
      volume.machine.force('SyncReady');
      throw error;
    }
  }

  #requireNotBroken(id: string): void {
    const error = this.#broken.get(id);
    if (error !== undefined) throw error;
  }

  #lastErrorOf(id: string): LastError | undefined {
    const error = this.#broken.get(id);
    if (error === undefined) return undefined;
    return nextFailure(undefined, error, this.core.started);
  }

  #forget(volume: ArchiveVolume): void {
    this.#volumes.delete(volume.id);
    volume.forgetHistory();
    this.core.hub.notify(volume.id);
  }

  #latestOf(id: string) {
    const volume = this.#volumes.get(id);
    const hasData = volume?.catalogue.hasBase() === true;
    return {
      volume: id,
      latest: hasData ? snapshotToMessage(volume.latest()) : undefined,
      timestamp: hasData ? volume.latestTimestamp() : 0,
    };
  }

  #brokenSummaries(): ArchiveVolumeSummary[] {
    return [...this.#broken.keys()].map((id) => ({
      ...clearStatus(id),
      totalNumAction: 0,
      lastError: this.#lastErrorOf(id),
    }));
  }

  #serverStatus(): ArchiveStatus {
    const { config, core } = this;
    const { files } = core.env;
    const { volumeGroup } = this.#parts;
    return {
      common: commonStatus(core, this.#settings, 0),
      volumeGroup: config.lvm?.group ?? config.baseDirectory,
      thinpool: config.lvm?.pool ?? '',
      autoResize: config.autoResize,
      keepOneColdSnapshot: config.keepOneColdSnapshot === true,
      imageStore: volumeGroup?.kind ?? 'file',
      imageStoreFreeBytes: volumeGroup?.freeBytes() ?? files.freeBytes(config.baseDirectory),
      imageStoreTotalBytes: volumeGroup?.totalBytes() ?? files.totalBytes(config.baseDirectory),
      discard: DISCARD_MESSAGES[config.discard],
      syncCompression: compressionToMessage(config.syncCompression),
      fsyncIntervalBytes: config.fsyncInterval,
      maxWdiffSendNr: config.maxWdiffFiles,
      maxOpenDiffs: config.maxOpenDiffs,
      maxOpenDiffsVirtual: config.maxOpenDiffsVirtual,
      applySleepPct: config.applySleepPercent,
      volumes: [...this.all().map(summaryOf), ...this.#brokenSummaries()],
    };
  }
}

const DISCARD_MESSAGES = {
  ignore: DiscardMode.IGNORE,
  passdown: DiscardMode.PASSDOWN,
  zero: DiscardMode.ZERO,
} as const;
