import { describe, expect, test } from 'vitest';
import { isAllZero } from '../../src/kernels/index.ts';
import { inEveryMemory } from './support.ts';

const LENGTHS = [0, 1, 7, 8, 63, 64, 65, 127, 128, 129, 512, 1000, 4096, 65536, 65537, 200_001];

describe('isAllZero (formats.md 7)', () => {
  test.each(LENGTHS)('%i zero bytes, with other bytes around them', (length) => {
    for (const shift of [0, 1, 5, 16]) {
      inEveryMemory(new Uint8Array(length), shift, (copy) => expect(isAllZero(copy)).toBe(true));
    }
  });

  test.each(LENGTHS.filter((length) => length > 0))('%i bytes with one bit set', (length) => {
    const positions = new Set([
      0,
      1,
      62,
      63,
      64,
      65,
      127,
      128,
      length >> 1,
      length - 2,
      length - 1,
    ]);
    for (const position of positions) {
      if (position < 0 || position >= length) continue;
      const bytes = new Uint8Array(length);
      bytes[position] = 1 << (position & 7);
      inEveryMemory(bytes, 3, (copy) => expect(isAllZero(copy)).toBe(false));
    }
  });
});
