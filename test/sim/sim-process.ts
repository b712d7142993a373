/**
 * One simulated process: a `main` that runs with an Env of its own until it ends or is killed.
 *
 * A killed process does not run on. What it waits for never happens, and should its logic be in the
 * middle of synchronous calls, the next one throws `ProcessKilled`; whatever its catch and finally
 * blocks then try through the Env throws as well. So nothing of a dead process reaches the world.
 */
import type { Env } from '../../src/core/env.ts';
import type { Network } from '../../src/core/network.ts';
import type { Millis } from '../../src/core/units.ts';
import type { Micros, SimEvent } from './schedule.ts';
import { SimClock } from './sim-clock.ts';
import { SimFiles } from './sim-files.ts';
import type { SimHost } from './sim-host.ts';
import { simLogger } from './sim-logger.ts';
import type { SimRandom } from './sim-random.ts';

/** Runs until it ends by itself; `signal` aborts when it should end (SIGTERM). */
export type ProcessMain = (env: Env, signal: AbortSignal) => Promise<void>;

export type ProcessExit =
  | { readonly kind: 'ended' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'killed' };

/** What works longer than this without a pause is not seen to take longer. */
const MAX_BUSY: Micros = 50_000;

export class ProcessKilled extends Error {
  override readonly name = 'ProcessKilled';
}

/** What a process needs of its world. */
export interface ProcessWorld {
  readonly elapsed: Micros;
  schedule(delay: Micros, run: () => void): SimEvent;
  trace(who: string, what: string): void;
}

export interface ProcessOptions {
  readonly name: string;
  readonly host: SimHost;
  readonly main: ProcessMain;
  readonly world: ProcessWorld;
  readonly random: SimRandom;
  readonly network: (process: SimProcess) => Network;
}

export class SimProcess {
  readonly name: string;
  readonly host: SimHost;
  readonly main: ProcessMain;
  readonly env: Env;
  /** Resolves when the process is gone; never rejects. */
  readonly exit: Promise<ProcessExit>;
  readonly #world: ProcessWorld;
  readonly #latencies: SimRandom;
  readonly #stop = new AbortController();
  readonly #deaths: (() => void)[] = [];
  #finish!: (exit: ProcessExit) => void;
  #alive = true;
  #calls = 0;
  /** Its synchronous calls so far take until then. */
  #busyUntil: Micros = 0;
  #crash: { readonly at: number; readonly how: () => void } | undefined;

  constructor({ name, host, main, world, random, network }: ProcessOptions) {
    this.name = name;
    this.host = host;
    this.main = main;
    this.#world = world;
    this.#latencies = random.fork('latency');
    this.exit = new Promise((resolve) => (this.#finish = resolve));
    this.env = {
      clock: new SimClock(this),
      random: random.fork('env'),
      files: new SimFiles(host.disk, this),
      network: network(this),
      log: simLogger((line) => this.#trace(line)),
    };
    this.schedule(0, () => void this.#run());
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Env calls so far: positions for `crashAt`. */
  get calls(): number {
    return this.#calls;
  }

  async #run(): Promise<void> {
    this.#trace('starts');
    try {
      await this.main(this.env, this.#stop.signal);
      this.#end({ kind: 'ended' });
    } catch (error) {
      this.#end({ kind: 'failed', error });
    }
  }

  /** Asks the process to end in order (SIGTERM). */
  stop(): void {
    this.#trace('is asked to stop');
    this.#stop.abort();
  }

  /** The process is gone at once (SIGKILL); the page cache of its host stays. */
  kill(): void {
    this.#end({ kind: 'killed' });
  }

  /** Runs `how` (a kill or power cut) instead of the `count`-th Env call from now on. */
  crashAt(count: number, how: () => void): void {
    this.#crash = { at: this.#calls + count, how };
  }

  /** Runs when the process is gone, however it ended: its connections break then. */
  onGone(fn: () => void): void {
    this.#deaths.push(fn);
  }

  enter(call: string): void {
    if (this.#alive && ++this.#calls === this.#crash?.at) this.#crash.how();
    if (!this.#alive) throw new ProcessKilled(`${this.name} is dead and can not ${call}`);
    this.#trace(call);
  }

  latency(least: Micros, most: Micros): Promise<void> {
    const delay = this.#latencies.between(least, most);
    return new Promise((resolve) => this.schedule(delay, resolve));
  }

  work(most: Micros): void {
    const now = this.#world.elapsed;
    const until = Math.max(now, this.#busyUntil) + this.#latencies.between(0, most);
    this.#busyUntil = Math.min(until, now + MAX_BUSY);
  }

  /** From now until its synchronous calls are over. */
  get busyFor(): Micros {
    return Math.max(0, this.#busyUntil - this.#world.elapsed);
  }

  schedule(delay: Micros, fn: () => void): SimEvent {
    return this.#world.schedule(delay, () => {
      if (!this.#alive) return;
      try {
        fn();
      } catch (error) {
        // It died right there; nobody is left to tell.
        if (!(error instanceof ProcessKilled)) throw error;
      }
    });
  }

  now(): Millis {
    return this.host.now();
  }

  monotonic(): Millis {
    return Math.max(this.#world.elapsed, this.#busyUntil) / 1000;
  }

  #end(exit: ProcessExit): void {
    if (!this.#alive) return;
    this.#alive = false;
    this.#world.trace(this.name, exit.kind);
    this.host.disk.unlockAll(this);
    for (const gone of this.#deaths.splice(0)) gone();
    this.#finish(exit);
  }

  #trace(what: string): void {
    if (this.#alive) this.#world.trace(this.name, what);
  }
}
