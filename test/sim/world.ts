/**
 * A whole backup group in one thread: hosts, processes and links in virtual time. Everything that
 * happens follows from the seed, so a failure is replayed by running the same seed again.
 *
 * The loop runs one event, lets every promise that became ready run on, and takes the next event;
 * time jumps from event to event. See docs/simulator.md.
 *
 *     const world = new SimWorld({ seed: '1' });
 *     await world.run(async () => {
 *       const host = world.host('a');
 *       const server = world.spawn('server', host, main);
 *       await world.sleep(500);
 *       world.powerCut(host);
 *       world.restart(server);
 *     });
 */
import { WalbError } from '../../src/core/errors.ts';
import type { Bytes, Millis } from '../../src/core/units.ts';
import { guardGlobals } from './guard.ts';
import { type Micros, Schedule, type SimEvent } from './schedule.ts';
import { SimHost } from './sim-host.ts';
import { SimLinks } from './sim-links.ts';
import { type ProcessMain, type ProcessWorld, SimProcess } from './sim-process.ts';
import { SimRandom } from './sim-random.ts';
import { Trace } from './trace.ts';
import { catchUnhandled } from './unhandled.ts';

/** A world that needs more is in an endless loop, or its scenario should be shorter. */
const MAX_EVENTS = 5_000_000;

export interface SimWorldOptions {
  readonly seed: string | number;
  readonly maxEvents?: number;
  /** Sees every line of the trace. */
  readonly print?: (line: string) => void;
}

export interface SpawnOptions {
  /** The scenario looks at `exit` itself; otherwise a failing process fails the run. */
  readonly mayFail?: boolean;
}

/** Taken before any guard is on. */
const nextTurn = setImmediate;

export class SimWorld implements ProcessWorld {
  readonly seed: string;
  /** For decisions of the scenario itself. */
  readonly random: SimRandom;
  /** Delays, losses and partitions between hosts. */
  readonly links: SimLinks;
  readonly #root: SimRandom;
  readonly #schedule: Schedule;
  readonly #trace: Trace;
  readonly #hosts = new Map<string, SimHost>();
  readonly #processes = new Map<string, SimProcess>();
  readonly #maxEvents: number;
  #spawned = 0;
  #failure: { readonly error: unknown } | undefined;

  constructor({ seed, maxEvents = MAX_EVENTS, print }: SimWorldOptions) {
    this.seed = String(seed);
    this.#root = new SimRandom(this.seed);
    this.random = this.#root.fork('scenario');
    this.#schedule = new Schedule(this.#root.fork('schedule'));
    this.#trace = new Trace(print);
    const trace = (who: string, what: string) => this.trace(who, what);
    this.links = new SimLinks(this.#schedule, this.#root.fork('links'), trace);
    this.#maxEvents = maxEvents;
  }

  /** The host of this name; made with a new disk when it is first named. */
  host(name: string, options: { readonly capacity?: Bytes } = {}): SimHost {
    let host = this.#hosts.get(name);
    if (host === undefined) {
      const random = this.#root.fork(`host ${name}`);
      host = new SimHost({ ...options, name, random, elapsed: () => this.#schedule.now });
      this.#hosts.set(name, host);
    }
    return host;
  }

  spawn(name: string, host: SimHost, main: ProcessMain, options: SpawnOptions = {}): SimProcess {
    if (this.#processes.get(name)?.alive === true) {
      throw new WalbError('already-exists', `process ${name} runs already`);
    }
    const process = new SimProcess({
      name,
      host,
      main,
      random: this.#root.fork(`process ${name} ${this.#spawned++}`),
      network: (owner) => this.links.networkOf(owner),
      world: this,
    });
    this.#processes.set(name, process);
    if (options.mayFail !== true) this.#watch(process);
    return process;
  }

  /** Starts a process that is gone again, on the same host with the same `main`. */
  restart(process: SimProcess, options?: SpawnOptions): SimProcess {
    return this.spawn(process.name, process.host, process.main, options);
  }

  kill(process: SimProcess): void {
    process.kill();
  }

  /** Kills every process of the host and loses what was not synced; the host is up again at once. */
  powerCut(host: SimHost): void {
    this.trace(`host ${host.name}`, 'loses power');
    for (const process of this.#processes.values()) if (process.host === host) process.kill();
    host.disk.powerCut();
  }

  /** Lets virtual time pass in the scenario. */
  sleep(delay: Millis): Promise<void> {
    return new Promise((resolve) => this.#schedule.after(delay * 1000, resolve));
  }

  get elapsed(): Micros {
    return this.#schedule.now;
  }

  schedule(delay: Micros, run: () => void): SimEvent {
    return this.#schedule.after(delay, run);
  }

  trace(who: string, what: string): void {
    this.#trace.add(this.#schedule.now, who, what);
  }

  /** Same seed, same scenario, same sources: same hash. */
  traceHash(): string {
    return this.#trace.digest();
  }

  /** Runs the world until the scenario is done; then kills what still runs. */
  async run<T>(scenario: () => Promise<T>): Promise<T> {
    const unguard = guardGlobals();
    const uncatch = catchUnhandled((error) => {
      this.#failure ??= { error };
    });
    try {
      return await this.#drive(scenario());
    } catch (error) {
      throw this.#report(error);
    } finally {
      unguard();
      uncatch();
      for (const process of this.#processes.values()) process.kill();
    }
  }

  async #drive<T>(scenario: Promise<T>): Promise<T> {
    let done = false;
    const finish = () => {
      done = true;
    };
    scenario.then(finish, finish);
    for (let events = 0; ; events++) {
      // All promises that are ready run before the event loop gets here again, in a fixed order.
      await new Promise<void>((resolve) => nextTurn(resolve));
      if (this.#failure !== undefined) throw this.#failure.error;
      if (done) return scenario;
      const event = this.#schedule.next();
      if (event === undefined) throw stuck();
      if (events >= this.#maxEvents) throw endless(events);
      event.run();
    }
  }

  #watch(process: SimProcess): void {
    void process.exit.then((exit) => {
      if (exit.kind === 'failed') this.#failure ??= { error: exit.error };
    });
  }

  #report(error: unknown): Error {
    const message = error instanceof Error ? error.message : String(error);
    return new Error(
      `seed ${this.seed} at ${this.#schedule.now / 1000} ms: ${message}\n` +
        `last of ${this.#trace.lines} trace lines:\n${this.#trace.tail()}`,
      { cause: error },
    );
  }
}

function stuck(): WalbError {
  return new WalbError(
    'internal',
    'the simulation is stuck: the scenario waits, but nothing is scheduled; something waits for an ' +
      'event that can not come, or for real I/O that went around the Env',
  );
}

function endless(events: number): WalbError {
  return new WalbError('limit-exceeded', `the scenario did not end within ${events} events`);
}
