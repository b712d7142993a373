import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Codec, hasCode } from '../../src/core/index.ts';
import { bulkCodec } from '../../src/rpc/bulk-codec.ts';
import { type MessageFunctions, messageCodec } from '../../src/rpc/codec.ts';
import {
  ByteChunk,
  FullSyncUp,
  HashSyncDown,
  type ImageChunk,
  ReplicationUp,
  ScanEvent,
  WlogUp,
} from '../../src/rpc/index.ts';

const SEED = 20261121;
const big = fc
  .integer({ min: 0, max: 3000 })
  .chain((length) =>
    fc.integer({ min: 0, max: 255 }).map((value) => new Uint8Array(length).fill(value)),
  );
const byteChunk: fc.Arbitrary<ByteChunk> = fc.record({ pieces: fc.array(big, { maxLength: 6 }) });
const imageChunk: fc.Arbitrary<ImageChunk> = fc.record({
  offsetLb: fc.maxSafeNat(),
  bulks: fc.array(
    fc.record({
      blocks: fc.nat(),
      compression: fc.constantFrom('unspecified', 'none', 'snappy', 'zstd'),
      checksum: fc.integer({ min: 0, max: 0xffff_ffff }),
      data: big,
    }),
    { maxLength: 5 },
  ),
});
const gid = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

const cases: readonly [string, () => void][] = [
  check('ByteChunk', ByteChunk, byteChunk),
  check(
    'WlogUp',
    WlogUp,
    fc.record({
      message: fc.oneof(
        byteChunk.map((value) => ({ $case: 'packs' as const, value })),
        gid.map((beginLsid) => ({
          $case: 'hello' as const,
          value: {
            volume: 'vol',
            uuid: new Uint8Array(16).fill(7),
            pbs: 4096,
            salt: 0xdeadbeef,
            sizeLb: 2 ** 53 - 1,
            maxLogSizePb: 0,
            beginLsid,
            gidB: 0n,
          },
        })),
        fc.constant(undefined),
      ),
    }),
  ),
  check(
    'FullSyncUp',
    FullSyncUp,
    imageChunk.map((value) => ({ message: { $case: 'chunk' as const, value } })),
  ),
  check(
    'ScanEvent',
    ScanEvent,
    imageChunk.map((value) => ({ event: { $case: 'chunk' as const, value } })),
  ),
  check(
    'HashSyncDown',
    HashSyncDown,
    fc.tuple(fc.maxSafeNat(), big).map(([firstBulk, hashes]) => ({
      message: { $case: 'hashes' as const, value: { firstBulk, hashes } },
    })),
  ),
  check(
    'ReplicationUp',
    ReplicationUp,
    fc.tuple(gid, gid, big).map(([gidB, gidE, uuid]) => ({
      message: {
        $case: 'diff' as const,
        value: {
          sizeLb: 1,
          uuid,
          compression: { kind: 'lz4' as const, level: 0, cpus: 1 },
          diff: {
            snapB: { gidB, gidE },
            snapE: { gidB, gidE },
            isMergeable: true,
            isCompDiff: false,
            timestamp: 1,
            dataSizeBytes: 0,
          },
        },
      },
    })),
  ),
];

function check<T>(
  name: string,
  functions: MessageFunctions<T>,
  messages: fc.Arbitrary<T>,
): [string, () => void] {
  const [bulk, generated]: Codec<T>[] = [bulkCodec(functions), messageCodec(functions)];
  const property = fc.property(messages, (message) => {
    const bytes = bulk!.encode(message);
    expect(Buffer.compare(bytes, generated!.encode(message))).toBe(0);
    expect(bulk!.decode(bytes)).toEqual(message);
    expect(generated!.decode(bytes)).toEqual(message);
  });
  return [name, () => fc.assert(property, { numRuns: 200, seed: SEED })];
}

describe('the bulk codec writes and reads what the generated one does', () => {
  test.each(cases)('%s', (_, run) => run());
});

describe('the bulk codec', () => {
  const codec = bulkCodec(ByteChunk);

  test('gives every message memory of its own and decodes without copying', () => {
    const piece = new Uint8Array(1000).fill(1);
    const bytes = codec.encode({ pieces: [piece] });
    expect(bytes.buffer.byteLength).toBe(bytes.length);
    piece.fill(2);
    const decoded = codec.decode(bytes).pieces[0]!;
    expect(decoded[0]).toBe(1);
    expect(decoded.buffer).toBe(bytes.buffer);
  });

  test('calls cut-off bytes corrupt', () => {
    const bytes = codec.encode({ pieces: [new Uint8Array(1000)] });
    for (const end of [1, 2, 3, 500, bytes.length - 1]) {
      let thrown: unknown;
      try {
        codec.decode(bytes.subarray(0, end));
      } catch (error) {
        thrown = error;
      }
      expect(hasCode(thrown, 'corrupt')).toBe(true);
    }
  });
});
