/**
 * Indexed wdiff: `file header | blob* | 0..7 zero bytes | index record (48)* | super (24)`
 * (formats.md 6).
 *
 * Index record, 48 bytes:
 *
 * | off | size | field | value |
 * | --: | ---: | --- | --- |
 * | 0 | 8 | io_address | lb, a multiple of io_blocks |
 * | 8 | 4 | io_blocks | lb, a power of two |
 * | 12 | 1 | flags | bit1 ALLZERO, bit2 DISCARD |
 * | 13 | 1 | compression | 0 for non-normal |
 * | 14 | 2 | reserved | |
 * | 16 | 8 | data_offset | file offset of the blob; no meaning for non-normal |
 * | 24 | 4 | data_size | stored bytes of the blob; 0 for non-normal |
 * | 28 | 4 | io_offset | lb of this record inside the decompressed blob |
 * | 32 | 4 | orig_blocks | lb of the decompressed blob; 0 for non-normal |
 * | 36 | 4 | reserved | |
 * | 40 | 4 | io_checksum | of the stored blob, salt 0; 0 for non-normal |
 * | 44 | 4 | rec_checksum | over the 48 bytes, salt 0 |
 *
 * Super, the last 24 bytes:
 *
 * | off | size | field | value |
 * | --: | ---: | --- | --- |
 * | 0 | 8 | index_offset | a multiple of 8 |
 * | 8 | 4 | n_records | |
 * | 12 | 4 | n_data | log IOs added, with the non-normal and the overwritten ones |
 * | 16 | 4 | reserved | |
 * | 20 | 4 | checksum | over the 24 bytes, salt 0 |
 */
import type { Bytes, Lb } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { type CompressionKind, compressionId } from './codec/index.ts';
import { FILE_HEADER_SIZE } from './file-header.ts';
import { assertLayout, fieldError, getU64, type Place, setU64, viewOf } from './layout.ts';
import {
  type DiffKind,
  flagsOfKind,
  validateNoData,
  validateRange,
  validateStoredSize,
  validateType,
} from './record.ts';

export const INDEX_RECORD_SIZE = 48;
export const INDEX_SUPER_SIZE = 24;
export const INDEX_ALIGNMENT = 8;

assertLayout('index record', INDEX_RECORD_SIZE, [
  [0, 8],
  [8, 4],
  [12, 1],
  [13, 1],
  [14, 2],
  [16, 8],
  [24, 4],
  [28, 4],
  [32, 4],
  [36, 4],
  [40, 4],
  [44, 4],
]);
assertLayout('index super', INDEX_SUPER_SIZE, [
  [0, 8],
  [8, 4],
  [12, 4],
  [16, 4],
  [20, 4],
]);

export interface IndexRecord {
  readonly address: Lb;
  readonly blocks: Lb;
  readonly kind: DiffKind;
  readonly compression: CompressionKind;
  /** File offset of the blob. */
  readonly dataOffset: Bytes;
  /** Stored bytes of the blob. */
  readonly dataSize: Bytes;
  /** Where this record starts inside the decompressed blob. */
  readonly ioOffset: Lb;
  /** Size of the decompressed blob. */
  readonly origBlocks: Lb;
  /** Of the stored blob. */
  readonly ioChecksum: number;
}

/** As stored; `recordChecksum` is shown to operators. */
export interface StoredIndexRecord extends IndexRecord {
  readonly recordChecksum: number;
}

export interface RawIndexRecord {
  readonly address: number;
  readonly blocks: number;
  readonly flags: number;
  readonly compressionId: number;
  readonly dataOffset: number;
  readonly dataSize: number;
  readonly ioOffset: number;
  readonly origBlocks: number;
  readonly ioChecksum: number;
  readonly recordChecksum: number;
}

export interface IndexSuper {
  readonly indexOffset: Bytes;
  readonly recordCount: number;
  readonly dataCount: number;
}

export function decodeIndexRecord(view: DataView, at: number): RawIndexRecord {
  return {
    address: getU64(view, at),
    blocks: view.getUint32(at + 8, true),
    flags: view.getUint8(at + 12),
    compressionId: view.getUint8(at + 13),
    dataOffset: getU64(view, at + 16),
    dataSize: view.getUint32(at + 24, true),
    ioOffset: view.getUint32(at + 28, true),
    origBlocks: view.getUint32(at + 32, true),
    ioChecksum: view.getUint32(at + 40, true),
    recordChecksum: view.getUint32(at + 44, true),
  };
}

/**
 * Checks the 48 bytes at `at` of `bytes`: checksum, power-of-two rule, order, blob inside the data
 * area, which ends at `dataEnd`. `place` is where they stand in the file. Throws `corrupt`.
 */
export function validateIndexRecord(
  bytes: Uint8Array,
  at: number,
  place: Place,
  bounds: { readonly floor: Lb; readonly dataEnd: Bytes },
): StoredIndexRecord {
  if (checksum(bytes.subarray(at, at + INDEX_RECORD_SIZE), 0) !== 0) {
    throw fieldError(place, 'index record checksum', 'does not fit the record');
  }
  const raw = decodeIndexRecord(viewOf(bytes), at);
  const { address, blocks, dataOffset, dataSize, ioOffset, origBlocks, ioChecksum } = raw;
  validateRange(address, blocks, bounds.floor, place);
  if (!isPowerOfTwo(blocks) || address % blocks !== 0) {
    const problem = `${blocks} at address ${address} is not an aligned power of two`;
    throw fieldError(place, 'record io_blocks', problem);
  }
  const { kind, compression } = validateType(raw.flags, raw.compressionId, place);
  if (kind === 'normal') validateBlobReference(raw, compression, bounds.dataEnd, place);
  else validateNoData(dataSize, ioChecksum, kind, place);
  return {
    address,
    blocks,
    kind,
    compression,
    dataOffset,
    dataSize,
    ioOffset,
    origBlocks,
    ioChecksum,
    recordChecksum: raw.recordChecksum,
  };
}

function validateBlobReference(
  raw: RawIndexRecord,
  compression: CompressionKind,
  dataEnd: Bytes,
  place: Place,
): void {
  validateStoredSize(compression, raw.dataSize, raw.origBlocks, place);
  if (raw.ioOffset + raw.blocks > raw.origBlocks) {
    const problem = `${raw.ioOffset}+${raw.blocks} is outside its blob of ${raw.origBlocks} blocks`;
    throw fieldError(place, 'record io_offset', problem);
  }
  if (raw.dataOffset < FILE_HEADER_SIZE || raw.dataOffset + raw.dataSize > dataEnd) {
    const problem = `${raw.dataOffset}+${raw.dataSize} is outside the data area, which ends at ${dataEnd}`;
    throw fieldError(place, 'record data_offset', problem);
  }
}

export function isPowerOfTwo(n: number): boolean {
  return n > 0 && n <= 2 ** 31 && 2 ** (31 - Math.clz32(n)) === n;
}

/** Writes one record at `at`, with its checksum. */
export function encodeIndexRecord(view: DataView, at: number, record: IndexRecord): void {
  setU64(view, at, record.address);
  view.setUint32(at + 8, record.blocks, true);
  view.setUint8(at + 12, flagsOfKind(record.kind));
  view.setUint8(at + 13, compressionId(record.compression));
  view.setUint16(at + 14, 0, true);
  setU64(view, at + 16, record.dataOffset);
  view.setUint32(at + 24, record.dataSize, true);
  view.setUint32(at + 28, record.ioOffset, true);
  view.setUint32(at + 32, record.origBlocks, true);
  view.setUint32(at + 36, 0, true);
  view.setUint32(at + 40, record.ioChecksum, true);
  view.setUint32(at + 44, 0, true);
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, INDEX_RECORD_SIZE);
  view.setUint32(at + 44, checksum(bytes, 0), true);
}

export function decodeIndexSuper(bytes: Uint8Array): IndexSuper {
  const view = viewOf(bytes);
  return {
    indexOffset: getU64(view, 0),
    recordCount: view.getUint32(8, true),
    dataCount: view.getUint32(12, true),
  };
}

/** Checks the last 24 bytes of a file of `fileSize` bytes. Throws `corrupt`. */
export function validateIndexSuper(bytes: Uint8Array, file: string, fileSize: Bytes): IndexSuper {
  const place: Place = { file, offset: fileSize - INDEX_SUPER_SIZE };
  if (checksum(bytes, 0) !== 0) {
    throw fieldError(place, 'index super checksum', 'does not fit; is the file truncated?');
  }
  const index = decodeIndexSuper(bytes);
  const end = index.indexOffset + index.recordCount * INDEX_RECORD_SIZE;
  if (index.indexOffset % INDEX_ALIGNMENT !== 0 || index.indexOffset < FILE_HEADER_SIZE) {
    throw fieldError(place, 'index super index_offset', `${index.indexOffset} is not possible`);
  }
  if (end !== place.offset) {
    const problem = `${index.recordCount} records from ${index.indexOffset} end at ${end}, not here`;
    throw fieldError(place, 'index super n_records', problem);
  }
  return index;
}

export function encodeIndexSuper(index: IndexSuper): Uint8Array {
  const bytes = new Uint8Array(INDEX_SUPER_SIZE);
  const view = viewOf(bytes);
  setU64(view, 0, index.indexOffset);
  view.setUint32(8, index.recordCount, true);
  view.setUint32(12, index.dataCount, true);
  view.setUint32(20, checksum(bytes, 0), true);
  return bytes;
}
