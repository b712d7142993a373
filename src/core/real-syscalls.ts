/**
 * The system calls that Node does not offer: lseek (hole reporting, device size), fallocate
 * (punching holes), ioctl (discards), flock (locks). koffi is loaded at the first use, so that a one-shot command that
 * needs none of them does not pay for it.
 *
 * Constants are Linux's (include/uapi: fs.h, falloc.h, fcntl.h), the same on every architecture
 * Node 24 supports but for BLKDISCARD, which has another number on ppc64: it answers ENOTTY there.
 */
import { createRequire } from 'node:module';
import { getSystemErrorMap } from 'node:util';
import { WalbError } from './errors.ts';

const SEEK_END = 2;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const FALLOC_KEEP_SIZE_PUNCH_HOLE = 0x01 | 0x02;
/** _IO(0x12, 119); takes the address of two 64-bit numbers, start and length in bytes. */
const BLKDISCARD = 0x1277;
const LOCK_EX_NB = 2 | 4;

interface Libc {
  lseek(fd: number, offset: number, whence: number): number;
  fallocate(fd: number, mode: number, offset: number, length: number): number;
  /** `type` and `argument` stand for the `...` of ioctl. */
  ioctl(fd: number, request: number, type: string, argument: Uint8Array): number;
  flock(fd: number, operation: number): number;
  errno(): number;
}

let loaded: Libc | undefined;

function libc(): Libc {
  return (loaded ??= loadLibc());
}

function loadLibc(): Libc {
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load(null);
    return {
      lseek: library.func('int64_t lseek(int fd, int64_t offset, int whence)'),
      fallocate: library.func('int fallocate(int fd, int mode, int64_t offset, int64_t length)'),
      ioctl: library.func('int ioctl(int fd, unsigned long request, ...)'),
      flock: library.func('int flock(int fd, int operation)'),
      errno: koffi.errno,
    };
  } catch (cause) {
    throw new WalbError(
      'unsupported',
      'cannot call the system library (koffi did not load); reinstall walb-ts for this platform',
      { cause },
    );
  }
}

/** A failed system call in the shape of Node's own, so that one mapping to WalbError serves both. */
function systemError(syscall: string): NodeJS.ErrnoException {
  const errno = libc().errno();
  const [code, about] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
  return Object.assign(new Error(`${code}: ${about}, ${syscall}`), {
    errno: -errno,
    code,
    syscall,
  });
}

function check(result: number, syscall: string): number {
  if (result < 0) throw systemError(syscall);
  return result;
}

/** Size of a file or block device; moves the file offset, which nothing here relies on. */
export function seekEnd(fd: number): number {
  return check(libc().lseek(fd, 0, SEEK_END), 'lseek');
}

/** Start of the next data; throws ENXIO when none follows, EINVAL where holes are not reported. */
export function seekData(fd: number, position: number): number {
  return check(libc().lseek(fd, position, SEEK_DATA), 'lseek');
}

/** Start of the next hole; the end of the file counts as one. */
export function seekHole(fd: number, position: number): number {
  return check(libc().lseek(fd, position, SEEK_HOLE), 'lseek');
}

/** Deallocates a range, which then reads as zeros; throws EOPNOTSUPP where that is not possible. */
export function punchHole(fd: number, position: number, length: number): void {
  check(libc().fallocate(fd, FALLOC_KEEP_SIZE_PUNCH_HOLE, position, length), 'fallocate');
}

/**
 * Tells a block device that nobody needs the range; what it reads as from then on depends on the device.
 * Throws EOPNOTSUPP where it can not, ENOTTY for a file.
 */
export function discardBlocks(fd: number, position: number, length: number): void {
  const range = new BigUint64Array([BigInt(position), BigInt(length)]);
  check(libc().ioctl(fd, BLKDISCARD, 'void *', new Uint8Array(range.buffer)), 'ioctl');
}

/** Takes an exclusive lock on the open file; throws EAGAIN when another one holds it. */
export function lockExclusively(fd: number): void {
  check(libc().flock(fd, LOCK_EX_NB), 'flock');
}
