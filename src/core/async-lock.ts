/**
 * Mutual exclusion for asynchronous code: `Semaphore` (at most n holders) and `Mutex` (one), both
 * first come, first served.
 *
 * @example
 * using _held = await mutex.lock(signal); // released at the end of the block
 */
import { WaiterLine } from './async-waiters.ts';
import { WalbError } from './errors.ts';

/** One held place; releasing it twice does nothing. */
export interface Permit extends Disposable {
  release(): void;
}

export class Semaphore {
  readonly limit: number;
  #held = 0;
  readonly #line: WaiterLine<Permit>;

  /** Throws `invalid-argument` unless `limit` is a whole number from 1 on. */
  constructor(limit: number, what = 'semaphore') {
    if (!Number.isInteger(limit) || limit < 1) {
      throw new WalbError('invalid-argument', `${what}: limit ${limit} is not a positive number`);
    }
    this.limit = limit;
    this.#line = new WaiterLine(what);
  }

  get held(): number {
    return this.#held;
  }

  get waiting(): number {
    return this.#line.length;
  }

  /** A place if one is free now, without waiting. */
  tryAcquire(): Permit | undefined {
    if (this.#held >= this.limit) return undefined;
    this.#held += 1;
    return this.#permit();
  }

  /** Waits for a place. Rejects with `cancelled` when the signal aborts first. */
  async acquire(signal?: AbortSignal): Promise<Permit> {
    if (signal?.aborted !== true) {
      const permit = this.tryAcquire();
      if (permit !== undefined) return permit;
    }
    return this.#line.wait(signal);
  }

  /** Runs `fn` while holding a place. */
  async run<T>(fn: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    using _permit = await this.acquire(signal);
    return await fn();
  }

  #permit(): Permit {
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      // The place goes straight to the next in line, so that nobody can overtake.
      if (!this.#line.resolveFirst(this.#permit())) this.#held -= 1;
    };
    return { release, [Symbol.dispose]: release };
  }
}

export class Mutex {
  readonly #semaphore: Semaphore;

  constructor(what = 'mutex') {
    this.#semaphore = new Semaphore(1, what);
  }

  get isLocked(): boolean {
    return this.#semaphore.held > 0;
  }

  get waiting(): number {
    return this.#semaphore.waiting;
  }

  tryLock(): Permit | undefined {
    return this.#semaphore.tryAcquire();
  }

  /** Waits for the lock. Rejects with `cancelled` when the signal aborts first. Not re-entrant. */
  lock(signal?: AbortSignal): Promise<Permit> {
    return this.#semaphore.acquire(signal);
  }

  /** Runs `fn` while holding the lock. */
  run<T>(fn: () => Promise<T> | T, signal?: AbortSignal): Promise<T> {
    return this.#semaphore.run(fn, signal);
  }
}
