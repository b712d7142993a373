/**
 * How fast a log is written and how fast its ring fills, for the time left until it overflows: a bounded
 * ring of samples. Pure.
 */
import type { Lsid, Millis } from '../core/index.ts';

/** The write rate is of the last minute. */
const RATE_WINDOW_MS: Millis = 60_000;
/** Log is freed in steps, checkpoint by checkpoint; over this time the steps level out. */
const GROWTH_WINDOW_MS: Millis = 300_000;
/** A sample every ten seconds, and those of transfers between them. */
const MAX_SAMPLES = 128;

interface Position {
  readonly latest: Lsid;
  readonly oldest: Lsid;
}

interface Sample extends Position {
  readonly at: Millis;
}

export class LogRate {
  #samples: Sample[] = [];

  /** `at` is monotonic. A log that went back was reset: its past says nothing any more. */
  note(at: Millis, { latest, oldest }: Position): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && (latest < last.latest || oldest < last.oldest)) this.#samples = [];
    this.#samples = [
      ...this.#samples.filter((sample) => at - sample.at <= GROWTH_WINDOW_MS),
      { at, latest, oldest },
    ];
    if (this.#samples.length > MAX_SAMPLES) this.#thin();
  }

  /** Physical blocks written per second; 0 when nothing is known. */
  get perSecond(): number {
    return this.#slope(RATE_WINDOW_MS, ({ latest }) => latest);
  }

  /** Physical blocks per second by which the used part of the ring grows; negative = it shrinks. */
  get growthPerSecond(): number {
    return this.#slope(GROWTH_WINDOW_MS, ({ latest, oldest }) => latest - oldest);
  }

  #slope(window: Millis, of: (sample: Sample) => bigint): number {
    const last = this.#samples.at(-1);
    const first = this.#samples.find(({ at }) => (last?.at ?? 0) - at <= window);
    if (first === undefined || last === undefined || last.at === first.at) return 0;
    return (Number(of(last) - of(first)) * 1000) / (last.at - first.at);
  }

  /** Every other sample of the older half, so that the newest and the oldest stay. */
  #thin(): void {
    const half = this.#samples.length / 2;
    this.#samples = this.#samples.filter((_, i) => i > half || i % 2 === 0);
  }
}
