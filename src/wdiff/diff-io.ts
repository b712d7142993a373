/**
 * One piece of a diff as it flows through readers, merge, writers and redo.
 *
 * A piece with data is a window onto a blob: the data of one record (sorted) or of one log IO
 * (indexed), stored compressed. Nothing is read or decompressed before someone asks, so a merge
 * neither reads what newer pieces hide nor recompresses what it passes through.
 */
import type { Bytes, Lb } from '../core/index.ts';
import { LB_SIZE } from '../core/index.ts';
import type { TakeBuffer } from './buffers.ts';
import type { CompressionKind } from './codec/index.ts';
import type { DiffKind } from './record.ts';

/** Stored data of one record or log IO. */
export interface DiffBlob {
  /** Uncompressed size. */
  readonly blocks: Lb;
  readonly compression: CompressionKind;
  readonly storedSize: Bytes;
  /** Of the stored bytes, salt 0. */
  readonly checksum: number;
  /**
   * The stored bytes, verified against `checksum`: in a buffer of `take` (fresh by default), or memory
   * the blob owns. Not to be written to. Throws `corrupt`.
   */
  stored(take?: TakeBuffer): Uint8Array;
  /** The data, `blocks` long, kept for the next call if there is a cache. Not to be written to. */
  data(): Uint8Array;
  /** The same data when it is wanted only once: not kept, in a buffer of `take` or memory of the blob. */
  dataOnce(take?: TakeBuffer): Uint8Array;
}

export interface DataIo {
  readonly address: Lb;
  readonly blocks: Lb;
  readonly kind: 'normal';
  readonly blob: DiffBlob;
  /** Where in the blob's data this piece starts. */
  readonly blobOffset: Lb;
}

export interface EmptyIo {
  readonly address: Lb;
  readonly blocks: Lb;
  readonly kind: Exclude<DiffKind, 'normal'>;
}

export type DiffIo = DataIo | EmptyIo;

/** Some consecutive pieces: a pack, a page of an index. Waiting once per batch is cheap. */
export type DiffBatch = readonly DiffIo[];

/** Pieces in address order without overlap; what every reader gives and every consumer takes. */
export type DiffStream = AsyncIterable<DiffBatch> | Iterable<DiffBatch>;

export function isWhole(io: DataIo): boolean {
  return io.blobOffset === 0 && io.blocks === io.blob.blocks;
}

/**
 * The data of a piece, not to be written to: a whole blob's in a buffer of `take` (fresh by default)
 * or memory of the blob, a part of a blob as a view of the cached data.
 */
export function ioData(io: DataIo, take?: TakeBuffer): Uint8Array {
  if (isWhole(io)) return io.blob.dataOnce(take);
  const start = io.blobOffset * LB_SIZE;
  return io.blob.data().subarray(start, start + io.blocks * LB_SIZE);
}

/** The part of `io` from `address` on, `blocks` long; it must lie inside. */
export function sliceIo(io: DiffIo, address: Lb, blocks: Lb): DiffIo {
  if (address === io.address && blocks === io.blocks) return io;
  if (io.kind !== 'normal') return { address, blocks, kind: io.kind };
  const blobOffset = io.blobOffset + (address - io.address);
  return { address, blocks, kind: 'normal', blob: io.blob, blobOffset };
}
