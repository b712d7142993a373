/** Growing volumes (controller-api.md 5.7). They never shrink. */
import { LB_SIZE, MIB, WalbError } from '../../core/index.ts';
import { ArchiveRpc, StorageRpc } from '../../rpc/index.ts';
import { aAcceptForResize, aClear, sClear, TIMEOUT_SEC } from '../constants.ts';
import type { ServerParam } from '../servers.ts';
import { show, verify_archive, verify_storage } from '../verify.ts';
import { RetentionMethods } from './retention.ts';

const LB_PER_MB = MIB / LB_SIZE;

export class ResizeMethods extends RetentionMethods {
  /**
   * Grows the base image to `sizeMb` MiB; `doZeroClear` writes zeros to the extension. Returns when
   * that is done. Does nothing when it has this size. Restored images must have been deleted before.
   */
  async resize_archive(
    ax: ServerParam,
    vol: string,
    sizeMb: number,
    doZeroClear: boolean,
  ): Promise<void> {
    verify_archive(ax);
    checkSize(sizeMb);
    await this.#checkArchive(ax, vol);
    const oldMb = await this._get_vol_size_mb(ax, vol);
    if (oldMb === sizeMb) return;
    if (oldMb > sizeMb) {
      throw new WalbError(
        'invalid-argument',
        `resize_archive: volume ${vol} at ${ax.name} has ${oldMb} MiB; it can not shrink to ${sizeMb}`,
        { details: { server: ax.name, volume: vol, oldMb, sizeMb } },
      );
    }
    const request = { volume: vol, sizeLb: sizeMb * LB_PER_MB, zeroClear: doZeroClear };
    await this.runTask(ax, vol, `resize of ${vol}`, TIMEOUT_SEC, () =>
      this.command(ax, ArchiveRpc.resize, request),
    );
    const newMb = await this._get_vol_size_mb(ax, vol);
    if (newMb === sizeMb) return;
    const why = newMb === oldMb ? 'size is not changed(restored vol may exist)' : 'wrong size';
    throw new WalbError(
      'conflict',
      `resize_archive: ${why}: volume ${vol} at ${ax.name} has ${newMb} MiB, not ${sizeMb}`,
      { details: { server: ax.name, volume: vol, newMb, sizeMb } },
    );
  }

  async #checkArchive(ax: ServerParam, vol: string): Promise<void> {
    const state = await this.get_state(ax, vol);
    if (aAcceptForResize.includes(state)) return;
    throw this.wrongState('resize_archive', ax, vol, state, aAcceptForResize);
  }

  /**
   * Makes a storage take a device that has grown as `sizeMb` MiB big. Its data device must have grown
   * before. Does nothing for a Clear volume.
   */
  async resize_storage(sx: ServerParam, vol: string, sizeMb: number): Promise<void> {
    verify_storage(sx);
    checkSize(sizeMb);
    if ((await this.get_state(sx, vol)) === sClear) return;
    await this.command(sx, StorageRpc.resize, { volume: vol, sizeLb: sizeMb * LB_PER_MB });
  }

  /** Grows a volume everywhere: first at the archives, then at the storages; Clear ones are left out. */
  async resize(vol: string, sizeMb: number, doZeroClear: boolean): Promise<void> {
    for (const ax of this.sLayout.archiveL) {
      if ((await this.get_state(ax, vol)) === aClear) continue;
      await this.resize_archive(ax, vol, sizeMb, doZeroClear);
    }
    for (const sx of this.sLayout.storageL) await this.resize_storage(sx, vol, sizeMb);
  }
}

function checkSize(sizeMb: number): void {
  if (Number.isSafeInteger(sizeMb * LB_PER_MB) && Number.isInteger(sizeMb) && sizeMb > 0) return;
  throw new WalbError('invalid-argument', `bad size ${show(sizeMb)}: whole MiB needed, at least 1`);
}
