/**
 * Files in memory that can lose power and fail, for tests of the device engine. A write reaches the
 * "page cache"; only `sync` makes it durable. `crash` keeps, for every 512-byte sector written since,
 * any one of the versions it had: writes are lost, torn and reordered as real disks do.
 */
import {
  type FileHandle,
  type FileInfo,
  type FileLock,
  type Files,
  type OpenMode,
  WalbError,
} from '../../../src/core/index.ts';

const SECTOR = 512;

/** Uniform number from 0 up to (not including) `below`. */
export type Pick = (below: number) => number;

/** Content of one file, whoever has it open. */
class Disk {
  cached: Uint8Array;
  /** Sector -> versions since the last sync, the durable one first. */
  readonly unsynced = new Map<number, Uint8Array[]>();

  constructor(content: Uint8Array) {
    this.cached = content;
  }

  #sector(index: number): Uint8Array {
    return this.cached.slice(index * SECTOR, (index + 1) * SECTOR);
  }

  put(from: Uint8Array, position: number): void {
    const first = Math.floor(position / SECTOR);
    const last = Math.floor((position + from.length - 1) / SECTOR);
    for (let i = first; i <= last; i++) {
      if (!this.unsynced.has(i)) this.unsynced.set(i, [this.#sector(i)]);
    }
    this.cached.set(from, position);
    for (let i = first; i <= last; i++) this.unsynced.get(i)!.push(this.#sector(i));
  }

  /** What `sync` makes durable: all versions written before it began. */
  mark(): Map<number, number> {
    return new Map([...this.unsynced].map(([sector, versions]) => [sector, versions.length - 1]));
  }

  settle(mark: Map<number, number>): void {
    for (const [sector, count] of mark) {
      const versions = this.unsynced.get(sector);
      if (versions === undefined) continue;
      versions.splice(0, count);
      if (versions.length <= 1) this.unsynced.delete(sector);
    }
  }

  crash(pick: Pick): void {
    const mode = pick(4);
    for (const [sector, versions] of this.unsynced) {
      const which = mode === 0 ? 0 : mode === 1 ? versions.length - 1 : pick(versions.length);
      this.cached.set(versions[which]!, sector * SECTOR);
    }
    this.unsynced.clear();
  }
}

export class FaultyFiles implements Files {
  readonly #disks = new Map<string, Disk>();
  readonly #locks = new Set<string>();
  /** Handles of before a crash are dead. */
  #epoch = 0;
  /** Called before each operation; may throw. */
  fault:
    | ((operation: 'read' | 'write' | 'sync', path: string, position?: number) => void)
    | undefined;
  /** Turns of the event loop that a sync takes. */
  syncTurns = 1;

  /** Loses power: unsynced data are lost in part, locks are gone, old handles do not work any more. */
  crash(pick: Pick): void {
    this.#epoch++;
    this.#locks.clear();
    for (const disk of this.#disks.values()) disk.crash(pick);
  }

  /** The process dies: the page cache stays. */
  kill(): void {
    this.#epoch++;
    this.#locks.clear();
  }

  put(path: string, content: Uint8Array): void {
    this.#disks.set(path, new Disk(new Uint8Array(content)));
  }

  content(path: string): Uint8Array {
    return this.#disk(path).cached;
  }

  /** Whether something written would be lost with the power. */
  hasUnsynced(path: string): boolean {
    return this.#disk(path).unsynced.size > 0;
  }

  #disk(path: string): Disk {
    const disk = this.#disks.get(path);
    if (disk === undefined) throw new WalbError('not-found', `${path} does not exist`);
    return disk;
  }

  open(path: string, mode: OpenMode): FileHandle {
    if (mode === 'create' || mode === 'replace') this.put(path, new Uint8Array(0));
    const disk = this.#disk(path);
    const epoch = this.#epoch;
    const enter = (operation: 'read' | 'write' | 'sync', position?: number) => {
      if (epoch !== this.#epoch) throw new WalbError('io', `${path}: the power is off`);
      this.fault?.(operation, path, position);
    };
    return {
      path,
      isBlockDevice: false,
      size: () => disk.cached.length,
      read: (into, position) => {
        enter('read');
        const piece = disk.cached.subarray(position, position + into.length);
        into.set(piece);
        return piece.length;
      },
      write: (from, position) => {
        enter('write', position);
        disk.put(from, position);
      },
      writev: (parts, position) => {
        let at = position;
        for (const part of parts) {
          enter('write', at);
          disk.put(part, at);
          at += part.length;
        }
      },
      truncate: (size) => {
        enter('write');
        const grown = new Uint8Array(size);
        grown.set(disk.cached.subarray(0, size));
        disk.cached = grown;
      },
      punch: (position, length) => {
        enter('write');
        disk.put(new Uint8Array(length), position);
      },
      nextData: (position) =>
        position < disk.cached.length ? { start: position, end: disk.cached.length } : undefined,
      sync: async () => {
        enter('sync');
        const mark = disk.mark();
        for (let i = 0; i < this.syncTurns; i++) await new Promise((done) => setImmediate(done));
        if (epoch !== this.#epoch) throw new WalbError('io', `${path}: the power is off`);
        disk.settle(mark);
      },
      close: () => {},
    };
  }

  info(path: string): FileInfo | undefined {
    const size = this.#disks.get(path)?.cached.length;
    return size === undefined ? undefined : { kind: 'file', size, allocated: size, modified: 0 };
  }

  lock(path: string): FileLock {
    if (this.#locks.has(path)) throw new WalbError('busy', `${path} is locked`);
    this.#locks.add(path);
    const epoch = this.#epoch;
    return {
      release: () => {
        if (epoch === this.#epoch) this.#locks.delete(path);
      },
    };
  }

  list(): string[] {
    return [...this.#disks.keys()].sort();
  }

  makeDirectory(): void {}

  rename(): void {
    throw new WalbError('unsupported', 'rename');
  }

  link(): void {
    throw new WalbError('unsupported', 'link');
  }

  remove(path: string): void {
    this.#disks.delete(path);
  }

  removeTree(): void {}

  async syncDirectory(): Promise<void> {}

  clone(): Promise<'copy'> {
    return Promise.reject(new WalbError('unsupported', 'clone'));
  }

  freeBytes(): number {
    return Number.MAX_SAFE_INTEGER;
  }

  totalBytes(): number {
    return Number.MAX_SAFE_INTEGER;
  }
}
