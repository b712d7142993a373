/** What sorted and indexed records have in common: kind, compression id, limits (formats.md 4, 9). */
import type { Bytes, Lb } from '../core/index.ts';
import { LB_SIZE, MIB } from '../core/index.ts';
import { type CompressionKind, compressionKindOfId } from './codec/index.ts';
import { fieldError, type Place } from './layout.ts';

/**
 * `zero`: the range becomes zeros. `discard`: the range was discarded; whether that reads as zeros
 * or keeps the older data is the choice of who applies it.
 */
export type DiffKind = 'normal' | 'zero' | 'discard';

const FLAG_ALLZERO = 0x02;
const FLAG_DISCARD = 0x04;

const FLAGS_OF_KIND: Readonly<Record<DiffKind, number>> = {
  normal: 0,
  zero: FLAG_ALLZERO,
  discard: FLAG_DISCARD,
};

/**
 * Largest data of one record, uncompressed: 32 MiB. A log IO has at most 65535 blocks and nothing
 * ever joins records, so a larger one was not made by any writer of this format; the bound keeps a
 * damaged record from asking for 2 TiB of memory.
 */
export const MAX_DATA_BLOCKS: Lb = (32 * MIB) / LB_SIZE;

/** End of the largest volume: 8 PiB, so that every byte position is an exact number. */
export const MAX_ADDRESS: Lb = 2 ** 44;

/** Largest number of blocks in one record: it is stored as u32. */
export const MAX_RECORD_BLOCKS: Lb = 0xffff_ffff;

/** Kind of a flags byte; undefined when both bits are set. Other bits are ignored (formats.md 4, 6). */
export function kindOfFlags(flags: number): DiffKind | undefined {
  switch (flags & (FLAG_ALLZERO | FLAG_DISCARD)) {
    case 0:
      return 'normal';
    case FLAG_ALLZERO:
      return 'zero';
    case FLAG_DISCARD:
      return 'discard';
    default:
      return undefined;
  }
}

export function flagsOfKind(kind: DiffKind): number {
  return FLAGS_OF_KIND[kind];
}

/** The range of a record: not empty, within the largest volume, not before `floor`. */
export function validateRange(address: Lb, blocks: Lb, floor: Lb, place: Place): void {
  if (blocks === 0) throw fieldError(place, 'record io_blocks', 'is 0', { address });
  if (address + blocks > MAX_ADDRESS) {
    throw fieldError(place, 'record io_address', `${address}+${blocks} is beyond 8 PiB`);
  }
  if (address < floor) {
    const problem = `${address} is before ${floor}, where the record before it ends`;
    throw fieldError(place, 'record io_address', problem, { address, blocks });
  }
}

/** Kind and compression of a record's two bytes; throws when they are no known combination. */
export function validateType(
  flags: number,
  id: number,
  place: Place,
): { readonly kind: DiffKind; readonly compression: CompressionKind } {
  const kind = kindOfFlags(flags);
  if (kind === undefined) {
    throw fieldError(place, 'record flags', 'says both all-zero and discard');
  }
  const compression = compressionKindOfId(id);
  if (compression === undefined || (kind !== 'normal' && compression !== 'none')) {
    const problem = `${id} is not a compression of a ${kind} record`;
    throw fieldError(place, 'record compression', problem);
  }
  return { kind, compression };
}

/** Stored size of a normal record's data against its uncompressed size of `blocks`. */
export function validateStoredSize(
  compression: CompressionKind,
  storedSize: Bytes,
  blocks: Lb,
  place: Place,
): void {
  if (blocks > MAX_DATA_BLOCKS) {
    const problem = `${blocks} blocks of data in one record; at most ${MAX_DATA_BLOCKS} are allowed`;
    throw fieldError(place, 'record blocks', problem);
  }
  const size = blocks * LB_SIZE;
  const fits = compression === 'none' ? storedSize === size : storedSize > 0 && storedSize <= size;
  if (!fits) {
    const problem = `${storedSize} stored bytes (${compression}) can not be ${size} bytes of data`;
    throw fieldError(place, 'record data_size', problem);
  }
}

/** A record without data says so: size and checksum are zero. */
export function validateNoData(storedSize: Bytes, sum: number, kind: DiffKind, place: Place): void {
  if (storedSize !== 0) {
    throw fieldError(place, 'record data_size', `is ${storedSize} for a ${kind} record`);
  }
  if (sum !== 0) throw fieldError(place, 'record checksum', `is not 0 for a ${kind} record`);
}
