import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LB_SIZE } from '../../src/core/index.ts';
import {
  blobOfData,
  convertToIndexed,
  convertToSorted,
  type DiffIo,
  type DiffKind,
  type DiffStream,
  discardIo,
  type LogIo,
  mergeDiffs,
  mergeFiles,
  openDiff,
  redo,
  sortedDiffParts,
  VirtualImage,
  virtualScan,
  writeIo,
} from '../../src/wdiff/index.ts';
import { IoTable } from '../../src/wdiff/io-table.ts';
import { PieceMap, plainSplitting } from '../../src/wdiff/piece-map.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { batchesOf, blockData, bytesOf, collect, describePiece } from './support.ts';

const VOLUME = 80;
const UUID = new Uint8Array(16).fill(9);

interface Write {
  readonly address: number;
  readonly blocks: number;
  readonly kind: DiffKind;
  readonly seed: number;
}

const write: fc.Arbitrary<Write> = fc
  .record({
    address: fc.nat(VOLUME - 1),
    blocks: fc.integer({ min: 1, max: 20 }),
    kind: fc.constantFrom<DiffKind>('normal', 'normal', 'normal', 'zero', 'discard'),
    seed: fc.integer({ min: 1, max: 1_000_000 }),
  })
  .map((w) => ({ ...w, blocks: Math.min(w.blocks, VOLUME - w.address) }));

const log = fc.array(write, { maxLength: 12 });
const logs = fc.array(log, { minLength: 1, maxLength: 6 });

function logIoOf({ address, blocks, kind, seed }: Write): LogIo {
  if (kind === 'discard') return discardIo(address, blocks);
  const data = kind === 'zero' ? new Uint8Array(blocks * LB_SIZE) : blockData(blocks, seed);
  return writeIo(address, data);
}

/** The volume as a plain array of blocks: what a disk would hold. Discards read as zeros. */
function modelImage(writes: readonly Write[], base: Uint8Array): Uint8Array {
  const image = Uint8Array.from(base);
  for (const w of writes) {
    const start = w.address * LB_SIZE;
    if (w.kind === 'normal') image.set(blockData(w.blocks, w.seed), start);
    else image.fill(0, start, start + w.blocks * LB_SIZE);
  }
  return image;
}

/** A diff of non-overlapping pieces of the writes: they are laid out one after another. */
function diffOf(writes: readonly Write[]): DiffIo[] {
  let end = 0;
  return writes.map(({ address, blocks, kind, seed }) => {
    const at = end + (address % 4);
    end = at + blocks;
    if (kind !== 'normal') return { address: at, blocks, kind };
    return { address: at, blocks, kind, blob: blobOfData(blockData(blocks, seed)), blobOffset: 0 };
  });
}

describe('formats.md 7: merge', () => {
  test('gives the pieces of a map into which all IOs are put, oldest first', async () => {
    const property = fc.asyncProperty(
      logs,
      fc.constantFrom(0, 1, 3, 8),
      fc.integer({ min: 1, max: 4 }),
      async (inputs, maxIoBlocks, batch) => {
        const diffs = inputs.map(diffOf);
        const ios = new IoTable();
        const map = new PieceMap(plainSplitting(maxIoBlocks), ios);
        const pieces: DiffIo[] = [];
        for (const io of diffs.flat()) {
          const ref = ios.add({
            kind: 'normal',
            position: 0,
            storedSize: 0,
            blocks: 0,
            compression: 'none',
            checksum: 0,
          });
          pieces[ref] = io;
          map.put(io.address, io.blocks, ref);
        }
        const expected = [...map].map((piece) => {
          const io = pieces[piece.ref]!;
          const { address, blocks } = piece;
          return describePiece(
            io.kind === 'normal'
              ? { address, blocks, kind: io.kind, blob: io.blob, blobOffset: piece.ioOffset }
              : { address, blocks, kind: io.kind },
          );
        });
        const streams = diffs.map((diff, i) => asStream(diff, batch, i % 2 === 1));
        const merged = await collect(mergeDiffs(streams, { maxIoBlocks }));
        expect(merged.map(describePiece)).toEqual(expected);
      },
    );
    await fc.assert(property, { numRuns: 300, seed: 11 });
  });

  test('any grouping and either format give the image of the writes', async () => {
    const property = fc.asyncProperty(logs, fc.nat(5), fc.nat(3), async (writes, cut, max) => {
      const base = blockData(VOLUME, 77);
      const expected = modelImage(writes.flat(), base);
      const files = await Promise.all(writes.map((w, i) => fileOf(w, i % 2 === 0, max)));
      const all = files.map((file) => openDiff(file).batches());
      expect(await redoneImage(mergeDiffs(all), base)).toEqual(expected);

      const first = await mergedFile(files.slice(0, cut));
      const grouped = [first, ...files.slice(cut)].map((file) => openDiff(file).batches());
      expect(await redoneImage(mergeDiffs(grouped, { maxIoBlocks: 3 }), base)).toEqual(expected);

      const image = new MemoryFile(base);
      for (const file of files) {
        await redo(openDiff(file).batches(), image, { discard: 'passdown' });
      }
      expect(image.bytes).toEqual(expected);
      await expectVirtual(files, base, expected);
    });
    await fc.assert(property, { numRuns: 150, seed: 12 });
  });

  test('data hidden by newer diffs is never read', async () => {
    const reads: number[] = [];
    const hidden = {
      ...blobOfData(blockData(4, 1)),
      stored: () => {
        throw new Error('read');
      },
      dataOnce: () => {
        throw new Error('read');
      },
      data: () => {
        reads.push(1);
        return blockData(4, 1);
      },
    };
    const older: DiffIo[] = [
      { address: 2, blocks: 4, kind: 'normal', blob: hidden, blobOffset: 0 },
    ];
    const newer: DiffIo[] = [{ address: 0, blocks: 10, kind: 'discard' }];
    const merged = mergeDiffs([[older], [newer]]);
    const out = await bytesOf(
      sortedDiffParts(merged, {
        uuid: UUID,
        compression: { kind: 'snappy', level: 0 },
        packLimit: 'uncompressed',
      }),
    );
    expect(await collect(openDiff(new MemoryFile(out)).batches())).toEqual([
      { address: 0, blocks: 10, kind: 'discard' },
    ]);
    expect(reads).toEqual([]);
  });

  test('inputs are closed when the consumer stops early or an input fails', async () => {
    let closed = 0;
    const endless = function* (): Generator<DiffIo[]> {
      try {
        for (let at = 0; ; at += 2) yield [{ address: at, blocks: 1, kind: 'zero' }];
      } finally {
        closed++;
      }
    };
    for await (const _batch of mergeDiffs([endless(), endless()])) break;
    expect(closed).toBe(2);
    const failing = function* (): Generator<DiffIo[]> {
      yield [{ address: 0, blocks: 1, kind: 'zero' }];
      throw new Error('disk gone');
    };
    await expect(collect(mergeDiffs([endless(), failing()]))).rejects.toThrow('disk gone');
    expect(closed).toBe(3);
  });

  test('no inputs and empty inputs give nothing', async () => {
    expect(await collect(mergeDiffs([]))).toEqual([]);
    expect(await collect(mergeDiffs([[], [[]], [[], []]]))).toEqual([]);
  });
});

function asStream(pieces: readonly DiffIo[], batch: number, isAsync: boolean): DiffStream {
  const batches = batchesOf(pieces, batch);
  if (!isAsync) return batches;
  return (async function* () {
    for (const one of batches) {
      await Promise.resolve();
      yield one;
    }
  })();
}

async function fileOf(writes: readonly Write[], sorted: boolean, max: number): Promise<MemoryFile> {
  const compression = { kind: 'snappy', level: 0 } as const;
  const options = { uuid: UUID, compression, maxIoBlocks: max * 5 };
  const ios = writes.map(logIoOf);
  const bytes = sorted
    ? await bytesOf(convertToSorted(ios, options))
    : await bytesOf(convertToIndexed(ios, options));
  return new MemoryFile(bytes, sorted ? 'sorted' : 'indexed');
}

async function mergedFile(files: readonly MemoryFile[]): Promise<MemoryFile> {
  const merged = mergeDiffs(files.map((file) => openDiff(file).batches()));
  const compression = { kind: 'lz4', level: 0 } as const;
  const options = { uuid: UUID, compression, packLimit: 'uncompressed' } as const;
  return new MemoryFile(await bytesOf(sortedDiffParts(merged, options)));
}

async function redoneImage(pieces: DiffStream, base: Uint8Array): Promise<Uint8Array> {
  const image = new MemoryFile(base);
  await redo(pieces, image, { discard: 'zero' });
  return image.bytes;
}

async function expectVirtual(
  files: readonly MemoryFile[],
  base: Uint8Array,
  expected: Uint8Array,
): Promise<void> {
  const scanned = new Uint8Array(base.length);
  const options = { chunkSize: 7 * LB_SIZE };
  const merged = mergeFiles(files);
  for await (const { data, offset } of virtualScan(new MemoryFile(base), merged, options)) {
    scanned.set(data, offset);
  }
  expect(scanned).toEqual(expected);
  const image = new VirtualImage(new MemoryFile(base), files, { cacheBytes: 8 * LB_SIZE });
  const read = new Uint8Array(base.length);
  for (let at = 0; at < read.length; at += 777) {
    image.read(at, read.subarray(at, at + 777));
  }
  expect(read).toEqual(expected);
  expectHolesAreZeros(image, expected);
}

/** Outside of what `nextData` reports there are only zeros. */
function expectHolesAreZeros(image: VirtualImage, expected: Uint8Array): void {
  let at = 0;
  while (at < expected.length) {
    const data = image.nextData(at);
    const hole = expected.subarray(at, data?.start ?? expected.length);
    expect(hole.every((byte) => byte === 0)).toBe(true);
    if (data === undefined) return;
    expect(data.end).toBeGreaterThan(data.start);
    at = data.end;
  }
}
