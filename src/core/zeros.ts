/** Zeros of files and devices: looking for them, writing them. */
import { type Bytes, MIB } from './units.ts';

/** Compared and written per call; larger gains nothing in the page cache. */
export const ZERO_CHUNK: Bytes = MIB;
const ZEROS = Buffer.alloc(ZERO_CHUNK);

/** At most `ZERO_CHUNK` bytes. */
export function isZero(bytes: Uint8Array): boolean {
  return ZEROS.subarray(0, bytes.length).equals(bytes);
}

export function writeZeros(
  target: { write(from: Uint8Array, position: Bytes): void },
  start: Bytes,
  end: Bytes,
): void {
  for (let at = start; at < end; at += ZERO_CHUNK) {
    target.write(ZEROS.subarray(0, Math.min(ZERO_CHUNK, end - at)), at);
  }
}
