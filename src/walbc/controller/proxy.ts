/** Archives registered at proxies, and synchronizing (controller-api.md 5.4). */
import { WalbError } from '../../core/index.ts';
import {
  type ArchiveInfo,
  compressionFromMessage,
  compressionToMessage,
  ProxyRpc,
} from '../../rpc/index.ts';
import { K_ARCHIVE, pActive, pStopped } from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import { get_server } from '../utilities.ts';
import { CompressOpt, compress_kind_to_str, compress_str_to_kind } from '../values/compress-opt.ts';
import { SyncOpt } from '../values/sync-opt.ts';
import { verify_archive, verify_proxy, verify_server_kind } from '../verify.ts';
import { LifeCycleMethods } from './life-cycle.ts';

export class ProxyMethods extends LifeCycleMethods {
  /** Names of the archives a proxy delivers this volume to, sorted; none for a Clear volume. */
  async get_archive_info_list(px: ServerParam, vol: string): Promise<string[]> {
    verify_proxy(px);
    return (await this.query(px, ProxyRpc.listArchiveInfo, { volume: vol })).names;
  }

  /** `[host:port, SyncOpt]` of an archive registered at a proxy. Throws `not-found`. */
  async get_archive_info(
    px: ServerParam,
    vol: string,
    ax: ServerParam,
  ): Promise<readonly [string, SyncOpt]> {
    verify_proxy(px);
    const info = await this.query(px, ProxyRpc.getArchiveInfo, { volume: vol, archive: ax.name });
    return [info.address, new SyncOpt(compressOptOf(info), info.wdiffSendDelaySec)];
  }

  /** Changes how a proxy delivers to an archive. The volume must be Stopped there, and `ax` registered. */
  async update_archive_info(
    px: ServerParam,
    vol: string,
    ax: ServerParam,
    syncOpt: SyncOpt,
  ): Promise<void> {
    verify_proxy(px);
    verify_archive(ax);
    await this.verify_state(px, vol, pStopped);
    if (!(await this.#isRegistered(px, vol, ax))) {
      throw new WalbError(
        'not-found',
        `update_archive_info: ${ax.name} is not registered for volume ${vol} at ${px.name}`,
        { details: { server: px.name, volume: vol, archive: ax.name } },
      );
    }
    const request = { volume: vol, info: archiveInfo(ax, syncOpt) };
    await this.command(px, ProxyRpc.updateArchiveInfo, request);
  }

  /**
   * Whether all proxies of the layout deliver the volume to `ax`. Throws `conflict` when only some do;
   * false when there are no proxies.
   */
  async is_synchronizing(ax: ServerParam, vol: string): Promise<boolean> {
    verify_archive(ax);
    const registered = await this.registeredAt(ax, vol);
    if (registered.length === 0) return false;
    if (registered.length === this.sLayout.proxyL.length) return true;
    const names = registered.map(({ name }) => name).join(', ');
    throw new WalbError(
      'conflict',
      `is_synchronizing: archive ${ax.name} is registered for volume ${vol} at ${names} but not at the other proxies: start_synchronizing or stop_synchronizing makes them alike`,
      { details: { archive: ax.name, volume: vol } },
    );
  }

  /** The proxies of the layout that deliver the volume to `ax`. */
  protected async registeredAt(ax: ServerParam, vol: string): Promise<ServerParam[]> {
    const found: ServerParam[] = [];
    for (const px of this.sLayout.proxyL) {
      if (await this.#isRegistered(px, vol, ax)) found.push(px);
    }
    return found;
  }

  async #isRegistered(px: ServerParam, vol: string, ax: ServerParam): Promise<boolean> {
    return (await this.get_archive_info_list(px, vol)).includes(ax.name);
  }

  /**
   * Registers an archive at a proxy, or changes its options. A running volume is stopped for it.
   * `doStart`: start it then. If registering fails, a volume that was running goes on.
   */
  async add_archive_to_proxy(
    px: ServerParam,
    vol: string,
    ax: ServerParam,
    doStart = true,
    syncOpt: SyncOpt | null = null,
  ): Promise<void> {
    verify_proxy(px);
    verify_archive(ax);
    const wasActive = pActive.includes(await this.get_state(px, vol));
    if (wasActive) await this.stop(px, vol, 'force');
    try {
      await this.registerArchive(px, vol, ax, syncOpt);
    } catch (error) {
      if (wasActive) await this.start(px, vol);
      throw error;
    }
    if (doStart && (await this.get_state(px, vol)) === pStopped) await this.start(px, vol);
  }

  /** Adds or updates; returns whether it was new. The volume must be Stopped or Clear. */
  protected async registerArchive(
    px: ServerParam,
    vol: string,
    ax: ServerParam,
    syncOpt: SyncOpt | null,
  ): Promise<boolean> {
    const isKnown = await this.#isRegistered(px, vol, ax);
    const method = isKnown ? ProxyRpc.updateArchiveInfo : ProxyRpc.addArchiveInfo;
    await this.command(px, method, { volume: vol, info: archiveInfo(ax, syncOpt) });
    return !isKnown;
  }

  /**
   * Removes an archive from a proxy. A running volume is stopped for it and started again, unless this
   * was its last archive: then it is Clear. `stopEmpty` delivers everything first; otherwise diffs not
   * yet delivered to `ax` are dropped.
   */
  async del_archive_from_proxy(
    px: ServerParam,
    vol: string,
    ax: ServerParam,
    stopEmpty = false,
  ): Promise<void> {
    verify_proxy(px);
    verify_archive(ax);
    const wasActive = pActive.includes(await this.get_state(px, vol));
    if (wasActive) await this.stop(px, vol, stopEmpty ? 'empty' : 'force');
    try {
      await this.unregisterArchive(px, vol, ax);
    } finally {
      const isStopped = (await this.get_state(px, vol)) === pStopped;
      if (wasActive && isStopped) await this.start(px, vol);
    }
  }

  protected async unregisterArchive(px: ServerParam, vol: string, ax: ServerParam): Promise<void> {
    if (!(await this.#isRegistered(px, vol, ax))) return;
    await this.command(px, ProxyRpc.deleteArchiveInfo, { volume: vol, archive: ax.name });
  }

  /**
   * Registers at `pDst` all archives `pSrc` delivers the volume to, with the same options, and starts
   * it there. The archives must be in the layout.
   */
  async copy_archive_info(pSrc: ServerParam, vol: string, pDst: ServerParam): Promise<void> {
    verify_proxy(pDst);
    for (const name of await this.get_archive_info_list(pSrc, vol)) {
      const ax = get_server(name, this.sLayout.archiveL);
      const [, syncOpt] = await this.get_archive_info(pSrc, vol, ax);
      await this.add_archive_to_proxy(pDst, vol, ax, false, syncOpt);
    }
    await this.start(pDst, vol);
  }

  /**
   * Makes all proxies of the layout deliver the volume to `ax`, then wakes the storages. From here on
   * the archive follows; what it lacks from before must come by a backup or `replicate`.
   */
  async start_synchronizing(
    ax: ServerParam,
    vol: string,
    syncOpt: SyncOpt | null = null,
  ): Promise<void> {
    verify_server_kind(ax, [K_ARCHIVE]);
    for (const px of this.sLayout.proxyL) {
      await this.add_archive_to_proxy(px, vol, ax, true, syncOpt);
    }
    await this.kick_storage_all();
  }

  /** Makes no proxy of the layout deliver the volume to `ax`. Diffs on their way to it are dropped. */
  async stop_synchronizing(ax: ServerParam, vol: string): Promise<void> {
    verify_server_kind(ax, [K_ARCHIVE]);
    for (const px of this.sLayout.proxyL) await this.del_archive_from_proxy(px, vol, ax);
    await this.kick_storage_all();
  }
}

function archiveInfo(ax: ServerParam, syncOpt: SyncOpt | null): ArchiveInfo {
  const { cmprOpt, delayS } = syncOpt ?? new SyncOpt();
  return {
    name: ax.name,
    address: ax.get_host_port(),
    compression: compressionMessage(cmprOpt),
    wdiffSendDelaySec: delayS,
  };
}

/** As the contract writes it. */
export function compressionMessage({
  kind,
  level,
  nrCpu,
}: CompressOpt): NonNullable<ArchiveInfo['compression']> {
  return compressionToMessage({ kind: compress_kind_to_str(kind), level, nrCpu });
}

function compressOptOf({ compression }: ArchiveInfo): CompressOpt {
  if (compression === undefined) return new CompressOpt();
  const { kind, level, nrCpu } = compressionFromMessage(compression);
  return new CompressOpt(compress_str_to_kind(kind), level, nrCpu);
}
