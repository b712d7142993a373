/**
 * Waiting for facts instead of polling for them. `Notifier` announces "something changed";
 * `Watch<T>` is a value that announces its own changes.
 *
 * Predicates run synchronously inside `notify`, so a state that lasts for one moment is not missed.
 */
import { abortError, onAbort, throwIfAborted } from './async-abort.ts';

export type Unsubscribe = () => void;

export class Notifier {
  readonly #listeners = new Set<() => void>();

  /** How many listen now; for tests of leaks. */
  get listeners(): number {
    return this.#listeners.size;
  }

  /** Tells every listener. A listener must not throw. */
  notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  subscribe(listener: () => void): Unsubscribe {
    const own = (): void => listener();
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  /**
   * Resolves as soon as `predicate` is true: now, or in one of the next `notify` calls. Rejects with
   * `cancelled` (or the signal's WalbError reason) when the signal aborts first.
   */
  async until(predicate: () => boolean, signal?: AbortSignal): Promise<void> {
    throwIfAborted(signal, 'wait');
    if (predicate()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const unsubscribe = this.subscribe(() => {
      // A predicate that throws ends its own wait, not the notifier's round. One that was true is not
      // asked again, so what it noted down is still what it saw.
      try {
        if (!predicate()) return;
        resolve();
      } catch (error) {
        reject(error);
      }
      unsubscribe();
    });
    const stopListening = onAbort(signal, () => reject(abortError(signal as AbortSignal, 'wait')));
    try {
      await promise;
    } finally {
      unsubscribe();
      stopListening();
    }
  }
}

export class Watch<T> {
  readonly #changed = new Notifier();
  #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  /** Replaces the value; listeners hear of it only when it differs. */
  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    this.#changed.notify();
  }

  subscribe(listener: (value: T) => void): Unsubscribe {
    return this.#changed.subscribe(() => listener(this.#value));
  }

  /** The first value, from now on, for which `predicate` holds. */
  async until(predicate: (value: T) => boolean, signal?: AbortSignal): Promise<T> {
    let found = this.#value;
    await this.#changed.until(() => {
      found = this.#value;
      return predicate(found);
    }, signal);
    return found;
  }

  /**
   * The present value and then each new one. A slow consumer gets the newest value, not every one
   * in between. Ends without an error when the signal aborts.
   */
  async *changes(signal?: AbortSignal): AsyncGenerator<T, void, undefined> {
    let version = 0;
    const unsubscribe = this.#changed.subscribe(() => {
      version += 1;
    });
    try {
      while (signal?.aborted !== true) {
        const seen = version;
        yield this.#value;
        await this.#changed.until(() => version !== seen, signal);
      }
    } catch (error) {
      if (signal?.aborted !== true) throw error;
    } finally {
      unsubscribe();
    }
  }
}
