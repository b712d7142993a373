/**
 * What a storage server keeps of a volume on disk, one fact per file in `<base>/<volume>/`:
 *
 *   path   the walb device, as given at init-vol
 *   state  SyncReady, Stopped, Target or Standby
 *   done   record up to which everything was delivered
 *   queue  snapshots taken since, oldest first
 *   part   where the part of a range ends that was sent last (records.ts PartSent); may be missing
 *   backup where the full backup under way began; missing when there is none
 *   uuid   of the log history, 32 hex digits
 *
 * `done`, `queue`, `part` and `backup` are JSON a person can read; gids and lsids are decimal strings there. Each
 * is replaced as a whole, durably, so that a crash leaves the old or the new one.
 *
 * Source: semantics.md B.1.
 */
import {
  makeDirectoryDurably,
  parentOf,
  readFileIfExists,
  removeDurably,
  writeFileDurably,
} from '../core/durable.ts';
import { corrupt, type Env, formatUuid, parseU64, parseUuid, WalbError } from '../core/index.ts';
import type { BackupBegin, LsidGid, PartSent, Records } from './records.ts';
import { STORAGE_STEADY_STATES, type StorageSteadyState } from './states.ts';

type PersistentState = Exclude<StorageSteadyState, 'Clear'>;

export interface StoredVolume {
  readonly devicePath: string;
  readonly state: PersistentState;
  readonly records: Records;
  readonly uuid: Uint8Array;
  readonly partSent?: PartSent;
  readonly backup?: BackupBegin;
}

export class VolumeFiles {
  readonly #env: Pick<Env, 'files' | 'random'>;
  readonly directory: string;

  constructor(env: Pick<Env, 'files' | 'random'>, directory: string) {
    this.#env = env;
    this.directory = directory;
  }

  exists(): boolean {
    return this.#env.files.info(this.directory) !== undefined;
  }

  /** Writes every file of a new volume; `state` last, since a volume without it is not there yet. */
  async create(stored: StoredVolume): Promise<void> {
    await makeDirectoryDurably(this.#env.files, this.directory);
    await this.#write('path', stored.devicePath);
    await this.setUuid(stored.uuid);
    await this.setRecords(stored.records);
    await this.setState(stored.state);
  }

  /** A crash during `create` or `destroy` leaves a directory without a state. */
  isComplete(): boolean {
    return this.#env.files.info(`${this.directory}/state`) !== undefined;
  }

  /**
   * Throws `corrupt` naming the file that can not be used. What it gives is durable: the process before
   * this one may have been killed between a rename and its directory sync, and log must not be freed
   * for a `done` that a power cut takes back.
   */
  async load(): Promise<StoredVolume> {
    await this.#env.files.syncDirectory(this.directory);
    const state = this.#read('state');
    if (!isPersistent(state)) throw this.#bad('state', `'${state}' is not a state that is kept`);
    const partSent = this.#partSent();
    const backup = this.#backup();
    return {
      devicePath: this.#read('path'),
      state,
      records: { done: this.#record('done'), queue: this.#records('queue') },
      uuid: this.#parse('uuid', parseUuid),
      ...(partSent === undefined ? {} : { partSent }),
      ...(backup === undefined ? {} : { backup }),
    };
  }

  /** The device alone, of a volume that may be damaged otherwise; undefined when it can not be read. */
  devicePath(): string | undefined {
    try {
      return this.#read('path');
    } catch {
      return undefined;
    }
  }

  async setState(state: PersistentState): Promise<void> {
    await this.#write('state', state);
  }

  async setUuid(uuid: Uint8Array): Promise<void> {
    await this.#write('uuid', formatUuid(uuid));
  }

  /**
   * New records after a log reset. `queue` first: a crash in between leaves `done` beyond the end of
   * the new log, which is noticed; old snapshots behind a new `done` would not be.
   */
  async setRecords(records: Records): Promise<void> {
    await this.setQueue(records.queue);
    await this.#setDone(records.done);
  }

  /**
   * Records after a delivery. `done` first: a crash in between leaves delivered records in the queue,
   * which are dropped when the next transfer is planned. The other order could lose a snapshot's gid.
   */
  async setDelivered(records: Records): Promise<void> {
    await this.#setDone(records.done);
    await this.setQueue(records.queue);
  }

  async #setDone(done: LsidGid): Promise<void> {
    await this.#write('done', JSON.stringify(toJson(done)));
  }

  async setQueue(queue: readonly LsidGid[]): Promise<void> {
    await this.#write(
      'queue',
      `[${queue.map((record) => `\n${JSON.stringify(toJson(record))}`).join(',')}\n]`,
    );
  }

  /** Before the end of a part is told to a proxy. A stale one does no harm: it only cuts elsewhere. */
  async setPartSent({ begin, end }: PartSent): Promise<void> {
    const fields = { lsid: `${begin.lsid}`, gid: `${begin.gid}`, end: `${end}` };
    await this.#write('part', JSON.stringify(fields));
  }

  /**
   * After the log reset that it begins with, before the archive learns of it. One of another log
   * history does no harm: its uuid tells.
   */
  async setBackup({ uuid, gid, sizeLb }: BackupBegin): Promise<void> {
    const fields = { uuid: formatUuid(uuid), gid: `${gid}`, sizeLb };
    await this.#write('backup', JSON.stringify(fields));
  }

  async removeBackup(): Promise<void> {
    await removeDurably(this.#env.files, `${this.directory}/backup`);
  }

  /** `state` first: from then on a crash leaves an incomplete volume, which is removed at start. */
  async destroy(): Promise<void> {
    const { files } = this.#env;
    files.remove(`${this.directory}/state`);
    await files.syncDirectory(this.directory);
    files.removeTree(this.directory);
    await files.syncDirectory(parentOf(this.directory));
  }

  async #write(name: string, text: string): Promise<void> {
    await writeFileDurably(this.#env, `${this.directory}/${name}`, Buffer.from(`${text}\n`));
  }

  #read(name: string): string {
    const bytes = readFileIfExists(this.#env.files, `${this.directory}/${name}`);
    if (bytes === undefined) throw this.#bad(name, 'the file is missing');
    return Buffer.from(bytes).toString('utf8').trim();
  }

  #parse<T>(name: string, parse: (text: string) => T): T {
    const text = this.#read(name);
    try {
      return parse(text);
    } catch (error) {
      throw this.#bad(name, WalbError.from(error).message);
    }
  }

  #partSent(): PartSent | undefined {
    if (this.#env.files.info(`${this.directory}/part`) === undefined) return undefined;
    return this.#parse('part', (text) => {
      const { lsid, gid, end } = JSON.parse(text) as Record<string, unknown>;
      const begin = { lsid: parseU64(String(lsid), 'lsid'), gid: parseU64(String(gid), 'gid') };
      return { begin, end: parseU64(String(end), 'end') };
    });
  }

  #backup(): BackupBegin | undefined {
    if (this.#env.files.info(`${this.directory}/backup`) === undefined) return undefined;
    return this.#parse('backup', (text) => {
      const { uuid, gid, sizeLb } = JSON.parse(text) as Record<string, unknown>;
      if (!Number.isSafeInteger(sizeLb)) {
        throw new WalbError('invalid-argument', 'sizeLb is not a number of blocks');
      }
      return {
        uuid: parseUuid(String(uuid)),
        gid: parseU64(String(gid), 'gid'),
        sizeLb: sizeLb as number,
      };
    });
  }

  #record(name: string): LsidGid {
    return this.#parse(name, (text) => fromJson(JSON.parse(text)));
  }

  #records(name: string): LsidGid[] {
    const records = this.#parse(name, (text) => (JSON.parse(text) as unknown[]).map(fromJson));
    records.forEach((record, index) => {
      const before = records[index - 1];
      if (before === undefined || (before.lsid <= record.lsid && before.gid < record.gid)) return;
      throw this.#bad(name, `record ${index} does not come after the one before it`);
    });
    return records;
  }

  #bad(name: string, problem: string): WalbError {
    const file = `${this.directory}/${name}`;
    return corrupt(
      `${file}: ${problem}; restore the file, or clear the volume, init it again and run hash_backup`,
      { file },
    );
  }
}

function isPersistent(text: string): text is PersistentState {
  return text !== 'Clear' && (STORAGE_STEADY_STATES as readonly string[]).includes(text);
}

function toJson({ lsid, gid, isMergeable, timestamp }: LsidGid): Record<string, unknown> {
  return { lsid: lsid.toString(), gid: gid.toString(), isMergeable, timestamp };
}

function fromJson(value: unknown): LsidGid {
  const { lsid, gid, isMergeable, timestamp } = value as Record<string, unknown>;
  if (typeof isMergeable !== 'boolean' || !Number.isSafeInteger(timestamp)) {
    throw new WalbError('invalid-argument', 'a record needs isMergeable and timestamp');
  }
  return {
    lsid: parseU64(String(lsid), 'lsid'),
    gid: parseU64(String(gid), 'gid'),
    isMergeable,
    timestamp: timestamp as number,
  };
}
