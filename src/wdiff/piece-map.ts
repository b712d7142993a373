/**
 * The map address -> piece that conversion keeps (formats.md 7): an IO put into it cuts what it
 * overlaps, and is split by the rule of the format.
 *
 * This is the hot structure of a conversion, so pieces are rows of typed arrays in chunks of at most
 * CHUNK_CAPACITY, sorted by address. A put is a few binary searches and a move within one chunk;
 * 20 bytes per piece, no object per piece.
 */
import type { Lb } from '../core/index.ts';
import { MAX_ADDRESS } from './record.ts';

/** Pieces per chunk: a move of half a chunk stays below the cost of the searches. */
const CHUNK_CAPACITY = 512;

/** Told when a piece of an IO appears (+1) or disappears (-1), so that dead IOs can be forgotten. */
export interface PieceOwner {
  changeCount(ref: number, change: number): void;
}

/** Length of the next piece of a range of `rest` blocks at `address`; between 1 and `rest`. */
export type Splitter = (address: Lb, rest: Lb) => Lb;

export interface Splitting {
  /** Splits a new IO. */
  readonly fresh: Splitter;
  /** Splits what a cut leaves of a piece. */
  readonly remains: Splitter;
}

/** Sorted conversion and merge: new IOs every `maxIoBlocks` from their start (0: never), remains never. */
export function plainSplitting(maxIoBlocks: Lb): Splitting {
  const remains: Splitter = (_address, rest) => rest;
  return {
    fresh: maxIoBlocks === 0 ? remains : (_address, rest) => Math.min(rest, maxIoBlocks),
    remains,
  };
}

/** Indexed conversion: aligned powers of two, at most the largest power of two <= `maxIoBlocks` (0: none). */
export function alignedSplitting(maxIoBlocks: Lb): Splitting {
  const limit = maxIoBlocks === 0 ? 2 ** 31 : floorPowerOfTwo(maxIoBlocks);
  const split: Splitter = (address, rest) => Math.min(alignedLength(address, rest), limit);
  return { fresh: split, remains: split };
}

function alignedLength(address: Lb, rest: Lb): Lb {
  const low = (address % 2 ** 32) | 0;
  const alignment = low === 0 ? 2 ** 31 : 2 ** (31 - Math.clz32(low & -low));
  return alignment <= rest ? alignment : floorPowerOfTwo(rest);
}

/** Largest power of two <= n, at most 2^31. */
export function floorPowerOfTwo(n: number): number {
  return 2 ** (31 - Math.clz32(Math.min(n, 0xffff_ffff)));
}

/** A piece: blocks `ioOffset`.. of the IO `ref`, at `address`. */
export interface Piece {
  readonly address: Lb;
  readonly blocks: Lb;
  readonly ref: number;
  readonly ioOffset: Lb;
}

class Chunk {
  readonly address = new Float64Array(CHUNK_CAPACITY);
  readonly blocks = new Uint32Array(CHUNK_CAPACITY);
  readonly ref = new Uint32Array(CHUNK_CAPACITY);
  readonly ioOffset = new Uint32Array(CHUNK_CAPACITY);
  count = 0;

  /** Index of the first piece that ends after `address`. */
  search(address: Lb): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.address[middle]! + this.blocks[middle]! > address) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  end(): Lb {
    const last = this.count - 1;
    return this.address[last]! + this.blocks[last]!;
  }

  set(at: number, address: Lb, blocks: Lb, ref: number, ioOffset: Lb): void {
    this.address[at] = address;
    this.blocks[at] = blocks;
    this.ref[at] = ref;
    this.ioOffset[at] = ioOffset;
  }

  insert(at: number, address: Lb, blocks: Lb, ref: number, ioOffset: Lb): void {
    this.#move(at, at + 1, this.count);
    this.count++;
    this.set(at, address, blocks, ref, ioOffset);
  }

  remove(from: number, to: number): void {
    this.#move(to, from, this.count);
    this.count -= to - from;
  }

  /** Moves the pieces from `from` on into a new chunk. */
  splitAt(from: number): Chunk {
    const right = new Chunk();
    right.address.set(this.address.subarray(from, this.count));
    right.blocks.set(this.blocks.subarray(from, this.count));
    right.ref.set(this.ref.subarray(from, this.count));
    right.ioOffset.set(this.ioOffset.subarray(from, this.count));
    right.count = this.count - from;
    this.count = from;
    return right;
  }

  /** Appends all pieces of `other`; there must be room. */
  join(other: Chunk): void {
    this.address.set(other.address.subarray(0, other.count), this.count);
    this.blocks.set(other.blocks.subarray(0, other.count), this.count);
    this.ref.set(other.ref.subarray(0, other.count), this.count);
    this.ioOffset.set(other.ioOffset.subarray(0, other.count), this.count);
    this.count += other.count;
  }

  #move(from: number, to: number, end: number): void {
    if (from === end) return;
    this.address.copyWithin(to, from, end);
    this.blocks.copyWithin(to, from, end);
    this.ref.copyWithin(to, from, end);
    this.ioOffset.copyWithin(to, from, end);
  }
}

export class PieceMap {
  readonly #splitting: Splitting;
  readonly #owner: PieceOwner;
  /** Never empty; only a sole chunk may be without pieces. */
  readonly #chunks: Chunk[] = [new Chunk()];
  #size = 0;

  constructor(splitting: Splitting, owner: PieceOwner) {
    this.#splitting = splitting;
    this.#owner = owner;
  }

  /** Number of pieces. */
  get size(): number {
    return this.#size;
  }

  /** Cuts what overlaps the IO and inserts it: blocks 0.. of `ref` at `address`. */
  put(address: Lb, blocks: Lb, ref: number): void {
    const end = address + blocks;
    if (blocks < 1 || address < 0 || end > MAX_ADDRESS) {
      throw new RangeError(`no range of a volume: ${address}+${blocks}`);
    }
    if (this.#replace(address, blocks, ref)) return;
    while (this.#clearOneChunk(address, end));
    this.#insert(address, blocks, ref, 0, this.#splitting.fresh);
  }

  *[Symbol.iterator](): Generator<Piece> {
    for (const chunk of this.#chunks) {
      for (let i = 0; i < chunk.count; i++) {
        yield {
          address: chunk.address[i]!,
          blocks: chunk.blocks[i]!,
          ref: chunk.ref[i]!,
          ioOffset: chunk.ioOffset[i]!,
        };
      }
    }
  }

  /** Replaces a piece of exactly this range: the common overwrite needs no moves. */
  #replace(address: Lb, blocks: Lb, ref: number): boolean {
    const chunk = this.#chunks[this.#findChunk(address)]!;
    const at = chunk.search(address);
    if (at === chunk.count) return false;
    if (chunk.address[at] !== address || chunk.blocks[at] !== blocks) return false;
    if (this.#splitting.fresh(address, blocks) !== blocks) return false;
    this.#owner.changeCount(ref, 1);
    this.#owner.changeCount(chunk.ref[at]!, -1);
    chunk.set(at, address, blocks, ref, 0);
    return true;
  }

  /**
   * Frees what the first chunk with an overlap holds of `start`..`end`, keeping the remains at both
   * borders; false when nothing overlaps.
   */
  #clearOneChunk(start: Lb, end: Lb): boolean {
    let number = this.#findChunk(start);
    let from = this.#chunks[number]!.search(start);
    if (from === this.#chunks[number]!.count) {
      number++;
      from = 0;
    }
    const chunk = this.#chunks[number];
    if (chunk === undefined || from === chunk.count || chunk.address[from]! >= end) return false;
    let to = from + 1;
    while (to < chunk.count && chunk.address[to]! < end) to++;
    this.#cut(number, from, to, start, end);
    return true;
  }

  /** Removes pieces `from`..`to` of a chunk and puts back what of them lies outside `start`..`end`. */
  #cut(number: number, from: number, to: number, start: Lb, end: Lb): void {
    const first = pieceAt(this.#chunks[number]!, from);
    const last = pieceAt(this.#chunks[number]!, to - 1);
    // Held while they are not in the map, so that their IOs are not forgotten in between.
    this.#owner.changeCount(first.ref, 1);
    this.#owner.changeCount(last.ref, 1);
    this.#remove(number, from, to);
    const before = start - first.address;
    if (before > 0) this.#insertRemains(first, first.address, before);
    const after = last.address + last.blocks - end;
    if (after > 0) this.#insertRemains(last, end, after);
    this.#owner.changeCount(first.ref, -1);
    this.#owner.changeCount(last.ref, -1);
  }

  #insertRemains(piece: Piece, address: Lb, blocks: Lb): void {
    const ioOffset = piece.ioOffset + (address - piece.address);
    this.#insert(address, blocks, piece.ref, ioOffset, this.#splitting.remains);
  }

  /** Inserts a range, which must be free, piece by piece. */
  #insert(address: Lb, blocks: Lb, ref: number, ioOffset: Lb, split: Splitter): void {
    let done = 0;
    let count = 0;
    while (done < blocks) {
      const length = split(address + done, blocks - done);
      this.#insertPiece(address + done, length, ref, ioOffset + done);
      done += length;
      count++;
    }
    this.#owner.changeCount(ref, count);
  }

  #insertPiece(address: Lb, blocks: Lb, ref: number, ioOffset: Lb): void {
    const number = this.#findChunk(address);
    const chunk = this.#roomyChunk(number, address);
    chunk.insert(chunk.search(address), address, blocks, ref, ioOffset);
    this.#size++;
  }

  /** The chunk for `address`, split when it is full; appending leaves full chunks behind. */
  #roomyChunk(number: number, address: Lb): Chunk {
    const chunk = this.#chunks[number]!;
    if (chunk.count < CHUNK_CAPACITY) return chunk;
    const appends = address >= chunk.end();
    const right = chunk.splitAt(appends ? CHUNK_CAPACITY : CHUNK_CAPACITY / 2);
    this.#chunks.splice(number + 1, 0, right);
    return appends || address >= right.address[0]! ? right : chunk;
  }

  #remove(number: number, from: number, to: number): void {
    const chunk = this.#chunks[number]!;
    for (let i = from; i < to; i++) this.#owner.changeCount(chunk.ref[i]!, -1);
    chunk.remove(from, to);
    this.#size -= to - from;
    if (chunk.count < CHUNK_CAPACITY / 4) this.#shrink(number);
  }

  /** Joins a small chunk with a neighbour where both fit in half a chunk. */
  #shrink(number: number): void {
    if (this.#join(number) || (number > 0 && this.#join(number - 1))) return;
    if (this.#chunks[number]!.count === 0 && this.#chunks.length > 1) {
      this.#chunks.splice(number, 1);
    }
  }

  #join(number: number): boolean {
    const chunk = this.#chunks[number]!;
    const right = this.#chunks[number + 1];
    if (right === undefined || chunk.count + right.count > CHUNK_CAPACITY / 2) return false;
    chunk.join(right);
    this.#chunks.splice(number + 1, 1);
    return true;
  }

  /** Number of the last chunk that starts at or before `address`, or 0. */
  #findChunk(address: Lb): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#chunks[middle]!.address[0]! <= address) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

function pieceAt(chunk: Chunk, at: number): Piece {
  return {
    address: chunk.address[at]!,
    blocks: chunk.blocks[at]!,
    ref: chunk.ref[at]!,
    ioOffset: chunk.ioOffset[at]!,
  };
}
