/**
 * A bounded queue between a producer and a consumer that run at different speeds. A full queue makes
 * the producer wait, so memory stays bounded by `capacity` items. Items of a producer that awaits each
 * push keep their order.
 */
import { throwIfAborted } from './async-abort.ts';
import { WaiterLine } from './async-waiters.ts';
import { WalbError } from './errors.ts';

type Ending =
  /** The producer is done; what is queued is still delivered. */
  | { readonly kind: 'closed' }
  /** Broken from either side; what is queued is dropped. */
  | { readonly kind: 'failed'; readonly error: unknown };

export class AsyncQueue<T extends NonNullable<unknown>> implements AsyncIterable<T> {
  readonly capacity: number;
  readonly #items: T[] = [];
  readonly #readers = new WaiterLine<void>('queue');
  readonly #writers = new WaiterLine<void>('queue');
  #ending: Ending | undefined;

  /** Throws `invalid-argument` unless `capacity` is a whole number from 1 on. */
  constructor(capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) {
      throw new WalbError(
        'invalid-argument',
        `queue capacity ${capacity} is not a positive number`,
      );
    }
    this.capacity = capacity;
  }

  get length(): number {
    return this.#items.length;
  }

  /** Adds an item if there is room now. Throws like `push` after `close` or `fail`. */
  tryPush(item: T): boolean {
    this.#throwIfEnded();
    if (this.#items.length >= this.capacity) return false;
    this.#items.push(item);
    this.#readers.resolveFirst();
    return true;
  }

  /**
   * Waits for room, then adds the item. Rejects with `cancelled` when the signal aborts first, with
   * the error given to `fail`, or with `internal` after `close`.
   */
  async push(item: T, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, 'queue');
    while (!this.tryPush(item)) await this.#writers.wait(signal);
  }

  /** The oldest item, or undefined after the last one of a closed queue. Rejects after `fail`. */
  async shift(signal?: AbortSignal): Promise<T | undefined> {
    throwIfAborted(signal, 'queue');
    // Not checked again after a wake-up: whoever was woken for an item must take it, or it would lie
    // there while the next reader sleeps.
    while (true) {
      if (this.#ending?.kind === 'failed') throw this.#ending.error;
      const item = this.#items.shift();
      if (item !== undefined) {
        this.#writers.resolveFirst();
        return item;
      }
      if (this.#ending !== undefined) return undefined;
      await this.#readers.wait(signal);
    }
  }

  /** No more items will come. Doing it twice does nothing. */
  close(): void {
    if (this.#ending !== undefined) return;
    this.#ending = { kind: 'closed' };
    this.#wakeAll();
  }

  /** Breaks the queue: both sides get `error`, queued items are dropped. The first one counts. */
  fail(error: unknown): void {
    if (this.#ending?.kind === 'failed') return;
    this.#ending = { kind: 'failed', error };
    this.#items.length = 0;
    this.#wakeAll();
  }

  /** Consumes the queue. Leaving the loop early fails the queue, so that producers stop too. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (let item = await this.shift(); item !== undefined; item = await this.shift()) yield item;
    } finally {
      this.fail(new WalbError('cancelled', 'the consumer left the queue'));
    }
  }

  #throwIfEnded(): void {
    if (this.#ending === undefined) return;
    if (this.#ending.kind === 'failed') throw this.#ending.error;
    throw new WalbError('internal', 'push to a closed queue');
  }

  #wakeAll(): void {
    this.#readers.resolveAll();
    this.#writers.resolveAll();
  }
}
