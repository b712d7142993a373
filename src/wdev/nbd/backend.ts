/**
 * What the NBD server serves: a block device as a value with a few calls. The walb device engine,
 * the archive's restored snapshots and the RAM device of the tests implement it.
 *
 * Speed rule: a call that can answer at once returns undefined instead of a promise; the server then
 * needs neither a promise nor a buffer of its own for the request.
 */
import type { Bytes, WalbError } from '../../core/index.ts';

export interface BlockSizes {
  /** Every offset and length is a multiple of it; a power of two, at most 64 KiB. */
  readonly minimum: Bytes;
  /** Smallest size that is served without reading and writing more than was asked for. */
  readonly preferred: Bytes;
  /** Largest payload of one request; at most `MAX_PAYLOAD`. */
  readonly maximum: Bytes;
}

/** Range of the device that may hold data; everything before it (from where one looked) is zero. */
export interface DataRange {
  readonly start: Bytes;
  readonly end: Bytes;
}

/**
 * One request that changes the device. The server reuses these objects: they and `data` belong to
 * the backend only until its `submit` has returned (or its promise has settled).
 */
export interface BlockChange {
  kind: 'write' | 'trim' | 'zero';
  offset: Bytes;
  /** Up to `maximum` for a write; up to 4 GiB for trim and zero. Never 0, always within the device. */
  length: Bytes;
  /** The `length` bytes of a write; empty otherwise. */
  data: Uint8Array;
  /** The change must be on stable storage before it is acknowledged. */
  fua: boolean;
  /** zero: the range may become a hole. */
  mayPunch: boolean;
  /** zero: throw or set `unsupported` rather than write zeros one by one. */
  fast: boolean;
  /** Set by the backend when this change alone failed. */
  error: WalbError | undefined;
}

export interface BlockBackend {
  /** Present size; may grow while clients are connected. */
  readonly size: Bytes;
  readonly readOnly: boolean;
  readonly blockSizes: BlockSizes;
  /** Changes of kind `zero` can be quicker than writing zeros. */
  readonly canFastZero: boolean;

  /** Fills `into` from `offset` on; the range is within the device and aligned. */
  read(offset: Bytes, into: Uint8Array): undefined | Promise<void>;

  /**
   * Applies the changes of one received batch, in order: one log write and one sync serve them all.
   * Done means: every later read sees them and they survive a crash of the process; a change with
   * `fua` survives a power cut too. Throwing (or rejecting) fails every change of the batch.
   */
  submit(changes: readonly BlockChange[]): undefined | Promise<void>;

  /** Everything submitted and done before the call is on stable storage when it resolves. */
  flush(): undefined | Promise<void>;

  /** First range at or after `offset` that may hold data; undefined: only zeros follow. */
  nextData?(offset: Bytes): DataRange | undefined;

  /** Hint that the range will be read soon. */
  prefetch?(offset: Bytes, length: Bytes): void;
}
