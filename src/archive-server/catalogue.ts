/**
 * What an archive knows of a volume, and the files that say so, in `<base>/<volume>/`:
 *
 *   state         SyncReady, Archived or Stopped
 *   uuid          of the storage's log history; diffs of another one are refused
 *   archive_uuid  of the archived data; equal among replicas
 *   base          state of the base image (MetaState)
 *   GID.cold      time of a cold snapshot
 *   *.wdiff       diffs; the name carries all metadata
 *
 * Each small file is replaced as a whole, durably. The set of diffs is the directory: a scan rebuilds
 * it. A diff is renamed to its name only after its bytes are synced.
 *
 * Source: semantics.md A.6, A.7, D.1, D.2; formats.md 8.
 */
import {
  cleanTemporary,
  commitTemporary,
  createTemporary,
  discardTemporary,
  makeDirectoryDurably,
  parentOf,
  readSmallFile,
  removeDurably,
  writeFileDurably,
} from '../core/durable.ts';
import {
  corrupt,
  type Env,
  type FileHandle,
  type Gid,
  hasCode,
  INVALID_GID,
  parseU64,
  type UnixSeconds,
  WalbError,
  zeroUuid,
} from '../core/index.ts';
import {
  type Diff,
  DiffSet,
  decodeMetaState,
  decodeNumber,
  decodeText,
  decodeUuid,
  encodeMetaState,
  encodeNumber,
  encodeText,
  formatDiffName,
  hasDiffSuffix,
  latestSnapshot,
  type MetaState,
  metaState,
  parseDiffName,
  type Snapshot,
  snapshot,
} from '../wdiff/index.ts';
import { ARCHIVE_STEADY_STATES, type ArchiveSteadyState } from './states.ts';

export type StoredState = Exclude<ArchiveSteadyState, 'Clear'>;

const COLD_NAME = /^([0-9]+)\.cold$/;

/** State of a volume that has no base image yet. */
const NO_BASE: MetaState = metaState(snapshot(INVALID_GID), 0);

export class Catalogue {
  readonly directory: string;
  readonly #env: Pick<Env, 'files' | 'random'>;
  #diffs = DiffSet.empty;
  #base = NO_BASE;
  #uuid = zeroUuid();
  #archiveUuid = zeroUuid();
  #cold = new Map<Gid, UnixSeconds>();

  constructor(env: Pick<Env, 'files' | 'random'>, directory: string) {
    this.#env = env;
    this.directory = directory;
  }

  exists(): boolean {
    return this.#env.files.info(this.directory) !== undefined;
  }

  /** A crash during `create` or `destroy` leaves a directory without a state. */
  isComplete(): boolean {
    return this.#env.files.info(this.#path('state')) !== undefined;
  }

  /** Files of a new volume; `state` last, since without it the volume is not there yet. */
  async create(): Promise<void> {
    // What an earlier attempt left that failed half-way.
    if (this.exists() && !this.isComplete()) await this.destroy();
    await makeDirectoryDurably(this.#env.files, this.directory);
    await this.setUuid(zeroUuid());
    await this.setArchiveUuid(zeroUuid());
    await this.setBase(NO_BASE);
    await this.setState('SyncReady');
  }

  /**
   * Makes durable what is found at start-up. The run before may have been killed between a rename and
   * its directory sync: a diff that is answered to be here already must not vanish in a power cut, for
   * the sender deletes its copy.
   */
  async settle(): Promise<void> {
    await this.#env.files.syncDirectory(this.directory);
  }

  /** Reads every file; returns the state. Throws `corrupt` naming the file that can not be used. */
  load(): StoredState {
    const state = decodeText(this.#read('state'), this.#path('state'));
    if (!isStored(state)) {
      throw corrupt(`${this.#path('state')}: '${state}' is not a state that is kept`, {
        file: this.#path('state'),
      });
    }
    const uuid = decodeUuid(this.#read('uuid'), this.#path('uuid'));
    const archiveUuid = decodeUuid(this.#read('archive_uuid'), this.#path('archive_uuid'));
    const base = decodeMetaState(this.#read('base'), this.#path('base'));
    const cold = this.#readCold();
    // Only now, so that a reload that fails leaves everything as it was.
    this.#diffs = this.#scan();
    this.#cold = cold;
    this.#uuid = uuid;
    this.#archiveUuid = archiveUuid;
    this.#base = base;
    return state;
  }

  /**
   * Back to what `create` makes. Call it with the state SyncReady stored: then a crash in between
   * leaves a volume whose data nobody uses, and which can be reset or cleared again.
   */
  async forget(): Promise<void> {
    await this.setBase(NO_BASE);
    for (const gid of this.coldGids()) await this.removeColdTime(gid);
    await this.remove(this.#diffs.diffs);
    await this.setUuid(zeroUuid());
    await this.setArchiveUuid(zeroUuid());
  }

  /** `state` first: from then on a crash leaves an incomplete volume, which is removed at start. */
  async destroy(): Promise<void> {
    const { files } = this.#env;
    if (!this.exists()) return;
    files.remove(this.#path('state'));
    await files.syncDirectory(this.directory);
    files.removeTree(this.directory);
    await files.syncDirectory(parentOf(this.directory));
    this.#diffs = DiffSet.empty;
    this.#base = NO_BASE;
  }

  // ---- facts

  get diffs(): DiffSet {
    return this.#diffs;
  }

  get base(): MetaState {
    return this.#base;
  }

  get uuid(): Uint8Array {
    return this.#uuid;
  }

  get archiveUuid(): Uint8Array {
    return this.#archiveUuid;
  }

  hasBase(): boolean {
    return this.#base.base.b !== INVALID_GID;
  }

  latest(): Snapshot {
    return latestSnapshot(this.#diffs, this.#base);
  }

  async setState(state: StoredState): Promise<void> {
    await writeFileDurably(this.#env, this.#path('state'), encodeText(state));
  }

  async setUuid(uuid: Uint8Array): Promise<void> {
    await writeFileDurably(this.#env, this.#path('uuid'), uuid);
    this.#uuid = Uint8Array.from(uuid);
  }

  async setArchiveUuid(uuid: Uint8Array): Promise<void> {
    await writeFileDurably(this.#env, this.#path('archive_uuid'), uuid);
    this.#archiveUuid = Uint8Array.from(uuid);
  }

  async setBase(base: MetaState): Promise<void> {
    await writeFileDurably(this.#env, this.#path('base'), encodeMetaState(base));
    this.#base = base;
  }

  // ---- cold snapshots

  /** Ascending. */
  coldGids(): Gid[] {
    return [...this.#cold.keys()].sort((a, b) => (a < b ? -1 : 1));
  }

  coldTime(gid: Gid): UnixSeconds | undefined {
    return this.#cold.get(gid);
  }

  async setColdTime(gid: Gid, time: UnixSeconds): Promise<void> {
    await writeFileDurably(this.#env, this.#path(`${gid}.cold`), encodeNumber(BigInt(time)));
    this.#cold.set(gid, time);
  }

  async removeColdTime(gid: Gid): Promise<void> {
    if (!this.#cold.delete(gid)) return;
    await removeDurably(this.#env.files, this.#path(`${gid}.cold`));
  }

  // ---- diffs

  /** A file to receive or merge into; `add` or discard it. */
  createTemporary(): FileHandle {
    return createTemporary(this.#env, this.directory);
  }

  /** Puts a temporary file away that will not be added; does nothing for one that was. */
  discard(handle: FileHandle): void {
    discardTemporary(this.#env.files, handle);
  }

  cleanTemporary(): string[] {
    return cleanTemporary(this.#env.files, this.directory);
  }

  /**
   * Gives a complete file its name, durably, and manages it from now on. On failure the file is
   * discarded. Throws `already-exists` when an equal diff is there.
   */
  async add(handle: FileHandle, diff: Diff): Promise<Diff> {
    const { files } = this.#env;
    const made = { ...diff, dataSize: handle.size() };
    try {
      this.#diffs.add(made);
    } catch (error) {
      discardTemporary(files, handle);
      throw error;
    }
    const path = this.pathOf(made);
    try {
      await commitTemporary(files, handle, path);
    } catch (error) {
      // Where only the last sync failed the file is there; it must not come back after a restart.
      files.remove(path);
      throw error;
    }
    // The set as it is now: it may have changed while the file was synced.
    this.#diffs = this.#diffs.add(made);
    return made;
  }

  /**
   * Removes diffs that are of no use any more; those that are gone already do not matter. A crash in
   * between leaves some; gc removes them.
   */
  async remove(diffs: readonly Diff[]): Promise<void> {
    const present = diffs.flatMap((diff) => this.#diffs.find(diff) ?? []);
    if (present.length === 0) return;
    for (const diff of present) {
      this.#env.files.remove(this.pathOf(diff));
      this.#diffs = this.#diffs.remove([diff]);
    }
    await this.#env.files.syncDirectory(this.directory);
  }

  /** Changes flags, which are part of the name. Throws `not-found` when the diff is gone. */
  async rename(from: Diff, to: Diff): Promise<void> {
    const { files } = this.#env;
    const replaced = this.#diffs.replace(from, to);
    files.rename(this.pathOf(from), this.pathOf(to));
    // In the same turn as the file: whoever opens a diff of the set finds it.
    this.#diffs = replaced;
    await files.syncDirectory(this.directory);
  }

  /** Throws `corrupt` when the file has been taken away behind the server's back. */
  open(diff: Diff): FileHandle {
    const path = this.pathOf(diff);
    try {
      return this.#env.files.open(path, 'read');
    } catch (error) {
      if (!hasCode(error, 'not-found')) throw error;
      throw new WalbError(
        'corrupt',
        `${path} is missing although this server did not remove it: put it back, or run dbg-reload-metadata and close the gap with a hash backup or a replication`,
        { details: { file: path }, cause: error },
      );
    }
  }

  pathOf(diff: Diff): string {
    return this.#path(formatDiffName(diff));
  }

  #scan(): DiffSet {
    const { files } = this.#env;
    const diffs = files
      .list(this.directory)
      .filter(hasDiffSuffix)
      .map((name) => parseDiffName(name, files.info(this.#path(name))?.size ?? 0));
    try {
      return DiffSet.of(diffs);
    } catch (error) {
      const { message } = WalbError.from(error);
      throw corrupt(`${this.directory}: ${message}; move one of the two files away`, {
        file: this.directory,
      });
    }
  }

  #readCold(): Map<Gid, UnixSeconds> {
    const found = this.#env.files.list(this.directory).flatMap((name) => {
      const match = COLD_NAME.exec(name);
      if (match === null) return [];
      const time = Number(decodeNumber(this.#read(name), this.#path(name)));
      return [[parseU64(match[1] as string, 'gid'), time] as const];
    });
    return new Map(found);
  }

  #read(name: string): Uint8Array {
    return readSmallFile(this.#env.files, this.#path(name));
  }

  #path(name: string): string {
    return `${this.directory}/${name}`;
  }
}

function isStored(text: string): text is StoredState {
  return text !== 'Clear' && (ARCHIVE_STEADY_STATES as readonly string[]).includes(text);
}
