/** An open file of a simulated process; the counterpart of RealFileHandle. */
import { WalbError } from '../../src/core/errors.ts';
import { assertRange, attempt } from '../../src/core/file-errors.ts';
import type { FileHandle, OpenMode } from '../../src/core/files.ts';
import type { Bytes } from '../../src/core/units.ts';
import { systemError } from './disk-faults.ts';
import type { Micros } from './schedule.ts';
import type { SimDisk } from './sim-disk.ts';
import { type SimCaller, SYNC_LATENCY } from './sim-files.ts';
import type { FileNode } from './sim-tree.ts';

/** The longest read or write: of a page that is not in the cache. */
const DATA_CALL: Micros = 3_000;

export class SimHandle implements FileHandle {
  readonly path: string;
  readonly isBlockDevice: boolean;
  readonly #disk: SimDisk;
  readonly #caller: SimCaller;
  readonly #node: FileNode;
  readonly #writable: boolean;
  #closed = false;
  #syncFailure: unknown;

  constructor(disk: SimDisk, caller: SimCaller, node: FileNode, path: string, mode: OpenMode) {
    this.path = path;
    this.isBlockDevice = node.kind === 'block-device';
    this.#disk = disk;
    this.#caller = caller;
    this.#node = node;
    this.#writable = mode !== 'read';
  }

  size(): Bytes {
    this.#enter('measure');
    return this.#node.content.cached.size;
  }

  read(into: Uint8Array, position: Bytes): number {
    this.#enter('read', position, into.length);
    this.#caller.work(DATA_CALL);
    return attempt('read', this.path, () => this.#disk.read(this.#node, this.path, into, position));
  }

  write(from: Uint8Array, position: Bytes): void {
    this.#enter('write', position, from.length);
    this.#caller.work(DATA_CALL);
    attempt('write', this.path, () => {
      if (!this.#writable) throw systemError('EBADF');
      this.#disk.write(this.#node, this.path, from, position);
    });
  }

  writev(parts: readonly Uint8Array[], position: Bytes): void {
    this.write(Buffer.concat(parts), position);
  }

  truncate(size: Bytes): void {
    this.#enter('truncate', size);
    if (this.isBlockDevice) {
      throw new WalbError('unsupported', `cannot truncate ${this.path}: it is a block device`, {
        details: { path: this.path, size },
      });
    }
    attempt('truncate', this.path, () => {
      if (!this.#writable) throw systemError('EINVAL');
      this.#disk.truncate(this.#node, size);
    });
  }

  punch(position: Bytes, length: Bytes): void {
    this.#enter('punch', position, length);
    attempt('punch', this.path, () => {
      if (!this.#writable) throw systemError('EBADF');
      this.#node.content.zero(position, length);
    });
  }

  nextData(position: Bytes): { readonly start: Bytes; readonly end: Bytes } | undefined {
    this.#enter('scan', position);
    const { cached } = this.#node.content;
    if (!this.isBlockDevice) return cached.nextData(position);
    return position < cached.size ? { start: position, end: cached.size } : undefined;
  }

  async sync(): Promise<void> {
    this.#enter('sync');
    const made = this.#node.content.changesMade;
    await this.#caller.latency(...SYNC_LATENCY);
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
    const code = this.#disk.faults.draw('sync', this.path);
    if (code === undefined) return this.#node.content.settle(made);
    this.#disk.syncFailed(this.#node, made);
    try {
      attempt('sync', this.path, () => {
        throw systemError(code);
      });
    } catch (error) {
      this.#syncFailure = error;
      throw error;
    }
  }

  close(): void {
    this.#closed = true;
  }

  #enter(operation: string, position: Bytes = 0, length: Bytes = 0): void {
    if (this.#closed) {
      throw new WalbError('internal', `cannot ${operation} ${this.path}: the handle is closed`, {
        details: { path: this.path, operation },
      });
    }
    assertRange(operation, this.path, position, length);
    this.#caller.enter(`${operation} ${this.path} ${position}+${length}`);
  }
}
