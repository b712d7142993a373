export { checksum, checksumFinish, checksumPartial, isChecksumValid } from './checksum.ts';
export { isAllZero } from './zero.ts';
