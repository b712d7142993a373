/**
 * Memory of pending writes: one fixed block used as a ring, because writes retire in the order they
 * came. Nothing is allocated per write, and the bound on pending bytes is the size of the block.
 */
import type { Bytes } from '../../core/index.ts';

export class Arena {
  readonly #memory: Uint8Array;
  /** Endless positions; modulo the capacity they are offsets into the memory. */
  #head = 0;
  #tail = 0;

  constructor(memory: Uint8Array) {
    this.#memory = memory;
  }

  get capacity(): Bytes {
    return this.#memory.length;
  }

  /** Bytes in use, including what was skipped at the end of the memory. */
  get used(): Bytes {
    return this.#head - this.#tail;
  }

  /** Position after everything allocated so far: what to give to `release` later. */
  get mark(): number {
    return this.#head;
  }

  /** Contiguous bytes with old contents, or undefined while there is no room. */
  allocate(size: Bytes): Uint8Array | undefined {
    const start = this.#startFor(size);
    if (start + size - this.#tail > this.capacity) return undefined;
    this.#head = start + size;
    const offset = start % this.capacity;
    return this.#memory.subarray(offset, offset + size);
  }

  /** Gives back everything allocated before `mark` was taken. */
  release(mark: number): void {
    this.#tail = Math.max(this.#tail, mark);
    // An empty arena starts anew at the front, so that few writes keep using the same warm memory.
    if (this.#tail === this.#head) this.#tail = this.#head = 0;
  }

  /** Takes back the newest allocation, whose `mark` before it is given. */
  undo(mark: number): void {
    this.#head = mark;
  }

  #startFor(size: Bytes): number {
    const left = this.capacity - (this.#head % this.capacity);
    return size <= left ? this.#head : this.#head + left;
  }
}
