import { expect, test } from 'vitest';
import { type FileHandle, LB_SIZE, MIB } from '../../src/core/index.ts';
import {
  blobOfData,
  convertToIndexed,
  type DiffIo,
  type LogIo,
  mergeDiffs,
  openDiff,
  readSortedStream,
  redo,
  sortedDiffParts,
  virtualScan,
  writeIo,
} from '../../src/wdiff/index.ts';
import { bytesSource } from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { bytesOf } from './support.ts';

/** Highest memory outside the heap seen while `work` calls the sampler, above what there was. */
async function peakOf(work: (sample: () => void) => Promise<void>): Promise<number> {
  const before = process.memoryUsage().arrayBuffers;
  let peak = 0;
  await work(() => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
  });
  return peak / MIB;
}

/** Takes everything and keeps nothing. */
function sink(size: number): FileHandle {
  const file = new MemoryFile(0, 'sink');
  file.size = () => size;
  file.write = () => {};
  file.writev = () => {};
  file.punch = () => {};
  return file;
}

const PACK_RECORDS = 127;
const RECORD_BLOCKS = (4 * MIB) / LB_SIZE;

/** 508 MiB of zeros in one pack of a few MiB: what a hostile or merely lucky writer sends. */
async function bomb(): Promise<Buffer> {
  const blob = blobOfData(new Uint8Array(4 * MIB));
  const pieces: DiffIo[] = Array.from({ length: PACK_RECORDS }, (_, i) => ({
    address: i * RECORD_BLOCKS,
    blocks: RECORD_BLOCKS,
    kind: 'normal',
    blob,
    blobOffset: 0,
  }));
  const options = { uuid: new Uint8Array(16), packLimit: 'stored' } as const;
  return bytesOf(sortedDiffParts([pieces], { ...options, compression: { kind: 'lz4', level: 0 } }));
}

test('data that expand to much more than they are do not fill the memory', async () => {
  const bytes = await bomb();
  expect(bytes.length).toBeLessThan(8 * MIB);
  const cuts: DiffIo[] = Array.from({ length: PACK_RECORDS }, (_, i) => ({
    address: i * RECORD_BLOCKS + 1,
    blocks: 1,
    kind: 'discard',
  }));
  const volume = PACK_RECORDS * 4 * MIB;
  for (const source of ['file', 'stream'] as const) {
    const open = async () =>
      source === 'file'
        ? openDiff(new MemoryFile(bytes)).batches()
        : (await readSortedStream(bytesSource(bytes))).batches;
    const peak = await peakOf(async (sample) => {
      const merged = mergeDiffs([await open(), [cuts]]);
      const report = await redo(merged, sink(volume), { discard: 'ignore', afterBatch: sample });
      expect(report.written).toBe(volume - PACK_RECORDS * LB_SIZE);
      for await (const _chunk of virtualScan(sink(volume), await open(), { size: volume }))
        sample();
    });
    expect(peak, source).toBeLessThan(200);
  }
}, 60_000);

test('a converter holds the index, not the data', async () => {
  const data = new Uint8Array(MIB).fill(7);
  function* ios(): Generator<LogIo> {
    for (let i = 0; i < 500; i++) yield writeIo((i % 50) * 2048, data);
  }
  const options = { uuid: new Uint8Array(16), compression: { kind: 'none', level: 0 } } as const;
  let size = 0;
  const peak = await peakOf(async (sample) => {
    for await (const chunk of convertToIndexed(ios(), options)) {
      size += chunk.length;
      sample();
    }
  });
  expect(size).toBeGreaterThan(500 * MIB);
  expect(peak).toBeLessThan(16);
});
