import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { punchThin, type ThinVolume } from '../../src/core/thin-punch.ts';
import { KIB } from '../../src/core/units.ts';

/** A thin volume as dm-thin treats discards: whole pool blocks go, unless they are busy. */
class ThinModel implements ThinVolume {
  readonly bytes: Uint8Array;
  readonly poolBlock: number;
  readonly mapped = new Set<number>();
  /** Pool blocks whose discard is given up, because something else uses them. */
  readonly busy: ReadonlySet<number>;
  discards = true;
  written = 0;

  constructor(size: number, poolBlock: number, busy: readonly number[] = []) {
    this.bytes = new Uint8Array(size).fill(7);
    this.poolBlock = poolBlock;
    this.busy = new Set(busy);
    this.#map(0, size);
  }

  read(into: Uint8Array, position: number): number {
    const piece = this.bytes.subarray(position, position + into.length);
    into.set(piece);
    return piece.length;
  }

  write(from: Uint8Array, position: number): void {
    this.bytes.set(from, position);
    this.written += from.length;
    this.#map(position, position + from.length);
  }

  discard(position: number, length: number): boolean {
    if (!this.discards) return false;
    expect([position % 4096, length % 4096]).toEqual([0, 0]);
    const first = Math.ceil(position / this.poolBlock);
    for (let block = first; (block + 1) * this.poolBlock <= position + length; block++) {
      if (this.busy.has(block)) continue;
      this.mapped.delete(block);
      this.bytes.fill(0, block * this.poolBlock, (block + 1) * this.poolBlock);
    }
    return true;
  }

  #map(start: number, end: number): void {
    for (let at = Math.floor(start / this.poolBlock); at * this.poolBlock < end; at++) {
      this.mapped.add(at);
    }
  }
}

const SIZE = 2048 * KIB;

describe('zeros in a thin volume', () => {
  it('take whole pool blocks out of it, and write nothing else than the rest', () => {
    const volume = new ThinModel(SIZE, 64 * KIB);
    punchThin(volume, 60 * KIB, 260 * KIB);
    expect([...volume.mapped].slice(0, 3)).toEqual([0, 4, 5]);
    expect(volume.written).toBe(8 * KIB);
    expect(volume.bytes.indexOf(7, 60 * KIB)).toBe(260 * KIB);
  });

  it('are written where a discard was not heeded', () => {
    const volume = new ThinModel(SIZE, 64 * KIB, [2, 17]);
    punchThin(volume, 0, SIZE);
    expect(volume.bytes.every((byte) => byte === 0)).toBe(true);
    expect([...volume.mapped]).toEqual([2, 17]);
  });

  it('are written where the pool ignores discards, and in ranges without a whole block', () => {
    const volume = new ThinModel(SIZE, 64 * KIB);
    punchThin(volume, 4 * KIB, 12 * KIB);
    volume.discards = false;
    punchThin(volume, 512 * KIB, 1024 * KIB);
    expect(volume.written).toBe(520 * KIB);
    expect(volume.mapped.size).toBe(32);
  });

  it('are exactly in the range asked for, whatever the pool does', () => {
    const blocks = fc.constantFrom(64 * KIB, 192 * KIB, 1024 * KIB, 4096 * KIB);
    const sector = fc.nat(SIZE / 512);
    const cases = fc.record({
      blocks,
      discards: fc.boolean(),
      busy: fc.array(fc.nat(31), { maxLength: 8 }),
      punches: fc.array(fc.tuple(sector, sector), { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(cases, (given) => {
        const volume = new ThinModel(SIZE, given.blocks, given.busy);
        volume.discards = given.discards;
        const expected = Buffer.alloc(SIZE, 7);
        for (const [a, b] of given.punches) {
          const [start, end] = [Math.min(a, b) * 512, Math.max(a, b) * 512];
          punchThin(volume, start, end);
          expected.fill(0, start, end);
        }
        expect(expected.equals(volume.bytes)).toBe(true);
      }),
      { seed: 5, numRuns: 100 },
    );
  });
});
