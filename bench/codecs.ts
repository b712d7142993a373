/**
 * Codecs of wdiff data against the bare libraries, and on several threads; the argument is the block
 * size in KiB (default 64).
 */

import { createRequire } from 'node:module';
import { deflateSync, inflateSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import {
  type CompressionKind,
  compress,
  decompress,
  ParallelCompressor,
} from '../src/wdiff/codec/index.ts';
import { halfRandom, measure, measureAsync, peakMemoryMiB, printTable } from './support.ts';

const load = createRequire(import.meta.url);
const lz4 = load('lz4-napi') as typeof import('lz4-napi');
const snappy = load('snappy') as typeof import('snappy');
const lzma = load('node-liblzma') as typeof import('node-liblzma');

interface Bare {
  readonly library: string;
  readonly pack: (data: Buffer) => Buffer;
  readonly unpack: (packed: Buffer) => unknown;
}

const BARE: Readonly<Record<Exclude<CompressionKind, 'none'>, Bare>> = {
  snappy: { library: 'snappy', pack: snappy.compressSync, unpack: snappy.uncompressSync },
  lz4: { library: 'lz4-napi', pack: lz4.compressSync, unpack: lz4.uncompressSync },
  zstd: { library: 'node:zlib', pack: zstdCompressSync, unpack: zstdDecompressSync },
  gzip: { library: 'node:zlib', pack: deflateSync, unpack: inflateSync },
  lzma: { library: 'node-liblzma', pack: lzma.xzSync, unpack: lzma.unxzSync },
};

const KINDS = Object.keys(BARE) as (keyof typeof BARE)[];

const size = Number(process.argv[2] ?? 64) * 1024;
const data = Buffer.from(halfRandom(size));
const into = Buffer.alloc(size);

for (const kind of KINDS) {
  const { library, pack, unpack } = BARE[kind];
  const stored = compress(kind, 0, data);
  if (stored === undefined) continue;
  const packed = pack(data);
  const ratio = (bytes: Uint8Array) => ({ note: `ratio ${(bytes.length / size).toFixed(3)}` });
  const packing = measure(library, size, () => pack(data), ratio(packed));
  const ours = measure(kind, size, () => compress(kind, 0, data), ratio(stored));
  printTable(`${kind} compress ${size / 1024} KiB`, [packing, ours], packing);
  const unpacking = measure(library, size, () => unpack(packed));
  const fresh = measure(kind, size, () => decompress(kind, stored, size));
  const given = measure(`${kind} into`, size, () => decompress(kind, stored, size, into));
  printTable(`${kind} decompress ${size / 1024} KiB`, [unpacking, fresh, given], unpacking);
}

/** Blocks of one round: enough to fill every thread's queue several times. */
const BLOCKS = 64;
const blocks = Array.from({ length: BLOCKS }, () => data);
for (const kind of KINDS.filter((name) => name !== 'lzma')) {
  const samples = [];
  for (const nrCpu of [1, 2]) {
    await using compressor = new ParallelCompressor({ kind, level: 0, nrCpu });
    const round = async () => {
      let stored = 0;
      for await (const { packed } of compressor.map(blocks, (block) => block)) {
        stored += packed?.length ?? size;
      }
      return stored;
    };
    samples.push(await measureAsync(`ncpu ${nrCpu}`, size * BLOCKS, round, { seconds: 1 }));
  }
  printTable(`${kind} in threads, ${size / 1024} KiB`, samples);
}
console.log(`peak memory ${peakMemoryMiB().toFixed(0)} MiB`);
