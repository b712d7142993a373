/**
 * Images of one volume as logical volumes (names: lvm-names.ts).
 *
 * In a thin pool (kind `lvm-thin`) a restore shares all blocks with the base, and cold snapshots cost
 * only what changed. Plain volumes (kind `lvm`) are restored as snapshots with 1.2 times the base's
 * size for changes, which is enough to change every block.
 *
 * LVM rounds sizes up to whole extents. An image that is longer than its volume would not be equal to
 * it, so other sizes are refused.
 *
 * Source: semantics.md D.1, D.3.1, D.6, D.7, D.10, A.8.
 */
import { type Bytes, type FileHandle, type Files, type Gid, WalbError } from '../core/index.ts';
import type { ColdImages, ImageStore, StoredImage } from './image-store.ts';
import {
  changeTag,
  createPlain,
  createThin,
  renameVolume,
  resizeVolume,
  setPermission,
  snapshotPlain,
  snapshotThin,
  zeroRange,
} from './lvm-commands.ts';
import { checkDeviceNames, type ImageName, type ImageRole, imageName } from './lvm-names.ts';
import type { LogicalVolume } from './lvm-report.ts';
import type { LvmVolumeGroup } from './lvm-volume-group.ts';

/** Space for changes of a plain snapshot, in tenths of the base: all of it, and LVM's own tables. */
const SNAPSHOT_TENTHS = 12;

/**
 * Says, on a plain base volume, from where on it still holds what its disk held before: set before it
 * grows, gone when the extension is zero. A crash in between is made good at the next start.
 */
const UNZEROED_TAG = /^walb_unzeroed_from_([0-9]{1,16})$/;
const unzeroedTag = (from: Bytes): string => `walb_unzeroed_from_${from}`;

export class LvmImageStore implements ImageStore {
  readonly #group: LvmVolumeGroup;
  readonly #files: Files;
  readonly #volume: string;
  readonly coldImages: ColdImages | undefined;

  constructor(group: LvmVolumeGroup, files: Files, volume: string) {
    this.#group = group;
    this.#files = files;
    this.#volume = volume;
    this.coldImages = group.isThin ? this.#makeColdImages() : undefined;
  }

  get kind(): string {
    return this.#group.kind;
  }

  get newBaseIsZero(): boolean {
    return this.#group.isThin;
  }

  baseSize(): Bytes | undefined {
    return this.#find('base')?.size;
  }

  baseAllocated(): Bytes {
    const base = this.#find('base');
    if (base === undefined) return 0;
    if (!this.#group.isThin) return base.size;
    return Math.round((base.size * (base.usedPercent ?? 0)) / 100);
  }

  requireCreatable(size: Bytes): void {
    checkDeviceNames(this.#group.group, this.#volume);
    this.#requireWholeExtents(size);
  }

  async createBase(size: Bytes): Promise<void> {
    this.requireCreatable(size);
    await this.#group.change(async () => {
      const present = this.#find('base');
      if (present !== undefined && present.size > size) throw this.#tooLarge(present, size);
      if (this.#group.isThin) await this.#createThinBase(size);
      else await this.#createPlainBase(size, present);
    });
  }

  /**
   * An old one is replaced, not discarded: a pool may ignore discards, and keeps blocks that are covered
   * only in part.
   */
  async #createThinBase(size: Bytes): Promise<void> {
    const { group, pool } = this.#group;
    await this.#group.remove(this.#image('base'));
    await this.#group.run(createThin(group, pool, this.#name('base'), size));
  }

  async #createPlainBase(size: Bytes, present: LogicalVolume | undefined): Promise<void> {
    const { group } = this.#group;
    const name = this.#name('base');
    if (present === undefined) await this.#group.run(createPlain(group, name, size));
    else if (present.size < size) await this.#group.run(resizeVolume(group, name, size));
  }

  openBase(mode: 'read' | 'update'): FileHandle {
    return this.#open(this.#requireBase().name, mode);
  }

  async growBase(size: Bytes): Promise<void> {
    await this.#group.change(async () => {
      const base = this.#requireBase();
      if (size > base.size) {
        this.#requireWholeExtents(size);
        await this.#resizeBase(base, size);
      }
    });
  }

  async #resizeBase(base: LogicalVolume, size: Bytes): Promise<void> {
    const { group, isThin } = this.#group;
    if (isThin) {
      await this.#group.run(resizeVolume(group, base.name, size));
      return;
    }
    if (unzeroedFrom(base) === undefined) {
      await this.#group.run(changeTag(group, base.name, 'add', unzeroedTag(base.size)));
    }
    await this.#group.run(resizeVolume(group, base.name, size));
    await this.#zeroExtension();
  }

  async #zeroExtension(): Promise<void> {
    await this.#group.relist();
    const base = this.#find('base');
    const from = base === undefined ? undefined : unzeroedFrom(base);
    if (base === undefined || from === undefined) return;
    if (from < base.size) {
      await this.#group.run(zeroRange(this.#pathOf(base), from, base.size - from));
    }
    await this.#group.run(changeTag(this.#group.group, base.name, 'delete', unzeroedTag(from)));
  }

  restored(): StoredImage[] {
    return this.#stored('restored');
  }

  async beginRestore(gid: Gid, signal: AbortSignal, source?: Gid): Promise<FileHandle> {
    const target = this.#image('restoring', gid);
    await this.#group.change(async () => {
      if (signal.aborted) throw new WalbError('cancelled', `restore of ${gid} was stopped`);
      const base = this.#requireBase();
      const origin = source === undefined ? base : this.#require('cold', source);
      await this.#group.remove(target);
      await this.#copy(origin, imageName(target), base.size);
    });
    return this.#open(imageName(target), 'update');
  }

  async #copy(origin: LogicalVolume, name: string, size: Bytes): Promise<void> {
    const { group, isThin, extentSize } = this.#group;
    if (!isThin) {
      const extents = Math.ceil(((size / extentSize) * SNAPSHOT_TENTHS) / 10);
      await this.#group.run(snapshotPlain(group, origin.name, name, extents));
      return;
    }
    await this.#group.run(snapshotThin(group, origin.name, name, 'rw'));
    if (origin.size < size) await this.#group.run(resizeVolume(group, name, size));
  }

  async commitRestore(gid: Gid, handle: FileHandle): Promise<StoredImage> {
    // Synced before it gets its name: a listed image is whole, whatever crash follows.
    await handle.sync();
    handle.close();
    const { group } = this.#group;
    const name = this.#name('restored', gid);
    await this.#group.change(() =>
      this.#group.run(renameVolume(group, this.#name('restoring', gid), name)),
    );
    return { gid, path: this.#group.devicePath(name) };
  }

  async abandonRestore(gid: Gid, handle: FileHandle | undefined): Promise<void> {
    handle?.close();
    await this.#group.change(() => this.#group.remove(this.#image('restoring', gid)));
  }

  async deleteRestored(gid: Gid): Promise<void> {
    await this.#delete('restored', gid);
  }

  cold(): StoredImage[] {
    return this.#stored('cold');
  }

  async cleanTemporary(): Promise<void> {
    await this.#group.change(async () => {
      for (const { image } of this.#group.imagesOf(this.#volume)) {
        if (image.role === 'restoring') await this.#group.remove(image);
      }
      await this.#zeroExtension();
    });
  }

  /** The base last: removal fails while a restored image is mounted, and then nothing else is lost. */
  async destroy(): Promise<void> {
    await this.#group.change(async () => {
      const order: readonly ImageRole[] = ['restored', 'restoring', 'cold', 'promoting', 'base'];
      const images = this.#group.imagesOf(this.#volume);
      for (const role of order) {
        for (const { image } of images.filter((found) => found.image.role === role)) {
          await this.#group.remove(image);
        }
      }
    });
  }

  // ---- cold snapshots

  #makeColdImages(): ColdImages {
    return {
      keep: (gid, restoring) => this.#keepCold(gid, restoring),
      open: (gid) => this.#open(this.#require('cold', gid).name, 'read'),
      delete: (gid) => this.#delete('cold', gid),
      beginPromotion: (gid) => this.#beginPromotion(gid),
      finishPromotion: (gid) => this.#finishPromotion(gid),
      recoverPromotion: (baseGid) => this.#recoverPromotion(baseGid),
    };
  }

  async #keepCold(gid: Gid, restoring: FileHandle): Promise<void> {
    // The snapshot is of what the device holds, not of what is still in memory.
    await restoring.sync();
    await this.#group.change(async () => {
      if (this.#find('cold', gid) !== undefined) return;
      const origin = this.#name('restoring', gid);
      await this.#group.run(snapshotThin(this.#group.group, origin, this.#name('cold', gid), 'r'));
    });
  }

  /** The old base goes last: until then a crash is undone, from then on there is one way forward. */
  async #beginPromotion(gid: Gid): Promise<void> {
    const { group } = this.#group;
    await this.#group.change(async () => {
      const base = this.#requireBase();
      const cold = this.#require('cold', gid);
      const name = this.#name('promoting', gid);
      await this.#group.run(renameVolume(group, cold.name, name));
      if (cold.isReadOnly) await this.#group.run(setPermission(group, name, 'rw'));
      if (cold.size < base.size) await this.#group.run(resizeVolume(group, name, base.size));
      await this.#group.remove(this.#image('base'));
    });
  }

  async #finishPromotion(gid: Gid): Promise<void> {
    await this.#group.change(async () => {
      const promoting = this.#require('promoting', gid);
      await this.#group.run(renameVolume(this.#group.group, promoting.name, this.#name('base')));
    });
  }

  async #recoverPromotion(baseGid: Gid): Promise<Gid | undefined> {
    return await this.#group.change(async () => {
      const interrupted = this.#group
        .imagesOf(this.#volume)
        .filter(({ image }) => image.role === 'promoting');
      if (this.#find('base') === undefined) return interrupted.at(-1)?.image.gid;
      for (const { name, image, isReadOnly } of interrupted) {
        if (image.gid <= baseGid) await this.#group.remove(image);
        else await this.#backToCold(name, image.gid, isReadOnly);
      }
      return undefined;
    });
  }

  async #backToCold(name: string, gid: Gid, isReadOnly: boolean): Promise<void> {
    const { group } = this.#group;
    if (!isReadOnly) await this.#group.run(setPermission(group, name, 'r'));
    await this.#group.run(renameVolume(group, name, this.#name('cold', gid)));
  }

  // ---- the volumes of this store

  async #delete(role: 'restored' | 'cold', gid: Gid): Promise<void> {
    await this.#group.change(() => this.#group.remove(this.#require(role, gid).image));
  }

  #stored(role: ImageRole): StoredImage[] {
    return this.#group
      .imagesOf(this.#volume)
      .filter(({ image }) => image.role === role)
      .map((found) => ({ gid: found.image.gid, path: this.#pathOf(found) }));
  }

  #image(role: ImageRole, gid: Gid = 0n): ImageName {
    return { role, volume: this.#volume, gid };
  }

  #name(role: ImageRole, gid: Gid = 0n): string {
    return imageName(this.#image(role, gid));
  }

  #find(role: ImageRole, gid: Gid = 0n): LogicalVolume | undefined {
    return this.#group.find(this.#image(role, gid));
  }

  #open(name: string, mode: 'read' | 'update'): FileHandle {
    const { isThin } = this.#group;
    return this.#files.open(this.#group.devicePath(name), mode, { isThinVolume: isThin });
  }

  #pathOf({ name }: LogicalVolume): string {
    return this.#group.devicePath(name);
  }

  #requireBase(): LogicalVolume {
    const base = this.#find('base');
    if (base !== undefined) return base;
    const device = this.#group.devicePath(this.#name('base'));
    throw new WalbError('not-found', `there is no base image ${device}: run a full backup`);
  }

  #require(role: ImageRole, gid: Gid): LogicalVolume & { readonly image: ImageName } {
    const found = this.#find(role, gid);
    if (found !== undefined) return { ...found, image: this.#image(role, gid) };
    const have = this.#stored(role).map((image) => image.gid);
    throw new WalbError(
      'not-found',
      `there is no ${role} image of snapshot ${gid} of volume ${this.#volume}; there are: ${have.join(', ') || 'none'}`,
      { details: { volume: this.#volume, gid } },
    );
  }

  #requireWholeExtents(size: Bytes): void {
    const { extentSize, group } = this.#group;
    if (size > 0 && size % extentSize === 0) return;
    throw new WalbError(
      'invalid-argument',
      `volume ${this.#volume} has ${size} bytes, no multiple of the extent size ${extentSize} of volume group ${group}, and its image must be just as large: \`vgchange --physicalextentsize\` makes extents smaller`,
      { details: { volume: this.#volume, size, extentSize } },
    );
  }

  #tooLarge({ name, size: present }: LogicalVolume, size: Bytes): WalbError {
    return new WalbError(
      'conflict',
      `${this.#group.devicePath(name)} has ${present} bytes, more than the ${size} of the volume: reset-vol removes it`,
      { details: { device: name, present, size } },
    );
  }
}

function unzeroedFrom({ tags }: LogicalVolume): Bytes | undefined {
  const match = tags.map((tag) => UNZEROED_TAG.exec(tag)).find((found) => found !== null);
  return match === undefined || match === null ? undefined : Number(match[1]);
}
