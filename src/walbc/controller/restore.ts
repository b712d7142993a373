/** Restoring, and snapshots at archives (controller-api.md 5.6). */
import { hasCode, WalbError } from '../../core/index.ts';
import { ArchiveRpc, type ExportInfo, fromErrorInfo, TaskKind } from '../../rpc/index.ts';
import { aaRestore, SHORT_TIMEOUT_SEC, TIMEOUT_SEC } from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import { type GidLike, toGid, verify_archive } from '../verify.ts';
import { BackupMethods } from './backup.ts';
import { type GidList, lastTaskError } from './waits.ts';

/** An image may be in use for a moment by whoever has just closed it. */
const DELETE_ATTEMPTS = 3;
const DELETE_PAUSE_MS = 1000;

export class RestoreMethods extends BackupMethods {
  /**
   * Restores a clean snapshot to an image of its own at the archive and returns when it is complete;
   * `get_restored_path` says where it is. Throws `already-exists` when it is restored already, and the
   * reason when restoring fails.
   *
   *     walbc.restore(a0, 'vol', gid)
   */
  async restore(ax: ServerParam, vol: string, gid: GidLike, timeoutS = TIMEOUT_SEC): Promise<void> {
    verify_archive(ax);
    const wanted = toGid(gid);
    if ((await this.get_restored(ax, vol)).includes(wanted)) {
      throw new WalbError(
        'already-exists',
        `restore: gid ${wanted} of volume ${vol} is restored already at ${ax.name}`,
        { details: { server: ax.name, volume: vol, gid: wanted } },
      );
    }
    await this.runTask(ax, vol, `restore of gid ${wanted}`, timeoutS, () =>
      this.command(ax, ArchiveRpc.restore, { volume: vol, gid: wanted }),
    );
    await this.#verifyRestored(ax, vol, wanted, '');
  }

  /** Waits until no restore runs; then `gid` must be restored. */
  async wait_for_restored(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    timeoutS = TIMEOUT_SEC,
  ): Promise<void> {
    verify_archive(ax);
    const view = await this.waitWhileRunning(ax, vol, aaRestore, timeoutS);
    await this.#verifyRestored(ax, vol, toGid(gid), lastTaskError(view, TaskKind.RESTORE));
  }

  async #verifyRestored(ax: ServerParam, vol: string, gid: bigint, reason: string): Promise<void> {
    if ((await this.get_restored(ax, vol)).includes(gid)) return;
    throw new WalbError(
      'not-found',
      `wait_for_restored:failed: gid ${gid} of volume ${vol} is not restored at ${ax.name}${reason}`,
      { details: { server: ax.name, volume: vol, gid } },
    );
  }

  /**
   * Throws with `msg` when a snapshot becomes restorable within `waitS` seconds. That the archive can
   * not be reached counts as not restorable.
   */
  async verify_not_restorable(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    waitS: number,
    msg: string,
  ): Promise<void> {
    try {
      await this.wait_for_restorable(ax, vol, gid, waitS);
    } catch (error) {
      if (hasCode(error, 'invalid-argument', 'cancelled')) throw error;
      return;
    }
    throw new WalbError(
      'conflict',
      `${msg}: gid ${gid} of volume ${vol} is restorable at ${ax.name}`,
      { details: { server: ax.name, volume: vol, gid: toGid(gid) } },
    );
  }

  /** Deletes a restored image and returns when it is gone. Tries again while it is in use. */
  async del_restored(ax: ServerParam, vol: string, gid: GidLike): Promise<void> {
    await this.#delete(ax, vol, gid, 'restored');
  }

  /** Deletes a cold snapshot and returns when it is gone. */
  async del_cold(ax: ServerParam, vol: string, gid: GidLike): Promise<void> {
    await this.#delete(ax, vol, gid, 'cold');
  }

  async #delete(ax: ServerParam, vol: string, gid: GidLike, list: GidList): Promise<void> {
    verify_archive(ax);
    const request = { volume: vol, gid: toGid(gid) };
    const method = list === 'cold' ? ArchiveRpc.delCold : ArchiveRpc.delRestored;
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.command(ax, method, request);
        break;
      } catch (error) {
        if (attempt > 1 && hasCode(error, 'not-found')) break;
        if (!hasCode(error, 'busy') || attempt === DELETE_ATTEMPTS) throw error;
        await this.environment.clock.sleep(DELETE_PAUSE_MS, this.interrupted);
      }
    }
    await this._wait_for_not_gid(ax, vol, gid, list, SHORT_TIMEOUT_SEC);
  }

  /** Deletes all restored images of a volume; returns their gids. */
  async _del_restored_all(ax: ServerParam, vol: string): Promise<bigint[]> {
    const gids = await this.get_restored(ax, vol);
    for (const gid of gids) await this.del_restored(ax, vol, gid);
    return gids;
  }

  /**
   * Lets snapshots vanish: they are implicit from now on. All gids are tried; then an error names
   * those that could not be changed.
   */
  async disable_snapshot(ax: ServerParam, vol: string, gidL: readonly GidLike[]): Promise<void> {
    await this.#setSnapshots(ax, vol, gidL, false);
  }

  /** Keeps snapshots: they are explicit from now on. */
  async enable_snapshot(ax: ServerParam, vol: string, gidL: readonly GidLike[]): Promise<void> {
    await this.#setSnapshots(ax, vol, gidL, true);
  }

  async #setSnapshots(
    ax: ServerParam,
    vol: string,
    gidL: readonly GidLike[],
    enable: boolean,
  ): Promise<void> {
    verify_archive(ax);
    if (!Array.isArray(gidL) || gidL.length === 0) {
      throw new WalbError('invalid-argument', 'a list of at least one gid is needed');
    }
    const gids = gidL.map((gid) => toGid(gid));
    const method = enable ? ArchiveRpc.enableSnapshots : ArchiveRpc.disableSnapshots;
    const { failures } = await this.command(ax, method, { volume: vol, gids });
    if (failures.length === 0) return;
    const list = failures
      .map(
        ({ gid, error }) =>
          `${gid}${error === undefined ? '' : ` (${fromErrorInfo(error).message})`}`,
      )
      .join(', ');
    const done = gids.length - failures.length;
    throw new WalbError(
      'not-found',
      `${enable ? 'enable' : 'disable'}_snapshot at ${ax.name}: not done for gid ${list}; done for ${done} others`,
      { details: { server: ax.name, volume: vol, failed: failures.length } },
    );
  }

  /**
   * Serves a clean snapshot at once over NBD, as a writable overlay; returns where (`uri`). `address`
   * is `host:port` (port 0: any) or `unix:/path`, by default a unix socket of the archive's choice.
   * `fill` makes it independent of the archive's diffs in the background.
   *
   *     walbc.export_snapshot(a0, 'vol', gid)['uri']
   */
  async export_snapshot(
    ax: ServerParam,
    vol: string,
    gid: GidLike,
    address = '',
    readOnly = false,
    fill = false,
  ): Promise<ExportInfo> {
    verify_archive(ax);
    const request = { volume: vol, gid: toGid(gid), address, readOnly, fill };
    return await this.command(ax, ArchiveRpc.exportSnapshot, request);
  }

  /** Ends an export; what was written to it is dropped. `force`: also with clients connected. */
  async close_export(ax: ServerParam, exportId: string, force = false): Promise<void> {
    verify_archive(ax);
    await this.command(ax, ArchiveRpc.closeExport, { exportId, force });
  }

  /** Exports of one volume, or of all. */
  async list_exports(ax: ServerParam, vol: string | null = null): Promise<ExportInfo[]> {
    verify_archive(ax);
    return (await this.query(ax, ArchiveRpc.listExports, { volume: vol ?? '' })).exports;
  }
}
