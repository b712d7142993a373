/** Generated logs: every reader, the ring and the image agree with simple models. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  analyzeLog,
  bytesSource,
  catRing,
  findEndOfLog,
  formatRingLog,
  type GenerateOptions,
  openRingLog,
  readRing,
  readWlog,
  redoLog,
  restoreRing,
  type WlogItem,
} from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { generated, withCode } from './support.ts';

const DEVICE_LB = 4096;

const options = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 40 }),
  pbs: fc.constantFrom(512, 1024, 4096),
  deviceLb: fc.constant(DEVICE_LB),
  totalLb: fc.integer({ min: 0, max: 3000 }),
  minIoLb: fc.integer({ min: 1, max: 8 }),
  maxIoLb: fc.integer({ min: 8, max: 300 }),
  minDiscardLb: fc.constant(1),
  maxDiscardLb: fc.integer({ min: 1, max: 4096 }),
  maxPackPb: fc.integer({ min: 300, max: 2000 }),
  beginLsid: fc.oneof(fc.bigInt(0n, 1000n), fc.bigInt(2n ** 63n, 2n ** 63n + 1000n)),
  data: fc.constantFrom('sparse' as const, 'random' as const, 'mixed' as const),
  discardShare: fc.constantFrom(0, 0.2, 1),
  allZeroShare: fc.constantFrom(0, 0.3),
  paddingShare: fc.constantFrom(0, 0.5, 1),
});

interface Model {
  readonly image: Uint8Array;
  /** Per logical block: touched by a write, and its content still that write's. */
  readonly surviving: Uint8Array;
  writes: number;
  discardLb: number;
}

/** Applies records one block at a time. */
async function modelOf(items: AsyncIterable<WlogItem>): Promise<Model> {
  const image = new Uint8Array(DEVICE_LB * 512).fill(0xee);
  const model: Model = { image, surviving: new Uint8Array(DEVICE_LB), writes: 0, discardLb: 0 };
  for await (const item of items) {
    if (item.kind !== 'io' || item.type === 'padding') continue;
    const { offset, blocks } = item.record;
    if (item.type === 'write') model.writes++;
    else model.discardLb += blocks;
    for (let i = 0; i < blocks; i++) {
      const block = item.type === 'write' ? item.data.subarray(i * 512, (i + 1) * 512) : undefined;
      image.set(block ?? new Uint8Array(512), (offset + i) * 512);
      model.surviving[offset + i] = block === undefined ? 0 : 1;
    }
  }
  return model;
}

describe('generated logs', () => {
  test('property: a generated log is whole, and redo and analyze agree with a model', async () => {
    await fc.assert(
      fc.asyncProperty(options, async (o) => {
        const bytes = generated(o);
        const items = () => readWlog(bytesSource(bytes));
        const model = await modelOf(items());
        const image = new MemoryFile(new Uint8Array(DEVICE_LB * 512).fill(0xee));
        const redone = await redoLog(items(), image, { zeroDiscard: true });
        expect(redone.end).toMatchObject({ reason: 'end-block' });
        expect(redone.clipped).toBe(0);
        expect(Buffer.from(image.bytes).equals(model.image)).toBe(true);
        expect(redone).toMatchObject({ writes: model.writes, discardedLb: model.discardLb });
        const statistics = await analyzeLog(items(), 512);
        expect(statistics).toMatchObject({ writes: model.writes, discardedLb: model.discardLb });
        const surviving = model.surviving.reduce((sum, one) => sum + one, 0);
        expect(statistics.survivingBytes).toBe(surviving * 512);
        expect(statistics.endLsid - statistics.beginLsid).toBe(BigInt(statistics.takenPb));
        expect(redone.writtenLb + redone.discardedLb).toBeGreaterThanOrEqual(o.totalLb);
      }),
      { seed: 31, numRuns: 60 },
    );
  });

  test('the same seed gives the same log, another seed another', () => {
    expect(generated({ seed: 4 })).toEqual(generated({ seed: 4 }));
    expect(generated({ seed: 4 })).not.toEqual(generated({ seed: 5 }));
  });

  test('the shares asked for are found', async () => {
    const bytes = generated({ seed: 2, totalLb: 60_000, allZeroShare: 0.5, paddingShare: 1 });
    const s = await analyzeLog(readWlog(bytesSource(bytes)));
    expect(s.allZeroWrites / s.writes).toBeCloseTo(0.5, 1);
    expect(s.discards / (s.discards + s.writes)).toBeCloseTo(0.1, 1);
    expect(s.paddings).toBeGreaterThan(s.packs / 3);
    const none = { allZeroShare: 0, paddingShare: 0, discardShare: 0 };
    const plain = await analyzeLog(readWlog(bytesSource(generated({ seed: 2, ...none }))));
    expect(plain).toMatchObject({ allZeroWrites: 0, paddings: 0, discards: 0 });
  });

  test('the largest IOs: 65535 blocks, a pack of 65535 physical blocks, a discard of 2 TiB', async () => {
    const big: Partial<GenerateOptions> = {
      minIoLb: 65535,
      maxIoLb: 65535,
      maxPackPb: 65535,
      deviceLb: 2 ** 33,
      minDiscardLb: 2 ** 32 - 1,
      maxDiscardLb: 2 ** 32 - 1,
      totalLb: 1,
    };
    const write = generated({ seed: 1, ...big, discardShare: 0 });
    const s = await analyzeLog(readWlog(bytesSource(write)));
    expect(s).toMatchObject({ writes: 1, writtenLb: 65535, survivingBytes: 65535 * 512 });
    const discard = generated({ seed: 1, ...big, discardShare: 1 });
    const d = await analyzeLog(readWlog(bytesSource(discard)));
    expect(d).toMatchObject({ discards: 1, discardedLb: 2 ** 32 - 1, survivingBytes: 0 });
  });

  test('impossible options are refused', () => {
    const wrong: Partial<GenerateOptions>[] = [
      { pbs: 1000 },
      { minIoLb: 0 },
      { minIoLb: 9, maxIoLb: 8 },
      { maxIoLb: 65536, maxPackPb: 65535 },
      { deviceLb: 10 },
      { maxPackPb: 10 },
      { maxPackPb: 65536 },
      { beginLsid: -1n },
    ];
    for (const one of wrong) {
      expect(
        () => generated({ seed: 1, ...one }),
        JSON.stringify(one, (_, v) => String(v)),
      ).toThrow(withCode('invalid-argument'));
    }
  });
});

async function emptyRing(pbs: number, ringPb: number) {
  const size = (4096 / pbs + 2 + ringPb) * pbs;
  const uuid = new Uint8Array(16).fill(1);
  const file = new MemoryFile(size, 'ldev');
  file.bytes.fill(0xcd);
  return formatRingLog(file, { pbs, uuid, salt: 1, name: 'n', deviceLb: DEVICE_LB });
}

describe('rings', () => {
  test('property: restored anywhere in a ring, a log applies to the same image', async () => {
    const shift = fc.bigInt(0n, 5000n);
    await fc.assert(
      fc.asyncProperty(options, shift, async (o, lsidDiff) => {
        const bytes = generated({ ...o, totalLb: Math.min(o.totalLb, 1500) });
        const s = await analyzeLog(readWlog(bytesSource(bytes)));
        const log = await emptyRing(o.pbs, 2 * s.takenPb + 100);
        const result = await restoreRing(log, readWlog(bytesSource(bytes)), { lsidDiff });
        const again = openRingLog(log.file);
        expect(again.superSector).toMatchObject({
          oldestLsid: o.beginLsid + lsidDiff,
          writtenLsid: o.beginLsid + lsidDiff,
          name: 'n',
          deviceLb: DEVICE_LB,
        });
        expect(result.packs).toBe(s.packs);
        expect(findEndOfLog(again).lsid).toBe(result.endLsid);
        const wanted = await modelOf(readWlog(bytesSource(bytes)));
        const image = new MemoryFile(new Uint8Array(DEVICE_LB * 512).fill(0xee));
        await redoLog(readRing(again), image, { zeroDiscard: true });
        expect(Buffer.from(image.bytes).equals(wanted.image)).toBe(true);
        const parts: Uint8Array[] = [];
        await catRing(again, { write: (part) => void parts.push(part.slice()) });
        const model = await modelOf(readWlog(bytesSource(Buffer.concat(parts))));
        expect(Buffer.from(model.image).equals(wanted.image)).toBe(true);
      }),
      { seed: 77, numRuns: 40 },
    );
  });

  test('padding longer than one record may be takes several packs (pbs 4096)', async () => {
    // 40 writes of 255 physical blocks in one pack: 10200 blocks that must not straddle.
    const shares = { discardShare: 0, paddingShare: 0, allZeroShare: 1 };
    const sizes = { minIoLb: 2040, maxIoLb: 2040, deviceLb: 4096, totalLb: 2040 * 40 };
    const o = { seed: 12, pbs: 4096, maxPackPb: 12_000, ...shares, ...sizes };
    const bytes = generated(o);
    const s = await analyzeLog(readWlog(bytesSource(bytes)));
    expect(s.packs).toBeLessThan(4);
    const log = await emptyRing(4096, 22_000);
    const lsidDiff = 22_000n - 9000n;
    const result = await restoreRing(log, readWlog(bytesSource(bytes)), { lsidDiff });
    expect(result.paddingPacks).toBeGreaterThanOrEqual(2);
    const found = await analyzeLog(readRing(openRingLog(log.file)));
    expect(found).toMatchObject({ writes: s.writes, writtenLb: s.writtenLb });
    expect(found.packs).toBe(s.packs + result.paddingPacks);
  });

  test('begin and end choose whole packs', async () => {
    const bytes = generated({ seed: 8, totalLb: 20_000, beginLsid: 50n });
    const lsids: bigint[] = [];
    for await (const item of readWlog(bytesSource(bytes))) {
      if (item.kind === 'pack') lsids.push(item.header.lsid);
    }
    const [begin, end] = [lsids[2] ?? 0n, lsids[5] ?? 0n];
    const log = await emptyRing(512, 60_000);
    const result = await restoreRing(log, readWlog(bytesSource(bytes)), { begin, end });
    expect(result).toMatchObject({ beginLsid: begin, endLsid: end, packs: 3 });
    const ring = openRingLog(log.file);
    const packs = [...readRing(ring, { begin: lsids[3] ?? 0n, end: lsids[4] ?? 0n })];
    expect(packs.filter((item) => item.kind === 'pack')).toHaveLength(1);
    expect(packs.at(-1)).toMatchObject({ kind: 'end', reason: 'end-lsid', lsid: lsids[4] });
    const sink = { write: () => {} };
    await expect(catRing(ring, sink, { end: begin })).rejects.toThrow(withCode('invalid-argument'));
  });

  test('refuses what does not fit: block size, ring size, negative lsid', async () => {
    const bytes = generated({ seed: 8 });
    const restore = async (pbs: number, ringPb: number, lsidDiff: bigint) =>
      restoreRing(await emptyRing(pbs, ringPb), readWlog(bytesSource(bytes)), { lsidDiff });
    await expect(restore(4096, 20_000, 0n)).rejects.toThrow(withCode('invalid-argument'));
    await expect(restore(512, 2000, 0n)).rejects.toThrow(withCode('limit-exceeded'));
    await expect(restore(512, 20_000, -1n)).rejects.toThrow(withCode('invalid-argument'));
  });
});
