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
  compressionToMessage,
  DiscardMode,
  HostType,
  handle,
  type InitVolumeRequest,
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
import type { ServerCore } from '../server/server-core.ts';
import { type CommonSettings, clearView, commonStatus } from '../server/status.ts';
import type { ArchiveConfig } from './config.ts';
import { type ExportServing, Exports } from './exports.ts';
import { serveFullSync } from './full-sync.ts';
import { serveHashSync } from './hash-sync.ts';
import { queryBindings } from './queries.ts';
import { receiveWdiff } from './receive-wdiff.ts';
import { startRestore } from './restore.ts';
import { collectGarbage, setSnapshots } from './snapshots.ts';
import { ARCHIVE_ACTIVE_OR_STOPPED_STATES, type ArchiveCommand } from './states.ts';
import { clearStatus, fullStatusOf, summaryOf, viewOf } from './status.ts';
import { stopArchiveVolume } from './stop.ts';
import { ArchiveVolume, type ImageStoreFactory } from './volume.ts';

export interface ArchiveParts {
  readonly images: ImageStoreFactory;
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

  /** Loads every volume; what interrupted work left is removed. Any volume failing stops the start. */
  async load(): Promise<void> {
    const { files } = this.core.env;
    await makeDirectoryDurably(files, this.config.baseDirectory);
    for (const name of files.list(this.config.baseDirectory)) {
      if (isVolumeId(name)) await this.#loadVolume(name);
    }
  }

  async stopWork(): Promise<void> {
    await Promise.all([...this.#volumes.values()].map(({ tasks }) => tasks.settled()));
    await this.exports.closeAll();
  }

  bindings(): Binding[] {
    return [
      ...queryBindings(this),
      handle(ArchiveRpc.restore, async ({ volume, gid }) =>
        startRestore(this.config, this.require(volume, 'restore'), gid),
      ),
      handle(ArchiveRpc.delRestored, async ({ volume: id, gid }) => {
        const volume = this.admitted(id, 'del-restored');
        await volume.images.deleteRestored(gid);
        volume.touch('restored');
        return {};
      }),
      handle(ArchiveRpc.disableSnapshots, async ({ volume, gids }) => ({
        failures: await setSnapshots(this.require(volume, 'disable-snapshot'), gids, false),
      })),
      handle(ArchiveRpc.enableSnapshots, async ({ volume, gids }) => ({
        failures: await setSnapshots(this.require(volume, 'enable-snapshot'), gids, true),
      })),
      handle(ArchiveRpc.gcDiff, async ({ volume }) => ({
        removed: await collectGarbage(this.admitted(volume, 'gc-diff')),
      })),
      handle(ArchiveRpc.exportSnapshot, (request) =>
        this.exports.open(this.require(request.volume, 'bhash'), request),
      ),
      handle(ArchiveRpc.closeExport, async (request) => {
        await this.exports.close(request);
        return {};
      }),
      handle(ArchiveRpc.listExports, async ({ volume }) => ({
        exports: this.exports.list(volume === '' ? '' : checkVolumeId(volume)),
      })),
      handle(ArchiveRpc.getVolumeGroup, async () => ({ name: '' })),
      handle(ArchiveRpc.getThinpool, async () => ({ name: '' })),
      handle(ArchiveRpc.gatherLatestSnap, async ({ volumes }) => ({
        server: this.core.identity,
        items: volumes.map((volume) => this.#latestOf(checkVolumeId(volume))),
      })),
      handle(ArchiveRpc.fullSync, (stream, context) => serveFullSync(this, stream, context)),
      handle(ArchiveRpc.hashSync, (stream, context) => serveHashSync(this, stream, context)),
      handle(ArchiveRpc.transferWdiff, (stream, context) => receiveWdiff(this, stream, context)),
    ];
  }

  // ---- what the actions and queries need

  all(): ArchiveVolume[] {
    return [...this.#volumes.values()];
  }

  find(id: string): ArchiveVolume | undefined {
    return this.#volumes.get(id);
  }

  /** Throws `wrong-state` for a volume that is Clear. */
  require(id: string, command: ArchiveCommand): ArchiveVolume {
    const volume = this.#volumes.get(checkVolumeId(id));
    if (volume !== undefined) return volume;
    throw new WalbError(
      'wrong-state',
      `volume ${id} is Clear (not known here); ${command} needs it: run \`init-vol\` first`,
      { details: { volume: id, command, state: 'Clear' } },
    );
  }

  admitted(id: string, command: ArchiveCommand): ArchiveVolume {
    const volume = this.require(id, command);
    volume.admit(command);
    return volume;
  }

  // ---- ControlLogic

  volumes(): string[] {
    return [...this.#volumes.keys()].sort();
  }

  state(id: string): VolumeState {
    return this.#volumes.get(id)?.state ?? 'Clear';
  }

  view(id: string): VolumeView {
    const volume = this.#volumes.get(id);
    return volume === undefined ? clearView(id) : viewOf(volume);
  }

  async status(id: string): Promise<StatusReply['status']> {
    if (id === '') return { $case: 'archive', value: this.#serverStatus() };
    const volume = this.#volumes.get(id);
    const value =
      volume === undefined ? clearStatus(id) : fullStatusOf(volume, this.exports.count(id));
    return { $case: 'archiveVolume', value };
  }

  async initVolume({ volume: id, devicePath }: InitVolumeRequest): Promise<void> {
    if (devicePath !== '') {
      throw new WalbError(
        'invalid-argument',
        'an archive has no devices: init-vol takes only the volume',
      );
    }
    const volume = this.#volumes.get(id) ?? this.#newVolume(id, 'Clear');
    volume.admit('init-vol');
    using change = volume.machine.begin('init-vol');
    this.#volumes.set(id, volume);
    try {
      if (volume.catalogue.exists()) await volume.catalogue.destroy();
      await volume.catalogue.create();
    } catch (error) {
      this.#forget(volume);
      throw error;
    }
    change.commit();
  }

  async clearVolume(id: string): Promise<void> {
    const volume = this.admitted(id, 'clear-vol');
    using change = volume.machine.begin('clear-vol');
    await this.#removeData(volume);
    change.commit();
    this.#forget(volume);
  }

  async resetVolume({ volume: id, gid }: ResetVolumeRequest): Promise<void> {
    if (gid !== 0n)
      throw new WalbError('invalid-argument', 'an archive resets a volume without a gid');
    const volume = this.admitted(id, 'reset-vol');
    using change = volume.machine.begin('reset-vol');
    await this.#removeData(volume);
    await volume.catalogue.create();
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

  #newVolume(id: string, state: VolumeStateOfArchive): ArchiveVolume {
    return new ArchiveVolume(this.core, this.config, this.#parts.images, id, state);
  }

  async #loadVolume(id: string): Promise<void> {
    const probe = this.#newVolume(id, 'Clear');
    if (!probe.catalogue.isComplete()) {
      this.core.log.warn({ volume: id }, 'removing what an interrupted init or clear left');
      await probe.catalogue.destroy();
      return;
    }
    const state = probe.catalogue.load();
    const volume = this.#newVolume(id, state);
    volume.catalogue.load();
    await volume.images.cleanTemporary();
    this.exports.cleanTemporary(volume);
    if (state !== 'SyncReady') volume.requireSize();
    this.#volumes.set(id, volume);
    if (state !== 'Archived') return;
    volume.catalogue.cleanTemporary();
    await collectGarbage(volume);
  }

  /** Images first: a crash leaves a volume that is still known, and clear-vol can be repeated. */
  async #removeData(volume: ArchiveVolume): Promise<void> {
    await this.exports.closeAll(volume.id);
    await volume.images.destroy();
    await volume.catalogue.destroy();
  }

  #forget(volume: ArchiveVolume): void {
    this.#volumes.delete(volume.id);
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

  #serverStatus(): ArchiveStatus {
    const { config, core } = this;
    const { files } = core.env;
    return {
      common: commonStatus(core, this.#settings, 0),
      volumeGroup: config.baseDirectory,
      thinpool: '',
      autoResize: config.autoResize,
      keepOneColdSnapshot: false,
      imageStore: this.all()[0]?.images.kind ?? 'file',
      imageStoreFreeBytes: files.freeBytes(config.baseDirectory),
      discard: DISCARD_MESSAGES[config.discard],
      syncCompression: compressionToMessage(config.syncCompression),
      fsyncIntervalBytes: config.fsyncInterval,
      maxWdiffSendNr: config.maxWdiffFiles,
      maxOpenDiffs: config.maxOpenDiffs,
      maxOpenDiffsVirtual: config.maxOpenDiffsVirtual,
      applySleepPct: config.applySleepPercent,
      volumes: this.all().map(summaryOf),
    };
  }
}

type VolumeStateOfArchive = ConstructorParameters<typeof ArchiveVolume>[4];

const DISCARD_MESSAGES = {
  ignore: DiscardMode.IGNORE,
  passdown: DiscardMode.PASSDOWN,
  zero: DiscardMode.ZERO,
} as const;
