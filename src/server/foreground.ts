/**
 * The process-wide bound on foreground tasks (backups, transfers, restores, ...): the `-fg` option.
 *
 * Source: semantics.md F.1. A task over the limit is refused, never queued, so that the operator or
 * the sending server learns of it at once.
 */
import { WalbError } from '../core/index.ts';

export class ForegroundLimit {
  readonly limit: number;
  #running = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get running(): number {
    return this.#running;
  }

  /** Counts one task until the result is disposed; throws `limit-exceeded`. */
  acquire(what: string): Disposable {
    if (this.#running >= this.limit) {
      throw new WalbError(
        'limit-exceeded',
        `${what}: exceeds max foreground tasks (${this.#running} of ${this.limit} are running); try again later or raise -fg`,
        { details: { running: this.#running, limit: this.limit } },
      );
    }
    this.#running += 1;
    let released = false;
    return {
      [Symbol.dispose]: () => {
        if (released) return;
        released = true;
        this.#running -= 1;
      },
    };
  }
}
