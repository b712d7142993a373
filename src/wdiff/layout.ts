/**
 * Little-endian field access and the shape of layout errors, shared by the wdiff codecs.
 *
 * u64 fields (addresses, file offsets) become plain numbers. A value above 2^53 loses precision here,
 * which is harmless: validation refuses everything beyond MAX_ADDRESS or the end of the file.
 */
import { corrupt, type ErrorDetail, type WalbError } from '../core/index.ts';

const TWO_32 = 2 ** 32;

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

export function getU64(view: DataView, offset: number): number {
  return view.getUint32(offset, true) + view.getUint32(offset + 4, true) * TWO_32;
}

export function setU64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value % TWO_32, true);
  view.setUint32(offset + 4, Math.floor(value / TWO_32), true);
}

/** Where bytes came from, for error messages. */
export interface Place {
  /** Path, or what stands for it (`<stream>`). */
  readonly file: string;
  /** Byte offset of the structure in the file. */
  readonly offset: number;
}

/** `corrupt` with file, offset of the structure, and the field that is wrong. */
export function fieldError(
  place: Place,
  field: string,
  problem: string,
  details: Readonly<Record<string, ErrorDetail>> = {},
): WalbError {
  return corrupt(`${place.file}: ${field} at byte ${place.offset}: ${problem}`, {
    file: place.file,
    offset: place.offset,
    field,
    ...details,
  });
}

/** Asserted when a codec module is loaded: the fields of a structure tile it without gap. */
export function assertLayout(
  structure: string,
  size: number,
  fields: readonly (readonly [offset: number, size: number])[],
): void {
  let end = 0;
  for (const [offset, fieldSize] of fields) {
    if (offset !== end) throw new RangeError(`${structure}: field at ${offset}, expected ${end}`);
    end += fieldSize;
  }
  if (end !== size) throw new RangeError(`${structure}: fields end at ${end}, size is ${size}`);
}
