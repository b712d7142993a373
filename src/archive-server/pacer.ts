/**
 * Long loops over data: others get their turn, and a wanted part of the time is slept.
 *
 * Source: semantics.md D.7 (`-apply-sleep-pct`: sleeps of 0.1 to 1 s).
 */
import { type Clock, type Millis, WalbError } from '../core/index.ts';

/** Others wait no longer than this for their turn. */
const YIELD_AFTER_MS: Millis = 10;
const MIN_SLEEP_MS: Millis = 100;
const MAX_SLEEP_MS: Millis = 1000;
const MAX_SLEEP_PERCENT = 99;

/** Throws `invalid-argument` unless it is a whole number from 0 to 99. */
export function checkSleepPercent(percent: number): number {
  if (Number.isInteger(percent) && percent >= 0 && percent <= MAX_SLEEP_PERCENT) return percent;
  throw new WalbError(
    'invalid-argument',
    `sleep percentage ${percent} is not 0 to ${MAX_SLEEP_PERCENT}`,
  );
}

/** How long to sleep after `worked`, so that `percent` of the time is slept; 0 = not yet. */
export function sleepAfter(worked: Millis, percent: number): Millis {
  const due = (worked * percent) / (100 - percent);
  return due < MIN_SLEEP_MS ? 0 : Math.min(due, MAX_SLEEP_MS);
}

export class Pacer {
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #percent: number;
  #workedSince: Millis;
  #yieldedAt: Millis;

  /** `signal` ends a sleep at once. */
  constructor(clock: Clock, signal: AbortSignal, sleepPercent = 0) {
    this.#clock = clock;
    this.#signal = signal;
    this.#percent = sleepPercent;
    this.#workedSince = clock.monotonic();
    this.#yieldedAt = this.#workedSince;
  }

  /** After each piece of work. Rejects with `cancelled` when the signal aborts a sleep. */
  async pause(): Promise<void> {
    const now = this.#clock.monotonic();
    const sleep = sleepAfter(now - this.#workedSince, this.#percent);
    if (sleep > 0) {
      await this.#clock.sleep(sleep, this.#signal);
      this.#workedSince = this.#clock.monotonic();
      this.#yieldedAt = this.#workedSince;
    } else if (now - this.#yieldedAt >= YIELD_AFTER_MS) {
      await this.#clock.yield();
      this.#yieldedAt = this.#clock.monotonic();
    }
  }
}
