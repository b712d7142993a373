/** Kernels against plain loops and memcpy, in the kernels' memory and outside it. */

import { createHash } from 'node:crypto';
import {
  allocateAligned,
  blockHash,
  checksum,
  freeAligned,
  isAllZero,
  murmur3x64_128,
} from '../src/kernels/index.ts';
import { halfRandom, measure, peakMemoryMiB, printTable } from './support.ts';

const KIB = 1024;
const SIZES = [64, 512, 4 * KIB, 64 * KIB, 1024 * KIB, 8192 * KIB] as const;

function loopChecksum(words: Uint32Array): number {
  let sum = 0;
  for (let at = 0; at < words.length; at++) sum = (sum + words[at]!) | 0;
  return -sum >>> 0;
}

function loopIsZero(words: Uint32Array): boolean {
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) return false;
  return true;
}

for (const size of SIZES) {
  const outside = Buffer.from(halfRandom(size));
  const words = new Uint32Array(outside.buffer, outside.byteOffset, size / 4);
  const inside = allocateAligned(size);
  inside.set(outside);
  const zeros = Buffer.alloc(size);
  const zeroWords = new Uint32Array(zeros.buffer, zeros.byteOffset, size / 4);
  const zerosInside = allocateAligned(size).fill(0);
  const target = Buffer.alloc(size);
  const copy = measure('Buffer.copy', size, () => outside.copy(target));
  printTable(
    `${size} bytes`,
    [
      copy,
      measure('checksum in place', size, () => checksum(inside, 1)),
      measure('checksum', size, () => checksum(outside, 1)),
      measure('  JS loop of words', size, () => loopChecksum(words)),
      measure('isAllZero in place', size, () => isAllZero(zerosInside)),
      measure('isAllZero', size, () => isAllZero(zeros)),
      measure('  JS loop of words', size, () => loopIsZero(zeroWords)),
      measure('murmur3 in place', size, () => murmur3x64_128(inside, 1)),
      measure('murmur3', size, () => murmur3x64_128(outside, 1)),
      measure('blockHash in place', size, () => blockHash(inside)),
      measure('blockHash', size, () => blockHash(outside)),
      measure('  sha256 (crypto)', size, () => createHash('sha256').update(outside).digest()),
    ],
    copy,
  );
  freeAligned(inside);
  freeAligned(zerosInside);
}
console.log(`peak memory ${peakMemoryMiB().toFixed(0)} MiB`);
