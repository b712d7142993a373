import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import { allocateAligned, freeAligned } from '../../../src/kernels/index.ts';
import { compress, type Packed, ParallelCompressor } from '../../../src/wdiff/codec/index.ts';
import { mixedBytes, randomBytes } from '../../kernels/support.ts';

/** Blocks of many sizes: some that do not compress, some without data. */
function blocks(): (Uint8Array | undefined)[] {
  return Array.from({ length: 60 }, (_, i) => {
    if (i % 7 === 3) return undefined;
    return i % 5 === 4 ? randomBytes(512, i + 1) : mixedBytes(512 * (1 + ((i * 37) % 200)), i + 1);
  });
}

const identity = (data: Uint8Array | undefined) => data;

describe.each(['snappy', 'lz4', 'zstd', 'gzip', 'none'] as const)('%s', (kind) => {
  test.each([1, 3])('with ncpu %i: same bytes and order as one thread', async (nrCpu) => {
    await using compressor = new ParallelCompressor({ kind, level: 0, nrCpu });
    const expected = blocks().map((data) => data && compress(kind, 0, data));
    const results: Packed<Uint8Array | undefined>[] = [];
    for await (const result of compressor.map(blocks(), identity)) results.push(result);
    expect(results.map(({ item }) => item)).toEqual(blocks());
    expect(results.map(({ packed }) => packed && Buffer.from(packed))).toEqual(
      expected.map((packed) => packed && Buffer.from(packed)),
    );
  });
});

test('threads are started for more than one CPU only, and not more than there are', () => {
  const count = (kind: 'none' | 'zstd', nrCpu: number) => {
    const compressor = new ParallelCompressor({ kind, level: 0, nrCpu });
    const { threadCount } = compressor;
    void compressor[Symbol.asyncDispose]();
    return threadCount;
  };
  expect(count('zstd', 1)).toBe(0);
  expect(count('none', 4)).toBe(0);
  const available = availableParallelism();
  expect(count('zstd', 255)).toBe(available > 1 ? available : 0);
});

test('views of larger and of shared buffers are compressed as they are', async () => {
  await using compressor = new ParallelCompressor({ kind: 'lz4', level: 0, nrCpu: 2 });
  const large = mixedBytes(100_000, 3);
  const view = large.subarray(1000, 6000);
  const shared = allocateAligned(5000);
  shared.set(view);
  const expected = Buffer.from(compress('lz4', 0, view)!);
  expect(Buffer.from((await compressor.compress(view))!)).toEqual(expected);
  expect(Buffer.from((await compressor.compress(shared))!)).toEqual(expected);
  expect(view.length).toBe(5000);
  freeAligned(shared);
});

test('reads ahead only as far as its bound, and may be left early', async () => {
  await using compressor = new ParallelCompressor({ kind: 'zstd', level: 0, nrCpu: 2 });
  let read = 0;
  function* endless() {
    for (;;) {
      read++;
      yield mixedBytes(4096, read).fill(97, 0, 1000);
    }
  }
  for await (const { packed } of compressor.map(endless(), identity)) {
    expect(packed).toBeDefined();
    if (read > 20) break;
  }
  expect(read).toBeLessThan(20 + 2 + 8);
});

test('what is under way fails when the compressor is closed', async () => {
  const compressor = new ParallelCompressor({ kind: 'lzma', level: 0, nrCpu: 2 });
  if (compressor.threadCount === 0) return;
  const packed = compressor.compress(mixedBytes(1 << 20, 1));
  const failed = expect(packed).rejects.toMatchObject({ code: 'cancelled' });
  await compressor[Symbol.asyncDispose]();
  await failed;
});
