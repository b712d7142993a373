/**
 * A first-in first-out line of pending promises: the part that locks and queues have in common.
 */
import { abortError, onAbort } from './async-abort.ts';
import { WalbError } from './errors.ts';

/**
 * More waiters than this on one object mean that its owner is stuck; refusing is better than memory
 * that grows without end. Connections per server are bounded far below it.
 */
const MAX_WAITERS = 10_000;

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
}

export class WaiterLine<T> {
  readonly #waiters = new Set<Waiter<T>>();
  readonly #what: string;

  constructor(what: string) {
    this.#what = what;
  }

  get length(): number {
    return this.#waiters.size;
  }

  /** Joins the end. Leaves it again, rejected with `cancelled`, when the signal aborts. */
  wait(signal?: AbortSignal): Promise<T> {
    if (signal?.aborted === true) return Promise.reject(abortError(signal, this.#what));
    if (this.#waiters.size >= MAX_WAITERS) {
      const message = `${this.#what}: more than ${MAX_WAITERS} waiting`;
      return Promise.reject(new WalbError('limit-exceeded', message));
    }
    return new Promise((resolve, reject) => {
      const waiter: Waiter<T> = {
        resolve: (value) => leave(() => resolve(value)),
        reject: (error) => leave(() => reject(error)),
      };
      const stopListening = onAbort(signal, () =>
        waiter.reject(abortError(signal as AbortSignal, this.#what)),
      );
      const leave = (settle: () => void): void => {
        this.#waiters.delete(waiter);
        stopListening();
        settle();
      };
      this.#waiters.add(waiter);
    });
  }

  /** Serves the first in line; false when nobody waits. */
  resolveFirst(value: T): boolean {
    for (const waiter of this.#waiters) {
      waiter.resolve(value);
      return true;
    }
    return false;
  }

  resolveAll(value: T): void {
    for (const waiter of [...this.#waiters]) waiter.resolve(value);
  }

  rejectAll(error: unknown): void {
    for (const waiter of [...this.#waiters]) waiter.reject(error);
  }
}
