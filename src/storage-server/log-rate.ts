/** How fast a log grows, for the time left until the ring overflows. Pure. */
import type { Lsid, Millis } from '../core/index.ts';

/** Growth is measured over the last minute. */
const WINDOW_MS: Millis = 60_000;

interface Sample {
  readonly at: Millis;
  readonly lsid: Lsid;
}

export class LogRate {
  #samples: Sample[] = [];

  /** `at` is monotonic. A log that went back was reset: its past says nothing any more. */
  note(at: Millis, lsid: Lsid): void {
    const last = this.#samples.at(-1);
    if (last !== undefined && lsid < last.lsid) this.#samples = [];
    this.#samples = [
      ...this.#samples.filter((sample) => at - sample.at <= WINDOW_MS),
      { at, lsid },
    ];
    if (this.#samples.length > MAX_SAMPLES)
      this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
  }

  /** Physical blocks per second; 0 when nothing is known. */
  get perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.at === first.at) return 0;
    return (Number(last.lsid - first.lsid) * 1000) / (last.at - first.at);
  }
}

/** Enough for a sample per second. */
const MAX_SAMPLES = 120;
