/**
 * An open file or block device on a real file system.
 *
 * Two rules protect the data. After a failed fdatasync the kernel may have dropped the dirty pages
 * and reports success from then on, so such a handle stays failed for good: whoever owns it has to
 * reopen and recover. And a file descriptor is closed only when no fdatasync uses it any more,
 * because the number could already belong to another file.
 */
import fs from 'node:fs';
import { WalbError } from './errors.ts';
import { assertRange, attempt, fileError, systemCode } from './file-errors.ts';
import type { FileHandle, OpenMode, OpenOptions } from './files.ts';
import { discardBlocks, punchHole, seekData, seekEnd, seekHole } from './real-syscalls.ts';
import { punchThin, type ThinVolume, wholeBlocks } from './thin-punch.ts';
import { type Bytes, MIB } from './units.ts';
import { writeZeros } from './zeros.ts';

/** One call transfers at most this; Linux stops at 2 GiB - 4 KiB, the rest is looped. */
const MAX_TRANSFER: Bytes = 1024 * MIB;
/** Answers of a file system or device that can not punch. */
const NO_PUNCH = new Set(['EOPNOTSUPP', 'ENOTSUP', 'ENOSYS']);
/**
 * Answers of a device that does not discard, or not here: ENOTTY where the request is not known, EINVAL for
 * larger blocks, EBUSY for one that somebody mounted.
 */
const NO_DISCARD = new Set([...NO_PUNCH, 'ENOTTY', 'EINVAL', 'EBUSY']);

/** Read and write for the group, nothing for others: backups hold everything a disk holds. */
const FILE_MODE = 0o640;

const OPEN_FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  update: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL,
  replace: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC,
};

export class RealFileHandle implements FileHandle {
  readonly path: string;
  readonly isBlockDevice: boolean;
  readonly #isThinVolume: boolean;
  readonly #fd: number;
  #closed = false;
  #syncFailure: WalbError | undefined;
  #running: Promise<void> | undefined;
  #queued: Promise<void> | undefined;

  constructor(path: string, mode: OpenMode, options: OpenOptions = {}) {
    this.path = path;
    this.#fd = attempt('open', path, () => fs.openSync(path, OPEN_FLAGS[mode], FILE_MODE));
    try {
      this.isBlockDevice = kindForOpen(this.#fd, path, mode) === 'block-device';
      this.#isThinVolume = this.isBlockDevice && options.isThinVolume === true;
    } catch (error) {
      fs.closeSync(this.#fd);
      throw error;
    }
  }

  size(): Bytes {
    const fd = this.#open('measure');
    return attempt('measure', this.path, () =>
      this.isBlockDevice ? seekEnd(fd) : fs.fstatSync(fd).size,
    );
  }

  read(into: Uint8Array, position: Bytes): number {
    const fd = this.#open('read');
    assertRange('read', this.path, position, into.length);
    try {
      let done = 0;
      while (done < into.length) {
        const length = Math.min(into.length - done, MAX_TRANSFER);
        const count = fs.readSync(fd, into, done, length, position + done);
        if (count === 0) break;
        done += count;
      }
      return done;
    } catch (error) {
      throw fileError('read', this.path, error, { position, length: into.length });
    }
  }

  write(from: Uint8Array, position: Bytes): void {
    const fd = this.#open('write');
    assertRange('write', this.path, position, from.length);
    try {
      let done = 0;
      while (done < from.length) {
        const length = Math.min(from.length - done, MAX_TRANSFER);
        done += progress(fs.writeSync(fd, from, done, length, position + done));
      }
    } catch (error) {
      throw fileError('write', this.path, error, { position, length: from.length });
    }
  }

  writev(parts: readonly Uint8Array[], position: Bytes): void {
    const fd = this.#open('write');
    let length = 0;
    for (const part of parts) length += part.length;
    assertRange('write', this.path, position, length);
    try {
      writeParts(fd, parts, position, length);
    } catch (error) {
      throw fileError('write', this.path, error, { position, length });
    }
  }

  truncate(size: Bytes): void {
    const fd = this.#open('truncate');
    assertRange('truncate', this.path, size, 0);
    if (this.isBlockDevice) {
      throw new WalbError('unsupported', `cannot truncate ${this.path}: it is a block device`, {
        details: { path: this.path, size },
      });
    }
    attempt('truncate', this.path, () => fs.ftruncateSync(fd, size));
  }

  punch(position: Bytes, length: Bytes): void {
    this.#open('punch');
    assertRange('punch', this.path, position, length);
    const end = Math.min(position + length, this.size());
    if (position >= end) return;
    if (this.#isThinVolume) {
      punchThin(this.#asThinVolume(), position, end);
      return;
    }
    const [from, to] = this.isBlockDevice ? wholeBlocks(position, end) : [position, end];
    if (from < to && this.#deallocates('punch', punchHole, NO_PUNCH, from, to - from)) {
      writeZeros(this, position, from);
      writeZeros(this, to, end);
    } else {
      writeZeros(this, position, end);
    }
  }

  #asThinVolume(): ThinVolume {
    return {
      read: (into, position) => this.read(into, position),
      write: (from, position) => this.write(from, position),
      discard: (position, length) =>
        this.#deallocates('discard', discardBlocks, NO_DISCARD, position, length),
    };
  }

  /** False when the file system or device can not. */
  #deallocates(
    operation: string,
    call: (fd: number, position: Bytes, length: Bytes) => void,
    refusals: ReadonlySet<string>,
    position: Bytes,
    length: Bytes,
  ): boolean {
    try {
      call(this.#fd, position, length);
      return true;
    } catch (error) {
      if (refusals.has(systemCode(error) ?? '')) return false;
      throw fileError(operation, this.path, error, { position, length });
    }
  }

  nextData(position: Bytes): { readonly start: Bytes; readonly end: Bytes } | undefined {
    const fd = this.#open('scan');
    assertRange('scan', this.path, position, 0);
    if (position >= this.size()) return undefined;
    try {
      const start = seekData(fd, position);
      return { start, end: seekHole(fd, start) };
    } catch (error) {
      if (systemCode(error) === 'ENXIO') return undefined;
      // EINVAL: a block device, or a file system that does not report holes.
      if (systemCode(error) === 'EINVAL') return { start: position, end: this.size() };
      throw fileError('scan', this.path, error, { position });
    }
  }

  /**
   * One fdatasync runs at a time and one more waits; calls that arrive meanwhile share the waiting
   * one, which starts after they wrote and so covers them. Running two at once could report success
   * to the second because the kernel gave the error of lost pages to the first.
   */
  sync(): Promise<void> {
    try {
      this.#open('sync');
    } catch (error) {
      return Promise.reject(error);
    }
    if (this.#queued !== undefined) return this.#queued;
    if (this.#running === undefined) return this.#start();
    const start = () => this.#start();
    this.#queued = this.#running.then(start, start);
    return this.#queued;
  }

  #start(): Promise<void> {
    this.#queued = undefined;
    const running = this.#fdatasync().finally(() => {
      this.#running = undefined;
      if (this.#closed && this.#queued === undefined) this.#closeDescriptor();
    });
    this.#running = running;
    return running;
  }

  #fdatasync(): Promise<void> {
    if (this.#syncFailure !== undefined) return Promise.reject(this.#syncFailure);
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#fd, (error) => {
        if (error === null) return resolve();
        this.#syncFailure = fileError('sync', this.path, error);
        reject(this.#syncFailure);
      });
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#running === undefined) this.#closeDescriptor();
  }

  /** A close error tells nothing about data that was synced, and unsynced data was never promised. */
  #closeDescriptor(): void {
    try {
      fs.closeSync(this.#fd);
    } catch (error) {
      if (systemCode(error) === 'EBADF') throw fileError('close', this.path, error);
    }
  }

  #open(operation: string): number {
    if (!this.#closed) return this.#fd;
    throw new WalbError('internal', `cannot ${operation} ${this.path}: the handle is closed`, {
      details: { path: this.path, operation },
    });
  }
}

function kindForOpen(fd: number, path: string, mode: OpenMode): 'file' | 'block-device' {
  const stat = attempt('open', path, () => fs.fstatSync(fd));
  if (stat.isFile()) return 'file';
  if (stat.isBlockDevice() && mode !== 'replace') return 'block-device';
  const what = stat.isBlockDevice() ? 'a block device can not be emptied' : 'it is no file';
  throw new WalbError('invalid-argument', `cannot open ${path}: ${what}`, { details: { path } });
}

function writeParts(fd: number, parts: readonly Uint8Array[], position: Bytes, length: Bytes) {
  let rest = parts;
  let done = 0;
  while (done < length) {
    const count = progress(fs.writevSync(fd, rest, position + done));
    done += count;
    if (done < length) rest = withoutPrefix(rest, count);
  }
}

/** What is left of `parts` after their first `count` bytes; drops empty ones. */
function withoutPrefix(parts: readonly Uint8Array[], count: Bytes): Uint8Array[] {
  let skip = count;
  const rest: Uint8Array[] = [];
  for (const part of parts) {
    if (skip >= part.length) skip -= part.length;
    else {
      rest.push(part.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}

/** A write that stores nothing and reports no error would loop for ever. */
function progress(count: number): number {
  if (count > 0) return count;
  throw Object.assign(new Error('EIO: the device accepted no bytes, write'), { code: 'EIO' });
}
