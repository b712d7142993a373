import { describe, expect, test } from 'vitest';
import { LB_SIZE } from '../../src/core/index.ts';
import { BlobCache } from '../../src/wdiff/blob.ts';
import { BufferArena } from '../../src/wdiff/buffers.ts';
import { Heap } from '../../src/wdiff/heap.ts';
import {
  blobOfData,
  convertToIndexed,
  type DiffIo,
  discardIo,
  encodeFileHeader,
  openDiff,
  readSortedStream,
  redo,
  SortedDiffEncoder,
  sortedDiffParts,
  VirtualImage,
  verifyDiff,
  virtualScan,
  writeChunks,
  writeIo,
  writeParts,
} from '../../src/wdiff/index.ts';
import { ScratchStore } from '../../src/wdiff/scratch.ts';
import { SeededRandom, streamSource } from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { batchesOf, blockData, bytesOf, collect, describePiece } from './support.ts';

const UUID = Uint8Array.from({ length: 16 }, (_, i) => i);
const OPTIONS = {
  uuid: UUID,
  compression: { kind: 'snappy', level: 0 },
  packLimit: 'stored',
} as const;

function data(address: number, blocks: number, seed = address + 1): DiffIo {
  const blob = blobOfData(blockData(blocks, seed));
  return { address, blocks, kind: 'normal', blob, blobOffset: 0 };
}

const PIECES: readonly DiffIo[] = [
  data(0, 3),
  { address: 3, blocks: 2, kind: 'zero' },
  data(5, 1),
  { address: 10, blocks: 1000, kind: 'discard' },
  ...Array.from({ length: 300 }, (_, i) => data(2000 + 4 * i, 1 + (i % 4))),
];

async function* chunksOf(bytes: Uint8Array, length: number) {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

describe('sorted writer', () => {
  test.each([
    ['unsorted', [data(5, 2), data(0, 2)]],
    ['overlapping', [data(0, 2), data(1, 2)]],
    ['empty', [{ address: 0, blocks: 0, kind: 'zero' }]],
  ] as [string, DiffIo[]][])('refuses %s pieces', (_name, pieces) => {
    const encoder = new SortedDiffEncoder(OPTIONS);
    encoder.begin();
    expect(() => {
      for (const io of pieces) encoder.add(io);
    }).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  test('refuses pieces beyond 8 PiB and more than 32 MiB of data in one record', () => {
    const far = new SortedDiffEncoder(OPTIONS);
    far.add({ address: 2 ** 44 - 1, blocks: 2, kind: 'discard' });
    expect(() => far.end()).toThrow(/beyond 8 PiB/);
    const big = new SortedDiffEncoder(OPTIONS);
    big.add({
      address: 0,
      blocks: 65537,
      kind: 'normal',
      blob: blobOfData(new Uint8Array(65537 * LB_SIZE)),
      blobOffset: 0,
    });
    expect(() => big.end()).toThrow(/65537 blocks/);
  });

  test('an empty diff is a header and an end pack', async () => {
    const bytes = await bytesOf(sortedDiffParts([], OPTIONS));
    expect(bytes.length).toBe(32 + 4096);
    expect(await collect(openDiff(new MemoryFile(bytes)).batches())).toEqual([]);
    expect(await verifyDiff(new MemoryFile(bytes))).toMatchObject({ ok: true, records: 0 });
  });

  test('what it writes is read back alike from a file and from chunks of any size', async () => {
    const bytes = await bytesOf(sortedDiffParts(batchesOf(PIECES, 50), OPTIONS));
    const expected = PIECES.map(describePiece);
    const diff = openDiff(new MemoryFile(bytes));
    expect(diff.uuid).toEqual(UUID);
    expect((await collect(diff.batches())).map(describePiece)).toEqual(expected);
    for (const length of [1, 4096, 100_000]) {
      const stream = await readSortedStream(streamSource(chunksOf(bytes, length)));
      expect((await collect(stream.batches)).map(describePiece)).toEqual(expected);
    }
  });

  test('data of the wanted type are passed through unless told otherwise', async () => {
    const gzip = { ...OPTIONS, compression: { kind: 'gzip', level: 1 } } as const;
    const first = await bytesOf(sortedDiffParts([PIECES], gzip));
    const again = (recompress: 'reuse' | 'always') => {
      const pieces = openDiff(new MemoryFile(first)).batches();
      const compression = { kind: 'gzip', level: 9 } as const;
      return bytesOf(sortedDiffParts(pieces, { ...gzip, compression, recompress }));
    };
    expect((await again('reuse')).equals(first)).toBe(true);
    expect((await again('always')).equals(first)).toBe(false);
  });

  test('several threads write the same bytes', async () => {
    const noise = data(9000, 8, 3);
    if (noise.kind === 'normal') noise.blob.data().set(new SeededRandom(1).bytes(4096));
    const write = (nrCpu: number, recompress: 'reuse' | 'always') => {
      const compression = { kind: 'zstd', level: 1, nrCpu } as const;
      const pieces = batchesOf([...PIECES, noise]);
      return bytesOf(sortedDiffParts(pieces, { ...OPTIONS, compression, recompress }));
    };
    const expected = await write(1, 'reuse');
    for (const recompress of ['reuse', 'always'] as const) {
      expect((await write(2, recompress)).equals(expected)).toBe(true);
    }
  });

  test('a stream refuses damage, truncation and what follows the end', async () => {
    const bytes = await bytesOf(sortedDiffParts(batchesOf(PIECES), OPTIONS));
    const receive = async (changed: Uint8Array) => {
      const stream = await readSortedStream(streamSource(chunksOf(changed, 999)));
      return collect(stream.batches);
    };
    const damaged = Uint8Array.from(bytes);
    damaged[32 + 4096 + 5]! ^= 1;
    await expect(receive(damaged)).rejects.toThrow(/record data checksum/);
    await expect(receive(bytes.subarray(0, -4096))).rejects.toThrow(/without an end pack/);
    await expect(receive(bytes.subarray(0, 5000))).rejects.toThrow(/pack data/);
    await expect(receive(Buffer.concat([bytes, bytes]))).rejects.toThrow(/follow the end pack/);
    const indexed = encodeFileHeader({ format: 'indexed', uuid: UUID });
    await expect(receive(indexed)).rejects.toThrow(/indexed/);
  });
});

describe('indexed writer', () => {
  test('refuses impossible log IOs', async () => {
    for (const io of [
      discardIo(0, 0),
      discardIo(-1, 5),
      discardIo(2 ** 44, 1),
      discardIo(0, 2 ** 32),
      { address: 0, blocks: 2, kind: 'normal', data: new Uint8Array(512) } as const,
    ]) {
      const chunks = convertToIndexed([io], OPTIONS);
      await expect(bytesOf(chunks)).rejects.toMatchObject({ code: 'invalid-argument' });
    }
  });

  test('an empty log gives a valid empty diff', async () => {
    const file = new MemoryFile(0);
    const size = await writeChunks(file, convertToIndexed([], OPTIONS));
    expect(size).toBe(32 + 24);
    expect(await verifyDiff(file)).toMatchObject({ ok: true, records: 0, format: 'indexed' });
    const image = new VirtualImage(new MemoryFile(blockData(4, 1)), [file]);
    const into = new Uint8Array(2048);
    image.read(0, into);
    expect(into).toEqual(blockData(4, 1));
  });

  test('the index is written in several chunks and read in several pages', async () => {
    const ios = Array.from({ length: 3000 }, (_, i) => writeIo(i * 2, blockData(1, i + 1)));
    const file = new MemoryFile(0);
    await writeChunks(file, convertToIndexed(ios.toReversed(), OPTIONS));
    const pieces = await collect(openDiff(file).batches());
    expect(pieces.map(({ address }) => address)).toEqual(ios.map(({ address }) => address));
    const image = new VirtualImage(new MemoryFile(0), [file], { size: 6000 * LB_SIZE });
    const into = new Uint8Array(LB_SIZE);
    for (const i of [0, 1, 255, 256, 1500, 2999]) {
      image.read(i * 2 * LB_SIZE, into);
      expect(into).toEqual(blockData(1, i + 1));
    }
  });
});

describe('redo (semantics.md D.7)', () => {
  const base = () => new MemoryFile(blockData(64, 99));
  const diff: DiffIo[] = [
    data(1, 2),
    { address: 4, blocks: 4, kind: 'zero' },
    { address: 10, blocks: 6, kind: 'discard' },
    data(62, 4),
    { address: 70, blocks: 1, kind: 'zero' },
  ];

  test.each(['ignore', 'zero', 'passdown'] as const)('discard mode %s', async (discard) => {
    const image = base();
    const report = await redo([diff], image, { discard });
    const expected = blockData(64, 99);
    expected.set(blockData(2, 2), 512);
    expected.fill(0, 4 * 512, 8 * 512);
    if (discard !== 'ignore') expected.fill(0, 10 * 512, 16 * 512);
    expect(image.bytes).toEqual(expected);
    expect(report).toEqual({
      normal: 1,
      zero: 1,
      discard: 1,
      skipped: 2,
      skippedBlocks: 5,
      firstSkipped: { address: 62, blocks: 4 },
      written: 1024,
      position: 71,
    });
  });

  test('neighbours are written together, and large zero ranges are punched', async () => {
    const image = new MemoryFile(4 * 1024 * 1024);
    const calls: string[] = [];
    const { writev, punch, write } = image;
    image.writev = (parts, position) => {
      calls.push(`writev ${parts.length}`);
      writev.call(image, parts, position);
    };
    image.write = (from, position) => {
      calls.push(`write ${from.length}`);
      write.call(image, from, position);
    };
    image.punch = (position, length) => {
      calls.push(`punch ${length}`);
      punch.call(image, position, length);
    };
    const pieces: DiffIo[] = [data(0, 1), data(1, 1), data(2, 1)];
    for (let at = 3; at < 2048; at++) pieces.push({ address: at, blocks: 1, kind: 'zero' });
    await redo([pieces], image, { discard: 'ignore' });
    expect(calls.at(-1)).toBe(`punch ${2045 * 512}`);
    expect(calls[0]).toBe('writev 3');
  });

  test('stops between batches when asked to, and reports progress', async () => {
    const stop = new AbortController();
    const positions: number[] = [];
    const work = redo(batchesOf(diff, 1), base(), {
      discard: 'ignore',
      signal: stop.signal,
      afterBatch: ({ position }) => {
        positions.push(position);
        if (positions.length === 2) stop.abort();
      },
    });
    await expect(work).rejects.toMatchObject({ code: 'cancelled' });
    expect(positions).toEqual([3, 8]);
  });
});

describe('virtual image (semantics.md D.4)', () => {
  test('beyond the base it reads as zeros; a scan may start anywhere', async () => {
    const base = new MemoryFile(blockData(4, 1));
    const pieces = [[data(3, 1), data(9, 3)]];
    const chunks: [number, number, boolean][] = [];
    const all = new Uint8Array(10 * 512);
    const options = { size: 10 * 512, start: 1024, chunkSize: 1536 };
    for await (const chunk of virtualScan(base, pieces, options)) {
      chunks.push([chunk.offset, chunk.data.length, chunk.isHole]);
      all.set(chunk.data, chunk.offset);
    }
    expect(chunks).toEqual([
      [1024, 1536, false],
      [2560, 1536, true],
      [4096, 1024, false],
    ]);
    const expected = new Uint8Array(10 * 512);
    expected.set(blockData(4, 1).subarray(1024), 1024);
    expected.set(blockData(1, 4), 3 * 512);
    expected.set(blockData(3, 10).subarray(0, 512), 9 * 512);
    expect(all).toEqual(expected);
  });

  test('refuses unaligned scans and reads outside', async () => {
    const base = new MemoryFile(4096);
    await expect(collect(virtualScan(base, [], { chunkSize: 100 }) as never)).rejects.toMatchObject(
      {
        code: 'invalid-argument',
      },
    );
    const image = new VirtualImage(base, []);
    expect(() => image.read(4000, new Uint8Array(100))).toThrow(/outside the image/);
    expect(() => image.read(-1, new Uint8Array(1))).toThrow(/outside the image/);
  });
});

describe('small parts', () => {
  test('the blob cache keeps the most recent within its limit', () => {
    const cache = new BlobCache(1000);
    const blobs = [1, 2, 3].map(() => blobOfData(new Uint8Array(512)));
    cache.put(blobs[0]!, new Uint8Array(400));
    cache.put(blobs[1]!, new Uint8Array(400));
    expect(cache.get(blobs[0]!)).toBeDefined();
    cache.put(blobs[2]!, new Uint8Array(400));
    expect(cache.get(blobs[1]!)).toBeUndefined();
    expect(cache.get(blobs[0]!)).toBeDefined();
    expect(cache.bytes).toBe(800);
    // Larger than the limit: kept alone, until the next comes.
    cache.put(blobs[1]!, new Uint8Array(5000));
    expect(cache.get(blobs[0]!)).toBeUndefined();
    expect(cache.bytes).toBe(5000);
    cache.put(blobs[0]!, new Uint8Array(1));
    expect(cache.bytes).toBe(1);
  });

  test('the scratch store gives back what was put into memory, tail and file', () => {
    const file = new MemoryFile(0);
    const store = new ScratchStore(() => file, 3 * 1024 * 1024);
    const sizes = [100_000, 1_500_000, 1_000_000, 700_000, 512, 3_000_000, 1024];
    const stored = sizes.map((size, i) => {
      const bytes = blockData(Math.ceil(size / 512), i + 1);
      return { bytes, position: store.append(bytes) };
    });
    for (const { bytes, position } of stored.toReversed()) {
      expect(Buffer.compare(store.read(position, new Uint8Array(bytes.length)), bytes)).toBe(0);
      const part = store.read(position + 512, new Uint8Array(512));
      if (bytes.length >= 1024) expect(part).toEqual(bytes.slice(512, 1024));
    }
    expect(file.size()).toBeGreaterThan(3_000_000);
  });

  test('an arena lends distinct buffers until it is reset', () => {
    const arena = new BufferArena();
    const buffers = Array.from({ length: 100 }, (_, i) => arena.take(100_000).fill(i));
    buffers.push(arena.take(5_000_000).fill(100));
    for (const [i, buffer] of buffers.entries()) expect(buffer.every((b) => b === i)).toBe(true);
    arena.reset();
    expect(arena.take(10).buffer).toBe(buffers[0]!.buffer);
  });

  test('the heap gives the smallest first', () => {
    const heap = new Heap<number>((a, b) => a - b);
    const values = Array.from({ length: 200 }, (_, i) => (i * 7919) % 211);
    for (const value of values) heap.push(value);
    const sorted = values.map(() => heap.pop());
    expect(sorted).toEqual(values.toSorted((a, b) => a - b));
    expect(heap.pop()).toBeUndefined();
  });

  test('writeParts writes long lists in several calls', async () => {
    const file = new MemoryFile(0);
    const parts = Array.from({ length: 1000 }, (_, i) => new Uint8Array(3).fill(i & 255));
    const size = await writeParts(
      file,
      (async function* () {
        yield parts;
        yield [];
      })(),
    );
    expect(size).toBe(3000);
    expect(Buffer.from(file.bytes).equals(Buffer.concat(parts))).toBe(true);
  });
});
