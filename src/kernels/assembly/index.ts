// Kernels compiled by tools/build-kernels.ts to ../kernels.wasm. They work on pointers into imported
// shared memory, keep nothing there themselves, and never touch a byte outside what they were given.

export { sum32 } from './checksum';
export { isZero } from './zero';
export { murmur3 } from './murmur3';
export { sipInit, sipBlocks, sipFinish } from './siphash';
export { lz4Compress, lz4Decompress } from './lz4';
