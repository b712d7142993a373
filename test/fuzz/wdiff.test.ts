/**
 * Hostile wdiffs: whole files with bytes changed, with checksums made right again so that damage gets
 * past the first line, and pure noise. Whatever comes, a reader ends in bounded time and memory with
 * valid pieces or with a `corrupt` error that names file, offset and field.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { LB_SIZE, WalbError } from '../../src/core/index.ts';
import { checksum } from '../../src/kernels/index.ts';
import {
  convertToIndexed,
  convertToSorted,
  discardIo,
  type LogIo,
  MAX_ADDRESS,
  mergeDiffs,
  openDiff,
  originalLines,
  readSortedStream,
  redo,
  VirtualImage,
  verifyDiff,
  writeIo,
} from '../../src/wdiff/index.ts';
import { bytesSource, SeededRandom } from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { blockData, bytesOf } from '../wdiff/support.ts';

const ROUNDS = 400;
const SEED = 20240607;
const VOLUME = 512;
const KINDS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

type Bytes = Uint8Array;

async function sampleFiles(): Promise<{ sorted: Bytes; indexed: Bytes }[]> {
  const random = new SeededRandom(SEED);
  const samples: { sorted: Bytes; indexed: Bytes }[] = [];
  for (const kind of KINDS) {
    const ios: LogIo[] = [];
    for (let i = 0; i < 200; i++) {
      const address = random.u32() % (VOLUME - 16);
      const blocks = 1 + (random.u32() % 15);
      ios.push(
        i % 7 === 0 ? discardIo(address, blocks) : writeIo(address, blockData(blocks, i + 1)),
      );
    }
    const options = { uuid: new Uint8Array(16), compression: { kind, level: 0 }, maxIoBlocks: 8 };
    samples.push({
      sorted: await bytesOf(convertToSorted(ios, options)),
      indexed: await bytesOf(convertToIndexed(ios, options)),
    });
  }
  return samples;
}

/** Everything that reads a diff. Each must return, or throw a typed error. */
const READERS: Readonly<Record<string, (file: MemoryFile) => unknown>> = {
  show: (file) => [...originalLines(file)],
  redo: (file) =>
    redo(openDiff(file).batches(), new MemoryFile(VOLUME * LB_SIZE), { discard: 'zero' }),
  merge: async (file) => {
    const pieces = mergeDiffs([openDiff(file).batches()], { maxIoBlocks: 2 ** 31 });
    for await (const batch of pieces) for (const io of batch) checkPiece(io);
  },
  stream: async (file) => {
    const { batches } = await readSortedStream(bytesSource(file.bytes, file.path));
    for await (const batch of batches) for (const io of batch) checkPiece(io);
  },
  image: (file) => {
    const image = new VirtualImage(new MemoryFile(VOLUME * LB_SIZE), [file]);
    image.read(0, new Uint8Array(VOLUME * LB_SIZE));
  },
};

function checkPiece(io: { address: number; blocks: number }): void {
  expect(io.blocks).toBeGreaterThan(0);
  expect(io.address + io.blocks).toBeLessThanOrEqual(MAX_ADDRESS);
}

async function feed(bytes: Bytes, what: string): Promise<'read' | 'refused'> {
  const file = new MemoryFile(bytes, 'hostile.wdiff');
  let outcome: 'read' | 'refused' = 'read';
  for (const [name, read] of Object.entries(READERS)) {
    try {
      await read(file);
    } catch (thrown) {
      expectTyped(thrown, `${what}, ${name}`);
      if (name === 'redo') outcome = 'refused';
    }
  }
  // Verifying never throws, and sees everything the other readers see.
  const report = await verifyDiff(file);
  if (outcome === 'refused') expect(report.ok, what).toBe(false);
  return outcome;
}

function expectTyped(thrown: unknown, what: string): void {
  if (!(thrown instanceof WalbError))
    throw new Error(`${what}: ${String(thrown)}`, { cause: thrown });
  expect(thrown.code, what).toBe('corrupt');
  expect(thrown.message, what).toContain('hostile.wdiff');
  expect(thrown.details, what).toMatchObject({
    file: 'hostile.wdiff',
    offset: expect.any(Number),
    field: expect.any(String),
  });
}

function changeBytes(bytes: Bytes, random: SeededRandom): Bytes {
  const changed = Uint8Array.from(bytes);
  for (let n = 1 + (random.u32() % 4); n > 0; n--) {
    changed[random.u32() % changed.length] = random.u32() & 0xff;
  }
  return changed;
}

function truncate(bytes: Bytes, random: SeededRandom): Bytes {
  return bytes.slice(0, random.u32() % bytes.length);
}

/** Changes a field of a pack header or record and makes the header's checksum right again. */
function forgeSorted(bytes: Bytes, random: SeededRandom): Bytes {
  const forged = Uint8Array.from(bytes);
  const header = forged.subarray(32, 32 + 4096);
  const count = header[4]!;
  const at = random.u32() % 3 === 0 ? 4 + (random.u32() % 8) : 16 + (random.u32() % (count * 32));
  header[at] = random.u32() & 0xff;
  if (random.u32() % 2 === 0) header[at ^ 1] = 0xff;
  return reseal(forged, header, 0);
}

/** Changes a field of an index record or of the super, with right checksums. */
function forgeIndexed(bytes: Bytes, random: SeededRandom): Bytes {
  const forged = Uint8Array.from(bytes);
  const view = new DataView(forged.buffer);
  const superAt = forged.length - 24;
  if (random.u32() % 4 === 0) {
    forged[superAt + (random.u32() % 12)] = random.u32() & 0xff;
    return reseal(forged, forged.subarray(superAt), 20);
  }
  const count = view.getUint32(superAt + 8, true);
  const at = Number(view.getBigUint64(superAt, true)) + (random.u32() % count) * 48;
  forged[at + (random.u32() % 44)] = random.u32() & 0xff;
  return reseal(forged, forged.subarray(at, at + 48), 44);
}

function reseal(whole: Bytes, part: Bytes, field: number): Bytes {
  part.fill(0, field, field + 4);
  new DataView(part.buffer, part.byteOffset).setUint32(field, checksum(part, 0), true);
  return whole;
}

function noise(random: SeededRandom): Bytes {
  return random.bytes(random.u32() % 9000);
}

describe('hostile wdiffs', () => {
  let samples: { sorted: Bytes; indexed: Bytes }[] = [];
  beforeAll(async () => {
    samples = await sampleFiles();
  });

  const attacks: readonly [string, 'sorted' | 'indexed', (b: Bytes, r: SeededRandom) => Bytes][] = [
    ['bytes changed', 'sorted', changeBytes],
    ['bytes changed', 'indexed', changeBytes],
    ['truncated', 'sorted', truncate],
    ['truncated', 'indexed', truncate],
    ['records forged', 'sorted', forgeSorted],
    ['records forged', 'indexed', forgeIndexed],
    ['noise', 'sorted', (_bytes, random) => noise(random)],
  ];

  test.each(attacks)('%s, %s', async (name, format, attack) => {
    const random = new SeededRandom(SEED);
    const before = process.memoryUsage().arrayBuffers;
    let refused = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const sample = samples[round % samples.length]!;
      const bytes = attack(sample[format], random);
      const outcome = await feed(bytes, `${name}, ${format}, seed ${SEED}, round ${round}`);
      if (outcome === 'refused') refused++;
    }
    // The attacks must bite, or this test proves nothing.
    expect(refused).toBeGreaterThan(ROUNDS / 4);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(256 * 1024 * 1024);
  });

  test('every single bit of the structure is protected', async () => {
    const { sorted, indexed } = samples[2]!;
    for (const [bytes, ranges] of [
      [
        sorted,
        [
          [0, 32],
          [32, 600],
        ],
      ],
      [
        indexed,
        [
          [0, 32],
          [indexed.length - 600, indexed.length],
        ],
      ],
    ] as const) {
      for (const [from, to] of ranges) {
        for (let at = from!; at < to!; at++) {
          const changed = Uint8Array.from(bytes);
          changed[at]! ^= 1 << (at % 8);
          const report = await verifyDiff(new MemoryFile(changed, 'hostile.wdiff'));
          expect(report.ok, `byte ${at}`).toBe(false);
        }
      }
    }
  });

  test('a record that asks for terabytes is refused before anything is allocated', async () => {
    const forged = Uint8Array.from(samples[2]!.indexed);
    const view = new DataView(forged.buffer);
    const at = Number(view.getBigUint64(forged.length - 24, true));
    view.setUint32(at + 32, 0xffff_ffff, true);
    reseal(forged, forged.subarray(at, at + 48), 44);
    const report = await verifyDiff(new MemoryFile(forged, 'hostile.wdiff'));
    expect(report.problems[0]).toMatchObject({ offset: at, field: 'record blocks' });
  });
});
