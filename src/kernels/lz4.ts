/** LZ4 raw blocks: no frame, no size prefix (formats.md 4). */

import { type Bytes, corrupt, KIB } from '../core/index.ts';
import { addressOf, kernels, memoryBytes, Scratch } from './memory.ts';

/** The compressor's hash table: 4096 positions of 4 bytes. */
const TABLE_SIZE: Bytes = 16 * KIB;

const scratch = new Scratch();

/**
 * `data` compressed, in memory of its own, or undefined when that takes more than `limit` bytes.
 * Input in the kernels' memory is read in place.
 */
export function lz4Compress(data: Uint8Array, limit: Bytes): Uint8Array | undefined {
  if (limit <= 0) return undefined;
  const address = addressOf(data);
  const table = scratch.reserve(TABLE_SIZE + limit + (address === undefined ? data.length : 0));
  const output = table + TABLE_SIZE;
  const input = address ?? output + limit;
  if (address === undefined) memoryBytes().set(data, input);
  const count = kernels().lz4Compress(input, data.length, output, limit, table);
  return count === 0 ? undefined : copyOut(output, count);
}

/**
 * Expands `block` to the start of `output` and returns how many bytes it was. Throws `corrupt` when
 * the block is damaged or expands to more than `output` takes; nothing outside `output` is touched.
 */
export function lz4Decompress(block: Uint8Array, output: Uint8Array): Bytes {
  const target = addressOf(output);
  const source = addressOf(block);
  const area = scratch.reserve(
    (target === undefined ? output.length : 0) + (source === undefined ? block.length : 0),
  );
  const to = target ?? area;
  const from = source ?? (target === undefined ? area + output.length : area);
  if (source === undefined) memoryBytes().set(block, from);
  const count = kernels().lz4Decompress(from, block.length, to, output.length);
  if (count < 0) {
    const message = `the lz4 block of ${block.length} bytes is damaged or holds more than ${output.length} bytes`;
    throw corrupt(message, { blockSize: block.length, outputSize: output.length });
  }
  if (target === undefined) memoryBytes().copy(output, 0, to, to + count);
  return count;
}

function copyOut(address: number, count: Bytes): Buffer {
  const copy = Buffer.allocUnsafe(count);
  memoryBytes().copy(copy, 0, address, address + count);
  return copy;
}
