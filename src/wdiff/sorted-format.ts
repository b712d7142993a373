/**
 * Sorted wdiff: `file header | { pack header (4096) | data }* | end pack (4096)` (formats.md 5).
 *
 * Pack header, 4096 bytes:
 *
 * | off | size | field | value |
 * | --: | ---: | --- | --- |
 * | 0 | 4 | checksum | over 4096 bytes, salt 0 |
 * | 4 | 2 | n_records | 1..127; 0 in the end pack |
 * | 6 | 1 | flags | bit0 END |
 * | 7 | 1 | reserved | |
 * | 8 | 4 | total_size | bytes of data that follow |
 * | 12 | 4 | reserved | |
 * | 16 | 127 x 32 | records | unused ones zero |
 * | 4080 | 16 | reserved | zero |
 *
 * Record, 32 bytes:
 *
 * | off | size | field | value |
 * | --: | ---: | --- | --- |
 * | 0 | 8 | io_address | lb |
 * | 8 | 4 | io_blocks | lb, > 0 |
 * | 12 | 1 | flags | bit1 ALLZERO, bit2 DISCARD |
 * | 13 | 1 | compression | 0 for non-normal |
 * | 14 | 2 | reserved | |
 * | 16 | 4 | data_offset | from the end of the pack header: sum of the earlier data_size |
 * | 20 | 4 | data_size | stored bytes; 0 for non-normal |
 * | 24 | 4 | checksum | of the stored bytes, salt 0; 0 for non-normal |
 * | 28 | 4 | reserved | |
 */
import type { Bytes, Lb } from '../core/index.ts';
import { MIB } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { type CompressionKind, compressionId, compressionKindOfId } from './codec/index.ts';
import { assertLayout, fieldError, getU64, type Place, setU64, viewOf } from './layout.ts';
import {
  type DiffKind,
  flagsOfKind,
  kindOfFlags,
  validateNoData,
  validateRange,
  validateStoredSize,
  validateType,
} from './record.ts';

export const PACK_HEADER_SIZE = 4096;
export const SORTED_RECORD_SIZE = 32;
export const MAX_PACK_RECORDS = 127;
/** A pack is closed before it would pass this; readers refuse a larger one. */
export const MAX_PACK_DATA: Bytes = 32 * MIB;

export const PACK_RECORDS_AT = 16;
const FLAG_END = 0x01;

assertLayout('sorted pack header', PACK_HEADER_SIZE, [
  [0, 4],
  [4, 2],
  [6, 1],
  [7, 1],
  [8, 4],
  [12, 4],
  [PACK_RECORDS_AT, MAX_PACK_RECORDS * SORTED_RECORD_SIZE],
  [4080, 16],
]);
assertLayout('sorted record', SORTED_RECORD_SIZE, [
  [0, 8],
  [8, 4],
  [12, 1],
  [13, 1],
  [14, 2],
  [16, 4],
  [20, 4],
  [24, 4],
  [28, 4],
]);

/** One record as it means something; `dataOffset` counts from the end of its pack header. */
export interface SortedRecord {
  readonly address: Lb;
  readonly blocks: Lb;
  readonly kind: DiffKind;
  readonly compression: CompressionKind;
  readonly dataOffset: Bytes;
  readonly dataSize: Bytes;
  readonly checksum: number;
}

export interface SortedPack {
  readonly isEnd: boolean;
  readonly totalSize: Bytes;
  readonly records: readonly SortedRecord[];
}

export interface RawSortedRecord {
  readonly address: number;
  readonly blocks: number;
  readonly flags: number;
  readonly compressionId: number;
  readonly dataOffset: number;
  readonly dataSize: number;
  readonly checksum: number;
}

export interface RawPackHeader {
  readonly recordCount: number;
  readonly isEnd: boolean;
  readonly totalSize: number;
}

export function decodePackHeader(bytes: Uint8Array): RawPackHeader {
  const view = viewOf(bytes);
  return {
    recordCount: view.getUint16(4, true),
    isEnd: ((bytes[6] ?? 0) & FLAG_END) !== 0,
    totalSize: view.getUint32(8, true),
  };
}

/** Record `index` of a pack header that is valid as a whole. */
export function trustedSortedRecord(view: DataView, index: number): SortedRecord {
  const { flags, compressionId: id, ...rest } = decodeSortedRecord(view, index);
  return { ...rest, kind: kindOfFlags(flags)!, compression: compressionKindOfId(id)! };
}

export function decodeSortedRecord(view: DataView, index: number): RawSortedRecord {
  const at = PACK_RECORDS_AT + index * SORTED_RECORD_SIZE;
  return {
    address: getU64(view, at),
    blocks: view.getUint32(at + 8, true),
    flags: view.getUint8(at + 12),
    compressionId: view.getUint8(at + 13),
    dataOffset: view.getUint32(at + 16, true),
    dataSize: view.getUint32(at + 20, true),
    checksum: view.getUint32(at + 24, true),
  };
}

/**
 * Checks the 4096 bytes of a pack header at `place`, whose first record must not start before
 * `floor` (end of the record before it in the file). Throws `corrupt`.
 */
export function validatePack(bytes: Uint8Array, place: Place, floor: Lb): SortedPack {
  if (checksum(bytes, 0) !== 0) {
    throw fieldError(place, 'pack header checksum', 'does not fit the pack header');
  }
  const { recordCount, isEnd, totalSize } = decodePackHeader(bytes);
  if (isEnd) {
    if (recordCount !== 0 || totalSize !== 0) {
      throw fieldError(place, 'end pack', `holds ${recordCount} records, ${totalSize} bytes`);
    }
    return { isEnd, totalSize: 0, records: [] };
  }
  if (recordCount === 0 || recordCount > MAX_PACK_RECORDS) {
    throw fieldError(place, 'pack header n_records', `is ${recordCount}, not 1..127`);
  }
  if (totalSize > MAX_PACK_DATA) {
    throw fieldError(place, 'pack header total_size', `${totalSize} is more than 32 MiB`);
  }
  return {
    isEnd,
    totalSize,
    records: validateRecords(bytes, recordCount, totalSize, place, floor),
  };
}

function validateRecords(
  bytes: Uint8Array,
  count: number,
  totalSize: Bytes,
  pack: Place,
  floor: Lb,
): SortedRecord[] {
  const view = viewOf(bytes);
  const records: SortedRecord[] = [];
  let end = floor;
  let dataEnd = 0;
  for (let i = 0; i < count; i++) {
    const place = {
      file: pack.file,
      offset: pack.offset + PACK_RECORDS_AT + i * SORTED_RECORD_SIZE,
    };
    const record = validateSortedRecord(decodeSortedRecord(view, i), end, dataEnd, place);
    records.push(record);
    end = record.address + record.blocks;
    dataEnd += record.dataSize;
  }
  if (dataEnd !== totalSize) {
    const problem = `is ${totalSize}, its records hold ${dataEnd} bytes`;
    throw fieldError(pack, 'pack header total_size', problem);
  }
  return records;
}

function validateSortedRecord(
  raw: RawSortedRecord,
  floor: Lb,
  dataOffset: Bytes,
  place: Place,
): SortedRecord {
  const { address, blocks, dataSize } = raw;
  validateRange(address, blocks, floor, place);
  const { kind, compression } = validateType(raw.flags, raw.compressionId, place);
  if (kind === 'normal') validateStoredSize(compression, dataSize, blocks, place);
  else validateNoData(dataSize, raw.checksum, kind, place);
  if (raw.dataOffset !== dataOffset) {
    throw fieldError(place, 'record data_offset', `is ${raw.dataOffset}, expected ${dataOffset}`);
  }
  return { address, blocks, kind, compression, dataOffset, dataSize, checksum: raw.checksum };
}

/**
 * Pack header of `records` (1..127), or the end pack when there are none. The records are validated
 * as a reader would; `floor` is where the record before this pack ends.
 */
export function encodePack(records: readonly SortedRecord[], place: Place, floor: Lb): Uint8Array {
  const bytes = new Uint8Array(PACK_HEADER_SIZE);
  const view = viewOf(bytes);
  let totalSize = 0;
  records.forEach((record, index) => {
    writeRecord(view, PACK_RECORDS_AT + index * SORTED_RECORD_SIZE, record);
    totalSize += record.dataSize;
  });
  view.setUint16(4, records.length, true);
  bytes[6] = records.length === 0 ? FLAG_END : 0;
  view.setUint32(8, totalSize, true);
  view.setUint32(0, checksum(bytes, 0), true);
  validatePack(bytes, place, floor);
  return bytes;
}

function writeRecord(view: DataView, at: number, record: SortedRecord): void {
  setU64(view, at, record.address);
  view.setUint32(at + 8, record.blocks, true);
  view.setUint8(at + 12, flagsOfKind(record.kind));
  view.setUint8(at + 13, compressionId(record.compression));
  view.setUint32(at + 16, record.dataOffset, true);
  view.setUint32(at + 20, record.dataSize, true);
  view.setUint32(at + 24, record.checksum, true);
}
