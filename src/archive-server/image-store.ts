/**
 * Where an archive keeps the images of one volume: the base image, restored images, and cold
 * snapshots. Sparse files (file-image-store.ts) and LVM are two implementations of it, held to one
 * conformance suite.
 *
 * Source: semantics.md D.1, D.6, A.8. Sizes are bytes, multiples of 512.
 */
import type { Bytes, FileHandle, Gid } from '../core/index.ts';

export interface StoredImage {
  readonly gid: Gid;
  /** Device or file on this host. */
  readonly path: string;
}

export interface ImageStore {
  /** Name of the kind, for status: `file`, `lvm`, `lvm-thin`. */
  readonly kind: string;
  /** Undefined when there is no base image. */
  baseSize(): Bytes | undefined;
  /** Bytes the base image really takes, where the store can tell; 0 otherwise. */
  baseAllocated(): Bytes;
  /**
   * A base image of exactly `size` bytes to be written from the start. An existing one is emptied and
   * grown; throws `conflict` when it is larger.
   */
  createBase(size: Bytes): Promise<void>;
  /** Throws `not-found` without a base image. The caller closes the handle. */
  openBase(mode: 'read' | 'update'): FileHandle;
  /** Grows the base image; the extension reads as zeros. */
  growBase(size: Bytes): Promise<void>;

  /** Ascending by gid. */
  restored(): StoredImage[];
  /** A writable copy of the base image, not yet listed; `abandonRestore` or `commitRestore` ends it. */
  beginRestore(gid: Gid, signal: AbortSignal): Promise<FileHandle>;
  /** Lists the copy under its gid, durably. The handle is closed. */
  commitRestore(gid: Gid, handle: FileHandle): Promise<StoredImage>;
  abandonRestore(gid: Gid, handle: FileHandle | undefined): Promise<void>;
  /** Throws `not-found`. */
  deleteRestored(gid: Gid): Promise<void>;

  /** Cold snapshots; stores without them have none. */
  cold(): StoredImage[];

  /** Removes what interrupted restores left. At start-up. */
  cleanTemporary(): Promise<void>;
  /** Removes every image of the volume. */
  destroy(): Promise<void>;
}
