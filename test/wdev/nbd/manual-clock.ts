/** A clock that stands still until it is moved. */
import type { CancelTimer, Clock } from '../../../src/core/index.ts';

export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly fn: () => void }>();

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  get timers(): number {
    return this.#timers.size;
  }

  after(delay: number, fn: () => void): CancelTimer {
    const timer = { at: this.#now + delay, fn };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  sleep(delay: number): Promise<void> {
    return new Promise((resolve) => this.after(delay, resolve));
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  advance(delay: number): void {
    this.#now += delay;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.#now) continue;
      this.#timers.delete(timer);
      timer.fn();
    }
  }
}
