import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  allocateAligned,
  freeAligned,
  lz4Compress,
  lz4Decompress,
} from '../../src/kernels/index.ts';
import { describeWith } from '../support/tools.ts';
import { inEveryMemory, mixedBytes, randomBytes, seeded } from './support.ts';

/** The block format, byte by byte; throws where a block is malformed. */
function expand(block: Uint8Array, capacity: number): number[] {
  const out: number[] = [];
  let at = 0;
  const next = () => {
    if (at >= block.length) throw new Error('cut');
    return block[at++]!;
  };
  const length = (nibble: number) => {
    let total = nibble;
    if (nibble < 15) return total;
    for (let more = 255; more === 255; total += more) more = next();
    return total;
  };
  for (;;) {
    const token = next();
    for (let count = length(token >> 4); count > 0; count--) {
      if (out.push(next()) > capacity) throw new Error('full');
    }
    if (at === block.length) return out;
    const offset = next() | (next() << 8);
    if (offset === 0 || offset > out.length) throw new Error('offset');
    for (let count = length(token & 15) + 4; count > 0; count--) {
      if (out.push(out[out.length - offset]!) > capacity) throw new Error('full');
    }
  }
}

/** Expands into a guarded area of both memories; checks that nothing outside is touched. */
function expandGuarded(block: Uint8Array, size: number): Uint8Array | 'corrupt' {
  const GUARD = 64;
  const plain = Buffer.alloc(size + 2 * GUARD, 0xa5);
  const aligned = allocateAligned(size + 2 * GUARD).fill(0xa5);
  try {
    const results = [plain, aligned].map((area) => {
      const output = area.subarray(GUARD, GUARD + size);
      let result: Uint8Array | 'corrupt';
      try {
        result = new Uint8Array(output.subarray(0, lz4Decompress(block, output)));
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: 'corrupt' });
        result = 'corrupt';
      }
      expect(area.subarray(0, GUARD).every((byte) => byte === 0xa5)).toBe(true);
      expect(area.subarray(GUARD + size).every((byte) => byte === 0xa5)).toBe(true);
      return result;
    });
    expect(results[0]).toEqual(results[1]);
    return results[0]!;
  } finally {
    freeAligned(aligned);
  }
}

function referenceOrCorrupt(block: Uint8Array, size: number): Uint8Array | 'corrupt' {
  try {
    return Uint8Array.from(expand(block, size));
  } catch {
    return 'corrupt';
  }
}

describe('lz4 blocks', () => {
  test('round trip of every length and kind of data, from every memory', () => {
    for (let length = 1; length < 400; length++) {
      for (const bytes of [
        mixedBytes(length, length),
        new Uint8Array(length),
        randomBytes(length, 9),
      ]) {
        inEveryMemory(bytes, length % 5, (copy) => {
          const block = lz4Compress(copy, length + 64)!;
          expect(expandGuarded(block, length)).toEqual(bytes);
          expect(Uint8Array.from(expand(block, length))).toEqual(bytes);
        });
      }
    }
  });

  test.each([65535, 65536, 65537, 300_000, 2 * 1024 * 1024 + 5])('%i bytes', (length) => {
    const bytes = mixedBytes(length, length);
    const block = lz4Compress(bytes, length)!;
    expect(block.length).toBeLessThan(length);
    expect(Buffer.compare(expandGuarded(block, length) as Uint8Array, bytes)).toBe(0);
  });

  test('every match offset copies right, overlapping or not', () => {
    for (let offset = 1; offset <= 70; offset++) {
      for (const matched of [4, 5, 8, 15, 16, 17, 18, 19, 40, 300]) {
        const literals = randomBytes(offset, offset);
        const code = (nibble: number) => (nibble < 15 ? [] : [nibble - 15]);
        const match = matched - 4;
        const long = match < 15 ? [] : match - 15 < 255 ? [match - 15] : [255, match - 15 - 255];
        const block = Uint8Array.of(
          (Math.min(offset, 15) << 4) | Math.min(match, 15),
          ...code(offset),
          ...literals,
          offset & 0xff,
          offset >> 8,
          ...long,
          0x10,
          0x77,
        );
        const size = offset + matched + 1;
        expect(expandGuarded(block, size)).toEqual(Uint8Array.from(expand(block, size)));
      }
    }
  });

  test('gives up when the result passes the limit, for any limit', () => {
    const bytes = mixedBytes(3000, 8);
    const whole = lz4Compress(bytes, 4000)!;
    for (let limit = 0; limit < 3500; limit += 7) {
      const block = lz4Compress(bytes, limit);
      if (block === undefined) {
        // The compressor wants room for the longest form of each length: a few bytes more than needed.
        expect(limit).toBeLessThan(whole.length + 16);
      } else {
        expect(block.length).toBeLessThanOrEqual(limit);
        expect(Uint8Array.from(expand(block, 3000))).toEqual(bytes);
      }
    }
  });

  test('damaged blocks give what the format says or `corrupt`, and stay within their output', () => {
    const next = seeded(31);
    for (let round = 0; round < 3000; round++) {
      const bytes = mixedBytes(1 + (next() % 600), next());
      const block = lz4Compress(bytes, 1000)!;
      for (let flips = next() % 4; flips >= 0; flips--) {
        block[next() % block.length]! ^= 1 << (next() & 7);
      }
      const cut = block.subarray(0, block.length - (next() % 3 === 0 ? next() % block.length : 0));
      const size = next() % 2 === 0 ? bytes.length : 1 + (next() % 700);
      expect(expandGuarded(cut, size)).toEqual(referenceOrCorrupt(cut, size));
    }
  });

  test('noise as a block', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }),
        fc.integer({ min: 1, max: 2000 }),
        (block, size) => {
          expect(expandGuarded(block, size)).toEqual(referenceOrCorrupt(block, size));
        },
      ),
      { seed: 32, numRuns: 3000 },
    );
  });

  test('lengths that would overflow an address are refused', () => {
    const huge = new Uint8Array(70_000).fill(255);
    expect(() => lz4Decompress(huge, new Uint8Array(1000))).toThrow(
      expect.objectContaining({ code: 'corrupt' }),
    );
    expect(() => lz4Decompress(new Uint8Array(0), new Uint8Array(10))).toThrow('damaged');
  });
});

describeWith(['lz4'], 'lz4 blocks and the lz4 program', () => {
  /** The block as the only one of a legacy frame, which has neither checksums nor header options. */
  function legacyFrame(block: Uint8Array): Buffer {
    const head = Buffer.alloc(8);
    head.writeUInt32LE(0x184c2102, 0);
    head.writeUInt32LE(block.length, 4);
    return Buffer.concat([head, block]);
  }

  test.each([600, 65536, 1_000_003])('it reads our blocks: %i bytes', (length) => {
    const bytes = mixedBytes(length, 77);
    const input = legacyFrame(lz4Compress(bytes, length + 64)!);
    const result = spawnSync('lz4', ['-dc'], { input, maxBuffer: 2 * length + 4096 });
    expect(result.status).toBe(0);
    expect(Buffer.compare(result.stdout, bytes)).toBe(0);
  });

  test.each(['-1', '-9'])('we read its blocks (level %s)', (level) => {
    const bytes = mixedBytes(1_000_003, 78);
    const { stdout } = spawnSync('lz4', ['-l', '-c', level], { input: bytes, maxBuffer: 4e6 });
    const block = stdout.subarray(8, 8 + stdout.readUInt32LE(4));
    const output = Buffer.alloc(bytes.length);
    expect(lz4Decompress(block, output)).toBe(bytes.length);
    expect(Buffer.compare(output, bytes)).toBe(0);
  });
});
