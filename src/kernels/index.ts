/** Fast loops over bytes, and the memory they work in. */
export { BlockHash, blockHash } from './block-hash.ts';
export { BufferPool, type BufferPoolOptions } from './buffer-pool.ts';
export { checksum, checksumFinish, checksumPartial, isChecksumValid } from './checksum.ts';
export { lz4Compress, lz4Decompress } from './lz4.ts';
export { alignedBytesInUse, allocateAligned, BUFFER_ALIGNMENT, freeAligned } from './memory.ts';
export { murmur3x64_128 } from './murmur3.ts';
export { isAllZero } from './zero.ts';
