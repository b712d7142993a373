/**
 * Files on the operating system's file systems: the `Files` of every real server.
 *
 * Everything a caller sees is a WalbError that names the operation and the path (file-errors.ts).
 */
import fs from 'node:fs';
import path from 'node:path';
import { WalbError } from './errors.ts';
import { attempt, fileError, systemCode } from './file-errors.ts';
import type { FileHandle, FileInfo, FileLock, Files, OpenMode, OpenOptions } from './files.ts';
import { copyDataRanges } from './real-copy.ts';
import { RealFileHandle } from './real-file-handle.ts';
import { lockExclusively, seekEnd } from './real-syscalls.ts';
import type { Bytes } from './units.ts';

/** Group may look, others not: backups hold everything a disk holds. */
const DIRECTORY_MODE = 0o750;
const LOCK_MODE = 0o640;
/** More than any process id in decimal; a longer lock file was not written by us. */
const MAX_LOCK_TEXT = 32;

/** What FICLONE answers where blocks can not be shared; a plain copy serves as well. */
const NO_REFLINK = new Set(['ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY']);

export class RealFiles implements Files {
  open(path: string, mode: OpenMode, options?: OpenOptions): FileHandle {
    return new RealFileHandle(path, mode, options);
  }

  info(path: string): FileInfo | undefined {
    return attempt('inspect', path, () => {
      const stat = fs.statSync(path, { throwIfNoEntry: false });
      if (stat === undefined) return undefined;
      const kind = kindOf(stat);
      const size = kind === 'block-device' ? deviceSize(path) : stat.size;
      const allocated = kind === 'block-device' ? size : stat.blocks * 512;
      return { kind, size, allocated, modified: Math.floor(stat.mtimeMs) };
    });
  }

  list(path: string): string[] {
    try {
      return fs.readdirSync(path).sort();
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return [];
      throw fileError('list', path, error);
    }
  }

  makeDirectory(path: string): void {
    attempt('make directory', path, () =>
      fs.mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE }),
    );
  }

  rename(from: string, to: string): void {
    attempt(`rename to ${to} from`, from, () => fs.renameSync(from, to));
  }

  link(from: string, to: string): void {
    attempt(`link to ${to} from`, from, () => fs.linkSync(from, to));
  }

  remove(path: string): void {
    try {
      fs.unlinkSync(path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw fileError('remove', path, error);
    }
  }

  removeTree(path: string): void {
    attempt('remove tree', path, () => fs.rmSync(path, { recursive: true, force: true }));
  }

  async syncDirectory(path: string): Promise<void> {
    const fd = attempt('sync directory', path, () =>
      fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_DIRECTORY),
    );
    try {
      await new Promise<void>((resolve, reject) => {
        fs.fsync(fd, (error) => (error === null ? resolve() : reject(error)));
      });
    } catch (error) {
      throw fileError('sync directory', path, error);
    } finally {
      fs.closeSync(fd);
    }
  }

  async clone(
    from: string,
    to: string,
    signal?: AbortSignal,
    onCopied: (position: Bytes) => void = () => {},
  ): Promise<'reflink' | 'copy'> {
    throwIfAborted(signal, from);
    if (this.info(from)?.kind === 'file' && (await reflink(from, to))) {
      await this.#syncOrRemove(to);
      return 'reflink';
    }
    const source = this.open(from, 'read');
    try {
      const target = this.open(to, 'create');
      await this.#copy(source, target, (position) => {
        throwIfAborted(signal, from);
        onCopied(position);
      });
    } finally {
      source.close();
    }
    return 'copy';
  }

  async #copy(
    source: FileHandle,
    target: FileHandle,
    check: (position: Bytes) => void,
  ): Promise<void> {
    try {
      await copyDataRanges(source, target, check);
    } catch (error) {
      this.remove(target.path);
      throw error;
    } finally {
      target.close();
    }
  }

  async #syncOrRemove(path: string): Promise<void> {
    const handle = this.open(path, 'read');
    try {
      await handle.sync();
    } catch (error) {
      this.remove(path);
      throw error;
    } finally {
      handle.close();
    }
  }

  freeBytes(path: string): Bytes {
    return attempt('measure free space of', path, () => {
      const stat = fs.statfsSync(path);
      return stat.bavail * stat.bsize;
    });
  }

  totalBytes(path: string): Bytes {
    return attempt('measure the size of', path, () => {
      const stat = fs.statfsSync(path);
      return stat.blocks * stat.bsize;
    });
  }

  /**
   * The lock belongs to the open file description, so it ends with the process whatever happens. The
   * file stays behind: removing it would let a third process lock a new file of the same name while
   * a second one still waits for the old.
   */
  lock(path: string): FileLock {
    const { O_RDWR, O_CREAT } = fs.constants;
    const fd = attempt('lock', path, () => fs.openSync(path, O_RDWR | O_CREAT, LOCK_MODE));
    try {
      attempt('lock', path, () => takeLock(fd, path));
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      fs.closeSync(fd);
    };
    return { release };
  }
}

function takeLock(fd: number, path: string): void {
  // A device may be locked, but writing the holder into it would destroy data.
  const noteHolder = fs.fstatSync(fd).isFile();
  try {
    lockExclusively(fd);
  } catch (error) {
    if (systemCode(error) !== 'EAGAIN') throw error;
    const pid = noteHolder ? readHolder(fd) : undefined;
    const holder = pid === undefined ? 'another process' : `process ${pid}`;
    throw new WalbError('busy', `${path} is locked by ${holder}; stop that one first`, {
      details: { path, pid },
    });
  }
  if (!noteHolder) return;
  fs.ftruncateSync(fd, 0);
  fs.writeSync(fd, `${process.pid}\n`, 0);
}

function readHolder(fd: number): number | undefined {
  const text = Buffer.alloc(MAX_LOCK_TEXT);
  const length = fs.readSync(fd, text, 0, text.length, 0);
  const match = /^([1-9][0-9]{0,9})\n$/.exec(text.toString('latin1', 0, length));
  return match === null ? undefined : Number(match[1]);
}

function kindOf(stat: fs.Stats): FileInfo['kind'] {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  return stat.isBlockDevice() ? 'block-device' : 'other';
}

function deviceSize(device: string): Bytes {
  const fd = fs.openSync(device, 'r');
  try {
    return seekEnd(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** False where blocks can not be shared; then `to` does not exist. */
async function reflink(from: string, to: string): Promise<boolean> {
  const { COPYFILE_EXCL, COPYFILE_FICLONE_FORCE } = fs.constants;
  try {
    await fs.promises.copyFile(from, to, COPYFILE_EXCL | COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (NO_REFLINK.has(systemCode(error) ?? '')) return false;
    throw fileError(`clone to ${path.resolve(to)} from`, from, error);
  }
}

function throwIfAborted(signal: AbortSignal | undefined, path: string): void {
  if (signal?.aborted !== true) return;
  throw new WalbError('cancelled', `copy of ${path} was stopped on request`, {
    details: { path },
    cause: signal.reason,
  });
}
