/**
 * Virtual time: a heap of events. Events of the same moment run in an order drawn from the seed, so
 * that different seeds try different interleavings and the same seed always the same one.
 *
 * Time is counted in whole microseconds: sums of milliseconds as fractions would round.
 */
import type { SimRandom } from './sim-random.ts';

export type Micros = number;

export interface SimEvent {
  readonly at: Micros;
  readonly run: () => void;
  /** Set when the event must not run any more; it stays in the heap until its time comes. */
  cancelled: boolean;
}

interface Entry extends SimEvent {
  readonly order: number;
  readonly sequence: number;
}

/** Places ordered events amid the drawn ones of their moment. */
const MIDDLE = 2 ** 31;

export class Schedule {
  readonly #heap: Entry[] = [];
  readonly #random: SimRandom;
  #now: Micros = 0;
  #sequence = 0;

  constructor(random: SimRandom) {
    this.#random = random;
  }

  get now(): Micros {
    return this.#now;
  }

  after(delay: Micros, run: () => void): SimEvent {
    return this.#add(delay, this.#random.u32(), run);
  }

  /** Events of the same moment added this way run in the order in which they were added. */
  afterInOrder(delay: Micros, run: () => void): SimEvent {
    return this.#add(delay, MIDDLE, run);
  }

  #add(delay: Micros, order: number, run: () => void): SimEvent {
    const entry: Entry = {
      at: this.#now + Math.max(0, Math.round(delay)),
      order,
      sequence: this.#sequence++,
      run,
      cancelled: false,
    };
    this.#push(entry);
    return entry;
  }

  /** Moves time to the next event and returns it; undefined when nothing is left to happen. */
  next(): SimEvent | undefined {
    for (let entry = this.#pop(); entry !== undefined; entry = this.#pop()) {
      if (entry.cancelled) continue;
      this.#now = entry.at;
      return entry;
    }
    return undefined;
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let at = heap.push(entry) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!before(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  #pop(): Entry | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
    return first;
  }
}

function before(a: Entry, b: Entry): boolean {
  if (a.at !== b.at) return a.at < b.at;
  return a.order !== b.order ? a.order < b.order : a.sequence < b.sequence;
}
