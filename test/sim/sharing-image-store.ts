/**
 * An image store whose copies share blocks, as LVM thin pools make them: a copy is of one moment, some
 * time after it was asked for, and restores leave cold snapshots behind. Made of files, so that it dies
 * and loses power like everything else here.
 *
 *   images/cold-GID.img         cold snapshots
 *   images/promoting-GID.img    one that is about to become the base image
 */
import { FileImageStore } from '../../src/archive-server/file-image-store.ts';
import type { ColdImages, ImageStore, StoredImage } from '../../src/archive-server/image-store.ts';
import { type Bytes, type Env, type Gid, WalbError } from '../../src/core/index.ts';
import { changed } from './group-flaws.ts';

/** Of a command of the volume manager. */
const MAX_COMMAND_MS = 60;

export function sharingImageStore(env: Env, volumeDirectory: string): ImageStore {
  const store: ImageStore = new FileImageStore(env.files, volumeDirectory);
  const shared = new SharedImages(env, volumeDirectory, store);
  return changed(store, {
    coldImages: shared,
    cold: () => shared.images('cold'),
    beginRestore: (gid, _signal, source) => shared.beginRestore(gid, source),
  });
}

class SharedImages implements ColdImages {
  readonly #env: Env;
  readonly #directory: string;
  readonly #store: ImageStore;

  constructor(env: Env, volumeDirectory: string, store: ImageStore) {
    this.#env = env;
    this.#directory = `${volumeDirectory}/images`;
    this.#store = store;
  }

  images(role: 'cold' | 'promoting'): StoredImage[] {
    const pattern = new RegExp(`^${role}-(\\d+)\\.img$`);
    return this.#env.files
      .list(this.#directory)
      .flatMap((name) => {
        const gid = pattern.exec(name)?.[1];
        return gid === undefined ? [] : [{ gid: BigInt(gid), path: `${this.#directory}/${name}` }];
      })
      .sort((a, b) => (a.gid < b.gid ? -1 : 1));
  }

  async beginRestore(gid: Gid, source: Gid | undefined) {
    const path = `${this.#directory}/restored-${gid}.tmp`;
    await this.#command();
    const size = this.#store.baseSize() ?? 0;
    const origin = source === undefined ? this.#path('base') : this.#path('cold', source);
    this.#env.files.remove(path);
    await this.#share(origin, path, size);
    return this.#env.files.open(path, 'update');
  }

  async keep(gid: Gid, restoring: { readonly path: string; size(): Bytes }): Promise<void> {
    await this.#command();
    if (this.images('cold').some((cold) => cold.gid === gid)) return;
    const temporary = `${this.#path('cold', gid)}.tmp`;
    this.#env.files.remove(temporary);
    await this.#share(restoring.path, temporary, restoring.size());
    this.#env.files.rename(temporary, this.#path('cold', gid));
    await this.#env.files.syncDirectory(this.#directory);
  }

  open(gid: Gid) {
    return this.#env.files.open(this.#path('cold', gid), 'read');
  }

  async delete(gid: Gid): Promise<void> {
    await this.#command();
    const path = this.#path('cold', gid);
    if (this.#env.files.info(path) === undefined) {
      throw new WalbError('not-found', `there is no ${path}`);
    }
    this.#env.files.remove(path);
    await this.#env.files.syncDirectory(this.#directory);
  }

  async beginPromotion(gid: Gid): Promise<void> {
    await this.#command();
    const path = this.#path('promoting', gid);
    const size = this.#store.baseSize() ?? 0;
    this.#env.files.rename(this.#path('cold', gid), path);
    const handle = this.#env.files.open(path, 'update');
    if (handle.size() < size) handle.truncate(size);
    await handle.sync();
    handle.close();
    await this.#env.files.syncDirectory(this.#directory);
    await this.#command();
    this.#env.files.remove(this.#path('base'));
    await this.#env.files.syncDirectory(this.#directory);
  }

  async finishPromotion(gid: Gid): Promise<void> {
    await this.#command();
    this.#env.files.rename(this.#path('promoting', gid), this.#path('base'));
    await this.#env.files.syncDirectory(this.#directory);
  }

  async recoverPromotion(baseGid: Gid): Promise<Gid | undefined> {
    const interrupted = this.images('promoting');
    if (this.#store.baseSize() === undefined) return interrupted.at(-1)?.gid;
    for (const { gid, path } of interrupted) {
      if (gid <= baseGid) this.#env.files.remove(path);
      else this.#env.files.rename(path, this.#path('cold', gid));
      await this.#env.files.syncDirectory(this.#directory);
    }
    return undefined;
  }

  /** Everything at once: nothing happens between the first and the last byte. */
  async #share(from: string, to: string, size: Bytes): Promise<void> {
    using open = new DisposableStack();
    const { files } = this.#env;
    const source = open.adopt(files.open(from, 'read'), (handle) => handle.close());
    const target = open.adopt(files.open(to, 'create'), (handle) => handle.close());
    const content = new Uint8Array(source.size());
    source.read(content, 0);
    target.write(content, 0);
    if (target.size() < size) target.truncate(size);
    await target.sync();
    await files.syncDirectory(this.#directory);
  }

  #path(role: 'base' | 'cold' | 'promoting', gid?: Gid): string {
    return gid === undefined
      ? `${this.#directory}/${role}.img`
      : `${this.#directory}/${role}-${gid}.img`;
  }

  async #command(): Promise<void> {
    await this.#env.clock.sleep(this.#env.random.u32() % MAX_COMMAND_MS);
  }
}
