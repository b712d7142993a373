/** Codecs of wdiff data against the bare libraries; the last argument chooses the block size in KiB. */

import { createRequire } from 'node:module';
import { deflateSync, inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { COMPRESSION_KINDS, compress, decompress } from '../src/wdiff/codec/index.ts';
import { halfRandom, measure, peakMemoryMiB, printTable, type Sample } from './support.ts';

const load = createRequire(import.meta.url);
const lz4 = load('lz4-napi') as typeof import('lz4-napi');
const snappy = load('snappy') as typeof import('snappy');

const size = Number(process.argv[2] ?? 64) * 1024;
const data = Buffer.from(halfRandom(size));
const target = Buffer.alloc(size);

const copy = measure('Buffer.copy', size, () => data.copy(target));
const compressing: Sample[] = [copy];
const expanding: Sample[] = [copy];

for (const kind of COMPRESSION_KINDS) {
  const stored = compress(kind, 0, data);
  if (stored === undefined) continue;
  const note = `ratio ${(stored.length / size).toFixed(3)}`;
  compressing.push(measure(kind, size, () => compress(kind, 0, data), { note }));
  expanding.push(measure(kind, size, () => decompress(kind, stored, size)));
  expanding.push(measure(`${kind} into`, size, () => decompress(kind, stored, size, target)));
}

const bare: Record<string, [() => Buffer, (packed: Buffer) => unknown]> = {
  '  bare snappy': [() => snappy.compressSync(data), (packed) => snappy.uncompressSync(packed)],
  '  bare lz4-napi': [() => lz4.compressSync(data), (packed) => lz4.uncompressSync(packed)],
  '  bare zstd (zlib)': [() => zstdCompressSync(data), (packed) => zstdDecompressSync(packed)],
  '  bare deflate': [() => deflateSync(data), (packed) => inflateSync(packed)],
};
for (const [name, [pack, unpack]] of Object.entries(bare)) {
  const packed = pack();
  const note = `ratio ${(packed.length / size).toFixed(3)}`;
  compressing.push(measure(name, size, pack, { note }));
  expanding.push(measure(name, size, () => unpack(packed)));
}

printTable(`compress ${size / 1024} KiB`, compressing, copy);
printTable(`decompress ${size / 1024} KiB`, expanding, copy);
console.log(`peak memory ${peakMemoryMiB().toFixed(0)} MiB`);
