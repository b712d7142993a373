/**
 * Writes that are in the log but not yet in the data image, oldest first, with their contents and
 * the index that lets reads see them. Its size is bounded in bytes and in number.
 */
import { type Bytes, LB_SIZE, type Lb } from '../../core/index.ts';
import { Arena } from './arena.ts';
import { IntervalIndex, type PendingWrite } from './interval-index.ts';

/** One pending write with its place in the log and in memory. */
export interface PendingEntry extends PendingWrite {
  /** Start of the logpack that holds it. */
  readonly packLsid: number;
  /** Arena position up to which memory is free once this entry is in the image. */
  readonly mark: number;
}

/** The queue is compacted when this many retired entries stand at its front. */
const COMPACT_FROM = 4096;

export class PendingWrites {
  readonly #arena: Arena;
  readonly #index = new IntervalIndex();
  readonly #maxWrites: number;
  #queue: PendingEntry[] = [];
  #first = 0;
  #sequence = 0;

  constructor(memory: Uint8Array, maxWrites: number) {
    this.#arena = new Arena(memory);
    this.#maxWrites = maxWrites;
  }

  get count(): number {
    return this.#queue.length - this.#first;
  }

  /** 0 (empty) to 1 (full), of bytes or number, whichever is more. */
  get fullness(): number {
    return Math.max(this.#arena.used / this.#arena.capacity, this.count / this.#maxWrites);
  }

  get bytes(): Bytes {
    return this.#arena.used;
  }

  /** Oldest entry. */
  get head(): PendingEntry | undefined {
    return this.#queue[this.#first];
  }

  /** Entry `distance` places behind the oldest. */
  at(distance: number): PendingEntry | undefined {
    return this.#queue[this.#first + distance];
  }

  /** Memory for the data of `writes` more writes, or undefined while there is no room for them. */
  reserve(bytes: Bytes, writes: number): Uint8Array | undefined {
    if (this.count > 0 && this.count + writes > this.#maxWrites) return undefined;
    return this.#arena.allocate(bytes);
  }

  get mark(): number {
    return this.#arena.mark;
  }

  /** Gives back what `reserve` handed out after `mark` was taken: the log write failed. */
  unreserve(mark: number): void {
    this.#arena.undo(mark);
  }

  add(entry: Omit<PendingEntry, 'sequence' | 'mark'>): void {
    const added: PendingEntry = {
      offset: entry.offset,
      sizeLb: entry.sizeLb,
      sequence: ++this.#sequence,
      packLsid: entry.packLsid,
      endLsid: entry.endLsid,
      data: entry.data,
      mark: this.#arena.mark,
    };
    this.#queue.push(added);
    this.#index.put(added);
  }

  /** The `count` oldest entries are in the image. */
  retire(count: number): void {
    const last = this.at(count - 1);
    if (last === undefined) return;
    this.#index.retire(last.sequence);
    this.#first += count;
    // Writes of one log write share its memory: it is free with the last of them.
    if (this.head?.mark !== last.mark) this.#arena.release(last.mark);
    if (this.head === undefined) this.#drop(this.#queue.length);
    else if (this.#first >= COMPACT_FROM) this.#drop(this.#first);
  }

  /** First pending range at or after `offset`. */
  next(offset: Lb): { readonly start: Lb; readonly end: Lb } | undefined {
    return this.#index.next(offset);
  }

  /**
   * Fills `into` with the content from `offset` on; `readImage` supplies what is not pending. It is
   * called for whole gaps only, so that a fully pending range costs no read.
   */
  read(offset: Lb, into: Uint8Array, readImage: (into: Uint8Array, offset: Lb) => void): void {
    const end = offset + into.length / LB_SIZE;
    let done = offset;
    const slice = (from: Lb, to: Lb) =>
      into.subarray((from - offset) * LB_SIZE, (to - offset) * LB_SIZE);
    this.#index.visit(offset, end, (from, to, write) => {
      if (from > done) readImage(slice(done, from), done);
      const target = slice(from, to);
      if (write.data === undefined) target.fill(0);
      else {
        const start = (from - write.offset) * LB_SIZE;
        target.set(write.data.subarray(start, start + target.length));
      }
      done = to;
    });
    if (done < end) readImage(done === offset ? into : slice(done, end), done);
  }

  #drop(count: number): void {
    this.#queue = this.#queue.slice(count);
    this.#first = 0;
  }
}
