import { expect, test } from 'vitest';
import {
  type CompressionKind,
  convertToIndexed,
  convertToSorted,
  type DiffFormat,
  mergeDiffs,
  openDiff,
  redo,
  sortedDiffParts,
} from '../../src/wdiff/index.ts';
import { bytesSource, readWlogs } from '../../src/wlog/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { bytesOf, describeDiff, logIos, memoryOf, sha256 } from './support.ts';

const MAX_IO: Readonly<Record<string, number>> = { x0: 0, x4K: 8, x100K: 200 };
const KINDS = ['none', 'gzip', 'lzma', 'lz4', 'zstd'];

interface Conversion {
  readonly name: string;
  readonly wlog: string;
  readonly format: DiffFormat;
  readonly kind: CompressionKind;
  readonly maxIoBlocks: number | undefined;
}

/** What a golden file name says: LOG.FORMAT[.VARIANT].wdiff. */
function conversionOf(name: string): Conversion | undefined {
  const match = /^(.+)\.(sorted|indexed)(?:\.(\w+))?\.wdiff$/.exec(name);
  if (match === null || match[1] === 'full') return undefined;
  const variant = match[3] ?? '';
  return {
    name: `wdiff/${name}`,
    wlog: `wlog/${match[1]}.wlog`,
    format: match[2] as DiffFormat,
    kind: KINDS.includes(variant) ? (variant as CompressionKind) : 'snappy',
    maxIoBlocks: MAX_IO[variant],
  };
}

async function convert(to: Conversion, kind: CompressionKind, ios = logIos(to.wlog)) {
  const uuid = openDiff(memoryOf(to.name)).uuid;
  const maxIoBlocks = to.maxIoBlocks ?? 2048;
  const options = { uuid, compression: { kind, level: 0 }, maxIoBlocks };
  return to.format === 'sorted'
    ? bytesOf(convertToSorted(ios, options))
    : bytesOf(convertToIndexed(ios, options));
}

describeGolden('formats.md 7: conversion', () => {
  const conversions = (golden.available ? golden.list('wdiff') : [])
    .map(conversionOf)
    .filter((conversion) => conversion !== undefined);

  test('there are conversions of every variant', () => {
    expect(conversions.length).toBeGreaterThan(60);
  });

  test.each(conversions)('$name', async (to) => {
    const ours = await convert(to, to.kind);
    const theirs = golden.read(to.name);
    if (to.kind === 'none') expect(ours.equals(theirs)).toBe(true);
    expect(await describeDiff(ours)).toEqual(await describeDiff(theirs));
  });

  test('split logs on one stream give the file of the whole log', async () => {
    const both = Buffer.concat([
      golden.read('wlog/split-a.wlog'),
      golden.read('wlog/split-b.wlog'),
    ]);
    for (const format of ['sorted', 'indexed'] as const) {
      const to = conversionOf(`default-512.${format}.none.wdiff`)!;
      const { logIosOf } = await import('../../src/wdiff/index.ts');
      const ios = logIosOf(readWlogs(bytesSource(both)));
      expect((await convert(to, 'none', ios)).equals(golden.read(to.name))).toBe(true);
    }
  });

  test('a log beyond the scratch memory goes through the scratch file', async () => {
    const to = conversionOf('default-512.sorted.none.wdiff')!;
    const uuid = openDiff(memoryOf(to.name)).uuid;
    const scratch = new MemoryFile(0);
    const options = {
      uuid,
      compression: { kind: 'none', level: 0 },
      scratch: () => scratch,
      scratchMemory: 100_000,
    } as const;
    const ours = await bytesOf(convertToSorted(logIos(to.wlog), options));
    expect(ours.equals(golden.read(to.name))).toBe(true);
    expect(scratch.size()).toBeGreaterThan(100_000);
    await expect(
      bytesOf(convertToSorted(logIos(to.wlog), { ...options, scratch: undefined as never })),
    ).rejects.toThrow(/no scratch file/);
  });

  test('packs close at 127 records or 32 MiB of stored (conversion) or plain (merge) bytes', async () => {
    const uuid = openDiff(memoryOf('pack32/pack32.sorted.wdiff')).uuid;
    const compression = { kind: 'snappy', level: 0 } as const;
    const sorted = await bytesOf(
      convertToSorted(logIos('pack32/pack32.wlog'), {
        uuid,
        compression,
        scratch: () => new MemoryFile(0),
      }),
    );
    expect(packShape(sorted)).toEqual(packShape(golden.read('pack32/pack32.sorted.wdiff')));
    const merged = await bytesOf(
      sortedDiffParts(mergeDiffs([openDiff(new MemoryFile(sorted)).batches()]), {
        uuid: new Uint8Array(16),
        compression,
        packLimit: 'uncompressed',
      }),
    );
    expect(packShape(merged)).toEqual(packShape(golden.read('pack32/pack32.merge.wdiff')));
    expect(await describeDiff(merged)).toEqual(
      await describeDiff(golden.read('pack32/pack32.merge.wdiff')),
    );
    const mergedIndexed = await bytesOf(
      sortedDiffParts(mergeDiffs([openDiff(memoryOf('pack32/pack32.indexed.wdiff')).batches()]), {
        uuid: new Uint8Array(16),
        compression: { kind: 'lz4', level: 0 },
        packLimit: 'uncompressed',
      }),
    );
    expect(packShape(mergedIndexed)).toEqual(
      packShape(golden.read('pack32/pack32.merge-lz4.wdiff')),
    );
  });
});

describeGolden('reused buffers', () => {
  test.each(['none', 'lz4', 'snappy'] as const)('give the same bytes, %s', async (kind) => {
    const uuid = new Uint8Array(16);
    const outputs: Buffer[] = [];
    for (const buffers of ['fresh', 'reused'] as const) {
      const options = { uuid, compression: { kind, level: 0 }, buffers } as const;
      const ios = logIos('pack32/pack32.wlog');
      const scratch = () => new MemoryFile(0);
      const sorted = await bytesOf(convertToSorted(ios, { ...options, scratch }));
      const inputs = ['m1', 'default-512', 'manyio-512'].map((name) =>
        openDiff(memoryOf(`wdiff/${name}.indexed.wdiff`)).batches(),
      );
      const pieces = mergeDiffs([openDiff(new MemoryFile(sorted)).batches(), ...inputs]);
      const merged = await bytesOf(sortedDiffParts(pieces, { ...options, packLimit: 'stored' }));
      outputs.push(sorted, merged);
    }
    expect(outputs[0]!.equals(outputs[2]!)).toBe(true);
    expect(outputs[1]!.equals(outputs[3]!)).toBe(true);
    expect(packShape(outputs[1]!).length).toBeGreaterThan(4);
  });
});

/** Number of records of each pack. */
function packShape(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape: number[] = [];
  for (let at = 32; at < bytes.length; at += 4096 + view.getUint32(at + 8, true)) {
    shape.push(view.getUint16(at + 4, true));
  }
  return shape;
}

describeGolden('formats.md 7: merge', () => {
  const merges = golden.available ? Object.entries(golden.expected.merges) : [];

  test.each(merges)('%s', async (name, { inputs, options }) => {
    const kind = (/-cmpr (\w+)/.exec(options)?.[1] ?? 'snappy') as CompressionKind;
    const maxIoBlocks = options.includes('-x 16K') ? 32 : 0;
    const diffs = inputs.map((input) => openDiff(memoryOf(`wdiff/${input}`)).batches());
    const ours = await bytesOf(
      sortedDiffParts(mergeDiffs(diffs, { maxIoBlocks }), {
        uuid: new Uint8Array(16),
        compression: { kind, level: 0 },
        packLimit: 'uncompressed',
      }),
    );
    const theirs = golden.read(`wdiff/${name}.wdiff`);
    if (kind === 'none') expect(ours.equals(theirs)).toBe(true);
    expect(packShape(ours)).toEqual(packShape(theirs));
    expect(await describeDiff(ours)).toEqual(await describeDiff(theirs));
  });

  test('redo of the merge is redo one by one (discards as zeros)', async () => {
    const image = new MemoryFile(golden.read('image/base-16M.img'));
    const diffs = ['m1', 'm2', 'm3', 'm4'].map((m) =>
      openDiff(memoryOf(`wdiff/${m}.sorted.wdiff`)),
    );
    for (const diff of diffs) await redo(diff.batches(), image, { discard: 'zero' });
    expect(sha256(image.bytes)).toBe(golden.expected.redo['merge-sorted.wdiff']?.['wdiff-redo -z']);
  });
});
