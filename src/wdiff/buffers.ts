/**
 * Where bytes are read or expanded to. Fresh memory for every record costs page faults and garbage of
 * the size of the data, more than decompressing it; consumers that are done with a buffer soon lend
 * one instead.
 */
import type { Bytes } from '../core/index.ts';
import { MIB } from '../core/index.ts';

/** Lends a buffer of exactly `size` bytes with any content. */
export type TakeBuffer = (size: Bytes) => Uint8Array;

/** Memory of its own, which the receiver may keep. */
export const freshBuffer: TakeBuffer = (size) => Buffer.allocUnsafeSlow(size);

/** One buffer that grows to the largest size asked for; each `take` invalidates the one before. */
export class WorkBuffer {
  #bytes: Uint8Array = new Uint8Array(0);

  readonly take: TakeBuffer = (size) => {
    if (this.#bytes.length < size) this.#bytes = Buffer.allocUnsafeSlow(size);
    return this.#bytes.subarray(0, size);
  };
}

/** Blocks an arena is made of; what is larger gets fresh memory. */
const ARENA_BLOCK: Bytes = 4 * MIB;

/** Many buffers that are given back together by `reset`. Keeps as many blocks as were ever needed. */
export class BufferArena {
  readonly #blocks: Uint8Array[] = [];
  #block = 0;
  #used: Bytes = 0;

  readonly take: TakeBuffer = (size) => {
    if (size > ARENA_BLOCK) return freshBuffer(size);
    if (this.#used + size > ARENA_BLOCK) {
      this.#block++;
      this.#used = 0;
    }
    if (this.#block === this.#blocks.length) this.#blocks.push(freshBuffer(ARENA_BLOCK));
    const start = this.#used;
    this.#used += size;
    return this.#blocks[this.#block]!.subarray(start, start + size);
  };

  reset(): void {
    this.#block = 0;
    this.#used = 0;
  }
}
