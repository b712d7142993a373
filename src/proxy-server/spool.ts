/**
 * The diffs of one volume that a proxy keeps until every archive has them.
 *
 * Layout of `<base>/<volume>/`:
 *   size              volume size in LB, decimal
 *   NAME.archive      where and how to send to archive NAME
 *   received/         diffs just converted, by their wdiff name
 *   sendto/NAME/      hard links: what archive NAME still has to get; `*.damaged` can not be read
 *
 * A diff is on stable storage under its name in received/ before it is linked anywhere, so a crash at
 * any later point leaves it there, and the next start links what is missing. Links are synced before
 * received/ is emptied, so a crash never leaves fewer copies than archives that need one.
 *
 * Source: semantics.md C.1-C.3.
 */
import {
  cleanTemporary,
  commitTemporary,
  createTemporary,
  makeDirectoryDurably,
  parentOf,
  readFileIfExists,
  removeDurably,
  writeFileDurably,
} from '../core/durable.ts';
import {
  type Bytes,
  corrupt,
  type Env,
  type FileHandle,
  type Lb,
  Mutex,
  WalbError,
} from '../core/index.ts';
import { type Diff, formatDiffName, hasDiffSuffix, parseDiffName } from '../wdiff/index.ts';
import {
  ARCHIVE_INFO_SUFFIX,
  type ArchiveInfo,
  decodeArchiveInfo,
  encodeArchiveInfo,
} from './archive-info.ts';

/** Not a diff any more; goes with the archive, or the volume. */
const DAMAGED_SUFFIX = '.damaged';

export interface SpooledDiff {
  readonly diff: Diff;
  /** File name, which carries all metadata. */
  readonly name: string;
}

export class Spool {
  readonly #env: Pick<Env, 'files' | 'random'>;
  readonly #directory: string;
  readonly #archives = new Map<string, ArchiveInfo>();
  readonly #queues = new Map<string, Map<string, SpooledDiff>>();
  readonly #received = new Map<string, SpooledDiff>();
  readonly #distributing = new Mutex('distribution of diffs');
  #sizeLb: Lb = 0;

  constructor(env: Pick<Env, 'files' | 'random'>, directory: string) {
    this.#env = env;
    this.#directory = directory;
  }

  /** A crash while a volume is made or removed leaves a directory that sends to nobody. */
  isComplete(): boolean {
    return this.#env.files.list(this.#directory).some((name) => name.endsWith(ARCHIVE_INFO_SUFFIX));
  }

  /** Makes the directories of a new volume. */
  async create(): Promise<void> {
    await makeDirectoryDurably(this.#env.files, this.#directory);
    await makeDirectoryDurably(this.#env.files, this.#receivedDirectory);
    await makeDirectoryDurably(this.#env.files, `${this.#directory}/sendto`);
  }

  /**
   * Reads what an earlier run left. Throws `corrupt` naming the file that can not be used. What is found
   * is durable: the run before may have been killed between a rename and its directory sync.
   */
  async load(): Promise<void> {
    const { files } = this.#env;
    await files.syncDirectory(this.#directory);
    const names = files.list(this.#directory);
    for (const file of names.filter((name) => name.endsWith(ARCHIVE_INFO_SUFFIX))) {
      const path = `${this.#directory}/${file}`;
      const bytes = readFileIfExists(files, path) ?? new Uint8Array(0);
      const archive = file.slice(0, -ARCHIVE_INFO_SUFFIX.length);
      this.#archives.set(archive, decodeArchiveInfo(bytes, path));
      this.#queues.set(archive, this.#scan(this.#queueDirectory(archive)));
    }
    for (const [name, found] of this.#scan(this.#receivedDirectory))
      this.#received.set(name, found);
    this.#sizeLb = this.#loadSize();
  }

  /**
   * Removes the volume with every diff in it. The archives first: a crash in between leaves a volume
   * that sends to fewer of them or, as `isComplete` tells, to none.
   */
  async destroy(): Promise<void> {
    const { files } = this.#env;
    for (const archive of this.#archives.keys()) files.remove(this.#archivePath(archive));
    if (files.info(this.#directory) !== undefined) await files.syncDirectory(this.#directory);
    files.removeTree(this.#directory);
    await files.syncDirectory(parentOf(this.#directory));
    this.#archives.clear();
    this.#queues.clear();
    this.#received.clear();
  }

  get sizeLb(): Lb {
    return this.#sizeLb;
  }

  async setSize(sizeLb: Lb): Promise<void> {
    const bytes = new TextEncoder().encode(`${sizeLb}\n`);
    await writeFileDurably(this.#env, `${this.#directory}/size`, bytes);
    this.#sizeLb = sizeLb;
  }

  // ---- archives

  /** Sorted names. */
  archives(): string[] {
    return [...this.#archives.keys()].sort();
  }

  archive(name: string): ArchiveInfo | undefined {
    return this.#archives.get(name);
  }

  async setArchive(name: string, info: ArchiveInfo): Promise<void> {
    // A folder without an archive is what an interrupted removal left: its diffs are of another time.
    if (!this.#archives.has(name)) this.#env.files.removeTree(this.#queueDirectory(name));
    await makeDirectoryDurably(this.#env.files, this.#queueDirectory(name));
    await writeFileDurably(this.#env, this.#archivePath(name), encodeArchiveInfo(info));
    this.#archives.set(name, info);
    if (!this.#queues.has(name)) this.#queues.set(name, new Map());
  }

  /** Forgets the archive and every diff still queued for it. */
  async removeArchive(name: string): Promise<void> {
    // The info first: with it gone, a crash before the queue is removed leaves a folder that is ignored,
    // and removed when the archive is added again.
    await removeDurably(this.#env.files, this.#archivePath(name));
    this.#env.files.removeTree(this.#queueDirectory(name));
    this.#archives.delete(name);
    this.#queues.delete(name);
  }

  // ---- diffs

  received(): SpooledDiff[] {
    return [...this.#received.values()];
  }

  /** Diffs that the archive still has to get, ordered by begin gid. */
  queue(archive: string): SpooledDiff[] {
    return [...(this.#queues.get(archive)?.values() ?? [])].sort(byBegin);
  }

  isEmpty(): boolean {
    return (
      this.#received.size === 0 && [...this.#queues.values()].every((queue) => queue.size === 0)
    );
  }

  /** Bytes on disk; a diff queued for several archives counts once. */
  usedBytes(): Bytes {
    const sizes = new Map<string, Bytes>();
    for (const queue of [this.#received, ...this.#queues.values()]) {
      for (const { name, diff } of queue.values()) sizes.set(name, diff.dataSize);
    }
    return [...sizes.values()].reduce((sum, size) => sum + size, 0);
  }

  /** A file to convert into; publish or discard it. */
  createTemporary(): FileHandle {
    return createTemporary(this.#env, this.#receivedDirectory);
  }

  /** Gives a converted diff its name, durably, and queues it for every archive. */
  async publish(handle: FileHandle, diff: Diff): Promise<void> {
    // Together: a distribution under way must not take a diff that comes again for the one it has.
    using _lock = await this.#distributing.lock();
    const made = { ...diff, dataSize: handle.size() };
    const name = formatDiffName(made);
    await commitTemporary(this.#env.files, handle, `${this.#receivedDirectory}/${name}`);
    this.#received.set(name, { diff: made, name });
    await this.#distribute();
  }

  /** Links everything in received/ into each queue, then empties received/. Repeatable. */
  async distribute(): Promise<void> {
    if (this.#received.size === 0) return;
    using _lock = await this.#distributing.lock();
    await this.#distribute();
  }

  async #distribute(): Promise<void> {
    const { files } = this.#env;
    if (this.#archives.size === 0) {
      throw new WalbError('internal', `${this.#directory}: diffs have arrived, but for no archive`);
    }
    for (const archive of this.#archives.keys()) {
      for (const spooled of this.#received.values()) this.#linkInto(archive, spooled);
      await files.syncDirectory(this.#queueDirectory(archive));
    }
    for (const name of this.#received.keys()) files.remove(`${this.#receivedDirectory}/${name}`);
    this.#received.clear();
    await files.syncDirectory(this.#receivedDirectory);
  }

  /** Temporary files of conversions that a crash interrupted. */
  cleanTemporary(): void {
    cleanTemporary(this.#env.files, this.#receivedDirectory);
  }

  open(archive: string, spooled: SpooledDiff): FileHandle {
    return this.#env.files.open(`${this.#queueDirectory(archive)}/${spooled.name}`, 'read');
  }

  /** Drops diffs that the archive has, or can never use. */
  async remove(archive: string, diffs: readonly SpooledDiff[]): Promise<void> {
    const directory = this.#queueDirectory(archive);
    const queue = this.#queues.get(archive);
    for (const spooled of diffs) {
      // Another diff may have got the name meanwhile (see `#linkInto`).
      if (queue?.get(spooled.name) !== spooled) continue;
      this.#env.files.remove(`${directory}/${spooled.name}`);
      queue.delete(spooled.name);
    }
    // A crash before this brings back diffs the archive already has; it answers `too-old-diff` then.
    await this.#env.files.syncDirectory(directory);
  }

  /** Takes a diff that can not be read out of the queue; returns where it is kept. */
  async setAside(archive: string, { name }: SpooledDiff): Promise<string> {
    const directory = this.#queueDirectory(archive);
    const path = `${directory}/${name}${DAMAGED_SUFFIX}`;
    this.#env.files.rename(`${directory}/${name}`, path);
    this.#queues.get(archive)?.delete(name);
    await this.#env.files.syncDirectory(directory);
    return path;
  }

  /**
   * The name may be there: linked before a crash, sent again after a lost acknowledgement, or a diff of
   * an earlier log history that began at the same gid in the same second. The new one takes its place;
   * until the directory is synced, received/ still has it.
   */
  #linkInto(archive: string, spooled: SpooledDiff): void {
    const { files } = this.#env;
    const path = `${this.#queueDirectory(archive)}/${spooled.name}`;
    files.remove(path);
    files.link(`${this.#receivedDirectory}/${spooled.name}`, path);
    this.#queues.get(archive)?.set(spooled.name, spooled);
  }

  #scan(directory: string): Map<string, SpooledDiff> {
    const { files } = this.#env;
    const found = new Map<string, SpooledDiff>();
    for (const name of files.list(directory).filter(hasDiffSuffix)) {
      const size = files.info(`${directory}/${name}`)?.size ?? 0;
      found.set(name, { name, diff: parseDiffName(name, size) });
    }
    return found;
  }

  #loadSize(): Lb {
    const path = `${this.#directory}/size`;
    const bytes = readFileIfExists(this.#env.files, path);
    if (bytes === undefined) return 0;
    const text = new TextDecoder().decode(bytes).trim();
    const size = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(size)) return size;
    throw corrupt(
      `${path}: '${text}' is not a size in logical blocks; delete it, the next transfer sets it`,
      {
        file: path,
      },
    );
  }

  get #receivedDirectory(): string {
    return `${this.#directory}/received`;
  }

  #queueDirectory(archive: string): string {
    return `${this.#directory}/sendto/${archive}`;
  }

  #archivePath(name: string): string {
    return `${this.#directory}/${name}${ARCHIVE_INFO_SUFFIX}`;
  }
}

function byBegin(a: SpooledDiff, b: SpooledDiff): number {
  if (a.diff.B.b !== b.diff.B.b) return a.diff.B.b < b.diff.B.b ? -1 : 1;
  return a.name < b.name ? -1 : 1;
}
