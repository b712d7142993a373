import { describe, expect, test } from 'vitest';
import {
  COMPRESSION_KINDS,
  type CompressionKind,
  compress,
  decompress,
} from '../../../src/wdiff/codec/index.ts';
import { inEveryMemory, mixedBytes, randomBytes } from '../../kernels/support.ts';

const PACKING = COMPRESSION_KINDS.filter((kind) => kind !== 'none');

/** IO sizes that matter: the smallest, uneven ones, around 64 KiB, the default split, a large one. */
const SIZES = [512, 1024, 1536, 4096, 65024, 65536, 66048, 1024 * 1024];

describe.each(PACKING)('%s', (kind) => {
  test.each(SIZES)('round trip of %i bytes from every memory', (size) => {
    const bytes = mixedBytes(size, size + 1).fill(97, 0, 300);
    inEveryMemory(bytes, 0, (data) => {
      const stored = compress(kind, 0, data)!;
      expect(stored.length).toBeLessThan(size);
      inEveryMemory(stored, 1, (copy) => {
        expect(Buffer.compare(decompress(kind, copy, size), bytes)).toBe(0);
      });
    });
  });

  test('round trip of zeros and of the largest block', () => {
    const zeros = new Uint8Array(512);
    expect(decompress(kind, compress(kind, 0, zeros)!, 512)).toEqual(Buffer.from(zeros));
    const large = Buffer.alloc(65535 * 512, mixedBytes(100_000, 7));
    const stored = compress(kind, 1, large)!;
    expect(Buffer.compare(decompress(kind, stored, large.length), large)).toBe(0);
  });

  test('every level makes data that can be read back', () => {
    const bytes = mixedBytes(50_000, 6);
    for (let level = 0; level <= 9; level++) {
      const stored = compress(kind, level, bytes)!;
      expect(Buffer.compare(decompress(kind, stored, bytes.length), bytes)).toBe(0);
    }
  });

  test('data that would not get smaller are left raw', () => {
    expect(compress(kind, 0, randomBytes(512, 1))).toBeUndefined();
    expect(compress(kind, 0, randomBytes(65536, 2))).toBeUndefined();
    expect(compress(kind, 0, new Uint8Array(0))).toBeUndefined();
    expect(compress(kind, 0, Uint8Array.of(1))).toBeUndefined();
  });

  test('results do not change when the next block is compressed', () => {
    const [first, second] = [mixedBytes(5000, 1), mixedBytes(5000, 2)];
    const stored = compress(kind, 0, first)!;
    const copy = Buffer.from(stored);
    const data = decompress(kind, stored, 5000);
    decompress(kind, compress(kind, 0, second)!, 5000);
    expect(Buffer.compare(stored, copy)).toBe(0);
    expect(Buffer.compare(data, first)).toBe(0);
  });

  test('expands into a given buffer, and only into its part', () => {
    const bytes = mixedBytes(4096, 3);
    const stored = compress(kind, 0, bytes)!;
    inEveryMemory(new Uint8Array(5000).fill(0xee), 2, (into) => {
      const data = decompress(kind, stored, 4096, into);
      expect(data.buffer).toBe(into.buffer);
      expect(data.byteOffset).toBe(into.byteOffset);
      expect(Buffer.compare(data, bytes)).toBe(0);
      expect(into.subarray(4096).every((byte) => byte === 0xee)).toBe(true);
    });
  });

  test.each([511, 1, 0, 513, 1024, 4095, 4097, 8192])('the wrong size %i is refused', (size) => {
    const stored = compress(kind, 0, mixedBytes(4096, 4))!;
    expect(() => decompress(kind, stored, size)).toThrow(
      expect.objectContaining({
        code: 'corrupt',
        details: expect.objectContaining({ compression: kind, uncompressedSize: size }),
      }),
    );
  });

  test('nothing, and data of other kinds, are refused', () => {
    expect(() => decompress(kind, new Uint8Array(0), 512)).toThrow('do not expand');
    for (const other of PACKING.filter((name) => name !== kind)) {
      const stored = compress(other, 0, mixedBytes(4096, 4))!;
      expect(() => decompress(kind, stored, 4096)).toThrow(
        expect.objectContaining({ code: 'corrupt' }),
      );
    }
  });
});

describe('none', () => {
  test('never compresses; stored data are the data', () => {
    const bytes = new Uint8Array(512);
    expect(compress('none', 0, bytes)).toBeUndefined();
    expect(decompress('none', bytes, 512)).toBe(bytes);
    expect(() => decompress('none', bytes, 1024)).toThrow('expands to 512 bytes');
  });

  test('is copied into a given buffer', () => {
    const bytes = randomBytes(512, 1);
    const into = new Uint8Array(1000);
    expect(decompress('none', bytes, 512, into).byteOffset).toBe(0);
    expect(into.subarray(0, 512)).toEqual(bytes);
  });
});

test('levels that do not exist and buffers too small are the caller’s mistake', () => {
  for (const level of [-1, 10, 1.5]) {
    expect(() => compress('gzip', level, new Uint8Array(512))).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  }
  expect(() => decompress('none', new Uint8Array(512), 512, new Uint8Array(511))).toThrow(
    expect.objectContaining({ code: 'invalid-argument' }),
  );
});

test('levels are the ones of the spec: 0 is gzip 6, lzma 6, zstd 1', () => {
  const bytes = mixedBytes(200_000, 12);
  const size = (kind: CompressionKind, level: number) => compress(kind, level, bytes)!.length;
  expect(size('gzip', 0)).toBe(size('gzip', 6));
  expect(size('lzma', 0)).toBe(size('lzma', 6));
  expect(size('zstd', 0)).toBe(size('zstd', 1));
  expect(size('zstd', 9)).toBeLessThan(size('zstd', 1));
});
