/**
 * The storage server: follows the logs of its volumes and has them delivered; runs backups.
 *
 * Source: semantics.md B, E.1; cli.md kinds S.
 */
import { makeDirectoryDurably } from '../core/durable.ts';
import {
  type Binding,
  bytesToLb,
  checkVolumeId,
  isVolumeId,
  type Lb,
  WalbError,
} from '../core/index.ts';
import {
  type Accepted,
  HostType,
  handle,
  type InitVolumeRequest,
  type LatestSnap,
  type ResetVolumeRequest,
  type StartRequest,
  StartRole,
  type StatusReply,
  type StopRequest,
  StorageRpc,
  type VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import type { ControlLogic } from '../server/control.ts';
import type { ServerCore } from '../server/server-core.ts';
import { type CommonSettings, clearView } from '../server/status.ts';
import type { DeviceOpener } from '../wdev/volume-device.ts';
import { startBackup } from './backup.ts';
import type { StorageConfig } from './config.ts';
import { LogSampler } from './log-sampler.ts';
import { dumpLogpackHeader } from './logpack-dump.ts';
import { ProxyPool } from './proxies.ts';
import { INITIAL_RECORDS, newestRecord } from './records.ts';
import { Scheduler } from './scheduler.ts';
import type { StorageCommand } from './states.ts';
import { clearStatus, fullStatusOf, serverStatusOf, viewOf } from './status.ts';
import { stopStorageVolume } from './stop.ts';
import { TsDeltaWatcher } from './ts-delta.ts';
import { UnservedVolumes } from './unserved.ts';
import { StorageVolume } from './volume.ts';
import { VolumeFiles } from './volume-files.ts';

export class StorageServer implements ControlLogic {
  readonly core: ServerCore;
  readonly config: StorageConfig;
  readonly proxies: ProxyPool;
  readonly #settings: CommonSettings;
  readonly #devices: DeviceOpener;
  readonly #volumes = new Map<string, StorageVolume>();
  readonly #unserved: UnservedVolumes;
  readonly #scheduler: Scheduler;
  readonly #tsDelta: TsDeltaWatcher;
  readonly #sampler: LogSampler;
  #scanLbPerSec: Lb;

  constructor(
    core: ServerCore,
    config: StorageConfig,
    settings: CommonSettings,
    devices: DeviceOpener,
  ) {
    this.core = core;
    this.config = config;
    this.#settings = settings;
    this.#devices = devices;
    this.#scanLbPerSec = config.fullScanLbPerSec;
    this.proxies = new ProxyPool(core, config.proxies, () => this.#scheduler.queue.runNow());
    this.#scheduler = new Scheduler(this, (id) => this.find(id));
    this.#unserved = new UnservedVolumes(
      core,
      { min: config.minDelay, max: config.maxDelay },
      (id) => this.#loadVolume(id),
      (id) => new VolumeFiles(core.env, `${config.baseDirectory}/${id}`).devicePath(),
    );
    this.#tsDelta = new TsDeltaWatcher(core, config.archive, config.tsDeltaInterval, () =>
      [...this.#volumes.values()].filter(({ state }) => state === 'Target'),
    );
    this.#sampler = new LogSampler(core, () => [...this.#volumes.values()]);
  }

  /**
   * Opens every volume of the base directory; targets and standbys are followed at once (W1). One that
   * can not be opened does not keep the others from being served.
   */
  async load(): Promise<void> {
    const { files } = this.core.env;
    await makeDirectoryDurably(files, this.config.baseDirectory);
    this.core.history.open(this.config.baseDirectory);
    // At the same time: a device that does not answer must not hold up the others.
    const ids = files.list(this.config.baseDirectory).filter(isVolumeId);
    await Promise.all(ids.map((id) => this.#unserved.tryLoad(id)));
    // Of every volume there is, served or not.
    this.core.history.keepOnly(files.list(this.config.baseDirectory));
    this.proxies.start();
    this.#tsDelta.start();
    this.#sampler.start();
  }

  async stopWork(): Promise<void> {
    this.proxies.stop();
    this.#tsDelta.stop();
    this.#sampler.stop();
    await this.#unserved.stop();
    await this.#scheduler.queue.stop();
    await Promise.all([...this.#volumes.values()].map(({ tasks }) => tasks.settled()));
    await Promise.all([...this.#volumes.values()].map((volume) => volume.detach()));
    await this.core.history.close();
  }

  bindings(): Binding[] {
    return [
      handle(StorageRpc.fullBackup, (request) =>
        startBackup(this, this.#require(request.volume, 'full-bkp'), 'full', request),
      ),
      handle(StorageRpc.hashBackup, (request) =>
        startBackup(this, this.#require(request.volume, 'hash-bkp'), 'hash', request),
      ),
      handle(StorageRpc.snapshot, async ({ volume }) => ({ gid: await this.#snapshot(volume) })),
      handle(StorageRpc.resize, async ({ volume, sizeLb }) => {
        await this.#resize(volume, sizeLb);
        return {};
      }),
      handle(StorageRpc.setFullScanBps, async ({ bytesPerSec }) => {
        this.#scanLbPerSec = bytesToLb(bytesPerSec);
        return {};
      }),
      handle(StorageRpc.isOverflow, async ({ volume }) => ({
        value: await this.#require(volume, 'get is-overflow').checkOverflow(),
      })),
      handle(StorageRpc.getLogUsage, async ({ volume }) => ({
        items: await this.#logUsage(volume),
      })),
      handle(StorageRpc.getUuid, async ({ volume }) => ({
        uuid: this.#require(volume, 'get uuid').uuid,
      })),
      handle(StorageRpc.getTsDelta, async () => ({ items: this.#tsDelta.items() })),
      handle(StorageRpc.dumpLogpackHeader, ({ volume, lsid }) =>
        dumpLogpackHeader(this.core.env, this.#require(volume, 'dbg-dump-logpack-header'), lsid),
      ),
    ];
  }

  // ---- what backup.ts and scheduler.ts need

  find(id: string): StorageVolume | undefined {
    return this.#volumes.get(id);
  }

  scanLimit(): Lb {
    return this.#scanLbPerSec;
  }

  monitor(volume: StorageVolume): void {
    this.#scheduler.monitor(volume);
  }

  sendNow(volume: StorageVolume): void {
    this.#scheduler.queue.force(volume.id);
  }

  // ---- ControlLogic

  volumes(): string[] {
    return [...this.#volumes.keys(), ...this.#unserved.ids()].sort();
  }

  state(id: string): VolumeState {
    this.#unserved.requireServed(id);
    return this.#volumes.get(id)?.state ?? 'Clear';
  }

  view(id: string): VolumeView {
    const volume = this.#volumes.get(id);
    if (volume !== undefined) return viewOf(volume);
    return { ...clearView(id), lastError: this.#unserved.lastError(id) };
  }

  async status(id: string): Promise<StatusReply['status']> {
    if (id === '')
      return {
        $case: 'storage',
        value: await serverStatusOf(
          this,
          this.#settings,
          this.#tsDelta,
          this.#scheduler.queue,
          [...this.#volumes.values()],
          this.#unserved,
        ),
      };
    const volume = this.#volumes.get(id);
    const value =
      volume === undefined
        ? { ...clearStatus(id), lastError: this.#unserved.lastError(id) }
        : await fullStatusOf(volume);
    return { $case: 'storageVolume', value };
  }

  async initVolume({ volume: id, devicePath }: InitVolumeRequest): Promise<void> {
    if (devicePath === '') {
      throw new WalbError('invalid-argument', 'init-vol needs the path of a walb device here');
    }
    this.#unserved.requireServed(id);
    const volume = this.#volumes.get(id) ?? new StorageVolume(this.core, this.config, id, 'Clear');
    volume.admit('init-vol');
    this.#requireUnused(devicePath);
    using change = volume.machine.begin('init-vol');
    // Known from now on, so that a second init-vol meets the temporary state.
    this.#volumes.set(id, volume);
    try {
      if (volume.files.exists()) await volume.files.destroy();
      await volume.attach(devicePath, await this.#devices.open(devicePath));
      const uuid = new Uint8Array(16);
      volume.restore({ records: INITIAL_RECORDS, uuid });
      await volume.files.create({ devicePath, state: 'SyncReady', records: INITIAL_RECORDS, uuid });
    } catch (error) {
      await volume.detach();
      this.#forget(volume);
      throw error;
    }
    change.commit();
  }

  async clearVolume(id: string): Promise<void> {
    const volume = this.#require(id, 'clear-vol');
    volume.admit('clear-vol');
    using change = volume.machine.begin('clear-vol');
    await volume.files.destroy();
    await volume.detach();
    change.commit();
    this.#forget(volume);
  }

  async resetVolume({ volume: id, gid }: ResetVolumeRequest): Promise<void> {
    const volume = this.#require(id, 'reset-vol');
    volume.admit('reset-vol');
    using change = volume.machine.begin('reset-vol');
    await volume.resetLog(gid);
    await volume.files.setState('SyncReady');
    change.commit();
  }

  async start({ volume: id, role }: StartRequest): Promise<void> {
    if (role === StartRole.TARGET)
      return await this.#startTarget(this.#require(id, 'start target'));
    if (role === StartRole.STANDBY) {
      return await this.#startStandby(this.#require(id, 'start standby'));
    }
    throw new WalbError('invalid-argument', 'a storage starts a volume as target or standby');
  }

  async stop({ volume, mode }: StopRequest): Promise<Accepted> {
    return stopStorageVolume(this, this.#require(volume, 'stop'), mode);
  }

  async kick(): Promise<void> {
    await Promise.all([this.proxies.kick(), this.#unserved.retryNow()]);
    this.#scheduler.queue.runNow();
  }

  async latestSnap(id: string | undefined): Promise<LatestSnap[]> {
    const volumes = id === undefined ? [...this.#volumes.values()] : [this.#volumes.get(id)];
    return volumes
      .filter((volume) => volume?.state === 'Target')
      .map((volume) => {
        const { gid, lsid, timestamp } = newestRecord((volume as StorageVolume).records);
        const { id: name } = volume as StorageVolume;
        return { volume: name, kind: HostType.STORAGE, archive: '', gid, lsid, timestamp };
      });
  }

  // ---- commands

  async #startTarget(volume: StorageVolume): Promise<void> {
    volume.admit('start target');
    await volume.requireNoOverflow('start target');
    volume.requireOwnLog();
    using change = volume.machine.begin('start-target');
    await volume.files.setState('Target');
    change.commit();
    this.monitor(volume);
  }

  async #startStandby(volume: StorageVolume): Promise<void> {
    volume.admit('start standby');
    using change = volume.machine.begin('start-standby');
    // A standby delivers nothing: lost log does not matter to it.
    if (await volume.checkOverflow()) await volume.resetLog(0n);
    await volume.files.setState('Standby');
    change.commit();
    this.monitor(volume);
  }

  async #snapshot(id: string): Promise<bigint> {
    const volume = this.#require(id, 'snapshot');
    volume.admit('snapshot');
    const { gid, lsid } = await volume.takeSnapshot();
    volume.log.info({ gid, lsid }, 'snapshot taken');
    if (volume.state === 'Target') this.sendNow(volume);
    return gid;
  }

  async #resize(id: string, sizeLb: Lb): Promise<void> {
    const volume = this.#require(id, 'resize');
    volume.admit('resize');
    const current = volume.info.sizeLb;
    if (sizeLb < Math.max(1, current)) {
      throw new WalbError(
        'invalid-argument',
        `volume ${id} has ${current} blocks and can only grow, not become ${sizeLb}`,
        { details: { volume: id, current, wanted: sizeLb } },
      );
    }
    await volume.resize(sizeLb);
  }

  async #logUsage(id: string) {
    const volumes = id === '' ? [...this.#volumes.values()] : [this.#require(id, 'get log-usage')];
    return await Promise.all(
      volumes.map(async (volume) => {
        const { latest, oldest } = await volume.lsids();
        const { ringPb, pbs } = volume.info;
        return { volume: volume.id, usagePb: Number(latest - oldest), capacityPb: ringPb, pbs };
      }),
    );
  }

  // ---- volumes

  #require(id: string, command: StorageCommand): StorageVolume {
    const volume = this.#volumes.get(checkVolumeId(id));
    if (volume !== undefined) return volume;
    this.#unserved.requireServed(id);
    throw new WalbError(
      'wrong-state',
      `volume ${id} is Clear (not known here); ${command} needs it: run \`init-vol\` first`,
      { details: { volume: id, command, state: 'Clear' } },
    );
  }

  /** Two volumes on one device would free each other's log. */
  #requireUnused(devicePath: string): void {
    const served = [...this.#volumes.values()].find((volume) => volume.devicePath === devicePath);
    const user = served?.id ?? this.#unserved.userOf(devicePath);
    if (user === undefined) return;
    throw new WalbError('busy', `${devicePath} is used by volume ${user}`, {
      details: { device: devicePath, volume: user },
    });
  }

  #forget(volume: StorageVolume): void {
    this.#volumes.delete(volume.id);
    volume.forgetHistory();
    this.core.hub.notify(volume.id);
  }

  /** Throws what keeps the volume from being served. One whose directory is gone is none any more. */
  async #loadVolume(id: string): Promise<void> {
    const { log } = this.core;
    const probe = new StorageVolume(this.core, this.config, id, 'Clear');
    if (!probe.files.exists()) return;
    if (!probe.files.isComplete()) {
      log.warn({ volume: id }, 'removing what an interrupted init or clear left');
      await probe.files.destroy();
      return;
    }
    const stored = await probe.files.load();
    const volume = new StorageVolume(this.core, this.config, id, stored.state);
    volume.restore(stored);
    const device = await this.#devices.open(stored.devicePath);
    try {
      await volume.attach(stored.devicePath, device);
      await this.#checkHistory(volume);
    } catch (error) {
      await volume.detach();
      throw error;
    }
    this.#volumes.set(id, volume);
    if (volume.state === 'Target' || volume.state === 'Standby') this.monitor(volume);
  }

  /** A volume whose log is of another history is not a target any more: its log can not be delivered. */
  async #checkHistory(volume: StorageVolume): Promise<void> {
    try {
      volume.requireOwnLog();
    } catch (error) {
      volume.failed(error);
      volume.log.error({ err: error }, 'foreign log');
      if (volume.state !== 'Target') return;
      await volume.files.setState('Stopped');
      volume.machine.force('Stopped');
    }
  }
}
