/**
 * Which pending write covers which blocks: disjoint intervals in address order, the newest write
 * winning where several overlap. Reads consult it before the data image.
 *
 * One sorted array: the number of pending writes is bounded (limits.ts), so that an insertion in the
 * middle moves a few kilobytes of pointers; sequential writes only append.
 */
import type { Lb } from '../../core/index.ts';

/** A write that the log holds and the data image may not hold yet. */
export interface PendingWrite {
  readonly offset: Lb;
  readonly sizeLb: Lb;
  /** Position in the order of all writes since the device was opened. */
  readonly sequence: number;
  /** End of the logpack that holds it: it may go to the image once the log is permanent up to here. */
  readonly endLsid: number;
  /** New content; undefined stands for zeros (discard, write-zeroes). */
  readonly data: Uint8Array | undefined;
}

interface Interval {
  start: Lb;
  end: Lb;
  write: PendingWrite;
}

export class IntervalIndex {
  #intervals: Interval[] = [];

  get size(): number {
    return this.#intervals.length;
  }

  /** Makes `write` the newest content of its range. */
  put(write: PendingWrite): void {
    const start = write.offset;
    const end = start + write.sizeLb;
    const intervals = this.#intervals;
    const last = intervals.at(-1);
    if (last === undefined || last.end <= start) {
      intervals.push({ start, end, write });
      return;
    }
    const from = this.#firstEndingAfter(start);
    let to = from;
    while (to < intervals.length && intervals[to]!.start < end) to++;
    this.#replace(from, to, { start, end, write });
  }

  /** Calls `visit` for each covered part of [start, end), in address order. */
  visit(start: Lb, end: Lb, visit: (start: Lb, end: Lb, write: PendingWrite) => void): void {
    const intervals = this.#intervals;
    if (intervals.length === 0) return;
    for (let i = this.#firstEndingAfter(start); i < intervals.length; i++) {
      const { start: from, end: to, write } = intervals[i]!;
      if (from >= end) return;
      visit(Math.max(from, start), Math.min(to, end), write);
    }
  }

  /** First covered range at or after `start`. */
  next(start: Lb): { readonly start: Lb; readonly end: Lb } | undefined {
    const found = this.#intervals[this.#firstEndingAfter(start)];
    return found && { start: Math.max(found.start, start), end: found.end };
  }

  /** Forgets every write up to and including `sequence`: the image holds them now. */
  retire(sequence: number): void {
    this.#intervals = this.#intervals.filter((interval) => interval.write.sequence > sequence);
  }

  /** Index of the first interval that ends after `start`. */
  #firstEndingAfter(start: Lb): number {
    const intervals = this.#intervals;
    let low = 0;
    let high = intervals.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (intervals[middle]!.end <= start) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Puts `added` in place of the intervals from..to-1, keeping what sticks out on either side. */
  #replace(from: number, to: number, added: Interval): void {
    const first = this.#intervals[from];
    const last = this.#intervals[to - 1];
    const replacement: Interval[] = [];
    if (to > from && first!.start < added.start) {
      replacement.push({ start: first!.start, end: added.start, write: first!.write });
    }
    replacement.push(added);
    if (to > from && last!.end > added.end) {
      replacement.push({ start: added.end, end: last!.end, write: last!.write });
    }
    if (replacement.length === to - from) {
      for (let i = 0; i < replacement.length; i++) this.#intervals[from + i] = replacement[i]!;
    } else {
      this.#intervals.splice(from, to - from, ...replacement);
    }
  }
}
