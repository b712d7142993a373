/** The pure parts of the engine: interval index, arena, cutting of batches. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Arena } from '../../../src/wdev/engine/arena.ts';
import { IntervalIndex, type PendingWrite } from '../../../src/wdev/engine/interval-index.ts';
import { groupRequests, type Piece } from '../../../src/wdev/engine/requests.ts';
import type { WriteRequest } from '../../../src/wdev/index.ts';

const SEED = 20;
const BLOCKS = 60;

const write = (sequence: number, offset: number, sizeLb: number): PendingWrite => ({
  offset,
  sizeLb,
  sequence,
  endLsid: sequence,
  data: undefined,
});

const ranges = fc.array(fc.tuple(fc.nat(BLOCKS - 1), fc.integer({ min: 1, max: 20 })), {
  maxLength: 40,
});

test('interval index: the newest write covers each block, retired ones cover none', () => {
  fc.assert(
    fc.property(ranges, fc.nat(40), (list, retired) => {
      const index = new IntervalIndex();
      const owner = new Array<number>(BLOCKS + 20).fill(0);
      list.forEach(([offset, size], i) => {
        index.put(write(i + 1, offset, size));
        owner.fill(i + 1, offset, offset + size);
      });
      index.retire(retired);
      const expected = owner.map((sequence) => (sequence > retired ? sequence : 0));
      const actual = new Array<number>(owner.length).fill(0);
      let before = 0;
      index.visit(0, owner.length, (start, end, { sequence }) => {
        expect(start).toBeGreaterThanOrEqual(before);
        expect(end).toBeGreaterThan(start);
        before = end;
        actual.fill(sequence, start, end);
      });
      expect(actual).toEqual(expected);
      const first = expected.findIndex((sequence) => sequence > 0);
      expect(index.next(0)?.start ?? -1).toBe(first);
    }),
    { seed: SEED, numRuns: 500 },
  );
});

test('interval index: a visit is clipped to the range asked for', () => {
  const index = new IntervalIndex();
  index.put(write(1, 10, 10));
  index.put(write(2, 30, 10));
  const seen: number[][] = [];
  index.visit(15, 31, (start, end, { sequence }) => seen.push([start, end, sequence]));
  expect(seen).toEqual([
    [15, 20, 1],
    [30, 31, 2],
  ]);
  expect(index.next(20)).toEqual({ start: 30, end: 40 });
  expect(index.next(40)).toBeUndefined();
});

test('arena: what is held never overlaps, is contiguous, and full means no room', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.nat(40), fc.constant('free' as const)), { maxLength: 60 }),
      (steps) => {
        const memory = new Uint8Array(100);
        const arena = new Arena(memory);
        const held: { bytes: Uint8Array; mark: number; tag: number }[] = [];
        steps.forEach((step, i) => {
          if (step === 'free') {
            const oldest = held.shift();
            if (oldest !== undefined && held[0]?.mark !== oldest.mark) arena.release(oldest.mark);
            if (held.length === 0) arena.release(arena.mark);
            return;
          }
          const bytes = arena.allocate(step);
          if (bytes === undefined) {
            expect(arena.used + step + 40, 'refused only when it may not fit').toBeGreaterThan(100);
            return;
          }
          expect(bytes.length).toBe(step);
          bytes.fill(i + 1);
          held.push({ bytes, mark: arena.mark, tag: i + 1 });
        });
        for (const { bytes, tag } of held) expect(bytes.every((byte) => byte === tag)).toBe(true);
      },
    ),
    { seed: SEED, numRuns: 500 },
  );
});

const requests = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant('write' as const),
      offset: fc.nat(1000),
      sizeLb: fc.integer({ min: 1, max: 90 }),
    }),
    fc.record({
      kind: fc.constantFrom('discard' as const, 'zeros' as const),
      offset: fc.nat(1000),
      sizeLb: fc.integer({ min: 1, max: 90 }),
    }),
  ),
  { minLength: 1, maxLength: 20 },
);

test('a batch is cut in order, loses nothing, and each group stays within its bound', () => {
  fc.assert(
    fc.property(requests, fc.constantFrom(512, 4096), (list, pbs) => {
      const batch: WriteRequest[] = list.map((r, i) =>
        r.kind === 'write'
          ? { kind: 'write', offset: r.offset, data: new Uint8Array(r.sizeLb * 512).fill(i + 1) }
          : { kind: r.kind, offset: r.offset, sizeLb: r.sizeLb },
      );
      const limits = { pbs, maxIoLb: 32, groupPb: 64 };
      const groups = groupRequests(batch, limits);
      const cost = ({ io }: Piece) =>
        1 + (io.kind === 'write' ? Math.ceil((io.blocks * 512) / pbs) : 0);
      for (const group of groups) {
        expect(group.length).toBeGreaterThan(0);
        expect(group.reduce((sum, piece) => sum + cost(piece), 0)).toBeLessThanOrEqual(64);
      }
      expect(replay(groups.flat())).toEqual(replay(batch.map(whole)));
    }),
    { seed: SEED, numRuns: 300 },
  );
});

const whole = (request: WriteRequest): Piece => {
  if (request.kind === 'write') {
    const { offset, data } = request;
    return { io: { kind: 'write', offset, blocks: data.length / 512, data }, isZeros: false };
  }
  return { io: { kind: 'discard', offset: request.offset, blocks: request.sizeLb }, isZeros: true };
};

/** Block by block, what was written there and in which order. */
function replay(pieces: readonly Piece[]): number[][] {
  const trace: number[][] = [];
  for (const { io, isZeros } of pieces) {
    for (let i = 0; i < io.blocks; i++) {
      const value = isZeros || io.kind !== 'write' ? 0 : io.data[i * 512]!;
      trace.push([io.offset + i, value]);
    }
  }
  return trace;
}
