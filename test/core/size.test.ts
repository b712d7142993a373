// cli.md 1.3: SIZE, BULK, unit string.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatSize,
  formatSizeForHumans,
  GIB,
  MAX_BULK_SIZE,
  MIB,
  parseBulkSize,
  parseSize,
} from '../../src/core/index.ts';

describe('parseSize', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    ['12m', 12 * MIB],
    ['12M', 12 * MIB],
    ['1G', GIB],
    ['1GiB', GIB],
    ['1gb', GIB],
    ['64K', 65536],
    ['3t', 3 * 1024 * GIB],
    ['7P', 7 * 1024 * 1024 * GIB],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', 'k', '1x', '-1', '1.5g', '1g5', '1mm', ' 1', '1 k', '0x10'])(
    'refuses %j',
    (text) => {
      expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    },
  );

  it.each(['8p', '1e', '9'.repeat(400), '18446744073709551616'])(
    'refuses the overflow %.20s',
    (text) => {
      expect(() => parseSize(text)).toThrow(expect.objectContaining({ code: 'limit-exceeded' }));
    },
  );
});

describe('formatSize', () => {
  it.each([
    [12 * MIB, '12m'],
    [0, '0'],
    [1000, '1000'],
    [1.5 * GIB, '1536m'],
    [1024, '1k'],
    [2 ** 50, '1p'],
  ])('prints %d as %s', (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
  });

  it('is read back by parseSize', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 0, max: 40 }), (n, shift) => {
        const size = Math.floor(n / 2 ** shift) * 2 ** Math.max(0, shift - 1);
        expect(parseSize(formatSize(size))).toBe(size);
      }),
    );
  });
});

describe('formatSizeForHumans', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1.5 * GIB, '1.5 GiB'],
    [MIB - 1, '1 MiB'],
    [1000 * MIB, '1000 MiB'],
    [2 ** 52, '4 PiB'],
  ])('prints %d as %s', (bytes, text) => {
    expect(formatSizeForHumans(bytes)).toBe(text);
  });
});

describe('bulk size', () => {
  it('is from one block to 4 MiB', () => {
    expect(parseBulkSize('512')).toBe(512);
    expect(parseBulkSize('4m')).toBe(MAX_BULK_SIZE);
    for (const text of ['0', '511', '4194305', '1g']) {
      expect(() => parseBulkSize(text)).toThrow(/bad bulk size/);
    }
  });
});
