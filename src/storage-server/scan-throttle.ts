/**
 * Holds a full scan to a number of blocks per second, which may change while it runs.
 *
 * Source: semantics.md B.6.4: a moving average over about a second; while it is above the limit, sleeps
 * of 10 ms, at most 100 ms per bulk.
 */
import type { Clock, Lb, Millis } from '../core/index.ts';

const WINDOW_MS: Millis = 1000;
const NAP_MS: Millis = 10;
const MAX_NAPS_PER_BULK = 10;

export class ScanThrottle {
  readonly #clock: Clock;
  /** Blocks per second, 0 = unlimited; asked anew for each bulk. */
  readonly #limit: () => Lb;
  #windowStart: Millis;
  #blocks: Lb = 0;

  constructor(clock: Clock, limit: () => Lb) {
    this.#clock = clock;
    this.#limit = limit;
    this.#windowStart = clock.monotonic();
  }

  /** Called after each bulk; sleeps when the scan is ahead of its limit. */
  async after(blocks: Lb, signal: AbortSignal): Promise<void> {
    this.#blocks += blocks;
    for (let naps = 0; naps < MAX_NAPS_PER_BULK && this.#isAhead(); naps += 1) {
      await this.#clock.sleep(NAP_MS, signal);
    }
    this.#slide();
  }

  #isAhead(): boolean {
    const limit = this.#limit();
    if (limit === 0) return false;
    const elapsed = this.#clock.monotonic() - this.#windowStart;
    return this.#blocks * 1000 > limit * Math.max(elapsed, 1);
  }

  /** Keeps half of an old window, so that the average moves instead of starting anew. */
  #slide(): void {
    const elapsed = this.#clock.monotonic() - this.#windowStart;
    if (elapsed < 2 * WINDOW_MS) return;
    this.#blocks *= WINDOW_MS / elapsed;
    this.#windowStart = this.#clock.monotonic() - WINDOW_MS;
  }
}
