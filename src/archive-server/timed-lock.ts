/**
 * A lock that logs who waits for it or holds it for too long: on a healthy server nobody does.
 *
 * Source: semantics.md D.10 (`-lock-time-th`).
 */
import { type Clock, type Logger, type Millis, Mutex, type Permit } from '../core/index.ts';

export class TimedLock {
  readonly #mutex = new Mutex('catalogue');
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #threshold: Millis;

  constructor(clock: Clock, log: Logger, threshold: Millis) {
    this.#clock = clock;
    this.#log = log;
    this.#threshold = threshold;
  }

  get isLocked(): boolean {
    return this.#mutex.isLocked;
  }

  /** Waits for the lock. Not re-entrant. */
  async lock(): Promise<Permit> {
    const asked = this.#clock.monotonic();
    const permit = await this.#mutex.lock();
    const got = this.#clock.monotonic();
    this.#report('waited for', got - asked);
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      permit.release();
      this.#report('held', this.#clock.monotonic() - got);
    };
    return { release, [Symbol.dispose]: release };
  }

  #report(what: string, duration: Millis): void {
    if (duration <= this.#threshold) return;
    this.#log.warn({ ms: Math.round(duration) }, `the catalogue lock was ${what} too long`);
  }
}
