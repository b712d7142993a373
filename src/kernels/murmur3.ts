/** MurmurHash3 x64 128: the hash that hash backup and `bhash` compare blocks by (semantics.md D.3.2). */

import type { Bytes } from '../core/index.ts';
import { addressOf, inputScratch, kernels, memoryBytes } from './memory.ts';

const HASH_SIZE: Bytes = 16;

/** The 16-byte hash of `bytes` with a 32-bit seed. */
export function murmur3x64_128(bytes: Uint8Array, seed: number): Uint8Array {
  const address = addressOf(bytes);
  const scratch = inputScratch.reserve(HASH_SIZE + (address === undefined ? bytes.length : 0));
  if (address === undefined) memoryBytes().set(bytes, scratch + HASH_SIZE);
  kernels().murmur3(address ?? scratch + HASH_SIZE, bytes.length, seed, scratch);
  return new Uint8Array(memoryBytes().subarray(scratch, scratch + HASH_SIZE));
}
