/** Damaged and malicious data: the right bytes or `corrupt`, never a crash, a hang or a flood. */

import { deflateSync, zstdCompressSync } from 'node:zlib';
import { xzSync } from 'node-liblzma';
import { compressSync } from 'snappy';
import { describe, expect, test } from 'vitest';
import {
  COMPRESSION_KINDS,
  type CompressionKind,
  compress,
  decompress,
} from '../../../src/wdiff/codec/index.ts';
import { mixedBytes, seeded } from '../../kernels/support.ts';

const PACKING = COMPRESSION_KINDS.filter((kind) => kind !== 'none');
const ROUNDS = 400;

/** The data, or 'corrupt'; fails on any other error and on data of a wrong size. */
function attempt(kind: CompressionKind, stored: Uint8Array, size: number): Uint8Array | 'corrupt' {
  try {
    const data = decompress(kind, stored, size);
    expect(data.length).toBe(size);
    return data;
  } catch (thrown) {
    expect(thrown).toMatchObject({ name: 'WalbError', code: 'corrupt' });
    return 'corrupt';
  }
}

describe.each(PACKING)('%s', (kind) => {
  const block = (seed: number) => {
    const data = mixedBytes(512 * (1 + (seed % 16)), seed).fill(97, 0, 200);
    return { data, stored: Buffer.from(compress(kind, 0, data)!) };
  };

  test('flipped bits', () => {
    const next = seeded(41);
    let corrupt = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const { data, stored } = block(next());
      for (let flips = 1 + (next() % 3); flips > 0; flips--) {
        stored[next() % stored.length]! ^= 1 << (next() & 7);
      }
      if (attempt(kind, stored, data.length) === 'corrupt') corrupt++;
    }
    expect(corrupt).toBeGreaterThan(0);
  });

  test('every truncation', () => {
    const { data, stored } = block(5);
    for (let length = 0; length < stored.length; length++) {
      const result = attempt(kind, stored.subarray(0, length), data.length);
      if (result !== 'corrupt') expect(Buffer.compare(result, data)).toBe(0);
    }
  });

  test('overwritten stretches, inserted and repeated bytes, noise', () => {
    const next = seeded(43);
    for (let round = 0; round < ROUNDS; round++) {
      const { data, stored } = block(next());
      const at = next() % stored.length;
      const end = Math.min(stored.length, at + 1 + (next() % 40));
      const [head, middle, tail] = [
        stored.subarray(0, at),
        stored.subarray(at, end),
        stored.subarray(end),
      ];
      const variants = [
        [head, middle.map(() => next()), tail],
        [head, middle.map(() => 0xff), tail],
        [head, tail],
        [head, middle, middle, tail],
        [middle.map(() => next())],
      ];
      for (const parts of variants) attempt(kind, Buffer.concat(parts), data.length);
    }
  });
});

describe('bombs: small data that expand to 64 MiB, announced as 4 KiB', () => {
  const SIZE = 64 * 1024 * 1024;
  const zeros = Buffer.alloc(SIZE);
  const bombs: readonly [CompressionKind, Uint8Array][] = [
    ['gzip', deflateSync(zeros)],
    ['snappy', compressSync(zeros)],
    ['lzma', xzSync(zeros, { preset: 0 })],
    ['lz4', compress('lz4', 0, zeros)!],
    ['zstd', zstdCompressSync(zeros)],
  ];

  test.each(bombs)('%s', (kind, bomb) => {
    const before = process.resourceUsage().maxRSS;
    const started = performance.now();
    for (let round = 0; round < 3; round++) expect(attempt(kind, bomb, 4096)).toBe('corrupt');
    expect(performance.now() - started).toBeLessThan(2000);
    expect(process.resourceUsage().maxRSS - before).toBeLessThan(48 * 1024);
  });
});

describe('lzma streams made to mislead', () => {
  const data = mixedBytes(4096, 9);
  const good = compress('lzma', 0, data)!;
  const zeros = xzSync(Buffer.alloc(32 * 1024 * 1024), { preset: 0 });

  test('a second stream after the first', () => {
    expect(attempt('lzma', Buffer.concat([good, zeros]), 4096)).toBe('corrupt');
    expect(attempt('lzma', Buffer.concat([good, good]), 8192)).toBe('corrupt');
    expect(attempt('lzma', Buffer.concat([good, Buffer.alloc(4)]), 4096)).toBe('corrupt');
  });

  test('an index that announces another size than the blocks have', () => {
    const index = Buffer.from(zeros).subarray(zeros.length - 28);
    expect(attempt('lzma', Buffer.concat([zeros.subarray(0, -28), index]), 4096)).toBe('corrupt');
    const small = Buffer.concat([zeros.subarray(0, -28), Buffer.from(good).subarray(-28)]);
    expect(attempt('lzma', small, 4096)).toBe('corrupt');
  });

  test('a dictionary that needs more than 16 MiB', () => {
    const big = xzSync(Buffer.from(data), { preset: 9 });
    expect(() => decompress('lzma', big, data.length)).toThrow(/[Mm]emory/);
  });
});
