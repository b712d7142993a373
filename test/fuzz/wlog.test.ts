/**
 * Hostile logs: bit flips, truncation, lies in length fields with checksums made good again. Every
 * outcome must be a result or a `corrupt` error that names file, offset and field; never another
 * exception, never more memory than one IO, never more data than the input holds.
 *
 * Each case is its seed; a failure prints it.
 */
import { describe, expect, test } from 'vitest';
import { hasCode, WalbError } from '../../src/core/index.ts';
import { checksum } from '../../src/kernels/index.ts';
import {
  bytesSource,
  formatRingLog,
  type LogItem,
  openRingLog,
  readRing,
  readWlog,
  readWlogs,
  restoreRing,
  SeededRandom,
} from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { generated } from '../wlog/support.ts';

const CASES = 1500;
/** 65535 logical blocks rounded up to the largest physical block. */
const MAX_IO_BYTES = 65535 * 512 + 65536;

const LOGS = [512, 1024, 4096].map((pbs) => {
  const sizes = { totalLb: 300, maxIoLb: 24, maxDiscardLb: 64, maxPackPb: 60 };
  return { pbs, bytes: generated({ seed: pbs, pbs, paddingShare: 0.5, data: 'mixed', ...sizes }) };
});

type Mutation = (bytes: Uint8Array, random: SeededRandom, pbs: number) => Uint8Array;

const flipBits: Mutation = (bytes, random) => {
  for (let i = random.below(8); i >= 0; i--) {
    bytes[random.below(bytes.length)]! ^= 1 << random.below(8);
  }
  return bytes;
};

const truncate: Mutation = (bytes, random) => bytes.subarray(0, random.below(bytes.length));

/** Whatever it hits: a random piece of the file copied elsewhere. */
const splice: Mutation = (bytes, random) => {
  const length = 1 + random.below(3 * 512);
  const from = random.below(bytes.length - length);
  bytes.copyWithin(random.below(bytes.length - length), from, from + length);
  return bytes;
};

const EXTREMES = [0, 1, 2, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xfffe, 0xffff, 0xffff_ffff];

/** A random field of the block at `start` gets an extreme value, and the block a good checksum. */
function lie(
  bytes: Uint8Array,
  start: number,
  length: number,
  sumAt: number,
  random: SeededRandom,
  salt: number,
) {
  const block = bytes.subarray(start, start + length);
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const at = random.below(120);
  const value = EXTREMES[random.below(EXTREMES.length)]!;
  if (random.chance(0.5)) view.setUint16(at, value & 0xffff, true);
  else view.setUint32(at, value, true);
  view.setUint32(sumAt, 0, true);
  view.setUint32(sumAt, checksum(block, salt), true);
}

const lieInPack: Mutation = (bytes, random, pbs) => {
  const salt = new DataView(bytes.buffer, bytes.byteOffset).getUint32(12, true);
  lie(bytes, 4096, pbs, 0, random, salt);
  return bytes;
};

const lieInFileHeader: Mutation = (bytes, random) => {
  lie(bytes, 0, 4096, 8, random, 0);
  return bytes;
};

const MUTATIONS: Readonly<Record<string, Mutation>> = {
  flipBits,
  truncate,
  splice,
  lieInPack,
  lieInFileHeader,
};

/** Reads to the end; throws what the test must not see. */
async function drain(
  items: AsyncIterable<{ kind: string }> | Iterable<{ kind: string }>,
  size: number,
) {
  let data = 0;
  let ends = 0;
  for await (const item of items as AsyncIterable<LogItem>) {
    if (item.kind === 'end') ends++;
    if (item.kind !== 'io') continue;
    data += item.stored.length;
    expect(item.stored.buffer.byteLength).toBeLessThanOrEqual(MAX_IO_BYTES);
    expect(data).toBeLessThanOrEqual(size);
  }
  expect(ends).toBeGreaterThan(0);
}

/** A result, or an error an operator can act on; anything else is a failure of the case. */
async function judge(run: () => Promise<unknown>, label: string): Promise<'read' | 'refused'> {
  try {
    await run();
    return 'read';
  } catch (error) {
    const fine =
      hasCode(error, 'corrupt', 'conflict') &&
      typeof (error as WalbError).details['file'] === 'string' &&
      typeof (error as WalbError).details['offset'] === 'number' &&
      typeof (error as WalbError).details['field'] === 'string';
    if (!fine) throw new Error(`${label}: ${String(error)}`, { cause: error });
    return 'refused';
  }
}

describe('fuzz: wlog files', () => {
  test.each(Object.keys(MUTATIONS))('%s', async (name) => {
    const mutate = MUTATIONS[name]!;
    const outcomes = { read: 0, refused: 0 };
    for (let seed = 0; seed < CASES / 5; seed++) {
      const random = new SeededRandom(seed);
      const log = LOGS[random.below(LOGS.length)]!;
      const bytes = mutate(log.bytes.slice(), random, log.pbs);
      const read = random.chance(0.5) ? readWlog : readWlogs;
      const data = (['verify', 'trust', 'skip'] as const)[random.below(3)]!;
      const label = `${name} seed ${seed}`;
      const run = () => drain(read(bytesSource(bytes, 'fuzz.wlog'), { data }), bytes.length);
      outcomes[await judge(run, label)]++;
    }
    // Both must occur, or the mutation does not reach what it is meant to reach.
    expect(outcomes.read).toBeGreaterThan(0);
    expect(outcomes.refused).toBeGreaterThan(0);
  });

  test('canary: an error of the wrong kind fails the case', async () => {
    const wrong = async () => {
      throw new RangeError('offset is out of bounds');
    };
    await expect(judge(wrong, 'canary')).rejects.toThrow('canary: RangeError');
    const silent = async () => {
      throw new WalbError('corrupt', 'something is wrong');
    };
    await expect(judge(silent, 'canary')).rejects.toThrow('canary: WalbError');
  });
});

async function ringWith(pbs: number, bytes: Uint8Array): Promise<MemoryFile> {
  const file = new MemoryFile(1500 * pbs, 'fuzz.ldev');
  const uuid = new Uint8Array(16).fill(1);
  const log = await formatRingLog(file, { pbs, uuid, salt: 1, name: 'f', deviceLb: 1 << 20 });
  await restoreRing(log, readWlog(bytesSource(bytes)), { lsidDiff: 1300n });
  return file;
}

describe('fuzz: log devices', () => {
  test('bits, super sector fields and pack header fields', async () => {
    const outcomes = { read: 0, refused: 0 };
    const rings = await Promise.all(
      LOGS.map(async ({ pbs, bytes }) => ({ pbs, file: await ringWith(pbs, bytes) })),
    );
    for (let seed = 0; seed < CASES / 5; seed++) {
      const random = new SeededRandom(seed);
      const ring = rings[random.below(rings.length)]!;
      const file = new MemoryFile(ring.file.bytes, 'fuzz.ldev');
      const { superSector: sector, geometry } = openRingLog(file);
      const kind = random.below(3);
      if (kind === 0) flipBits(file.bytes.subarray(4096, 4096 + 104), random, ring.pbs);
      if (kind === 1) lie(file.bytes, 4096, ring.pbs, 4, random, 0);
      const first =
        (geometry.ringOffsetPb + Number(sector.oldestLsid % BigInt(geometry.ringPb))) * ring.pbs;
      if (kind === 2) lie(file.bytes, first, ring.pbs, 0, random, sector.salt);
      const run = () => drain(readRing(openRingLog(file)), file.size());
      outcomes[await judge(run, `ring seed ${seed}`)]++;
    }
    expect(outcomes.read).toBeGreaterThan(0);
    expect(outcomes.refused).toBeGreaterThan(0);
  });
});
