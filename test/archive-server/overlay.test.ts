/** The writable view of a snapshot against a byte array: writes, zeros, trims, filling, all sizes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BlockBitmap } from '../../src/archive-server/block-bitmap.ts';
import { SnapshotOverlay } from '../../src/archive-server/overlay.ts';
import { LB_SIZE } from '../../src/core/index.ts';
import type { BlockChange } from '../../src/wdev/nbd/backend.ts';
import { VirtualImage } from '../../src/wdiff/index.ts';
import { MemoryFile } from '../support/memory-file.ts';

/** More than one piece of the bitmap, and not a whole number of them. */
const SIZE_LB = 2 * 2048 + 300;
const SEED = 20_261_121;

const range = fc
  .tuple(fc.integer({ min: 0, max: SIZE_LB - 1 }), fc.integer({ min: 1, max: 2500 }))
  .map(([start, count]) => ({ start, count: Math.min(count, SIZE_LB - start) }));

const step = fc.oneof(
  fc.record({
    kind: fc.constant('write' as const),
    range,
    value: fc.integer({ min: 1, max: 255 }),
  }),
  fc.record({ kind: fc.constantFrom('trim' as const, 'zero' as const), range }),
  fc.record({ kind: fc.constant('read' as const), range }),
  fc.record({ kind: fc.constant('fill' as const), range }),
);

function change(kind: 'write' | 'trim' | 'zero', start: number, data: Uint8Array): BlockChange {
  return {
    kind,
    offset: start * LB_SIZE,
    length: data.length,
    data: kind === 'write' ? data : new Uint8Array(0),
    fua: false,
    mayPunch: true,
    fast: false,
    error: undefined,
  };
}

function baseImage(): Uint8Array {
  const bytes = new Uint8Array(SIZE_LB * LB_SIZE);
  // Some ranges of zeros, which filling leaves as holes.
  for (let i = 0; i < bytes.length; i += 1)
    bytes[i] = (i >> 16) % 3 === 0 ? 0 : (i * 31 + 7) & 0xff;
  return bytes;
}

describe('SnapshotOverlay', () => {
  it('reads what was written, and the snapshot everywhere else', () => {
    const original = baseImage();
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const base = new MemoryFile(original);
        const overlay = new SnapshotOverlay(new VirtualImage(base, []), new MemoryFile(0));
        const model = original.slice();
        const buffer = new Uint8Array(2500 * LB_SIZE);
        for (const action of steps) {
          const { start, count } = action.range;
          const from = start * LB_SIZE;
          const to = from + count * LB_SIZE;
          if (action.kind === 'fill') overlay.fill(start, count, buffer);
          else if (action.kind === 'read') {
            const into = new Uint8Array(count * LB_SIZE);
            overlay.read(from, into);
            expect(Buffer.compare(into, model.subarray(from, to))).toBe(0);
          } else {
            const data = new Uint8Array(count * LB_SIZE);
            if (action.kind === 'write') data.fill(action.value);
            overlay.submit([change(action.kind, start, data)]);
            model.set(data, from);
          }
        }
        const whole = new Uint8Array(model.length);
        overlay.read(0, whole);
        expect(Buffer.compare(whole, model)).toBe(0);
        expect(Buffer.compare(base.bytes, original)).toBe(0);
      }),
      { seed: SEED, numRuns: 60 },
    );
  });

  it('stands alone once it is filled', () => {
    const base = new MemoryFile(baseImage());
    const file = new MemoryFile(0);
    const overlay = new SnapshotOverlay(new VirtualImage(base, []), file);
    const data = new Uint8Array(3 * LB_SIZE).fill(9);
    overlay.submit([change('write', 10, data)]);
    overlay.fill(0, SIZE_LB, new Uint8Array(SIZE_LB * LB_SIZE));
    const wanted = baseImage();
    wanted.set(data, 10 * LB_SIZE);
    base.bytes.fill(0xee);
    const whole = new Uint8Array(wanted.length);
    overlay.read(0, whole);
    expect(Buffer.compare(whole, wanted)).toBe(0);
    expect(Buffer.compare(file.bytes, wanted)).toBe(0);
  });

  it('is on stable storage after a flush and after FUA', async () => {
    const file = new MemoryFile(0);
    const overlay = new SnapshotOverlay(new VirtualImage(new MemoryFile(baseImage()), []), file);
    await overlay.flush();
    expect(file.syncs).toBe(1);
    const data = new Uint8Array(LB_SIZE);
    expect(overlay.submit([change('write', 0, data)])).toBeUndefined();
    await overlay.submit([{ ...change('write', 0, data), fua: true }]);
    expect(file.syncs).toBe(2);
  });

  it('says so when its file was cut short behind its back', () => {
    const file = new MemoryFile(0);
    const overlay = new SnapshotOverlay(new VirtualImage(new MemoryFile(baseImage()), []), file);
    overlay.submit([change('write', 100, new Uint8Array(LB_SIZE))]);
    file.truncate(0);
    const read = () => overlay.read(100 * LB_SIZE, new Uint8Array(LB_SIZE));
    expect(read).toThrowError(expect.objectContaining({ code: 'io' }));
  });
});

describe('holes and data', () => {
  /** A file that knows which of its blocks are zeros. */
  class SparseFile extends MemoryFile {
    override nextData(position: number): { start: number; end: number } | undefined {
      const start = this.bytes.findIndex((byte, at) => at >= position && byte !== 0);
      if (start < 0) return undefined;
      let end = start + 1;
      while (end < this.bytes.length && this.bytes[end] !== 0) end += 1;
      return { start, end };
    }
  }

  it('everything outside the reported ranges reads as zeros, and holes of the base are not reported', () => {
    const size = 64 * LB_SIZE;
    const small = fc
      .tuple(fc.nat(63), fc.integer({ min: 1, max: 20 }))
      .map(([start, count]) => ({ start, count: Math.min(count, 64 - start) }));
    const kinds = fc.constantFrom('write' as const, 'trim' as const);
    const changes = fc.array(fc.record({ kind: kinds, range: small }), { maxLength: 6 });
    fc.assert(
      fc.property(fc.array(small, { maxLength: 4 }), changes, (stored, steps) => {
        const base = new SparseFile(size);
        for (const { start, count } of stored) {
          base.bytes.fill(7, start * LB_SIZE, (start + count) * LB_SIZE);
        }
        const overlay = new SnapshotOverlay(new VirtualImage(base, []), new SparseFile(0));
        const model = base.bytes.slice();
        for (const { kind, range: at } of steps) {
          const data = new Uint8Array(at.count * LB_SIZE).fill(kind === 'write' ? 9 : 0);
          overlay.submit([change(kind, at.start, data)]);
          model.set(data, at.start * LB_SIZE);
        }
        const reported = new Uint8Array(size);
        for (let at = 0; at < size; ) {
          const data = overlay.nextData(at);
          if (data === undefined) break;
          expect(data.start).toBeGreaterThanOrEqual(at);
          expect(data.end).toBeGreaterThan(data.start);
          reported.fill(1, data.start, data.end);
          at = data.end;
        }
        expect(reported).toEqual(model.map((byte) => (byte === 0 ? 0 : 1)));
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

describe('BlockBitmap', () => {
  it('is a set of blocks', () => {
    fc.assert(
      fc.property(fc.array(range, { maxLength: 8 }), range, (added, asked) => {
        const bitmap = new BlockBitmap();
        const model = new Set<number>();
        for (const { start, count } of added) {
          bitmap.add(start, count);
          for (let block = start; block < start + count; block += 1) model.add(block);
        }
        const limit = asked.start + asked.count;
        const isIn = model.has(asked.start);
        expect(bitmap.has(asked.start)).toBe(isIn);
        let end = asked.start;
        while (end < limit && model.has(end) === isIn) end += 1;
        expect(bitmap.runEnd(asked.start, limit)).toBe(end);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });
});
