/**
 * The `Files` of one simulated process: the disk of its host, seen through a process that may die
 * between any two calls.
 */
import { WalbError } from '../../src/core/errors.ts';
import { attempt } from '../../src/core/file-errors.ts';
import type { FileHandle, FileInfo, FileLock, Files, OpenMode } from '../../src/core/files.ts';
import { type Bytes, KIB, type Millis } from '../../src/core/units.ts';
import type { Micros } from './schedule.ts';
import type { SimDisk } from './sim-disk.ts';
import { SimHandle } from './sim-handle.ts';
import type { FileNode } from './sim-tree.ts';

/** What files need of the process that uses them. */
export interface SimCaller {
  /** Records a call; throws ProcessKilled when the process is dead or dies right here. */
  enter(call: string): void;
  /** Resolves after a drawn duration; never when the process died meanwhile. */
  latency(least: Micros, most: Micros): Promise<void>;
  /** The call takes a drawn duration in which nothing else of the process runs. */
  work(most: Micros): void;
  /** The host's wall clock. */
  now(): Millis;
}

/** fdatasync of a disk under some load. */
export const SYNC_LATENCY = [500, 12_000] as const;
/** Of a disk that is busy: a copy of one of the small images here still spans whole applies. */
const COPY_LATENCY = [200, 20_000] as const;
/** Copied between two moments at which others run; a fraction of the small images here. */
const COPY_CHUNK: Bytes = 4 * KIB;

export class SimFiles implements Files {
  readonly #disk: SimDisk;
  readonly #caller: SimCaller;

  constructor(disk: SimDisk, caller: SimCaller) {
    this.#disk = disk;
    this.#caller = caller;
  }

  open(path: string, mode: OpenMode): FileHandle {
    return this.#call('open', path, mode, () => {
      this.#disk.faults.check('open', path);
      const node = this.#openNode(path, mode);
      return new SimHandle(this.#disk, this.#caller, node, path, mode);
    });
  }

  #openNode(path: string, mode: OpenMode): FileNode {
    if (mode === 'create') return this.#disk.create(path);
    if (mode !== 'replace') return this.#disk.needFile(path);
    if (this.#disk.find(path) === undefined) return this.#disk.create(path);
    const node = this.#disk.needFile(path);
    if (node.kind === 'block-device') {
      throw new WalbError('invalid-argument', `cannot open ${path}: a device can not be emptied`);
    }
    if (node.content.cached.size > 0) this.#disk.truncate(node, 0);
    return node;
  }

  info(path: string): FileInfo | undefined {
    return this.#call('inspect', path, '', () => {
      const node = this.#disk.tree.lookup(path);
      if (node === undefined || node === 'not-directory') return undefined;
      const modified = Math.floor(node.modified / 1000);
      if (node.kind === 'directory') return { kind: node.kind, size: 0, allocated: 0, modified };
      const { size, allocated } = node.content.cached;
      return { kind: node.kind, size, allocated, modified };
    });
  }

  list(path: string): string[] {
    return this.#call('list', path, '', () => {
      if (this.#disk.find(path) === undefined) return [];
      return [...this.#disk.needDirectory(path).names.keys()].sort();
    });
  }

  makeDirectory(path: string): void {
    this.#call('make directory', path, '', () => this.#disk.makeDirectory(path));
  }

  rename(from: string, to: string): void {
    this.#call(`rename to ${to} from`, from, '', () => {
      this.#disk.faults.check('rename', to);
      this.#disk.rename(from, to);
    });
  }

  link(from: string, to: string): void {
    this.#call(`link to ${to} from`, from, '', () => this.#disk.link(from, to));
  }

  remove(path: string): void {
    this.#call('remove', path, '', () => {
      if (this.#disk.find(path) !== undefined) this.#disk.unlink(path);
    });
  }

  /** Contents first, as `rm -r` does; the process may die between any two names. */
  removeTree(path: string): void {
    for (const name of this.#namesIn(path)) this.removeTree(`${path}/${name}`);
    this.#call('remove tree', path, '', () => this.#disk.removeTree(path));
  }

  #namesIn(path: string): string[] {
    return attempt('remove tree', path, () => {
      const node = this.#disk.find(path);
      return node?.kind === 'directory' ? [...node.names.keys()] : [];
    });
  }

  async syncDirectory(path: string): Promise<void> {
    const directory = this.#call('sync directory', path, '', () => this.#disk.needDirectory(path));
    const mark = this.#disk.tree.changesMade;
    await this.#caller.latency(...SYNC_LATENCY);
    attempt('sync directory', path, () => this.#disk.faults.check('sync-directory', path));
    this.#disk.tree.settle(directory, mark);
  }

  async clone(from: string, to: string, signal?: AbortSignal): Promise<'reflink' | 'copy'> {
    throwIfAborted(signal, from);
    const source = this.open(from, 'read');
    const target = this.open(to, 'create');
    try {
      await this.#copy(source, target, signal);
      await target.sync();
    } catch (error) {
      this.remove(to);
      throw error;
    } finally {
      source.close();
      target.close();
    }
    return 'copy';
  }

  async #copy(source: FileHandle, target: FileHandle, signal?: AbortSignal): Promise<void> {
    target.truncate(source.size());
    const chunk = new Uint8Array(COPY_CHUNK);
    for (let range = source.nextData(0); range !== undefined; range = source.nextData(range.end)) {
      for (let at = range.start; at < range.end; at += chunk.length) {
        const piece = chunk.subarray(0, Math.min(chunk.length, range.end - at));
        await this.#caller.latency(...COPY_LATENCY);
        throwIfAborted(signal, source.path);
        target.write(piece.subarray(0, source.read(piece, at)), at);
      }
    }
  }

  freeBytes(path: string): Bytes {
    return this.#call('measure free space of', path, '', () => {
      this.#disk.need(path);
      return this.#disk.freeBytes();
    });
  }

  totalBytes(path: string): Bytes {
    return this.#call('measure the size of', path, '', () => {
      this.#disk.need(path);
      return this.#disk.totalBytes();
    });
  }

  lock(path: string): FileLock {
    return this.#call('lock', path, '', () => {
      const node = this.#disk.find(path) ?? this.#disk.create(path);
      if (!this.#disk.lock(node, this.#caller)) {
        throw new WalbError('busy', `${path} is locked by another process; stop that one first`, {
          details: { path },
        });
      }
      let held = true;
      const release = () => {
        if (held) this.#disk.unlock(node, this.#caller);
        held = false;
      };
      return { release };
    });
  }

  #call<T>(operation: string, path: string, detail: string, run: () => T): T {
    this.#caller.enter(`${operation} ${path} ${detail}`.trimEnd());
    return attempt(operation, path, run);
  }
}

function throwIfAborted(signal: AbortSignal | undefined, path: string): void {
  if (signal?.aborted !== true) return;
  throw new WalbError('cancelled', `copy of ${path} was stopped on request`, {
    details: { path },
    cause: signal.reason,
  });
}
