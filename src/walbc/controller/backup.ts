/** Backups and snapshots taken at a storage (controller-api.md 5.5). */
import {
  DEFAULT_BULK_SIZE,
  type Gid,
  hasCode,
  type Method,
  parseBulkSize,
  parseSize,
  WalbError,
} from '../../core/index.ts';
import { type Accepted, type BackupRequest, StorageRpc } from '../../rpc/index.ts';
import {
  aActive,
  aClear,
  aSyncReady,
  sClear,
  sStandby,
  sStopped,
  sSyncReady,
  sTarget,
  TIMEOUT_SEC,
} from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import type { SyncOpt } from '../values/sync-opt.ts';
import { type GidLike, toGid, verify_archive, verify_storage } from '../verify.ts';
import { watchVolume } from '../watching.ts';
import { StandbyMethods } from './standby.ts';

export class BackupMethods extends StandbyMethods {
  /**
   * Backs a whole volume up from a storage to the primary archive while it is in use, and returns the
   * gid of the snapshot at its end once that can be restored. Prepares everything: the proxies, other
   * archives stop following, a Clear volume at the primary archive is made.
   *
   * The volume must be SyncReady, Standby or Stopped at `sx` (stop a target first), Standby or Clear
   * at other storages, and Clear or SyncReady at the primary archive. With block=False it returns
   * null as soon as the archive has accepted. `bulkSizeU` is the scan unit (256K). Throws the reason
   * when the backup fails; `timeoutS` [s] bounds the scan, and again the wait for the snapshot.
   *
   * A full backup that was broken off goes on behind what the archive has of it, when that is possible.
   *
   *     gid = walbc.full_backup(s0, 'vol')
   */
  async full_backup(
    sx: ServerParam,
    vol: string,
    timeoutS = TIMEOUT_SEC,
    block = true,
    bulkSizeU: string | null = null,
    syncOpt: SyncOpt | null = null,
  ): Promise<bigint | null> {
    const bulkBytes = bulkBytesOf(bulkSizeU);
    const primary = this.sLayout.get_primary_archive();
    const goesOn = await this.#mayGoOn(sx, primary, vol);
    await this._prepare_backup(sx, vol, syncOpt, goesOn ? [primary] : []);
    const start = this.#starter(sx, StorageRpc.fullBackup, { volume: vol, bulkBytes });
    if (!block) {
      await start();
      return null;
    }
    return await this.#finishBackup(sx, vol, 'full_backup', timeoutS, start, undefined);
  }

  /**
   * Backs a volume up by comparison: storage and primary archive compare hashes of all blocks, and
   * only blocks that differ travel. This is how a volume is backed up after an overflow, or from
   * another storage. Returns the gid of the snapshot at its end once that can be restored; with
   * block=False null, as soon as the archive has accepted.
   *
   * Needs: at `sx` SyncReady, Standby or Stopped (stop a target first: walbc.stop(sx, vol)); at other
   * storages Standby or Clear; at the primary archive Archived, so it must hold the volume already
   * (full_backup makes a first copy). Log of a Stopped volume that was not delivered is dropped, and
   * other archives stop following: start_synchronizing or replicate makes them follow again.
   *
   * `timeoutS` [s] bounds the scan, and again the wait for the snapshot. `bulkSizeU` is the scan unit
   * (256K), `syncOpt` how proxies deliver to the archive. Throws `wrong-state` with the call that
   * leads on, `timeout`, or the reason for which the backup failed.
   *
   *     walbc.stop(s0, 'vol'); gid = walbc.hash_backup(s0, 'vol')
   *     walbc.go_standby(s0, 'vol'); walbc.hash_backup(s1, 'vol')
   */
  async hash_backup(
    sx: ServerParam,
    vol: string,
    timeoutS = TIMEOUT_SEC,
    block = true,
    bulkSizeU: string | null = null,
    syncOpt: SyncOpt | null = null,
  ): Promise<bigint | null> {
    const bulkBytes = bulkBytesOf(bulkSizeU);
    await this._prepare_backup(sx, vol, syncOpt);
    const primary = this.sLayout.get_primary_archive();
    const newest = (await this.get_restorable_gid(primary, vol)).at(-1) ?? -1n;
    const start = this.#starter(sx, StorageRpc.hashBackup, { volume: vol, bulkBytes });
    if (!block) {
      await start();
      return null;
    }
    return await this.#finishBackup(sx, vol, 'hash_backup', timeoutS, start, newest);
  }

  #starter(
    sx: ServerParam,
    method: Method<BackupRequest, Accepted, 'unary'>,
    request: Pick<BackupRequest, 'volume' | 'bulkBytes'>,
  ): () => Promise<Accepted> {
    return () => this.command(sx, method, { ...request, compression: undefined });
  }

  /** Waits for the scan, then for a snapshot newer than `after` at the primary archive. */
  async #finishBackup(
    sx: ServerParam,
    vol: string,
    what: string,
    timeoutS: number,
    start: () => Promise<Accepted>,
    after: Gid | undefined,
  ): Promise<bigint> {
    const result = await this.runTask(sx, vol, `${what} of ${vol}`, timeoutS, start);
    await this.verify_state(sx, vol, sTarget);
    const primary = this.sLayout.get_primary_archive();
    await this.verifyActive(primary, vol, what);
    await this.#kickQuietly(vol, primary);
    const own = result?.gid;
    const wanted = own === undefined ? 'its first snapshot' : `its snapshot ${own}`;
    return await this.lookFor(
      primary,
      vol,
      `${wanted} of ${what} to be restorable`,
      timeoutS,
      async ({ view }) => {
        const newest = view.newestRestorableGid;
        if (newest === undefined || (after !== undefined && newest <= after)) return undefined;
        if (own === undefined) return newest;
        if (newest < own) return undefined;
        // A later one may vanish again; the backup's own is explicit.
        return (await this.get_restorable_gid(primary, vol)).includes(own) ? own : newest;
      },
    );
  }

  /** The diff arrives by itself too; a proxy that is down must not fail a backup that went well. */
  async #kickQuietly(vol: string, ax: ServerParam): Promise<void> {
    try {
      await this.kick_proxy(vol, ax);
    } catch (error) {
      this.print(`kick_proxy: ${WalbError.from(error).message}`);
    }
  }

  /**
   * Whether both ends are as an interrupted full backup leaves them. It can go on only while the proxies
   * keep the diffs of what was written in its course; those of another log history the archive refuses.
   */
  async #mayGoOn(sx: ServerParam, primary: ServerParam, vol: string): Promise<boolean> {
    verify_storage(sx);
    if ((await this.get_state(sx, vol)) !== sSyncReady) return false;
    return (await this.get_state(primary, vol)) === aSyncReady;
  }

  /**
   * Brings storage, proxies and archives where a backup can begin. The archives `kept` lose nothing that
   * is on its way to them.
   */
  async _prepare_backup(
    sx: ServerParam,
    vol: string,
    syncOpt: SyncOpt | null = null,
    kept: readonly ServerParam[] = [],
  ): Promise<void> {
    verify_storage(sx);
    const primary = this.sLayout.get_primary_archive();
    await this.#prepareStorage(sx, vol);
    await this.#checkOtherStorages(sx, vol);
    for (const ax of this.sLayout.archiveL.filter((archive) => !kept.includes(archive))) {
      if ((await this.registeredAt(ax, vol)).length > 0) await this.stop_synchronizing(ax, vol);
    }
    if ((await this.get_state(primary, vol)) === aClear) await this._init(primary, vol);
    await this.start_synchronizing(primary, vol, syncOpt);
  }

  async #prepareStorage(sx: ServerParam, vol: string): Promise<void> {
    const state = await this.get_state(sx, vol);
    if (state === sSyncReady) return;
    if (state === sStandby) return await this.stop(sx, vol);
    if (state === sStopped) return await this.reset(sx, vol);
    const needed = [sSyncReady, sStandby, sStopped];
    throw this.wrongState('prepare_backup:bad state', sx, vol, state, needed);
  }

  async #checkOtherStorages(sx: ServerParam, vol: string): Promise<void> {
    for (const other of this.sLayout.storageL) {
      if (other.name === sx.name) continue;
      const state = await this.get_state(other, vol);
      if (state === sStandby || state === sClear) continue;
      throw this.wrongState('prepare_backup', other, vol, state, [sStandby, sClear]);
    }
  }

  /** Throws `wrong-state` unless the archive holds data of the volume that can be used. */
  protected async verifyActive(ax: ServerParam, vol: string, what: string): Promise<void> {
    const state = await this.get_state(ax, vol);
    if (aActive.includes(state)) return;
    throw this.wrongState(what, ax, vol, state, aActive);
  }

  /** Takes a snapshot and returns its gid, without waiting for it to reach an archive. */
  async snapshot_nbk(sx: ServerParam, vol: string): Promise<bigint> {
    verify_storage(sx);
    return (await this.command(sx, StorageRpc.snapshot, { volume: vol })).gid;
  }

  /**
   * Takes a snapshot of a target volume and returns its gid once all archives of the list `axL` can
   * restore it (each within `timeoutS`).
   *
   *     gid = walbc.snapshot(s0, 'vol', [a0])
   */
  async snapshot(
    sx: ServerParam,
    vol: string,
    axL: readonly ServerParam[],
    timeoutS = TIMEOUT_SEC,
  ): Promise<bigint> {
    if (!Array.isArray(axL)) {
      throw new WalbError('invalid-argument', 'snapshot takes a list of archives, such as [a0]');
    }
    verify_storage(sx);
    for (const ax of axL) {
      verify_archive(ax);
      await this.verifyActive(ax, vol, 'snapshot');
    }
    await this.#verifyTarget(sx, vol);
    const gid = await this.snapshot_nbk(sx, vol);
    await this.#verifyTarget(sx, vol);
    const cmd = 'restorable';
    for (const ax of axL) {
      await this.waitForList(
        { ax, vol, gid, cmd, timeoutS, isWanted: true },
        { failing: (signal) => this.#failOnOverflow(sx, vol, gid, signal) },
      );
    }
    return gid;
  }

  /** After an overflow `start`, which leads from Stopped to Target elsewhere, would be refused. */
  async #verifyTarget(sx: ServerParam, vol: string): Promise<void> {
    const state = await this.get_state(sx, vol);
    if (state === sStopped && (await this.is_overflow(sx, vol))) {
      const message = `the log of ${vol} at ${sx.name} has overflowed: no snapshot can be taken before walbc.hash_backup(${sx.name}, '${vol}')`;
      throw new WalbError('overflow', message, { details: { server: sx.name, volume: vol } });
    }
    if (state !== sTarget) await this.verify_state(sx, vol, sTarget);
  }

  /** A log that overflows before the snapshot has left it takes the snapshot away: nobody may wait. */
  async #failOnOverflow(
    sx: ServerParam,
    vol: string,
    gid: bigint,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock } = this.environment;
    try {
      for await (const { view } of watchVolume(this.connection(sx), vol, { clock, signal })) {
        if (view.isOverflow && (view.doneGid ?? 0n) < gid) throw overflowed(sx, vol, gid);
      }
    } catch (thrown) {
      // A storage that is away may come back, and what it has sent arrives without it.
      if (hasCode(thrown, 'overflow')) throw thrown;
    }
  }

  /**
   * Waits until a snapshot can be restored at an archive, as an explicit or the newest one. Throws
   * `timeout`, naming what is restorable, the archive's state, and gaps that keep diffs from applying.
   */
  async wait_for_restorable(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    verify_archive(ax);
    await this._wait_for_gid(ax, vol, toGid(gid), 'restorable', timeoutS);
  }

  /** Limits full scans of a storage, running ones too, to `throughputU` bytes per second; 0 = no limit. */
  async set_full_scan_bps(sx: ServerParam, throughputU: string | number): Promise<void> {
    verify_storage(sx);
    const bytesPerSec = parseSize(String(throughputU));
    await this.command(sx, StorageRpc.setFullScanBps, { bytesPerSec });
  }
}

function overflowed(sx: ServerParam, vol: string, gid: bigint): WalbError {
  const message = `the log of ${vol} at ${sx.name} overflowed before snapshot ${gid} was delivered: it can not become restorable; walbc.hash_backup(${sx.name}, '${vol}') brings the volume back`;
  return new WalbError('overflow', message, { details: { server: sx.name, volume: vol, gid } });
}

function bulkBytesOf(bulkSizeU: string | null): number {
  return bulkSizeU === null ? DEFAULT_BULK_SIZE : parseBulkSize(bulkSizeU);
}
