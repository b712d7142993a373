export { checksum, checksumFinish, checksumPartial, isChecksumValid } from './checksum.ts';
export { lz4Compress, lz4Decompress } from './lz4.ts';
export { isAllZero } from './zero.ts';
