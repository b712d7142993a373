/** Virtual time as one simulated process sees it. */
import type { CancelTimer, Clock } from '../../src/core/env.ts';
import { WalbError } from '../../src/core/errors.ts';
import type { Millis } from '../../src/core/units.ts';
import type { Micros, SimEvent } from './schedule.ts';

/** What the clock needs of the process that reads it. */
export interface ClockOwner {
  enter(call: string): void;
  /** The wall clock of the host. */
  now(): Millis;
  monotonic(): Millis;
  /** How long its synchronous calls so far still take: others run before it goes on after a yield. */
  readonly busyFor: Micros;
  /** Runs `fn` after `delay` unless the process died meanwhile. */
  schedule(delay: Micros, fn: () => void): SimEvent;
}

/** What a turn of the event loop costs; without it a loop of yields would stop time. */
const TURN: Micros = 10;

export class SimClock implements Clock {
  readonly #owner: ClockOwner;

  constructor(owner: ClockOwner) {
    this.#owner = owner;
  }

  now(): Millis {
    return this.#owner.now();
  }

  monotonic(): Millis {
    return this.#owner.monotonic();
  }

  after(delay: Millis, fn: () => void): CancelTimer {
    this.#owner.enter(`timer ${delay} ms`);
    const event = this.#owner.schedule(delay * 1000, fn);
    return () => {
      event.cancelled = true;
    };
  }

  sleep(delay: Millis, signal?: AbortSignal): Promise<void> {
    this.#owner.enter(`sleep ${delay} ms`);
    return new Promise((resolve, reject) => {
      const interrupted = () =>
        new WalbError('cancelled', 'stopped on request while waiting', { cause: signal?.reason });
      if (signal?.aborted === true) return reject(interrupted());
      const stop = () => {
        event.cancelled = true;
        reject(interrupted());
      };
      const event = this.#owner.schedule(delay * 1000, () => {
        signal?.removeEventListener('abort', stop);
        resolve();
      });
      signal?.addEventListener('abort', stop, { once: true });
    });
  }

  yield(): Promise<void> {
    this.#owner.enter('yield');
    return new Promise((resolve) => this.#owner.schedule(TURN + this.#owner.busyFor, resolve));
  }
}
