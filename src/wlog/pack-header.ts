/**
 * Pack header and record: the block that starts every logpack. docs/formats-wlog.md has the table.
 *
 * Source: formats.md 2.2 (layout, validity) and 2.3 (end block).
 *
 * Decoding never fails; `validatePackHeader` refuses what the format forbids. The same numeric
 * checks run before anything is encoded.
 */
import {
  type Bytes,
  ceilPb,
  type Lb,
  type Lsid,
  lbPerPb,
  type Pb,
  U64_MAX,
} from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import {
  MAX_DISCARD_LB,
  MAX_IO_LB,
  MAX_LSID,
  MAX_OFFSET_LB,
  MAX_PACK_PB,
  MAX_PADDING,
  PACK_HEADER_FIXED,
  RECORD_SIZE,
  recordCapacity,
} from './limits.ts';
import { assertLayout, IN_MEMORY, invalidField, type Place } from './place.ts';

export const SECTOR_TYPE_LOGPACK = 3;

export const FLAG_EXIST = 1;
export const FLAG_PADDING = 2;
export const FLAG_DISCARD = 4;
export const WRITE_FLAGS = FLAG_EXIST;
export const PADDING_FLAGS = FLAG_EXIST | FLAG_PADDING;
export const DISCARD_FLAGS = FLAG_EXIST | FLAG_DISCARD;

// Offsets within the header block.
const CHECKSUM = 0;
const TYPE = 4;
const TOTAL_IO_SIZE = 6;
const LSID = 8;
const N_RECORDS = 16;
const N_PADDING = 18;
const RESERVED = 20;
// Offsets within a record.
const R_CHECKSUM = 0;
const R_FLAGS = 4;
const R_OFFSET = 8;
const R_IO_SIZE = 16;
const R_LSID_LOCAL = 20;
const R_RESERVED = 22;
const R_LSID = 24;

assertLayout(RESERVED + 4 === PACK_HEADER_FIXED, 'pack header is 24 bytes');
assertLayout(R_LSID + 8 === RECORD_SIZE, 'record is 32 bytes');
assertLayout(R_LSID_LOCAL + 2 === R_RESERVED && R_RESERVED + 2 === R_LSID, 'record tail');
assertLayout(recordCapacity(512) === 15, '15 records in 512 bytes');
assertLayout(recordCapacity(1024) === 31, '31 records in 1024 bytes');
assertLayout(recordCapacity(4096) === 127, '127 records in 4096 bytes');

const U32 = 0x1_0000_0000;

export type RecordKind = 'write' | 'padding' | 'discard';

/** What a record says; its lsid follows from the pack's. */
export interface RecordFields {
  /** Of the first `blocks` * 512 data bytes with the log salt; 0 for padding and discard. */
  readonly checksum: number;
  readonly flags: number;
  /** Address on the volume; 0 for padding. */
  readonly offset: Lb;
  /** Length; `io_size` on disk. */
  readonly blocks: Lb;
  /** Distance of the first data block from the pack header. */
  readonly lsidLocal: Pb;
}

/** What a pack header says, as needed to write one. */
export interface PackFields {
  readonly lsid: Lsid;
  /** Physical blocks of data after the header. */
  readonly totalPb: Pb;
  readonly nPadding: number;
  readonly records: readonly RecordFields[];
}

export interface LogRecord extends RecordFields {
  /** As stored; equals the pack's lsid + lsidLocal when valid. */
  readonly lsid: Lsid;
}

export interface PackHeader extends PackFields {
  readonly checksum: number;
  readonly sectorType: number;
  /** As stored; more than `records.length` when it passes the capacity of the block. */
  readonly nRecords: number;
  readonly records: readonly LogRecord[];
}

export function recordKind(flags: number): RecordKind {
  if ((flags & FLAG_PADDING) !== 0) return 'padding';
  return (flags & FLAG_DISCARD) !== 0 ? 'discard' : 'write';
}

/** Physical blocks of data the record occupies in its pack; 0 for a discard. */
export function recordPb(record: RecordFields, pbs: Bytes): Pb {
  return (record.flags & FLAG_DISCARD) !== 0 ? 0 : ceilPb(record.blocks, pbs);
}

/** The lsid right after a pack. */
export function nextLsid(pack: Pick<PackFields, 'lsid' | 'totalPb'>): Lsid {
  return pack.lsid + 1n + BigInt(pack.totalPb);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads a header block of `block.length` (= pbs) bytes. Says nothing about validity. */
export function decodePackHeader(block: Uint8Array): PackHeader {
  const view = viewOf(block);
  const nRecords = view.getUint16(N_RECORDS, true);
  const present = Math.min(nRecords, recordCapacity(block.length));
  const records: LogRecord[] = [];
  for (let i = 0; i < present; i++) {
    records.push(decodeRecord(view, PACK_HEADER_FIXED + i * RECORD_SIZE));
  }
  return {
    checksum: view.getUint32(CHECKSUM, true),
    sectorType: view.getUint16(TYPE, true),
    totalPb: view.getUint16(TOTAL_IO_SIZE, true),
    lsid: view.getBigUint64(LSID, true),
    nRecords,
    nPadding: view.getUint16(N_PADDING, true),
    records,
  };
}

function decodeRecord(view: DataView, at: number): LogRecord {
  return {
    checksum: view.getUint32(at + R_CHECKSUM, true),
    flags: view.getUint32(at + R_FLAGS, true),
    // Exact below 2^53; above, it stays above and validation refuses it.
    offset: view.getUint32(at + R_OFFSET, true) + view.getUint32(at + R_OFFSET + 4, true) * U32,
    blocks: view.getUint32(at + R_IO_SIZE, true),
    lsidLocal: view.getUint16(at + R_LSID_LOCAL, true),
    lsid: view.getBigUint64(at + R_LSID, true),
  };
}

/** Throws `corrupt` (details: file, offset, field) when the header breaks a rule of formats.md 2.2. */
export function validatePackHeader(header: PackHeader, pbs: Bytes, place: Place): void {
  const refuse = (field: string, problem: string) =>
    invalidField('pack header', field, problem, place, { lsid: header.lsid });
  if (header.sectorType !== SECTOR_TYPE_LOGPACK) {
    throw refuse('sector_type', `is ${header.sectorType}, not ${SECTOR_TYPE_LOGPACK}`);
  }
  if (header.nRecords > recordCapacity(pbs)) {
    throw refuse('n_records', `is ${header.nRecords}, more than ${recordCapacity(pbs)} fit`);
  }
  validatePackFields(header, pbs, place);
  for (const [i, record] of header.records.entries()) {
    if (record.lsid - BigInt(record.lsidLocal) !== header.lsid) {
      throw refuse(`record[${i}].lsid`, `is ${record.lsid}, not the pack's + ${record.lsidLocal}`);
    }
  }
}

/** The checks that apply to a pack about to be written as well. Throws `corrupt`. */
export function validatePackFields(pack: PackFields, pbs: Bytes, place: Place = IN_MEMORY): void {
  const refuse = (field: string, problem: string) =>
    invalidField('pack header', field, problem, place, { lsid: pack.lsid });
  if (pack.records.length > recordCapacity(pbs)) {
    throw refuse('n_records', `is ${pack.records.length}, more than ${recordCapacity(pbs)} fit`);
  }
  let used = 0;
  let padding = 0;
  for (let i = 0; i < pack.records.length; i++) {
    const record = pack.records[i]!;
    const problem = recordProblem(record, 1 + used, lbPerPb(pbs));
    if (problem !== undefined) throw refuse(`record[${i}].${problem.field}`, problem.text);
    used += recordPb(record, pbs);
    if ((record.flags & FLAG_PADDING) !== 0) padding++;
  }
  if (pack.totalPb !== used || used > MAX_PACK_PB) {
    throw refuse('total_io_size', `is ${pack.totalPb}, but the records need ${used}`);
  }
  if (pack.nPadding !== padding || padding > MAX_PADDING) {
    throw refuse('n_padding', `is ${pack.nPadding} with ${padding} padding records`);
  }
  if (pack.lsid < 0n || nextLsid(pack) > MAX_LSID) {
    throw refuse('logpack_lsid', `${pack.lsid} leaves no room below 2^64-1`);
  }
}

function recordProblem(
  record: RecordFields,
  lsidLocal: Pb,
  lbInPb: Lb,
): { field: string; text: string } | undefined {
  const { flags, blocks, offset } = record;
  if (flags !== WRITE_FLAGS && flags !== PADDING_FLAGS && flags !== DISCARD_FLAGS) {
    return { field: 'flags', text: `are ${flags}` };
  }
  if (record.lsidLocal !== lsidLocal) {
    return { field: 'lsid_local', text: `is ${record.lsidLocal}, not ${lsidLocal}` };
  }
  if (flags === PADDING_FLAGS) {
    const fits = blocks >= 0 && blocks <= MAX_IO_LB && blocks % lbInPb === 0;
    return fits
      ? undefined
      : { field: 'io_size', text: `${blocks} does not suit a padding record` };
  }
  const max = flags === DISCARD_FLAGS ? MAX_DISCARD_LB : MAX_IO_LB;
  if (!(blocks > 0 && blocks <= max)) {
    return { field: 'io_size', text: `is ${blocks}, not 1..${max}` };
  }
  if (!(offset >= 0 && offset + blocks <= MAX_OFFSET_LB)) {
    return { field: 'offset', text: `${offset} + ${blocks} is beyond ${MAX_OFFSET_LB}` };
  }
  return undefined;
}

/**
 * Writes the header block into `into` (its length is the physical block size) with its checksum,
 * which is returned. Every byte of `into` is set. Throws `corrupt` when a rule of 2.2 is broken.
 */
export function encodePackHeader(pack: PackFields, into: Uint8Array, salt: number): number {
  validatePackFields(pack, into.length);
  const view = viewOf(into);
  const lsidLow = Number(BigInt.asUintN(32, pack.lsid));
  const lsidHigh = Number(pack.lsid >> 32n);
  view.setUint32(CHECKSUM, 0, true);
  view.setUint16(TYPE, SECTOR_TYPE_LOGPACK, true);
  view.setUint16(TOTAL_IO_SIZE, pack.totalPb, true);
  view.setUint32(LSID, lsidLow, true);
  view.setUint32(LSID + 4, lsidHigh, true);
  view.setUint16(N_RECORDS, pack.records.length, true);
  view.setUint16(N_PADDING, pack.nPadding, true);
  view.setUint32(RESERVED, 0, true);
  let at = PACK_HEADER_FIXED;
  for (let i = 0; i < pack.records.length; i++, at += RECORD_SIZE) {
    encodeRecord(view, at, pack.records[i]!, lsidLow, lsidHigh);
  }
  into.fill(0, at);
  const sum = checksum(into, salt);
  view.setUint32(CHECKSUM, sum, true);
  return sum;
}

/** The lsid comes as two halves, so that no bigint is made per record. */
function encodeRecord(
  view: DataView,
  at: number,
  record: RecordFields,
  packLsidLow: number,
  packLsidHigh: number,
): void {
  view.setUint32(at + R_CHECKSUM, record.checksum, true);
  view.setUint32(at + R_FLAGS, record.flags, true);
  view.setUint32(at + R_OFFSET, record.offset % U32, true);
  view.setUint32(at + R_OFFSET + 4, Math.floor(record.offset / U32), true);
  view.setUint32(at + R_IO_SIZE, record.blocks, true);
  view.setUint16(at + R_LSID_LOCAL, record.lsidLocal, true);
  view.setUint16(at + R_RESERVED, 0, true);
  const low = packLsidLow + record.lsidLocal;
  view.setUint32(at + R_LSID, low % U32, true);
  view.setUint32(at + R_LSID + 4, packLsidHigh + (low >= U32 ? 1 : 0), true);
}

/** Why a block is not the pack expected at this place; the order is the order of the tests. */
export type HeaderVerdict = 'pack' | 'end-block' | 'bad-type' | 'bad-checksum' | 'unexpected-lsid';

/** Whether `block` is a pack header for `expected`; contents beyond type, sum and lsid are not judged. */
export function inspectPackHeader(block: Uint8Array, salt: number, expected: Lsid): HeaderVerdict {
  const view = viewOf(block);
  if (view.getUint16(TYPE, true) !== SECTOR_TYPE_LOGPACK) return 'bad-type';
  if (checksum(block, salt) !== 0) return 'bad-checksum';
  const lsid = view.getBigUint64(LSID, true);
  if (lsid === U64_MAX) return 'end-block';
  return lsid === expected ? 'pack' : 'unexpected-lsid';
}

/** Writes the block that ends a wlog file; its checksum is the bitwise NOT of the salt (2.3). */
export function encodeEndBlock(into: Uint8Array, salt: number): void {
  into.fill(0);
  const view = viewOf(into);
  view.setUint16(TYPE, SECTOR_TYPE_LOGPACK, true);
  view.setBigUint64(LSID, U64_MAX, true);
  view.setUint32(CHECKSUM, checksum(into, salt), true);
}
