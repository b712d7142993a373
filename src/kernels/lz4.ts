/** LZ4 raw blocks (no frame, no size prefix). */

import { createRequire } from 'node:module';

const lz4 = createRequire(import.meta.url)('lz4-napi') as typeof import('lz4-napi');

const PREFIX = 4;

/** Compressed `data`, or undefined when it takes more than `limit` bytes. */
export function lz4Compress(data: Uint8Array, limit: number): Uint8Array | undefined {
  const packed = lz4.compressSync(Buffer.from(data.buffer, data.byteOffset, data.length));
  const block = packed.subarray(PREFIX);
  return block.length <= limit ? block : undefined;
}

/** Expands `block` into `output`; returns the number of bytes. */
export function lz4Decompress(block: Uint8Array, output: Uint8Array): number {
  const packed = Buffer.allocUnsafe(block.length + PREFIX);
  packed.writeUInt32LE(output.length);
  packed.set(block, PREFIX);
  const data = lz4.uncompressSync(packed);
  output.set(data);
  return data.length;
}
