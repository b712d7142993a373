/**
 * Images as sparse files in the volume's directory:
 *
 *   images/base.img             base image
 *   images/restored-GID.img     restored snapshots
 *   images/restored-GID.tmp     a restore under way
 *
 * A restore copies the base by reflink where the file system can (at once, sharing blocks), otherwise
 * only the data ranges.
 *
 * Source: semantics.md D.1, D.6.
 */
import { makeDirectoryDurably, parentOf } from '../core/durable.ts';
import {
  type Bytes,
  type FileHandle,
  type Files,
  type Gid,
  parseU64,
  WalbError,
} from '../core/index.ts';
import type { ImageStore, StoredImage } from './image-store.ts';

const RESTORED = /^restored-(\d+)\.img$/;
const TEMPORARY_SUFFIX = '.tmp';

export class FileImageStore implements ImageStore {
  readonly kind = 'file';
  readonly newBaseIsZero = true;
  /** Without shared blocks a cold snapshot would cost a whole copy, so there are none. */
  readonly coldImages = undefined;
  readonly #files: Files;
  readonly #directory: string;

  constructor(files: Files, volumeDirectory: string) {
    this.#files = files;
    this.#directory = `${volumeDirectory}/images`;
  }

  baseSize(): Bytes | undefined {
    return this.#files.info(this.#basePath)?.size;
  }

  baseAllocated(): Bytes {
    return this.#files.info(this.#basePath)?.allocated ?? 0;
  }

  /** A file has any size. */
  requireCreatable(): void {}

  async createBase(size: Bytes): Promise<void> {
    const present = this.baseSize();
    if (present !== undefined && present > size) {
      throw new WalbError(
        'conflict',
        `${this.#basePath} has ${present} bytes, more than the ${size} of the volume: clear-vol removes it`,
        { details: { file: this.#basePath, present, size } },
      );
    }
    await makeDirectoryDurably(this.#files, this.#directory);
    // Emptied as a whole: an interrupted full backup may have left anything in it.
    const handle = this.#files.open(this.#basePath, 'replace');
    try {
      handle.truncate(size);
      await handle.sync();
    } finally {
      handle.close();
    }
    await this.#files.syncDirectory(this.#directory);
  }

  openBase(mode: 'read' | 'update'): FileHandle {
    if (this.baseSize() === undefined) {
      throw new WalbError(
        'not-found',
        `there is no base image ${this.#basePath}: run a full backup`,
      );
    }
    return this.#files.open(this.#basePath, mode);
  }

  async growBase(size: Bytes): Promise<void> {
    const handle = this.openBase('update');
    try {
      if (size > handle.size()) handle.truncate(size);
      await handle.sync();
    } finally {
      handle.close();
    }
  }

  restored(): StoredImage[] {
    return this.#files
      .list(this.#directory)
      .flatMap((name) => {
        const match = RESTORED.exec(name);
        return match === null
          ? []
          : [{ gid: parseU64(match[1] as string, 'gid'), path: `${this.#directory}/${name}` }];
      })
      .sort((a, b) => (a.gid < b.gid ? -1 : 1));
  }

  async beginRestore(
    gid: Gid,
    signal: AbortSignal,
    _source?: Gid,
    onCopied?: (position: Bytes) => void,
  ): Promise<FileHandle> {
    const path = this.#temporaryPath(gid);
    this.#files.remove(path);
    await this.#files.clone(this.#basePath, path, signal, onCopied);
    return this.#files.open(path, 'update');
  }

  async commitRestore(gid: Gid, handle: FileHandle): Promise<StoredImage> {
    // Synced before it gets its name: a listed image is whole, whatever crash follows.
    await handle.sync();
    handle.close();
    const path = this.#restoredPath(gid);
    this.#files.rename(handle.path, path);
    await this.#files.syncDirectory(this.#directory);
    return { gid, path };
  }

  async abandonRestore(gid: Gid, handle: FileHandle | undefined): Promise<void> {
    handle?.close();
    this.#files.remove(this.#temporaryPath(gid));
  }

  async deleteRestored(gid: Gid): Promise<void> {
    const found = this.restored().find((image) => image.gid === gid);
    if (found === undefined) {
      const have = this.restored().map((image) => image.gid);
      throw new WalbError(
        'not-found',
        `snapshot ${gid} is not restored; restored are: ${have.join(', ') || 'none'}`,
        { details: { gid } },
      );
    }
    this.#files.remove(found.path);
    await this.#files.syncDirectory(this.#directory);
  }

  cold(): StoredImage[] {
    return [];
  }

  /** And makes durable what is there: the run before may have been killed before it could. */
  async cleanTemporary(): Promise<void> {
    for (const name of this.#files.list(this.#directory)) {
      if (name.endsWith(TEMPORARY_SUFFIX)) this.#files.remove(`${this.#directory}/${name}`);
    }
    if (this.#files.info(this.#directory) !== undefined) {
      await this.#files.syncDirectory(this.#directory);
    }
  }

  async destroy(): Promise<void> {
    this.#files.removeTree(this.#directory);
    if (this.#files.info(parentOf(this.#directory)) !== undefined) {
      await this.#files.syncDirectory(parentOf(this.#directory));
    }
  }

  get #basePath(): string {
    return `${this.#directory}/base.img`;
  }

  #restoredPath(gid: Gid): string {
    return `${this.#directory}/restored-${gid}.img`;
  }

  #temporaryPath(gid: Gid): string {
    return `${this.#directory}/restored-${gid}${TEMPORARY_SUFFIX}`;
  }
}
