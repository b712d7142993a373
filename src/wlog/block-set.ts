/**
 * A set of block numbers for statistics: bitmaps of 64 Ki blocks, and a mark for a chunk that is wholly in.
 * Memory follows what was touched, not the size of the volume; a discard of 2 TiB costs marks only.
 */
const CHUNK_BLOCKS = 65536;
const WORDS = CHUNK_BLOCKS / 32;

type Chunk = 'full' | Uint32Array;

export class BlockSet {
  readonly #chunks = new Map<number, Chunk>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Puts blocks start .. end-1 in; returns how many were new. */
  add(start: number, end: number): number {
    return this.#each(start, end, (chunk, from, to) => this.#addIn(chunk, from, to));
  }

  /** Takes blocks start .. end-1 out; returns how many were in. */
  remove(start: number, end: number): number {
    return this.#each(start, end, (chunk, from, to) => this.#removeIn(chunk, from, to));
  }

  #each(
    start: number,
    end: number,
    change: (chunk: number, from: number, to: number) => number,
  ): number {
    let changed = 0;
    for (let at = start; at < end; ) {
      const chunk = Math.floor(at / CHUNK_BLOCKS);
      const base = chunk * CHUNK_BLOCKS;
      const to = Math.min(end - base, CHUNK_BLOCKS);
      changed += change(chunk, at - base, to);
      at = base + to;
    }
    return changed;
  }

  #addIn(index: number, from: number, to: number): number {
    const chunk = this.#chunks.get(index);
    if (chunk === 'full') return 0;
    let added = 0;
    if (from === 0 && to === CHUNK_BLOCKS) {
      added = CHUNK_BLOCKS - (chunk === undefined ? 0 : countBits(chunk));
      this.#chunks.set(index, 'full');
    } else {
      const bits = chunk ?? new Uint32Array(WORDS);
      if (chunk === undefined) this.#chunks.set(index, bits);
      for (let i = from; i < to; i++) {
        const mask = 1 << (i & 31);
        if ((bits[i >>> 5]! & mask) !== 0) continue;
        bits[i >>> 5]! |= mask;
        added++;
      }
    }
    this.#size += added;
    return added;
  }

  #removeIn(index: number, from: number, to: number): number {
    const chunk = this.#chunks.get(index);
    if (chunk === undefined) return 0;
    let removed = 0;
    if (from === 0 && to === CHUNK_BLOCKS) {
      removed = chunk === 'full' ? CHUNK_BLOCKS : countBits(chunk);
      this.#chunks.delete(index);
    } else {
      const bits = chunk === 'full' ? new Uint32Array(WORDS).fill(0xffff_ffff) : chunk;
      if (chunk === 'full') this.#chunks.set(index, bits);
      for (let i = from; i < to; i++) {
        const mask = 1 << (i & 31);
        if ((bits[i >>> 5]! & mask) === 0) continue;
        bits[i >>> 5]! &= ~mask;
        removed++;
      }
    }
    this.#size -= removed;
    return removed;
  }
}

function countBits(words: Uint32Array): number {
  let count = 0;
  for (let word of words) {
    for (; word !== 0; word &= word - 1) count++;
  }
  return count;
}
