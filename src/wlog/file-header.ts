/**
 * Header of a wlog file. docs/formats-wlog.md has the table. Source: formats.md 2.1.
 */
import { type Bytes, LB_SIZE, type Lsid, U64_MAX, UUID_BYTES } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { isWlogPbs } from './limits.ts';
import { assertLayout, IN_MEMORY, invalidField, type Place } from './place.ts';

export const SECTOR_TYPE_WLOG = 4;
export const WLOG_VERSION = 2;
export const WLOG_HEADER_SIZE: Bytes = 4096;

const TYPE = 0;
const VERSION = 2;
const HEADER_SIZE = 4;
const CHECKSUM = 8;
const SALT = 12;
const LOGICAL_BS = 16;
const PHYSICAL_BS = 20;
const UUID = 24;
const BEGIN_LSID = 40;
const END_LSID = 48;
const FIELDS_SIZE = 56;

assertLayout(UUID + UUID_BYTES === BEGIN_LSID, 'wlog header: uuid is followed by begin_lsid');
assertLayout(END_LSID + 8 === FIELDS_SIZE && FIELDS_SIZE <= WLOG_HEADER_SIZE, 'wlog header size');

export interface WlogHeader {
  readonly sectorType: number;
  readonly version: number;
  readonly headerSize: Bytes;
  readonly checksum: number;
  /** For pack headers and IO data of this file. */
  readonly salt: number;
  readonly logicalBs: Bytes;
  readonly pbs: Bytes;
  readonly uuid: Uint8Array;
  /** Of the first pack. */
  readonly beginLsid: Lsid;
  /** 2^64-1 when unknown; may be larger than the real end. */
  readonly endLsid: Lsid;
}

/** The fields one chooses; the others are fixed. */
export type WlogHeaderFields = Pick<WlogHeader, 'salt' | 'pbs' | 'uuid' | 'beginLsid' | 'endLsid'>;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the fields from the first 56 bytes. Says nothing about validity. */
export function decodeWlogHeader(block: Uint8Array): WlogHeader {
  const view = viewOf(block);
  return {
    sectorType: view.getUint16(TYPE, true),
    version: view.getUint16(VERSION, true),
    headerSize: view.getUint16(HEADER_SIZE, true),
    checksum: view.getUint32(CHECKSUM, true),
    salt: view.getUint32(SALT, true),
    logicalBs: view.getUint32(LOGICAL_BS, true),
    pbs: view.getUint32(PHYSICAL_BS, true),
    uuid: block.slice(UUID, UUID + UUID_BYTES),
    beginLsid: view.getBigUint64(BEGIN_LSID, true),
    endLsid: view.getBigUint64(END_LSID, true),
  };
}

/** Throws `corrupt` for the first field that breaks a rule; the checksum is `verifyWlogHeaderChecksum`'s. */
export function validateWlogHeader(header: WlogHeader, place: Place): void {
  const problems: (readonly [broken: boolean, field: string, problem: string])[] = [
    [header.sectorType !== SECTOR_TYPE_WLOG, 'sector_type', `is ${header.sectorType}, not 4`],
    [header.version !== WLOG_VERSION, 'version', `is ${header.version}, not ${WLOG_VERSION}`],
    [!isWlogPbs(header.pbs), 'physical_bs', `is ${header.pbs}, not a multiple of 512 up to 65536`],
    [
      header.beginLsid >= header.endLsid,
      'begin_lsid',
      `${header.beginLsid} is not before end_lsid ${header.endLsid}`,
    ],
  ];
  for (const [broken, field, problem] of problems) {
    if (broken) throw invalidField('wlog file header', field, problem, place);
  }
}

/** Throws `corrupt` unless all 4096 bytes sum up to zero (salt 0). */
export function verifyWlogHeaderChecksum(block: Uint8Array, place: Place): void {
  if (checksum(block, 0) === 0) return;
  throw invalidField('wlog file header', 'checksum', 'does not match', place);
}

/** The 4096 header bytes. `endLsid` is 2^64-1 when unknown. Throws `corrupt` on bad fields. */
export function encodeWlogHeader(fields: WlogHeaderFields): Uint8Array {
  if (fields.uuid.length !== UUID_BYTES) {
    throw invalidField('wlog file header', 'uuid', `has ${fields.uuid.length} bytes`, IN_MEMORY);
  }
  const block = new Uint8Array(WLOG_HEADER_SIZE);
  const view = viewOf(block);
  view.setUint16(TYPE, SECTOR_TYPE_WLOG, true);
  view.setUint16(VERSION, WLOG_VERSION, true);
  view.setUint16(HEADER_SIZE, WLOG_HEADER_SIZE, true);
  view.setUint32(SALT, fields.salt, true);
  view.setUint32(LOGICAL_BS, LB_SIZE, true);
  view.setUint32(PHYSICAL_BS, fields.pbs, true);
  block.set(fields.uuid, UUID);
  view.setBigUint64(BEGIN_LSID, fields.beginLsid, true);
  view.setBigUint64(END_LSID, fields.endLsid, true);
  validateWlogHeader(decodeWlogHeader(block), IN_MEMORY);
  view.setUint32(CHECKSUM, checksum(block, 0), true);
  return block;
}

/** True when the writer did not know where the log would end. */
export function isOpenEnded(header: Pick<WlogHeader, 'endLsid'>): boolean {
  return header.endLsid === U64_MAX;
}
