/**
 * Units of the whole system, as flavoured number types: a plain number is accepted anywhere, but a
 * count of logical blocks is not accepted where bytes are wanted.
 *
 * Source: formats.md, conventions (logical block 512 bytes always; physical block 512 or 4096).
 */

declare const unit: unique symbol;
type Flavour<T, Name extends string> = T & { readonly [unit]?: Name };

/** Count or address in logical blocks of 512 bytes. */
export type Lb = Flavour<number, 'lb'>;
/** Count or address in physical blocks of the log device (its size is `pbs`). */
export type Pb = Flavour<number, 'pb'>;
/** Count or offset in bytes. */
export type Bytes = Flavour<number, 'bytes'>;
/** Duration or unix time in milliseconds. */
export type Millis = Flavour<number, 'ms'>;
/** Unix time in whole seconds, UTC; the resolution of wdiff names and snapshot records. */
export type UnixSeconds = Flavour<number, 's'>;
/** Log sequence id: address of a physical block in the endless log. u64; 2^64-1 means "none". */
export type Lsid = Flavour<bigint, 'lsid'>;
/** Generation id of a snapshot. u64, grows monotonically per volume, gaps allowed. */
export type Gid = Flavour<bigint, 'gid'>;

export const LB_SIZE: Bytes = 512;
export const KIB: Bytes = 1024;
export const MIB: Bytes = 1024 * 1024;
export const GIB: Bytes = 1024 * 1024 * 1024;
export const U64_MAX = 0xffff_ffff_ffff_ffffn;
export const INVALID_LSID: Lsid = U64_MAX;
export const INVALID_GID: Gid = U64_MAX;

/** Largest byte size handled with plain numbers; 2^53 bytes is 8 PiB. */
export const MAX_SAFE_BYTES: Bytes = Number.MAX_SAFE_INTEGER;

export function lbToBytes(blocks: Lb): Bytes {
  return blocks * LB_SIZE;
}

/** Whole logical blocks in `bytes`, rounding down (cli.md 1.3). */
export function bytesToLb(bytes: Bytes): Lb {
  return Math.floor(bytes / LB_SIZE);
}

/** Logical blocks per physical block of `pbs` bytes. */
export function lbPerPb(pbs: Bytes): Lb {
  return pbs / LB_SIZE;
}

/** Physical blocks that hold `blocks` logical blocks, rounding up (formats.md `ceil_pb`). */
export function ceilPb(blocks: Lb, pbs: Bytes): Pb {
  return Math.ceil(blocks / lbPerPb(pbs));
}
