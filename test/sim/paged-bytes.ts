/** Sparse content of a simulated file: pages that were written, zeros everywhere else. */
import type { Bytes } from '../../src/core/units.ts';

export const PAGE: Bytes = 4096;

export class PagedBytes {
  readonly #pages = new Map<number, Uint8Array>();
  #size: Bytes = 0;
  /** Page numbers in order, until a page comes or goes. */
  #sorted: Uint32Array | undefined;

  get size(): Bytes {
    return this.#size;
  }

  get allocated(): Bytes {
    return this.#pages.size * PAGE;
  }

  read(into: Uint8Array, position: Bytes): number {
    const length = Math.max(0, Math.min(into.length, this.#size - position));
    forEachPage(position, length, (page, from, to, done) => {
      const bytes = this.#pages.get(page);
      const target = into.subarray(done, done + to - from);
      if (bytes === undefined) target.fill(0);
      else target.set(bytes.subarray(from, to));
    });
    return length;
  }

  write(from: Uint8Array, position: Bytes): void {
    if (from.length === 0) return;
    this.#size = Math.max(this.#size, position + from.length);
    forEachPage(position, from.length, (page, start, end, done) => {
      let bytes = this.#pages.get(page);
      if (bytes === undefined) {
        this.#pages.set(page, (bytes = new Uint8Array(PAGE)));
        this.#sorted = undefined;
      }
      bytes.set(from.subarray(done, done + end - start), start);
    });
  }

  /** Pages that a write of this range would have to allocate. */
  missingPages(position: Bytes, length: Bytes): number {
    let missing = 0;
    forEachPage(position, length, (page) => {
      if (!this.#pages.has(page)) missing++;
    });
    return missing;
  }

  truncate(size: Bytes): void {
    if (size < this.#size) this.zero(size, this.#size - size);
    this.#size = size;
  }

  /** Makes the range read as zeros without changing the size; whole pages are given back. */
  zero(position: Bytes, length: Bytes): void {
    const end = Math.min(position + length, this.#size);
    // A range to the end of the file takes its last page whole.
    const limit = end === this.#size ? Math.ceil(end / PAGE) * PAGE : end;
    this.#sorted = undefined;
    for (const [page, bytes] of this.#pages) {
      const start = page * PAGE;
      if (start + PAGE <= position || start >= end) continue;
      if (start >= position && start + PAGE <= limit) this.#pages.delete(page);
      else bytes.fill(0, Math.max(0, position - start), Math.min(PAGE, limit - start));
    }
  }

  nextData(position: Bytes): { start: Bytes; end: Bytes } | undefined {
    this.#sorted ??= Uint32Array.from(this.#pages.keys()).sort();
    let at = lowerBound(this.#sorted, Math.floor(position / PAGE));
    const first = this.#sorted[at];
    if (first === undefined || position >= this.#size) return undefined;
    const start = Math.max(position, first * PAGE);
    while (this.#sorted[at + 1] === this.#sorted[at]! + 1) at++;
    return { start, end: Math.min((this.#sorted[at]! + 1) * PAGE, this.#size) };
  }

  /** Changes one bit; a hole has none to change. */
  flipBit(position: Bytes, bit: number): void {
    const bytes = this.#pages.get(Math.floor(position / PAGE));
    if (bytes !== undefined) bytes[position % PAGE]! ^= 1 << bit;
  }

  copyFrom(other: PagedBytes): void {
    this.#pages.clear();
    this.#sorted = undefined;
    for (const [page, bytes] of other.#pages) this.#pages.set(page, bytes.slice());
    this.#size = other.#size;
  }
}

function lowerBound(sorted: Uint32Array, value: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function forEachPage(
  position: Bytes,
  length: Bytes,
  visit: (page: number, from: number, to: number, done: number) => void,
): void {
  for (let done = 0; done < length; ) {
    const from = (position + done) % PAGE;
    const count = Math.min(PAGE - from, length - done);
    visit((position + done - from) / PAGE, from, from + count, done);
    done += count;
  }
}
