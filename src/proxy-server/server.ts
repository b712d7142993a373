/**
 * The proxy server: takes log from storages, keeps diffs, sends them to archives.
 *
 * Source: semantics.md C, E.2; cli.md kinds P.
 */
import { makeDirectoryDurably } from '../core/durable.ts';
import {
  type Binding,
  type Bytes,
  checkVolumeId,
  isVolumeId,
  type Lb,
  WalbError,
} from '../core/index.ts';
import {
  type Accepted,
  type ArchiveInfoRequest,
  diffToMessage,
  handle,
  type KickRequest,
  type LatestSnap,
  ProxyRpc,
  type SetArchiveInfoRequest,
  type StartRequest,
  StartRole,
  type StatusReply,
  type StopRequest,
  type VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import type { ControlLogic } from '../server/control.ts';
import type { ServerCore } from '../server/server-core.ts';
import { type CommonSettings, clearView } from '../server/status.ts';
import { archiveInfoFromMessage, archiveInfoToMessage, checkArchiveName } from './archive-info.ts';
import type { ProxyConfig } from './config.ts';
import { receiveWlog } from './receive.ts';
import { Sends } from './sends.ts';
import { PROXY_SENDING_STATES, type ProxyCommand } from './states.ts';
import { clearStatus, latestSnapsOf, serverStatusOf } from './status.ts';
import { stopProxyVolume } from './stop.ts';
import { ProxyVolume } from './volume.ts';

export class ProxyServer implements ControlLogic {
  readonly core: ServerCore;
  readonly config: ProxyConfig;
  readonly #settings: CommonSettings;
  readonly #volumes = new Map<string, ProxyVolume>();
  readonly #sends: Sends;
  roomMissed: Bytes = 0;

  constructor(core: ServerCore, config: ProxyConfig, settings: CommonSettings) {
    this.core = core;
    this.config = config;
    this.#settings = settings;
    this.#sends = new Sends(core, config, (id) => this.#volumes.get(id));
  }

  /** Loads every volume of the base directory and starts it, unless told not to. */
  async load(): Promise<void> {
    const { files } = this.core.env;
    await makeDirectoryDurably(files, this.config.baseDirectory);
    this.core.history.open(this.config.baseDirectory);
    for (const name of files.list(this.config.baseDirectory)) {
      if (!isVolumeId(name) || !this.#isVolumeDirectory(name)) continue;
      const volume = new ProxyVolume(this.core, this.config, name, 'Stopped');
      if (!volume.spool.isComplete()) {
        this.core.log.warn({ volume: name }, 'removing what an interrupted add or clear left');
        await volume.spool.destroy();
        continue;
      }
      await volume.spool.load();
      this.#volumes.set(name, volume);
    }
    // Of every volume there is, served or not.
    this.core.history.keepOnly(files.list(this.config.baseDirectory));
    if (this.config.startStopped) return;
    for (const volume of this.#volumes.values()) await this.#startVolume(volume);
  }

  /** Resolves when no send and no task of a client runs any more. */
  async stopWork(): Promise<void> {
    await this.#sends.stop();
    await Promise.all([...this.#volumes.values()].map((volume) => volume.tasks.settled()));
    await this.core.history.close();
  }

  bindings(): Binding[] {
    return [
      handle(ProxyRpc.listArchiveInfo, async ({ volume }) => ({
        names: this.#volumes.get(checkVolumeId(volume))?.spool.archives() ?? [],
      })),
      handle(ProxyRpc.getArchiveInfo, async (request) => {
        const { volume, archive } = this.#archiveOf(request);
        return archiveInfoToMessage(archive, volume.spool.archive(archive)!);
      }),
      handle(ProxyRpc.addArchiveInfo, (request) => this.#setArchive(request, 'archive-info add')),
      handle(ProxyRpc.updateArchiveInfo, (request) =>
        this.#setArchive(request, 'archive-info update'),
      ),
      handle(ProxyRpc.deleteArchiveInfo, (request) => this.#deleteArchive(request)),
      handle(ProxyRpc.resize, async ({ volume, sizeLb }) => {
        await this.#resize(this.requireVolume(volume, 'resize'), sizeLb);
        return {};
      }),
      handle(ProxyRpc.isWdiffSendError, async (request) => {
        this.requireVolume(request.volume, 'get is-wdiff-send-error');
        const { volume, archive } = this.#archiveOf(request);
        return { value: volume.isSendError(archive) };
      }),
      handle(ProxyRpc.getProxyDiff, async ({ volume: id, archive }) => {
        const volume = this.#volumes.get(checkVolumeId(id));
        const queue =
          archive === ''
            ? volume?.spool.received()
            : this.#archiveOf({ volume: id, archive }).queue;
        return { diffs: (queue ?? []).map(({ diff }) => diffToMessage(diff)) };
      }),
      handle(ProxyRpc.transferWlog, (stream, context) => receiveWlog(this, stream, context)),
    ];
  }

  // ---- what receive.ts and stop.ts need

  /** The volume, for a command its state may allow. Throws `wrong-state` for a Clear one. */
  requireVolume(id: string, command: ProxyCommand): ProxyVolume {
    const volume = this.#volumes.get(checkVolumeId(id));
    if (volume !== undefined) return volume;
    throw new WalbError(
      'wrong-state',
      `volume ${id} is Clear (not known here); ${command} needs it: run \`archive-info add\` first`,
      { details: { volume: id, command, state: 'Clear' } },
    );
  }

  spoolUsed(): number {
    return [...this.#volumes.values()].reduce((sum, { spool }) => sum + spool.usedBytes(), 0);
  }

  diffsArrived(volume: ProxyVolume): void {
    this.#sends.queue(volume);
  }

  pushSends(volume: ProxyVolume): void {
    this.#sends.runNow(volume);
  }

  dropSends(volume: ProxyVolume): void {
    this.#sends.drop(volume);
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
    return volume === undefined ? clearView(id) : volume.view(this.#sends.statuses(volume));
  }

  async status(id: string): Promise<StatusReply['status']> {
    if (id === '')
      return {
        $case: 'proxy',
        value: serverStatusOf(this, this.#settings, [...this.#volumes.values()], this.#sends),
      };
    const volume = this.#volumes.get(id);
    if (volume !== undefined) {
      return { $case: 'proxyVolume', value: volume.fullStatus(this.#sends.statuses(volume)) };
    }
    return { $case: 'proxyVolume', value: clearStatus(id) };
  }

  async start({ volume: id, role }: StartRequest): Promise<void> {
    if (role !== StartRole.UNSPECIFIED) {
      throw new WalbError('invalid-argument', 'a proxy starts a volume without a role');
    }
    const volume = this.requireVolume(id, 'start');
    volume.admit('start');
    await this.#startVolume(volume);
  }

  async stop({ volume, mode }: StopRequest): Promise<Accepted> {
    return stopProxyVolume(this, this.requireVolume(volume, 'stop'), mode);
  }

  async clearVolume(id: string): Promise<void> {
    const volume = this.requireVolume(id, 'clear-vol');
    volume.admit('clear-vol');
    using change = volume.machine.begin('clear-vol');
    this.dropSends(volume);
    await volume.spool.destroy();
    change.commit();
    this.#forget(volume);
  }

  async kick({ volume: id, archive }: KickRequest): Promise<void> {
    if (id === '') {
      for (const volume of this.#volumes.values()) {
        if (PROXY_SENDING_STATES.includes(volume.state)) this.pushSends(volume);
      }
      return;
    }
    const volume = this.requireVolume(id, 'kick');
    volume.admit('kick');
    if (archive === '') return this.pushSends(volume);
    this.#archiveOf({ volume: id, archive });
    this.#sends.runNow(volume, archive);
  }

  async latestSnap(id: string | undefined): Promise<LatestSnap[]> {
    const volumes = id === undefined ? [...this.#volumes.values()] : [this.#volumes.get(id)];
    return volumes.flatMap((volume) => (volume === undefined ? [] : latestSnapsOf(volume)));
  }

  // ---- archives of a volume

  async #setArchive(
    { volume: id, info }: SetArchiveInfoRequest,
    command: 'archive-info add' | 'archive-info update',
  ): Promise<Record<string, never>> {
    if (info === undefined) throw new WalbError('invalid-argument', 'archive info is missing');
    const name = checkArchiveName(info.name);
    const wanted = archiveInfoFromMessage(info);
    const volume =
      this.#volumes.get(checkVolumeId(id)) ?? new ProxyVolume(this.core, this.config, id, 'Clear');
    volume.admit(command);
    if (command === 'archive-info add' && volume.spool.archive(name) !== undefined) {
      throw new WalbError(
        'already-exists',
        `archive ${name} is registered for volume ${id} already; use archive-info update to change it`,
        { details: { volume: id, archive: name } },
      );
    }
    this.core.checkPeerAddress(wanted.address);
    using change = volume.machine.begin('archive-info-add');
    // Known from now on, so that a second one meets the temporary state.
    this.#volumes.set(id, volume);
    try {
      if (change.from === 'Clear') await volume.spool.create();
      await volume.spool.setArchive(name, wanted);
    } catch (error) {
      if (change.from === 'Clear') this.#forget(volume);
      throw error;
    }
    change.commit();
    volume.touch('archiveInfo');
    return {};
  }

  async #deleteArchive({
    volume: id,
    archive,
  }: ArchiveInfoRequest): Promise<Record<string, never>> {
    const volume = this.requireVolume(id, 'archive-info delete');
    volume.admit('archive-info delete');
    using change = volume.machine.begin('archive-info-delete');
    if (volume.spool.archive(archive) !== undefined) await volume.spool.removeArchive(archive);
    volume.forgetQueue(archive);
    if (volume.spool.archives().length > 0) {
      change.commit('Stopped');
    } else {
      await volume.spool.destroy();
      change.commit('Clear');
      this.#forget(volume);
    }
    volume.touch('archiveInfo');
    return {};
  }

  #archiveOf({ volume: id, archive }: ArchiveInfoRequest): {
    volume: ProxyVolume;
    archive: string;
    queue: ReturnType<ProxyVolume['spool']['queue']>;
  } {
    const volume = this.#volumes.get(checkVolumeId(id));
    if (volume?.spool.archive(archive) === undefined) {
      const known = volume?.spool.archives().join(', ') || 'none';
      throw new WalbError(
        'not-found',
        `archive info not exists:${archive} (volume ${id}; registered: ${known})`,
        { details: { volume: id, archive } },
      );
    }
    return { volume, archive, queue: volume.spool.queue(archive) };
  }

  // ---- volumes

  async #startVolume(volume: ProxyVolume): Promise<void> {
    using change = volume.machine.begin('start');
    volume.spool.cleanTemporary();
    await volume.spool.distribute();
    change.commit();
    this.pushSends(volume);
  }

  async #resize(volume: ProxyVolume, sizeLb: Lb): Promise<void> {
    volume.admit('resize');
    if (sizeLb < 1) throw new WalbError('invalid-argument', 'the size must be at least one block');
    await volume.spool.setSize(sizeLb);
    volume.touch('size');
  }

  #forget(volume: ProxyVolume): void {
    this.#volumes.delete(volume.id);
    volume.forgetHistory();
    this.core.hub.notify(volume.id);
  }

  #isVolumeDirectory(name: string): boolean {
    return this.core.env.files.info(`${this.config.baseDirectory}/${name}`)?.kind === 'directory';
  }
}
