/**
 * Long operations of one volume: those a client started and waits for (`Accepted`, then a TaskResult
 * of Control.Watch), and those that run by themselves and only show progress.
 *
 * "Accepted" alone never means success: whoever waits learns how the task ended, with the error.
 */
import {
  type Gid,
  type Logger,
  type Notifier,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import {
  type Accepted,
  type Progress,
  type TaskKind,
  type TaskResult,
  toErrorInfo,
} from '../rpc/index.ts';

/** Finished tasks kept per volume (common.proto TaskResult). */
export const KEPT_RESULTS = 16;

export interface TaskLogOptions {
  readonly now: () => UnixSeconds;
  /** Ids are unique within a server process, not only within a volume. */
  readonly nextTaskId: () => number;
  readonly changed: Notifier;
  readonly log: Logger;
}

/** What a running operation reports about itself. */
export interface ProgressHandle {
  /** Total units, where known. */
  total: number;
  advance(units: number): void;
  set(done: number): void;
  peer: string;
}

export interface ProgressOptions {
  readonly total?: number;
  readonly inBytes?: boolean;
  readonly peer?: string;
}

export interface TaskHandle extends ProgressHandle {
  /** The snapshot the task is about, as far as known. */
  gid: Gid | undefined;
}

export class TaskLog {
  readonly #options: TaskLogOptions;
  readonly #running = new Set<Progress>();
  readonly #promises = new Set<Promise<void>>();
  #results: TaskResult[] = [];

  constructor(options: TaskLogOptions) {
    this.#options = options;
  }

  /** Running operations as a client sees them. */
  progress(): Progress[] {
    return [...this.#running].map((progress) => ({ ...progress }));
  }

  results(): TaskResult[] {
    return [...this.#results];
  }

  /** Resolves when no task started by a client runs any more. */
  async settled(): Promise<void> {
    while (this.#promises.size > 0) await Promise.all(this.#promises);
  }

  /** Starts work after the checks have passed; how it ends is recorded and logged. */
  start(
    kind: TaskKind,
    run: (task: TaskHandle) => Promise<void>,
    options: ProgressOptions & { readonly gid?: Gid } = {},
  ): Accepted {
    const taskId = this.#options.nextTaskId();
    const promise = this.#run(taskId, kind, run, options);
    this.#promises.add(promise);
    void promise.finally(() => this.#promises.delete(promise));
    return { taskId };
  }

  /** Shows progress of work nobody asked for by a request, until disposed. */
  track(kind: TaskKind, options: ProgressOptions = {}): ProgressHandle & Disposable {
    const progress = this.#enter(0, kind, options);
    return Object.assign(this.#handle(progress), {
      [Symbol.dispose]: () => {
        this.#running.delete(progress);
        this.#options.changed.notify();
      },
    });
  }

  async #run(
    taskId: number,
    kind: TaskKind,
    run: (task: TaskHandle) => Promise<void>,
    options: ProgressOptions & { readonly gid?: Gid },
  ): Promise<void> {
    const progress = this.#enter(taskId, kind, options);
    const task: TaskHandle = Object.assign(this.#handle(progress), { gid: options.gid });
    let error: WalbError | undefined;
    try {
      await run(task);
    } catch (thrown) {
      error = WalbError.from(thrown);
    }
    this.#running.delete(progress);
    this.#finish(progress, task.gid, error);
  }

  #enter(taskId: number, kind: TaskKind, options: ProgressOptions): Progress {
    const progress: Progress = {
      kind,
      taskId,
      done: 0,
      total: options.total ?? 0,
      inBytes: options.inBytes ?? false,
      began: this.#options.now(),
      peer: options.peer ?? '',
    };
    this.#running.add(progress);
    this.#options.changed.notify();
    return progress;
  }

  /** Accessors onto the progress record: no notification per step, watchers are told by time. */
  #handle(progress: Progress): ProgressHandle {
    return {
      get total() {
        return progress.total;
      },
      set total(total: number) {
        progress.total = total;
      },
      get peer() {
        return progress.peer;
      },
      set peer(peer: string) {
        progress.peer = peer;
      },
      advance: (units) => {
        progress.done += units;
      },
      set: (done) => {
        progress.done = done;
      },
    };
  }

  #finish(progress: Progress, gid: Gid | undefined, error: WalbError | undefined): void {
    const { kind, taskId, began } = progress;
    const result: TaskResult = {
      taskId,
      kind,
      began,
      ended: this.#options.now(),
      error: error === undefined ? undefined : toErrorInfo(error),
      ...(gid === undefined ? {} : { gid }),
    };
    this.#results = [...this.#results, result].slice(-KEPT_RESULTS);
    const fields = { task: kind, taskId, ...(gid === undefined ? {} : { gid }) };
    if (error === undefined) this.#options.log.info(fields, 'task done');
    else this.#options.log.error({ ...fields, err: error }, 'task failed');
    this.#options.changed.notify();
  }
}
