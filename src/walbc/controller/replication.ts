/** Replication between archives, and synchronizing with them (controller-api.md 5.8, 5.4). */
import {
  DEFAULT_BULK_SIZE,
  GIB,
  type Gid,
  parseBulkSize,
  parseSize,
  WalbError,
} from '../../core/index.ts';
import { type Accepted, ArchiveRpc, type ReplicateRequest, TaskKind } from '../../rpc/index.ts';
import {
  aArchived,
  aaReplSync,
  aClear,
  aDuringReplicate,
  pActive,
  TIMEOUT_SEC,
} from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import type { SyncOpt } from '../values/sync-opt.ts';
import { type GidLike, toGid, verify_archive } from '../verify.ts';
import { compressionMessage } from './proxy.ts';
import { ResizeMethods } from './resize.ts';
import { lastTaskError } from './waits.ts';

export class ReplicationMethods extends ResizeMethods {
  /**
   * Starts to bring `aDst` up to a snapshot of `aSrc` (the newest explicit one, unless `gid` is given)
   * and returns its gid once aDst has accepted. A Clear volume at aDst is made; a smaller one is grown.
   * `doResync` makes data of another history at aDst equal to those of aSrc; without it the archive
   * uuids must be the same. `dontMerge` sends diffs one by one.
   */
  async replicate_once_nbk(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    doResync = false,
    dontMerge = false,
    syncOpt: SyncOpt | null = null,
    gid: GidLike | null = null,
  ): Promise<bigint> {
    const request = await this.#prepareReplication(
      aSrc,
      vol,
      aDst,
      doResync,
      dontMerge,
      syncOpt,
      gid,
    );
    await this.command(aSrc, ArchiveRpc.replicate, request);
    return request.until.value;
  }

  /** Waits until no replication runs; then aDst must be at `gid` or later. */
  async wait_for_replicated(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    gid: GidLike,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    const view = await this.waitWhileRunning(aSrc, vol, aaReplSync, timeoutS);
    await this._wait_for_not_state(aDst, vol, aDuringReplicate, timeoutS);
    const reason = lastTaskError(view, TaskKind.REPLICATE);
    await this.#verifyReplicated(aSrc, vol, aDst, toGid(gid), reason);
  }

  /** As replicate_once_nbk, but returns when aDst is there. Throws the reason when it fails. */
  async replicate_once(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    timeoutS = TIMEOUT_SEC,
    doResync = false,
    dontMerge = false,
    syncOpt: SyncOpt | null = null,
    gid: GidLike | null = null,
  ): Promise<bigint> {
    const request = await this.#prepareReplication(
      aSrc,
      vol,
      aDst,
      doResync,
      dontMerge,
      syncOpt,
      gid,
    );
    const what = `replication of ${vol} to ${aDst.name}`;
    const start = (): Promise<Accepted> => this.command(aSrc, ArchiveRpc.replicate, request);
    await this.runTask(aSrc, vol, what, timeoutS, start);
    await this._wait_for_not_state(aDst, vol, aDuringReplicate, timeoutS);
    await this.#verifyReplicated(aSrc, vol, aDst, request.until.value, '');
    return request.until.value;
  }

  /** replicate_once; then, when `synchronizing`, the proxies deliver to aDst too (synchronize). */
  async replicate(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    synchronizing: boolean,
    timeoutS = TIMEOUT_SEC,
    doResync = false,
    dontMerge = false,
    syncOpt: SyncOpt | null = null,
  ): Promise<void> {
    await this.replicate_once(aSrc, vol, aDst, timeoutS, doResync, dontMerge, syncOpt);
    if (synchronizing) await this.synchronize(aSrc, vol, aDst, timeoutS, syncOpt);
  }

  /**
   * Makes aDst follow without a gap: the proxies deliver everything and stop, aDst is registered and
   * brought up to aSrc, and the proxies start again. When something fails the proxies are put back as
   * they were.
   */
  async synchronize(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    timeoutS = TIMEOUT_SEC,
    syncOpt: SyncOpt | null = null,
  ): Promise<void> {
    verify_archive(aSrc);
    verify_archive(aDst);
    const stopped: ServerParam[] = [];
    const added: ServerParam[] = [];
    try {
      const asked: (readonly [ServerParam, string])[] = [];
      for (const px of this.sLayout.proxyL) {
        if (!pActive.includes(await this.get_state(px, vol))) continue;
        asked.push([px, await this.stop_nbk(px, vol, 'empty')]);
        stopped.push(px);
      }
      for (const [px, before] of asked) await this.wait_for_stopped(px, vol, before, timeoutS);
      for (const px of this.sLayout.proxyL) {
        if (await this.registerArchive(px, vol, aDst, syncOpt)) added.push(px);
      }
      await this.replicate_once(aSrc, vol, aDst, timeoutS, false, false, syncOpt);
    } catch (error) {
      await this.#undoSynchronize(vol, aDst, stopped, added);
      throw error;
    }
    for (const px of this.sLayout.proxyL) await this.start(px, vol);
    await this.kick_storage_all();
  }

  /** What can not be undone is printed: the error that made it necessary is thrown. */
  async #undoSynchronize(
    vol: string,
    aDst: ServerParam,
    stopped: readonly ServerParam[],
    added: readonly ServerParam[],
  ): Promise<void> {
    const attempt = async (what: string, run: () => Promise<void>): Promise<void> => {
      try {
        await run();
      } catch (error) {
        this.print(`synchronize: ${what} failed: ${WalbError.from(error).message}`);
      }
    };
    for (const px of added) {
      const undo = (): Promise<void> => this.unregisterArchive(px, vol, aDst);
      await attempt(`removing ${aDst.name} from ${px.name}`, undo);
    }
    for (const px of stopped) {
      await attempt(`starting ${vol} at ${px.name}`, async () => {
        if (pActive.includes(await this.get_state(px, vol))) return;
        await this.start(px, vol);
      });
    }
  }

  async #prepareReplication(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    doResync: boolean,
    dontMerge: boolean,
    syncOpt: SyncOpt | null,
    gid: GidLike | null,
  ): Promise<ReplicateRequest & { until: { $case: 'gid'; value: Gid } }> {
    verify_archive(aSrc);
    verify_archive(aDst);
    await this.#prepareDestination(aSrc, vol, aDst, doResync);
    await this.#growDestination(aSrc, vol, aDst);
    const until = gid === null ? await this.#newestExplicit(aSrc, vol) : toGid(gid);
    return {
      volume: vol,
      until: { $case: 'gid', value: until },
      address: aDst.get_host_port(),
      doResync,
      dontMerge,
      compression: syncOpt === null ? undefined : compressionMessage(syncOpt.cmprOpt),
      maxMergeBytes: syncOpt === null ? GIB : parseSize(syncOpt.maxWdiffMergeSizeU),
      bulkBytes: syncOpt === null ? DEFAULT_BULK_SIZE : parseBulkSize(syncOpt.bulkSizeU),
    };
  }

  async #prepareDestination(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    doResync: boolean,
  ): Promise<void> {
    const state = await this.get_state(aDst, vol);
    if (state === aClear) return await this._init(aDst, vol);
    if (state !== aArchived || doResync) return;
    const [src, dst] = [
      await this.get_archive_uuid(aSrc, vol),
      await this.get_archive_uuid(aDst, vol),
    ];
    if (src === dst) return;
    throw new WalbError(
      'conflict',
      `Archive uuids differ. Try call this with doResync=True: volume ${vol} is ${src} at ${aSrc.name} and ${dst} at ${aDst.name}`,
      { details: { volume: vol, source: aSrc.name, destination: aDst.name } },
    );
  }

  /** Sizes are compared in blocks: a difference below a MiB is one too. */
  async #growDestination(aSrc: ServerParam, vol: string, aDst: ServerParam): Promise<void> {
    const { value } = await this.query(aDst, ArchiveRpc.existsBaseImage, { volume: vol });
    if (!value) return;
    const [src, dst] = [
      await this._get_vol_size_mb(aSrc, vol),
      await this._get_vol_size_mb(aDst, vol),
    ];
    if (src < dst) {
      throw new WalbError(
        'conflict',
        `replicate: volume ${vol} has ${src} MiB at ${aSrc.name}, but ${dst} MiB at ${aDst.name}: it can not shrink`,
        { details: { volume: vol, source: aSrc.name, destination: aDst.name } },
      );
    }
    if (src > dst) await this.resize_archive(aDst, vol, src, false);
  }

  /** An implicit snapshot may vanish while it is being replicated. */
  async #newestExplicit(aSrc: ServerParam, vol: string): Promise<bigint> {
    const list = await this.get_restorable(aSrc, vol);
    const newest = list.findLast((info) => info.is_explicit === true) ?? list.at(-1);
    if (newest !== undefined) return newest.gid;
    throw new WalbError(
      'not-found',
      `replicate: volume ${vol} has no restorable snapshot at ${aSrc.name}`,
      { details: { server: aSrc.name, volume: vol } },
    );
  }

  async #verifyReplicated(
    aSrc: ServerParam,
    vol: string,
    aDst: ServerParam,
    gid: Gid,
    reason: string,
  ): Promise<void> {
    const latest = await this.get_meta_snap(aDst, vol);
    if (latest.gidB >= gid) return;
    throw new WalbError(
      'conflict',
      `wait_for_replicated:replicate failed: volume ${vol} is at ${latest} at ${aDst.name}, not yet at gid ${gid} of ${aSrc.name}${reason}`,
      { details: { server: aDst.name, volume: vol, gid } },
    );
  }
}
