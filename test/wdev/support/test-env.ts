/** An `Env` for device tests: files that can crash, a clock that moves when told, seeded randomness. */
import {
  type CancelTimer,
  type Clock,
  type Env,
  type Logger,
  type Millis,
  silentLogger,
  WalbError,
} from '../../../src/core/index.ts';
import { FaultyFiles, type Pick } from './faulty-disk.ts';

/** Small fast generator (mulberry32); the seed is in the test's name or message. */
export function seeded(seed: number): Pick {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

interface Timer {
  readonly at: Millis;
  readonly fn: () => void;
}

/** Time stands still until `advance`; `yield` takes a turn of the real event loop. */
export class ManualClock implements Clock {
  #now: Millis = 0;
  #timers = new Set<Timer>();

  now(): Millis {
    return this.#now;
  }

  monotonic(): Millis {
    return this.#now;
  }

  after(delay: Millis, fn: () => void): CancelTimer {
    const timer = { at: this.#now + delay, fn };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  sleep(delay: Millis, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const cancel = this.after(delay, resolve);
      signal?.addEventListener('abort', () => {
        cancel();
        reject(new WalbError('cancelled', 'sleep cancelled'));
      });
    });
  }

  yield(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** Lets time pass and runs what became due, in order. */
  advance(delay: Millis): void {
    const end = this.#now + delay;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.at <= end);
      const next = due.sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = next.at;
      next.fn();
    }
    this.#now = end;
  }
}

export interface TestEnv extends Env {
  readonly clock: ManualClock;
  readonly files: FaultyFiles;
}

export function testEnv(seed = 1, log: Logger = silentLogger): TestEnv {
  const pick = seeded(seed);
  return {
    clock: new ManualClock(),
    files: new FaultyFiles(),
    random: {
      bytes: (count) => Uint8Array.from({ length: count }, () => pick(256)),
      u32: () => pick(2 ** 32),
    },
    // The engine has no business on the network.
    network: undefined as never,
    log,
  };
}

/** Lets everything that waits for turns of the event loop go on. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve));
}
