/**
 * The tail of a ring after a crash: torn and lost blocks, whatever was written last. formats.md 3 (end
 * of log, shrink); semantics.md B.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  encodePackHeader,
  encodePlan,
  findEndOfLog,
  formatRingLog,
  type IoItem,
  type LogIo,
  openRingLog,
  planPacks,
  type RingLog,
  readRing,
  readSuperSector,
  recordPb,
  repairTail,
  ringRanges,
  SeededRandom,
  writeSuperSector,
} from '../../src/wlog/index.ts';
import { MemoryFile } from '../support/memory-file.ts';
import { withCode } from './support.ts';

const RING_PB = 400;

async function emptyRing(pbs: number, start: bigint): Promise<RingLog> {
  const file = new MemoryFile((4096 / pbs + 2 + RING_PB) * pbs, 'ldev');
  const uuid = new Uint8Array(16).fill(1);
  const log = await formatRingLog(file, { pbs, uuid, salt: 99, name: '', deviceLb: 1 << 20 });
  writeSuperSector(file, { ...log.superSector, oldestLsid: start, writtenLsid: start });
  return openRingLog(file);
}

/** Appends batches through the planner, as the device's write path does. */
function append(log: RingLog, lsid: bigint, batches: LogIo[][]) {
  let next = lsid;
  const written: { lsid: bigint; records: { io: LogIo; lsid: bigint; pb: number }[] }[] = [];
  for (const ios of batches) {
    const plan = planPacks(ios, next, log.geometry, { maxIoLb: 64, maxPackPb: 100 });
    if (plan.endLsid - lsid > BigInt(RING_PB)) break;
    const headers = new Uint8Array(plan.packs.length * log.geometry.pbs);
    const writes = encodePlan(plan, ios, log.geometry, log.superSector.salt, headers);
    for (const { parts, position } of writes) log.file.writev(parts, position);
    for (const pack of plan.packs) {
      const records = pack.records.flatMap((record) => {
        const io = ios[record.io];
        if (io === undefined) return [];
        const place = pack.lsid + BigInt(record.lsidLocal);
        return [{ io, lsid: place, pb: recordPb(record, log.geometry.pbs) }];
      });
      written.push({ lsid: pack.lsid, records });
    }
    next = plan.endLsid;
  }
  return { next, written };
}

function randomBatches(seed: number): LogIo[][] {
  const random = new SeededRandom(seed);
  return Array.from({ length: 12 }, () =>
    Array.from({ length: 1 + random.below(8) }, (): LogIo => {
      const [offset, blocks] = [random.below(1 << 19), 1 + random.below(12)];
      if (random.chance(0.2)) return { kind: 'discard', offset, blocks };
      return { kind: 'write', offset, blocks, data: random.bytes(blocks * 512) };
    }),
  );
}

const iosOf = (log: RingLog, begin?: bigint) =>
  [...readRing(log, begin === undefined ? {} : { begin })]
    .filter((item): item is IoItem => item.kind === 'io' && item.type !== 'padding')
    .map((item) => [item.type, item.record.offset, item.record.blocks, item.record.lsid]);

const describeIo = ({ io, lsid }: { io: LogIo; lsid: bigint }) => [
  io.kind,
  io.offset,
  io.blocks,
  lsid,
];

describe('the end of log', () => {
  const world = fc.record({
    pbs: fc.constantFrom(512, 4096),
    start: fc.bigInt(0n, 1000n),
    seed: fc.nat(),
    victim: fc.nat(),
    byte: fc.nat(),
  });

  test('property: after one damaged block, exactly what precedes it is left, also after repair', async () => {
    await fc.assert(
      fc.asyncProperty(world, async ({ pbs, start, seed, victim, byte }) => {
        const log = await emptyRing(pbs, start);
        const { next, written } = append(log, start, randomBatches(seed));
        const all = written.flatMap((pack) => pack.records);
        expect(iosOf(log)).toEqual(all.map(describeIo));
        expect(findEndOfLog(log).lsid).toBe(next);

        // Flip a byte in a block of IO data or of a header.
        const lsid = start + BigInt(victim % Number(next - start));
        const hit = all.find(
          (r) => r.io.kind === 'write' && r.lsid <= lsid && lsid < r.lsid + BigInt(r.pb),
        );
        const isHeader = written.some((pack) => pack.lsid === lsid);
        if (hit === undefined && !isHeader) return; // padding: nobody looks at it
        const [range] = ringRanges(lsid, 1, log.geometry);
        const inBlock =
          hit?.io.kind === 'write' ? tailSafe(hit.io, hit.lsid, lsid, pbs, byte) : byte % pbs;
        flip(log, (range?.position ?? 0) + inBlock);

        const good = isHeader
          ? written.filter((pack) => pack.lsid < lsid).flatMap((pack) => pack.records)
          : all.slice(0, all.indexOf(hit ?? all[0]!));
        expect(iosOf(log)).toEqual(good.map(describeIo));
        const end = findEndOfLog(log);
        await repairTail(log);
        const repaired = findEndOfLog(log);
        expect(repaired.lsid).toBe(end.lsid);
        expect(repaired.reason).not.toBe('bad-data');
        expect(iosOf(log)).toEqual(good.map(describeIo));
      }),
      { seed: 11, numRuns: 150 },
    );
  });

  test('is found from any pack on, and the log goes on from there', async () => {
    const log = await emptyRing(512, 390n);
    const first = append(log, 390n, randomBatches(5).slice(0, 3));
    const second = append(log, first.next, randomBatches(6).slice(0, 2));
    expect(findEndOfLog(log, first.next).lsid).toBe(second.next);
    expect(iosOf(log, first.next)).toEqual(
      second.written.flatMap((p) => p.records.map(describeIo)),
    );
    expect(iosOf(log, 0n), 'older than the oldest: from the oldest').toEqual(iosOf(log));
  });

  test('reading stops after one lap, whoever writes meanwhile', async () => {
    const log = await emptyRing(512, 0n);
    let lsid = 0n;
    // Every header read is that of a fresh pack: as if the writer were always just ahead.
    log.file.read = (into: Uint8Array) => {
      const record = { checksum: 0, flags: 5, offset: 0, blocks: 1, lsidLocal: 1 };
      const pack = { lsid: lsid++, totalPb: 0, nPadding: 0, records: [record] };
      encodePackHeader(pack, into, log.superSector.salt);
      return into.length;
    };
    expect(findEndOfLog(log)).toMatchObject({ lsid: BigInt(RING_PB), reason: 'unexpected-lsid' });
  });

  test('a pack larger than the ring is corrupt', async () => {
    const log = await emptyRing(512, 0n);
    const record = { checksum: 0, flags: 1, offset: 0, blocks: RING_PB, lsidLocal: 1 };
    const block = new Uint8Array(512);
    encodePackHeader({ lsid: 0n, totalPb: RING_PB, nPadding: 0, records: [record] }, block, 99);
    log.file.write(block, log.geometry.ringOffsetPb * 512);
    expect(() => findEndOfLog(log)).toThrow(withCode('corrupt'));
  });
});

describe('repairTail', () => {
  test('leaves damage before the written lsid alone unless forced', async () => {
    const log = await emptyRing(512, 0n);
    const ios: LogIo[] = [{ kind: 'write', offset: 0, blocks: 2, data: new Uint8Array(1024) }];
    const { next } = append(log, 0n, [ios, ios, ios]);
    writeSuperSector(log.file, { ...log.superSector, writtenLsid: next });
    flip(log, (10 + 4) * 512);
    const damaged = openRingLog(log.file);
    const before = (log.file as MemoryFile).bytes.slice();
    await expect(repairTail(damaged)).rejects.toThrow(withCode('corrupt'));
    expect((log.file as MemoryFile).bytes).toEqual(before);
    expect(await repairTail(damaged, { force: true })).toMatchObject({ lsid: 3n });
    expect(findEndOfLog(damaged)).toMatchObject({ lsid: 3n, reason: 'bad-type' });
  });
});

describe('opening', () => {
  test('a device shorter than its super sector says is corrupt', async () => {
    const log = await emptyRing(512, 0n);
    log.file.truncate(log.file.size() - 512);
    expect(() => openRingLog(log.file)).toThrow(withCode('corrupt'));
    expect(readSuperSector(log.file).ringPb).toBe(RING_PB);
  });

  test('a file too short for a super sector, or with a damaged one, is corrupt', async () => {
    expect(() => readSuperSector(new MemoryFile(4100))).toThrow(withCode('corrupt'));
    const log = await emptyRing(4096, 0n);
    expect(() =>
      readSuperSector(new MemoryFile((log.file as MemoryFile).bytes.slice(0, 5000))),
    ).toThrow(withCode('corrupt'));
    flip(log, 4096 + 4000);
    expect(() => openRingLog(log.file)).toThrow(withCode('corrupt'));
  });

  test('format refuses devices that can not be', async () => {
    const options = { pbs: 512, uuid: new Uint8Array(16), salt: 0, name: '', deviceLb: 100 };
    const format = (size: number, change: object) =>
      formatRingLog(new MemoryFile(size), { ...options, ...change });
    await expect(format(4096, {})).rejects.toThrow(withCode('invalid-argument'));
    await expect(format(1 << 20, { pbs: 3000 })).rejects.toThrow(withCode('invalid-argument'));
    await expect(format(1 << 20, { deviceLb: 0 })).rejects.toThrow(withCode('invalid-argument'));
  });
});

/** A byte of the block that the checksum covers: the end of the last block may lie behind the IO. */
function tailSafe(io: LogIo, first: bigint, lsid: bigint, pbs: number, byte: number): number {
  const left = io.blocks * 512 - Number(lsid - first) * pbs;
  return byte % Math.min(pbs, left);
}

function flip(log: RingLog, position: number): void {
  const one = new Uint8Array(1);
  log.file.read(one, position);
  log.file.write(
    one.map((value) => value ^ 0x10),
    position,
  );
}
