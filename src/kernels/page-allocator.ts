/**
 * Which pages of one linear memory are free: a sorted list of free runs, first fit, neighbours joined.
 * Only arithmetic; the memory itself belongs to `memory.ts`.
 */

import { WalbError } from '../core/index.ts';

interface Run {
  start: number;
  count: number;
}

export class PageAllocator {
  /** Sorted by start; no two touch. */
  readonly #free: Run[] = [];
  /** Allocated runs: start -> count. */
  readonly #used = new Map<number, number>();

  /** Pages in use now. */
  get usedPages(): number {
    let pages = 0;
    for (const count of this.#used.values()) pages += count;
    return pages;
  }

  /** Makes `count` pages from `start` available; they must not be known yet. */
  add(start: number, count: number): void {
    const at = this.#free.findIndex((run) => run.start > start);
    const index = at === -1 ? this.#free.length : at;
    this.#free.splice(index, 0, { start, count });
    this.#join(index);
    this.#join(index - 1);
  }

  /** First page of a run of `count` pages, or undefined when no free run is long enough. */
  take(count: number): number | undefined {
    const index = this.#free.findIndex((run) => run.count >= count);
    const run = this.#free[index];
    if (run === undefined) return undefined;
    const { start } = run;
    run.start += count;
    run.count -= count;
    if (run.count === 0) this.#free.splice(index, 1);
    this.#used.set(start, count);
    return start;
  }

  /** Gives the run that starts at `start` back. Throws `internal` when none does. */
  give(start: number): void {
    const count = this.#used.get(start);
    if (count === undefined) {
      throw new WalbError('internal', `kernel memory page ${start} is not the start of a buffer`, {
        details: { page: start },
      });
    }
    this.#used.delete(start);
    this.add(start, count);
  }

  #join(index: number): void {
    const left = this.#free[index];
    const right = this.#free[index + 1];
    if (left === undefined || right === undefined) return;
    if (left.start + left.count !== right.start) return;
    left.count += right.count;
    this.#free.splice(index + 1, 1);
  }
}
