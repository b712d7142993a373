/**
 * Received bytes of one connection, kept so that a payload is copied at most once: small requests
 * are used where the socket put them, a large payload is received straight into a buffer of its own.
 */
import { type Bytes, KIB } from '../../core/index.ts';
import { REQUEST_SIZE } from './protocol.ts';
import { type Slab, type SlabPool, SMALL_SLAB } from './slabs.ts';

/** Payloads beyond it get a buffer of their own; up to it a whole request fits in a chunk. */
export const LARGE_PAYLOAD: Bytes = 128 * KIB;
/** Do not ask the socket for less than this when more room can be had by moving a little. */
const MIN_SPACE: Bytes = 64 * KIB;

interface LargePayload {
  readonly slab: Slab;
  readonly length: Bytes;
  filled: Bytes;
}

export class Intake {
  readonly #pool: SlabPool;
  #chunk: Slab;
  /** Unused bytes are `start..end` of the chunk. */
  #start = 0;
  #end = 0;
  #large: LargePayload | undefined;
  #gaveLarge = false;

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.#chunk = pool.take(SMALL_SLAB);
  }

  get chunk(): Slab {
    return this.#chunk;
  }

  /** Position of the first unused byte in `chunk`. */
  get start(): number {
    return this.#start;
  }

  get available(): Bytes {
    return this.#end - this.#start;
  }

  unused(): Uint8Array {
    return this.#chunk.bytes.subarray(this.#start, this.#end);
  }

  consume(count: Bytes): void {
    this.#start += count;
  }

  /** Where the socket puts what comes next. */
  space(): Uint8Array {
    const large = this.#large;
    this.#gaveLarge = large !== undefined && this.available === 0;
    if (large !== undefined && this.#gaveLarge) {
      return large.slab.bytes.subarray(large.filled, large.length);
    }
    this.#makeRoom();
    return this.#chunk.bytes.subarray(this.#end);
  }

  received(count: Bytes): void {
    if (this.#gaveLarge && this.#large !== undefined) this.#large.filled += count;
    else this.#end += count;
  }

  /** A large payload is being received. */
  get isLarge(): boolean {
    return this.#large !== undefined;
  }

  /** From here on bytes go into a buffer of `length`, until `takeLarge` gives it out. */
  beginLarge(length: Bytes): void {
    this.#large = { slab: this.#pool.take(length), length, filled: 0 };
  }

  /** The large payload once it is whole; the caller owns the slab. */
  takeLarge(): Slab | undefined {
    const large = this.#large;
    if (large === undefined) return undefined;
    const step = Math.min(this.available, large.length - large.filled);
    if (step > 0) {
      large.slab.bytes.set(this.unused().subarray(0, step), large.filled);
      large.filled += step;
      this.consume(step);
    }
    if (large.filled < large.length) return undefined;
    this.#large = undefined;
    return large.slab;
  }

  /** Gives every buffer back; nothing may be received afterwards. */
  release(): void {
    this.#chunk.release();
    this.#large?.slab.release();
    this.#large = undefined;
  }

  /**
   * Room for the largest request that is used in place. A chunk that a running batch still reads
   * from is not overwritten: its tail moves to a fresh one.
   */
  #makeRoom(): void {
    const { available } = this;
    if (available === 0 && this.#chunk.isExclusive) {
      this.#start = 0;
      this.#end = 0;
    }
    const wanted = Math.max(MIN_SPACE, REQUEST_SIZE + LARGE_PAYLOAD - available);
    if (this.#chunk.size - this.#end >= wanted) return;
    // A chunk full of requests that have to wait is the only case that needs a bigger one.
    const fits = this.#chunk.isExclusive && this.#chunk.size - available >= wanted;
    const target = fits ? this.#chunk : this.#pool.take(available + wanted);
    // Same or different buffer: set() copes with overlap.
    target.bytes.set(this.unused());
    if (target !== this.#chunk) this.#chunk.release();
    this.#chunk = target;
    this.#start = 0;
    this.#end = available;
  }
}
