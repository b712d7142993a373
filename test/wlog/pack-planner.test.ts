import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodePackHeader,
  defaultPackLimits,
  encodePlan,
  FLAG_PADDING,
  inspectPackHeader,
  type LogIo,
  nextLsid,
  type PackLimits,
  type PackPlan,
  planPacks,
  type RingGeometry,
  recordCapacity,
  recordKind,
  recordPb,
  ringOffsetPb,
  validatePackHeader,
} from '../../src/wlog/index.ts';
import { withCode } from './support.ts';

const SALT = 0x3a4980e3;

function geometry(pbs: number, ringPb: number): RingGeometry {
  return { pbs, ringPb, ringOffsetPb: ringOffsetPb(pbs) };
}

function write(offset: number, blocks: number, fill = 7): LogIo {
  return { kind: 'write', offset, blocks, data: new Uint8Array(blocks * 512).fill(fill) };
}

/** Executes a plan on an array standing for the device. */
function execute(device: Uint8Array, plan: PackPlan, ios: LogIo[], ring: RingGeometry): void {
  const headers = new Uint8Array(plan.packs.length * ring.pbs).fill(0xee);
  for (const { position, parts } of encodePlan(plan, ios, ring, SALT, headers)) {
    let at = position;
    for (const part of parts) {
      device.set(part, at);
      at += part.length;
    }
    expect(at).toBeLessThanOrEqual((ring.ringOffsetPb + ring.ringPb) * ring.pbs);
  }
}

/** What an independent reader finds: walks block by block, knowing only formats.md. */
function readBack(device: Uint8Array, from: bigint, to: bigint, ring: RingGeometry) {
  const block = (lsid: bigint) => {
    const at = (ring.ringOffsetPb + Number(lsid % BigInt(ring.ringPb))) * ring.pbs;
    return device.subarray(at, at + ring.pbs);
  };
  const found: { kind: string; offset: number; blocks: number; data: Buffer }[] = [];
  let lsid = from;
  while (lsid < to) {
    expect(inspectPackHeader(block(lsid), SALT, lsid)).toBe('pack');
    const header = decodePackHeader(block(lsid));
    validatePackHeader(header, ring.pbs, { file: 'device', offset: 0 });
    for (const record of header.records) {
      const pb = recordPb(record, ring.pbs);
      const first = Number(record.lsid % BigInt(ring.ringPb));
      expect(first + pb, 'no data straddles the ring end').toBeLessThanOrEqual(ring.ringPb);
      const data = Array.from({ length: pb }, (_, i) => block(record.lsid + BigInt(i)));
      const kind = recordKind(record.flags);
      if (kind === 'padding') continue;
      const bytes = Buffer.concat(data).subarray(0, kind === 'write' ? record.blocks * 512 : 0);
      found.push({ kind, offset: record.offset, blocks: record.blocks, data: bytes });
    }
    lsid = nextLsid(header);
  }
  expect(lsid).toBe(to);
  return found;
}

describe('planPacks', () => {
  test('puts a short batch into one pack and one write', () => {
    const ring = geometry(512, 1000);
    const ios: LogIo[] = [write(10, 3), { kind: 'discard', offset: 5, blocks: 9 }, write(0, 1)];
    const plan = planPacks(ios, 7n, ring, defaultPackLimits(ring));
    expect(plan.packs).toHaveLength(1);
    expect(plan.packs[0]).toMatchObject({ lsid: 7n, totalPb: 4, nPadding: 0 });
    expect(plan.packs[0]?.records.map((r) => [r.flags, r.lsidLocal, r.io])).toEqual([
      [1, 1, 0],
      [5, 4, 1],
      [1, 4, 2],
    ]);
    expect(plan).toMatchObject({ endLsid: 12n, takenPb: 5 });
    const writes = encodePlan(plan, ios, ring, SALT, new Uint8Array(512));
    expect(writes).toHaveLength(1);
    expect(writes[0]?.position).toBe((10 + 7) * 512);
  });

  test('adds the padding as a record inside the pack (formats.md 3, kernel form)', () => {
    const ring = geometry(512, 100);
    const ios = [write(0, 4), write(8, 10)];
    const plan = planPacks(ios, 90n, ring, defaultPackLimits(ring));
    expect(plan.packs).toHaveLength(1);
    expect(plan.packs[0]).toMatchObject({ totalPb: 4 + 5 + 10, nPadding: 1 });
    const [, padding, last] = plan.packs[0]?.records ?? [];
    expect(padding).toMatchObject({ flags: 3, offset: 0, blocks: 5, lsidLocal: 5, io: -1 });
    expect(last?.position).toBe(10 * 512);
    expect(encodePlan(plan, ios, ring, SALT, new Uint8Array(512))).toHaveLength(2);
  });

  test('lets a header in the last block be followed by data at the ring start, without padding', () => {
    const ring = geometry(4096, 50);
    const plan = planPacks([write(0, 8)], 49n, ring, defaultPackLimits(ring));
    expect(plan.packs[0]).toMatchObject({ totalPb: 1, nPadding: 0, position: (3 + 49) * 4096 });
    expect(plan.packs[0]?.records[0]?.position).toBe(3 * 4096);
  });

  test('gives the padding a pack of its own when the IO would not fit beside it', () => {
    const ring = geometry(512, 100);
    const plan = planPacks([write(0, 80)], 50n, ring, defaultPackLimits(ring));
    expect(plan.packs.map((p) => [p.lsid, p.totalPb, p.nPadding])).toEqual([
      [50n, 49, 1],
      [100n, 80, 0],
    ]);
  });

  test('splits writes at 65535 logical blocks and discards at 2^32-1 (formats.md 9)', () => {
    const ring = geometry(512, 1_000_000);
    const limits: PackLimits = { maxIoLb: 65535, maxPackPb: 65535 };
    const big: LogIo = { kind: 'write', offset: 0, blocks: 65536, data: new Uint8Array(0) };
    const plan = planPacks(
      [big, { kind: 'discard', offset: 3, blocks: 2 ** 32 }],
      0n,
      ring,
      limits,
    );
    const records = plan.packs.flatMap((p) =>
      p.records.map((r) => [r.offset, r.blocks, r.ioStart]),
    );
    expect(records).toEqual([
      [0, 65535, 0],
      [65535, 1, 65535],
      [3, 2 ** 32 - 1, 0],
      [2 ** 32 + 2, 1, 2 ** 32 - 1],
    ]);
    const aligned = planPacks([{ ...big, blocks: 65530 }], 0n, geometry(4096, 20000), limits);
    expect(aligned.packs[0]?.records.map((r) => r.blocks)).toEqual([65528, 2]);
  });

  test('refuses what can not be planned', () => {
    const ring = geometry(512, 100);
    const limits = defaultPackLimits(ring);
    expect(() => planPacks([write(0, 0)], 0n, ring, limits)).toThrow(withCode('invalid-argument'));
    const tooLong = { maxIoLb: 100, maxPackPb: 99 };
    expect(() => planPacks([write(0, 1)], 0n, ring, tooLong)).toThrow(withCode('limit-exceeded'));
    expect(() => planPacks([write(0, 1)], 2n ** 64n - 3n, ring, limits)).toThrow(
      withCode('limit-exceeded'),
    );
    const short: LogIo = { kind: 'write', offset: 0, blocks: 2, data: new Uint8Array(512) };
    const plan = planPacks([short], 0n, ring, limits);
    expect(() => encodePlan(plan, [short], ring, SALT, new Uint8Array(512))).toThrow(
      withCode('invalid-argument'),
    );
  });

  test('an empty batch takes nothing', () => {
    const ring = geometry(512, 100);
    expect(planPacks([], 5n, ring, defaultPackLimits(ring))).toEqual({
      packs: [],
      endLsid: 5n,
      takenPb: 0,
    });
  });

  test('property: what is written in batches around the ring is what is read back', () => {
    const io = fc.record({
      discard: fc.boolean(),
      offset: fc.integer({ min: 0, max: 2 ** 40 }),
      blocks: fc.integer({ min: 1, max: 90 }),
      fill: fc.integer({ min: 0, max: 255 }),
    });
    const world = fc.record({
      pbs: fc.constantFrom(512, 1024, 4096),
      ringPb: fc.integer({ min: 100, max: 300 }),
      lsid: fc.oneof(
        fc.bigInt({ min: 0n, max: 1000n }),
        fc.bigInt({ min: 2n ** 32n - 300n, max: 2n ** 32n }),
        fc.constant(2n ** 64n - 100_000n),
      ),
      maxPackPb: fc.integer({ min: 1, max: 200 }),
      batches: fc.array(fc.array(io, { maxLength: 40 }), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(world, ({ pbs, ringPb, lsid, maxPackPb, batches }) => {
        const ring = geometry(pbs, ringPb);
        const limits = { maxIoLb: 64, maxPackPb };
        const device = new Uint8Array((ring.ringOffsetPb + ringPb) * pbs).fill(0xaa);
        let next = lsid;
        for (const batch of batches) {
          for (const one of batch) {
            const ios: LogIo[] = one.discard
              ? [{ kind: 'discard', offset: one.offset, blocks: one.blocks }]
              : [write(one.offset, one.blocks, one.fill)];
            next = checkBatch(device, ios, next, ring, limits);
          }
          const many: LogIo[] = batch
            .slice(0, 6)
            .map((one) => write(one.offset, 1 + (one.blocks % 8), one.fill));
          next = checkBatch(device, many, next, ring, limits);
        }
      }),
      { seed: 20240131, numRuns: 150 },
    );
  });
});

/** Plans, executes and reads back one batch no larger than the ring; returns the next lsid. */
function checkBatch(
  device: Uint8Array,
  ios: LogIo[],
  lsid: bigint,
  ring: RingGeometry,
  limits: PackLimits,
): bigint {
  const plan = planPacks(ios, lsid, ring, limits);
  if (plan.takenPb > ring.ringPb) return lsid;
  for (const pack of plan.packs) {
    expect(pack.records.length).toBeLessThanOrEqual(recordCapacity(ring.pbs));
    const padding = pack.records.filter((r) => (r.flags & FLAG_PADDING) !== 0).length;
    expect(padding).toBe(pack.nPadding);
    const alone = pack.records.length - padding <= 1;
    if (!alone) expect(pack.totalPb).toBeLessThanOrEqual(limits.maxPackPb);
    expect(pack.totalPb).toBeLessThan(ring.ringPb);
  }
  execute(device, plan, ios, ring);
  const found = readBack(device, lsid, plan.endLsid, ring);
  const join = (list: { kind: string; offset: number; blocks: number; data?: Uint8Array }[]) =>
    list.map((one) => [one.kind, one.blocks, Buffer.from(one.data ?? []).toString('latin1')]);
  const total = (list: { blocks: number }[]) => list.reduce((sum, one) => sum + one.blocks, 0);
  expect(total(found)).toBe(total(ios));
  if (ios.every((one) => one.blocks <= limits.maxIoLb || one.kind === 'discard')) {
    expect(join(found)).toEqual(join(ios));
    expect(found.map((one) => one.offset)).toEqual(ios.map((one) => one.offset));
  } else {
    const writes = ios.filter((io) => io.kind === 'write');
    const bytes = (list: { data?: Uint8Array }[]) =>
      Buffer.concat(list.map((one) => one.data ?? new Uint8Array()));
    expect(bytes(found).equals(bytes(writes))).toBe(true);
    const addresses = (list: { offset: number; blocks: number }[]) =>
      list.flatMap((one) => Array.from({ length: one.blocks }, (_, i) => one.offset + i));
    expect(addresses(found)).toEqual(addresses(writes));
  }
  return plan.endLsid;
}
