/** One simulated machine: a disk and a clock, which outlive the processes on it. */
import type { Bytes, Millis } from '../../src/core/units.ts';
import { DiskFaults } from './disk-faults.ts';
import type { Micros } from './schedule.ts';
import { SimDisk } from './sim-disk.ts';
import type { SimRandom } from './sim-random.ts';

/** 2026-01-01 00:00 UTC: where the clocks of all worlds start. */
export const EPOCH: Millis = Date.UTC(2026, 0, 1);

export interface SimHostOptions {
  readonly name: string;
  readonly random: SimRandom;
  readonly elapsed: () => Micros;
  /** Size of the disk; as good as endless when omitted. */
  readonly capacity?: Bytes;
}

export class SimHost {
  readonly name: string;
  readonly disk: SimDisk;
  readonly #elapsed: () => Micros;
  #offset: Millis = 0;

  constructor({ name, random, elapsed, capacity }: SimHostOptions) {
    this.name = name;
    this.#elapsed = elapsed;
    this.disk = new SimDisk({
      now: () => this.now() * 1000,
      random: random.fork('disk'),
      faults: new DiskFaults(random.fork('faults')),
      ...(capacity === undefined ? {} : { capacity }),
    });
  }

  now(): Millis {
    return EPOCH + this.#offset + Math.floor(this.#elapsed() / 1000);
  }

  /** The operator (or a bad NTP server) sets the wall clock; monotonic time does not change. */
  setClock(ahead: Millis): void {
    this.#offset = ahead;
  }
}
