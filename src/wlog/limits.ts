/**
 * Limits of the log format and the arithmetic of block sizes. Source: formats.md, conventions,
 * sections 2.2, 3 and 9.
 */
import {
  type Bytes,
  LB_SIZE,
  type Lb,
  type Lsid,
  lbPerPb,
  MAX_SAFE_BYTES,
  type Pb,
  U64_MAX,
  WalbError,
} from '../core/index.ts';

/** Bytes of the fixed part of a pack header. */
export const PACK_HEADER_FIXED: Bytes = 24;
/** Bytes of one record in a pack header. */
export const RECORD_SIZE: Bytes = 32;
/** Largest write or padding in one record: io_size of a normal record (32 MiB - 512). */
export const MAX_IO_LB: Lb = 65535;
/** Largest discard in one record: io_size is a u32. */
export const MAX_DISCARD_LB: Lb = 0xffff_ffff;
/** Largest total_io_size of a pack: the field is a u16. */
export const MAX_PACK_PB: Pb = 65535;
/** A pack may hold one padding record. */
export const MAX_PADDING = 1;
/** Largest lsid; 2^64-1 means "none" or "end". */
export const MAX_LSID: Lsid = U64_MAX - 1n;
/** Volume addresses beyond this can not be computed exactly in bytes with plain numbers (8 PiB). */
export const MAX_OFFSET_LB: Lb = Math.floor(MAX_SAFE_BYTES / LB_SIZE);
/** Page size of the host the format was made for; a log device starts with one reserved page. */
export const PAGE_SIZE: Bytes = 4096;
/** Largest physical block of a wlog file we accept: bounds the header buffer against hostile input. */
export const MAX_WLOG_PBS: Bytes = 65536;

/** Records that fit into a pack header of `pbs` bytes: 15 for 512, 31 for 1024, 127 for 4096. */
export function recordCapacity(pbs: Bytes): number {
  return Math.floor((pbs - PACK_HEADER_FIXED) / RECORD_SIZE);
}

/** Physical block sizes a wlog file may have: multiples of 512. */
export function isWlogPbs(pbs: Bytes): boolean {
  return Number.isInteger(pbs) && pbs >= LB_SIZE && pbs <= MAX_WLOG_PBS && pbs % LB_SIZE === 0;
}

/** Physical block sizes a log device may have: the super sector must start at the second page. */
export function isRingPbs(pbs: Bytes): boolean {
  return isWlogPbs(pbs) && PAGE_SIZE % pbs === 0;
}

/** Largest write whose length is a whole number of physical blocks; the natural size to split at. */
export function maxAlignedIoLb(pbs: Bytes): Lb {
  return MAX_IO_LB - (MAX_IO_LB % lbPerPb(pbs));
}

/** Throws `invalid-argument` unless `pbs` is usable for a wlog file. */
export function requireWlogPbs(pbs: Bytes): void {
  if (isWlogPbs(pbs)) return;
  throw new WalbError(
    'invalid-argument',
    `physical block size ${pbs} is not a multiple of ${LB_SIZE} up to ${MAX_WLOG_PBS}`,
    { details: { pbs } },
  );
}
