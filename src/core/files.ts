/**
 * Files as server logic sees them. Data calls are synchronous, because page-cache I/O is faster that
 * way (a 4 KiB pwrite costs about 3 µs, its asynchronous form ten times as much); only what really
 * waits for a device is asynchronous: sync, syncDir, clone.
 *
 * Positions and lengths are bytes. Every call throws a WalbError whose message names the path.
 * A block device is a file whose size is fixed.
 */
import type { Bytes, Millis } from './units.ts';

export type OpenMode =
  /** Existing file, reading only. */
  | 'read'
  /** Existing file, reading and writing. */
  | 'update'
  /** New file, reading and writing; `already-exists` when there is one. */
  | 'create'
  /** Reading and writing; an existing file is emptied. */
  | 'replace';

export interface OpenOptions {
  /**
   * The device is a thin volume: what it discards reads as zeros from then on. With other devices nobody
   * knows what discarded blocks read as.
   */
  readonly isThinVolume?: boolean;
}

export interface FileHandle {
  readonly path: string;
  readonly isBlockDevice: boolean;
  size(): Bytes;
  /** Reads up to `into.length` bytes; returns how many, fewer only at the end of the file. */
  read(into: Uint8Array, position: Bytes): number;
  /** Writes all of `from` or throws. */
  write(from: Uint8Array, position: Bytes): void;
  /** Writes `parts` one after another from `position` on, in one system call where possible. */
  writev(parts: readonly Uint8Array[], position: Bytes): void;
  /** Changes the size; new bytes read as zero. Throws `unsupported` for a block device. */
  truncate(size: Bytes): void;
  /** Makes the range read as zeros and gives its space back where the file system or device can. */
  punch(position: Bytes, length: Bytes): void;
  /**
   * Next range that may hold data at or after `position`, or undefined when only a hole follows.
   * A file system without hole reporting answers with everything up to the end.
   */
  nextData(position: Bytes): { readonly start: Bytes; readonly end: Bytes } | undefined;
  /** Data and size are on stable storage when it resolves (fdatasync). */
  sync(): Promise<void>;
  close(): void;
}

export interface FileInfo {
  readonly kind: 'file' | 'directory' | 'block-device' | 'other';
  readonly size: Bytes;
  /** Bytes really allocated; less than `size` for a sparse file. */
  readonly allocated: Bytes;
  readonly modified: Millis;
}

export interface FileLock {
  release(): void;
}

export interface Files {
  open(path: string, mode: OpenMode, options?: OpenOptions): FileHandle;
  info(path: string): FileInfo | undefined;
  /** Names in a directory, sorted; empty when the directory does not exist. */
  list(path: string): string[];
  /** Creates the directory and missing parents; fine when it exists. */
  makeDirectory(path: string): void;
  /** Atomically replaces `to`. Durable only after `syncDirectory` of the parent. */
  rename(from: string, to: string): void;
  /** Hard link; `already-exists` when `to` is there. */
  link(from: string, to: string): void;
  /** Removes a file; fine when it is gone already. */
  remove(path: string): void;
  /** Removes a directory with all it holds; fine when it is gone already. */
  removeTree(path: string): void;
  /** Creations, renames and removals in this directory are on stable storage when it resolves. */
  syncDirectory(path: string): Promise<void>;
  /**
   * Copies a file, sharing its blocks where the file system can (reflink), otherwise copying its
   * data ranges and leaving holes as holes. `to` must not exist. Synced when it resolves. `onCopied` is
   * told up to where a copy is.
   */
  clone(
    from: string,
    to: string,
    signal?: AbortSignal,
    onCopied?: (position: Bytes) => void,
  ): Promise<'reflink' | 'copy'>;
  /** Bytes an ordinary user may still write to the file system that holds `path`. */
  freeBytes(path: string): Bytes;
  /** Size of that file system. */
  totalBytes(path: string): Bytes;
  /** Takes an exclusive lock, kept until released or the process ends; throws `busy` when held. */
  lock(path: string): FileLock;
}
