/**
 * Everything server logic may touch outside its own memory: time, randomness, files, network, log.
 *
 * The logic receives an `Env` and nothing else. `RealEnv` (real-env.ts) is Node; `SimEnv`
 * (test/sim) is one seeded, single-threaded world with virtual time, faulty disks and faulty links,
 * so that the same code runs in both.
 */
import type { Files } from './files.ts';
import type { Logger } from './logger.ts';
import type { Network } from './network.ts';
import type { Millis } from './units.ts';

/** Cancels a timer; calling it again or after the timer fired does nothing. */
export type CancelTimer = () => void;

export interface Clock {
  /** Unix time in milliseconds; may jump when the operator sets the clock. */
  now(): Millis;
  /** Milliseconds since an arbitrary start; never goes back. For durations and deadlines. */
  monotonic(): Millis;
  /** Calls `fn` once after `delay`. Never keeps the process alive by itself. */
  after(delay: Millis, fn: () => void): CancelTimer;
  /** Resolves after `delay`; rejects with code `cancelled` as soon as `signal` aborts. */
  sleep(delay: Millis, signal?: AbortSignal): Promise<void>;
  /** Resolves in a later turn of the event loop: lets others run in a long loop. */
  yield(): Promise<void>;
}

export interface Random {
  bytes(count: number): Uint8Array;
  /** Uniform in 0 .. 2^32-1. */
  u32(): number;
}

export interface Env {
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly network: Network;
  readonly log: Logger;
}
