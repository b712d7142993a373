/**
 * Background tasks of a server: one entry per key, oldest due first, a bounded number running.
 *
 * `push` leaves an entry that is queued already as it is, so that an event never shortens a pending
 * retry; `force` replaces its time. One task per key runs at a time: a key that becomes due while it
 * runs waits for the end of that run.
 *
 * Source: semantics.md F.1 (task queue), B.3 and C.4 (who uses it).
 */
import {
  type CancelTimer,
  type Clock,
  type Logger,
  type Millis,
  WalbError,
} from '../core/index.ts';

export interface TaskQueueOptions {
  readonly clock: Clock;
  readonly log: Logger;
  /** Most tasks running at once; the `-bg` of the servers. */
  readonly workers: number;
  /** Must not throw for expected failures; it pushes its own retry. */
  readonly run: (key: string) => Promise<void>;
}

export interface QueuedTask {
  readonly key: string;
  /** Milliseconds until it is due; negative when it is overdue. */
  readonly dueIn: Millis;
}

export class TaskQueue {
  readonly #options: TaskQueueOptions;
  /** Key to due time (monotonic ms); insertion order breaks ties. */
  readonly #queued = new Map<string, Millis>();
  readonly #running = new Map<string, Promise<void>>();
  #timer: CancelTimer | undefined;
  #stopped = false;

  constructor(options: TaskQueueOptions) {
    this.#options = options;
  }

  /** Queues `key` to run after `delay`, unless it is queued already. */
  push(key: string, delay: Millis = 0): void {
    if (this.#stopped || this.#queued.has(key)) return;
    this.force(key, delay);
  }

  /** Queues `key` to run after `delay`, replacing the time of a queued entry. */
  force(key: string, delay: Millis = 0): void {
    if (this.#stopped) return;
    this.#queued.set(key, this.#options.clock.monotonic() + delay);
    this.#schedule();
  }

  /** Makes every queued task that `matches` due now (an operator's kick). */
  runNow(matches: (key: string) => boolean = () => true): void {
    const now = this.#options.clock.monotonic();
    for (const [key, due] of this.#queued) {
      if (due > now && matches(key)) this.#queued.set(key, now);
    }
    this.#schedule();
  }

  /** Drops queued tasks; a running one is not touched. */
  remove(matches: (key: string) => boolean): void {
    for (const key of [...this.#queued.keys()]) if (matches(key)) this.#queued.delete(key);
    this.#schedule();
  }

  isRunning(key: string): boolean {
    return this.#running.has(key);
  }

  /** Queued tasks, the next one first. */
  entries(): QueuedTask[] {
    const now = this.#options.clock.monotonic();
    return [...this.#queued]
      .map(([key, due]) => ({ key, dueIn: due - now }))
      .sort((a, b) => a.dueIn - b.dueIn);
  }

  /** Takes no more tasks, forgets the queued ones, and resolves when the running ones have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#queued.clear();
    this.#timer?.();
    await Promise.all(this.#running.values());
  }

  #schedule(): void {
    this.#timer?.();
    this.#timer = undefined;
    if (this.#stopped || this.#running.size >= this.#options.workers) return;
    const next = this.#nextRunnable();
    if (next === undefined) return;
    // Whole milliseconds: a timer that is a fraction early would find nothing due and be set again.
    const delay = Math.ceil(Math.max(0, next.due - this.#options.clock.monotonic()));
    this.#timer = this.#options.clock.after(delay, () => this.#startDue());
  }

  #nextRunnable(): { key: string; due: Millis } | undefined {
    let best: { key: string; due: Millis } | undefined;
    for (const [key, due] of this.#queued) {
      if (!this.#running.has(key) && (best === undefined || due < best.due)) best = { key, due };
    }
    return best;
  }

  #startDue(): void {
    const now = this.#options.clock.monotonic();
    while (!this.#stopped && this.#running.size < this.#options.workers) {
      const next = this.#nextRunnable();
      if (next === undefined || next.due > now) break;
      this.#queued.delete(next.key);
      this.#running.set(next.key, this.#runOne(next.key));
    }
    this.#schedule();
  }

  async #runOne(key: string): Promise<void> {
    try {
      await this.#options.run(key);
    } catch (thrown) {
      const err = WalbError.from(thrown);
      this.#options.log.error({ err, task: key }, 'background task failed unexpectedly');
    } finally {
      this.#running.delete(key);
      this.#schedule();
    }
  }
}
