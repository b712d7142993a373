import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { IoTable } from '../../src/wdiff/io-table.ts';
import {
  alignedSplitting,
  floorPowerOfTwo,
  type Piece,
  PieceMap,
  plainSplitting,
  type Splitting,
} from '../../src/wdiff/piece-map.ts';

/** formats.md 7.1-7.2, word for word, on a plain list. */
class ListMap {
  pieces: Piece[] = [];
  readonly #splitting: Splitting;

  constructor(splitting: Splitting) {
    this.#splitting = splitting;
  }

  put(address: number, blocks: number, ref: number): void {
    const end = address + blocks;
    const kept: Piece[] = [];
    for (const piece of this.pieces) {
      const pieceEnd = piece.address + piece.blocks;
      if (pieceEnd <= address || piece.address >= end) {
        kept.push(piece);
        continue;
      }
      if (piece.address < address) kept.push(...this.#remains(piece, piece.address, address));
      if (pieceEnd > end) kept.push(...this.#remains(piece, end, pieceEnd));
    }
    const fresh = { address, blocks, ref, ioOffset: 0 };
    kept.push(...split(fresh, address, end, this.#splitting.fresh));
    this.pieces = kept.sort((a, b) => a.address - b.address);
  }

  #remains(piece: Piece, from: number, to: number): Piece[] {
    return split(piece, from, to, this.#splitting.remains);
  }
}

function split(piece: Piece, from: number, to: number, splitter: Splitting['fresh']): Piece[] {
  const pieces: Piece[] = [];
  for (let at = from; at < to; ) {
    const blocks = splitter(at, to - at);
    const ioOffset = piece.ioOffset + at - piece.address;
    pieces.push({ address: at, blocks, ref: piece.ref, ioOffset });
    at += blocks;
  }
  return pieces;
}

const SPLITTINGS: readonly [string, Splitting][] = [
  ['plain, unlimited', plainSplitting(0)],
  ['plain, 3 blocks', plainSplitting(3)],
  ['aligned, unlimited', alignedSplitting(0)],
  ['aligned, 13 blocks', alignedSplitting(13)],
];

describe.each(SPLITTINGS)('formats.md 7: piece map, %s', (_name, splitting) => {
  test('puts give the pieces of the written rule', () => {
    const range = fc.tuple(fc.nat(60), fc.integer({ min: 1, max: 25 }));
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), (ranges) => {
        const ios = new IoTable();
        const map = new PieceMap(splitting, ios);
        const model = new ListMap(splitting);
        for (const [address, blocks] of ranges) {
          const ref = ios.add(io(blocks));
          map.put(address, blocks, ref);
          model.put(address, blocks, ref);
          expect([...map]).toEqual(model.pieces);
          expect(map.size).toBe(model.pieces.length);
        }
      }),
      { numRuns: 300, seed: 7 },
    );
  });

  test('the same with many chunks, in an order that splits and joins them', () => {
    const ios = new IoTable();
    const map = new PieceMap(splitting, ios);
    const model = new ListMap(splitting);
    let state = 12345;
    const next = (limit: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state % limit;
    };
    for (let i = 0; i < 3000; i++) {
      const blocks = i % 500 === 499 ? 4000 : 1 + next(4);
      const address = next(16000);
      const ref = ios.add(io(blocks));
      map.put(address, blocks, ref);
      model.put(address, blocks, ref);
    }
    expect(model.pieces.length).toBeGreaterThan(1000);
    expect([...map]).toEqual(model.pieces);
  });
});

function io(blocks: number) {
  return {
    kind: 'normal',
    position: 0,
    storedSize: 1,
    blocks,
    compression: 'none',
    checksum: 0,
  } as const;
}

describe('piece map', () => {
  test('the last of a full chunk is found after appends', () => {
    const ios = new IoTable();
    const map = new PieceMap(plainSplitting(0), ios);
    for (let i = 0; i < 5000; i++) map.put(i * 2, 1, ios.add(io(1)));
    expect(map.size).toBe(5000);
    map.put(0, 10000, ios.add(io(1)));
    expect([...map].length).toBe(1);
  });

  test('IOs without pieces are forgotten: overwriting does not grow the table', () => {
    const ios = new IoTable();
    const map = new PieceMap(alignedSplitting(0), ios);
    for (let i = 0; i < 100_000; i++) map.put((i * 7) % 64, 8, ios.add(io(8)));
    expect(ios.rows).toBeLessThan(100);
  });

  test('an IO survives as long as a remainder of it does', () => {
    const ios = new IoTable();
    const map = new PieceMap(plainSplitting(0), ios);
    const first = ios.add({ ...io(10), position: 4711 });
    map.put(0, 10, first);
    map.put(1, 8, ios.add(io(8)));
    for (let i = 0; i < 10; i++) map.put(1, 8, ios.add(io(8)));
    const [left, , right] = [...map];
    expect(left).toEqual({ address: 0, blocks: 1, ref: first, ioOffset: 0 });
    expect(right).toEqual({ address: 9, blocks: 1, ref: first, ioOffset: 9 });
    expect(ios.get(first).position).toBe(4711);
  });

  test('refuses what is no range of a volume', () => {
    const map = new PieceMap(plainSplitting(0), new IoTable());
    expect(() => map.put(0, 0, 0)).toThrow(RangeError);
    expect(() => map.put(-1, 1, 0)).toThrow(RangeError);
    expect(() => map.put(2 ** 44, 1, 0)).toThrow(RangeError);
  });

  test('alignment of addresses beyond 2^32', () => {
    const { fresh } = alignedSplitting(0);
    expect(fresh(0, 0xffff_ffff)).toBe(2 ** 31);
    expect(fresh(2 ** 40, 5)).toBe(4);
    expect(fresh(2 ** 33 + 2 ** 31, 0xffff_ffff)).toBe(2 ** 31);
    expect(fresh(2 ** 40 + 3, 100)).toBe(1);
    expect(floorPowerOfTwo(0xffff_ffff)).toBe(2 ** 31);
    expect(floorPowerOfTwo(1)).toBe(1);
    expect(alignedSplitting(200).fresh(0, 1000)).toBe(128);
  });
});
