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

/**
 * Cold snapshots: read-only images of restored snapshots, kept as nearer starting points of later
 * restores and scans, and as ready-made new base images (A.8, D.7).
 *
 * Cold to base: `beginPromotion`; then the caller stores the gid as the clean base state; then
 * `finishPromotion`. After a crash anywhere in between, `recoverPromotion` says how to go on.
 */
export interface ColdImages {
  /** Keeps, under `gid`, what the image of a restore under way holds now. Fine when it is there. */
  keep(gid: Gid, restoring: FileHandle): Promise<void>;
  /** For reading. It may be smaller than a base that grew meanwhile. Throws `not-found`. */
  open(gid: Gid): FileHandle;
  /** Throws `not-found`, or `busy` while somebody uses the image. */
  delete(gid: Gid): Promise<void>;
  /** The cold snapshot stops being one, gets the size of the base, and the base image is removed. */
  beginPromotion(gid: Gid): Promise<void>;
  /** What was prepared becomes the base image. */
  finishPromotion(gid: Gid): Promise<void>;
  /**
   * After a crash: with the old base still there, undoes the promotion (or drops what was prepared, if
   * the base is past it) and returns undefined. Without a base image it returns the gid the caller has
   * to store as base state before `finishPromotion`.
   */
  recoverPromotion(baseGid: Gid): Promise<Gid | undefined>;
}

export interface ImageStore {
  /** Name of the kind, for status: `file`, `lvm`, `lvm-thin`. */
  readonly kind: string;
  /** Undefined when there is no base image. */
  baseSize(): Bytes | undefined;
  /** Bytes the base image really takes, where the store can tell; 0 otherwise. */
  baseAllocated(): Bytes;
  /**
   * Throws `invalid-argument` when there can be no base image of exactly this size, or none of this volume:
   * to be asked before anything is given up for a new one.
   */
  requireCreatable(size: Bytes): void;
  /**
   * A base image of exactly `size` bytes to be written from the start. An existing one is emptied and
   * grown; throws `conflict` when it is larger, `invalid-argument` for a size the store can not make
   * exactly.
   */
  createBase(size: Bytes): Promise<void>;
  /**
   * Whether a new base image reads as zeros. Where it does not (plain LVM volumes hold what their disk
   * held before), whoever fills it writes the zeros as well.
   */
  readonly newBaseIsZero: boolean;
  /** Throws `not-found` without a base image. The caller closes the handle. */
  openBase(mode: 'read' | 'update'): FileHandle;
  /**
   * Grows the base image; the extension reads as zeros. A smaller size changes nothing. Throws
   * `not-found` without a base image, `invalid-argument` for a size the store can not make exactly.
   */
  growBase(size: Bytes): Promise<void>;

  /** Ascending by gid. */
  restored(): StoredImage[];
  /**
   * A writable copy of the base image, or of the cold snapshot `source`, as large as the base; not yet
   * listed. `abandonRestore` or `commitRestore` ends it. Where blocks can not be shared, `onCopied` is told
   * up to where the copy is.
   */
  beginRestore(
    gid: Gid,
    signal: AbortSignal,
    source?: Gid,
    onCopied?: (position: Bytes) => void,
  ): Promise<FileHandle>;
  /** Lists the copy under its gid, durably. The handle is closed. */
  commitRestore(gid: Gid, handle: FileHandle): Promise<StoredImage>;
  abandonRestore(gid: Gid, handle: FileHandle | undefined): Promise<void>;
  /** Throws `not-found`, or `busy` while somebody uses the image. */
  deleteRestored(gid: Gid): Promise<void>;

  /** Cold snapshots, ascending by gid; a store without them (`coldImages` undefined) has none. */
  cold(): StoredImage[];
  /** What can be done with cold snapshots, in a store that keeps them. */
  readonly coldImages: ColdImages | undefined;

  /** Removes what interrupted restores left. At start-up. */
  cleanTemporary(): Promise<void>;
  /** Removes every image of the volume. */
  destroy(): Promise<void>;
}
