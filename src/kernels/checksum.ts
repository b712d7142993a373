/**
 * The checksum used everywhere in the formats: the negated sum of little-endian 32-bit words
 * (formats.md 1).
 *
 * ```ts
 * view.setUint32(8, 0, true);
 * view.setUint32(8, checksum(block, 0), true);   // a block that stores its own checksum
 * isChecksumValid(block, 0);                     // true
 *
 * let sum = salt;                                // data that comes in pieces
 * for (const piece of pieces) sum = checksumPartial(piece, sum);
 * const result = checksumFinish(sum);
 * ```
 */

import { type Bytes, KIB } from '../core/index.ts';
import { addressOf, inputScratch, kernels, memoryBytes } from './memory.ts';

/** Below this a loop is faster than copying into the kernels' memory, and needs no kernel at all. */
const LOOP_LIMIT: Bytes = 128;

/** What is copied in at a time: stays in the processor's first caches until it is summed. */
const COPY_CHUNK: Bytes = 16 * KIB;

/** Checksum of `bytes`: an unsigned 32-bit number. A tail of 1-3 bytes counts as zero-extended. */
export function checksum(bytes: Uint8Array, salt: number): number {
  return checksumFinish(checksumPartial(bytes, salt));
}

/**
 * Running sum over one more piece; start from the salt. The length of every piece except the last
 * must be a multiple of 4, because a tail is zero-extended.
 */
export function checksumPartial(bytes: Uint8Array, sum: number): number {
  const address = addressOf(bytes);
  if (address !== undefined) return kernels().sum32(address, bytes.length, sum) >>> 0;
  return bytes.length < LOOP_LIMIT ? sumByLoop(bytes, sum) : sumByCopy(bytes, sum);
}

/** The checksum that a running sum stands for. */
export function checksumFinish(sum: number): number {
  return -sum >>> 0;
}

/** Whether a block that stores its own checksum, anywhere in it, is whole. */
export function isChecksumValid(block: Uint8Array, salt: number): boolean {
  return checksum(block, salt) === 0;
}

function sumByCopy(bytes: Uint8Array, sum: number): number {
  const { sum32 } = kernels();
  const address = inputScratch.reserve(COPY_CHUNK);
  const memory = memoryBytes();
  if (bytes.length <= COPY_CHUNK) {
    memory.set(bytes, address);
    return sum32(address, bytes.length, sum) >>> 0;
  }
  let total = sum;
  for (let at = 0; at < bytes.length; at += COPY_CHUNK) {
    const piece = bytes.subarray(at, at + COPY_CHUNK);
    memory.set(piece, address);
    total = sum32(address, piece.length, total);
  }
  return total >>> 0;
}

function sumByLoop(bytes: Uint8Array, sum: number): number {
  const words = bytes.length & ~3;
  let total = sum | 0;
  for (let at = 0; at < words; at += 4) {
    total =
      (total +
        (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24))) |
      0;
  }
  for (let at = words; at < bytes.length; at++) {
    total = (total + (bytes[at]! << (8 * (at - words)))) | 0;
  }
  return total >>> 0;
}
