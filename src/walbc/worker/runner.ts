/**
 * The maintenance worker: looks at one archive, does the next task, and looks again.
 *
 * Source: worker.md 3, 5. One failed round is waited out; after three in a row the worker ends, so that
 * its supervisor notices.
 */
import {
  type Clock,
  formatTimestamp,
  type Gid,
  hasCode,
  type Millis,
  type UnixSeconds,
  WalbError,
} from '../../core/index.ts';
import { K_ARCHIVE } from '../constants.ts';
import { Controller } from '../controller/controller.ts';
import type { ControllerEnvironment } from '../environment.ts';
import { ServerLayout } from '../layout.ts';
import { ServerConnectionParam } from '../servers.ts';
import { CompressOpt } from '../values/compress-opt.ts';
import { SyncOpt } from '../values/sync-opt.ts';
import type { WorkerConfig } from './config.ts';
import { gatherFacts, replicationKey, serverOf } from './facts.ts';
import type { WorkerTask } from './model.ts';
import { selectTask } from './select.ts';

const RETRY_MS: Millis = 10_000;
const MAX_FAILURES = 3;
/** Of a task, in a line of the log. */
const SHOWN_GIDS = 20;
/** A selection that takes longer is worth a line in the log. */
const SLOW_SELECTION_MS: Millis = 10_000;

export interface WorkerOptions {
  /** Run only one selection step, 1-5. */
  readonly step?: number | undefined;
  /** Seconds after which the worker ends. */
  readonly lifetime?: number | undefined;
  /** Say what would be done, and end. */
  readonly dryRun: boolean;
  readonly verbose: number;
  readonly print: (line: string) => void;
  readonly clock: Clock;
  /** Ends the worker after the running tasks. */
  readonly signal: AbortSignal;
  readonly environment?: ControllerEnvironment;
}

type Level = 'INFO' | 'WARN' | 'ERROR' | 'DEBUG';

export class Worker {
  readonly #config: WorkerConfig;
  readonly #options: WorkerOptions;
  readonly #archive: ServerConnectionParam;
  readonly #controller: Controller;
  readonly #running = new Map<string, { task: WorkerTask; done: Promise<void> }>();
  readonly #replicated = new Map<string, UnixSeconds>();

  constructor(config: WorkerConfig, options: WorkerOptions) {
    this.#config = config;
    this.#options = options;
    const { addr, port, timeout, walbcPath } = config.general;
    this.#archive = new ServerConnectionParam('a0', addr, port, K_ARCHIVE);
    const layout = new ServerLayout([], [], [this.#archive]);
    this.#controller = new Controller(walbcPath, layout, false, timeout, {
      ...options.environment,
      print: (text) => this.#log('DEBUG', text),
    });
  }

  /** Runs until told to end; returns the exit code. */
  async run(): Promise<number> {
    if (this.#options.dryRun) return await this.#dryRun();
    this.#log('INFO', 'start walb-worker');
    const { clock, signal, lifetime } = this.#options;
    const end =
      lifetime === undefined ? Number.POSITIVE_INFINITY : clock.monotonic() + lifetime * 1000;
    let failures = 0;
    while (!signal.aborted && clock.monotonic() < end) {
      try {
        const started = await this.#round();
        failures = 0;
        if (!started) await this.#pause(this.#config.general.kickInterval * 1000);
      } catch (thrown) {
        failures += 1;
        this.#log('ERROR', 'round failed', WalbError.from(thrown).message);
        if (failures >= MAX_FAILURES) return 1;
        await this.#pause(RETRY_MS);
      }
    }
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    this.#log('INFO', 'end walb-worker');
    this.#controller.close();
    return 0;
  }

  async #dryRun(): Promise<number> {
    const task = await this.#select();
    if (task === undefined) this.#options.print('nothing to do');
    else this.#options.print(`would ${describeTask(task)}\n  because ${task.why}`);
    this.#controller.close();
    return 0;
  }

  /** True when a task was started: then there may be more to do at once. */
  async #round(): Promise<boolean> {
    const task = await this.#select();
    if (task === undefined) {
      this.#log('DEBUG', 'no task');
      return false;
    }
    this.#log('DEBUG', 'selected', describeTask(task), task.why);
    if (!this.#mayStart(task)) return false;
    this.#start(task);
    return true;
  }

  async #select(): Promise<WorkerTask | undefined> {
    const { clock, step } = this.#options;
    const began = clock.monotonic();
    const facts = await gatherFacts({
      controller: this.#controller,
      archive: this.#archive,
      config: this.#config,
      clock,
      memory: { busy: new Set(this.#running.keys()), replicated: this.#replicated },
      warn: (...fields) => this.#log('WARN', ...fields),
    });
    const took = clock.monotonic() - began;
    if (took > SLOW_SELECTION_MS) this.#log('WARN', `selection took ${Math.round(took / 1000)} s`);
    return selectTask(facts, this.#config, step);
  }

  #mayStart({ kind }: WorkerTask): boolean {
    const { maxTask, maxReplicationTask } = this.#config.general;
    const replications = [...this.#running.values()].filter(
      ({ task }) => task.kind === 'replicate',
    ).length;
    if (this.#running.size >= maxTask) return false;
    return kind !== 'replicate' || replications < maxReplicationTask;
  }

  #start(task: WorkerTask): void {
    this.#log('INFO', 'startTask', describeTask(task));
    if (task.kind === 'replicate') {
      const key = replicationKey(task.volume, task.server.name);
      this.#replicated.set(key, Math.floor(this.#options.clock.now() / 1000));
    }
    const done = this.#perform(task)
      .then(() => this.#log('INFO', 'endTask', describeTask(task)))
      .catch((thrown: unknown) =>
        this.#log('ERROR', 'errTask', describeTask(task), WalbError.from(thrown).message),
      )
      .finally(() => this.#running.delete(task.volume));
    this.#running.set(task.volume, { task, done });
  }

  async #perform(task: WorkerTask): Promise<void> {
    const { volume } = task;
    if (task.kind === 'apply') return await this.#controller.apply(this.#archive, volume, task.gid);
    if (task.kind === 'merge') {
      return await this.#controller.merge(this.#archive, volume, task.gidB, task.gidE);
    }
    if (task.kind === 'enable-snapshot') {
      return await this.#controller.enable_snapshot(this.#archive, volume, task.gids);
    }
    if (task.kind === 'disable-snapshot') {
      return await this.#controller.disable_snapshot(this.#archive, volume, task.gids);
    }
    const { server } = task;
    const compress = new CompressOpt();
    compress.parse(server.compress);
    const syncOpt = new SyncOpt(compress, 0, server.maxMergeSize, server.bulkSize);
    await this.#controller.replicate_once(
      this.#archive,
      volume,
      serverOf(server),
      undefined,
      false,
      false,
      syncOpt,
      task.gid ?? null,
    );
  }

  async #pause(ms: Millis): Promise<void> {
    try {
      await this.#options.clock.sleep(ms, this.#options.signal);
    } catch (error) {
      if (!hasCode(error, 'cancelled')) throw error;
    }
  }

  #log(level: Level, ...fields: string[]): void {
    if (level === 'DEBUG' && this.#options.verbose === 0) return;
    const now = this.#options.clock.now();
    const micros = String(Math.floor((now % 1000) * 1000)).padStart(6, '0');
    const time = formatTimestamp(Math.floor(now / 1000)).replace('T', ' ');
    this.#options.print(`${time}.${micros} ${level} ${fields.join(':')}`);
  }
}

/** `name=apply vol=v ax=a0 gid=5`, as the original logs it. */
export function describeTask(task: WorkerTask): string {
  const common = `name=${task.kind} vol=${task.volume} ax=a0`;
  if (task.kind === 'apply') return `${common} gid=${task.gid}`;
  if (task.kind === 'merge') return `${common} gidB=${task.gidB} gidE=${task.gidE}`;
  if (task.kind !== 'replicate') return `${common} gids=${listed(task.gids)}`;
  const limit = task.gid === undefined ? '' : ` maxGid=${task.gid}`;
  return `${common} dst=${task.server.name}${task.server.logName}${limit}`;
}

function listed(gids: readonly Gid[]): string {
  const shown = gids.slice(0, SHOWN_GIDS).join(',');
  return gids.length > SHOWN_GIDS ? `${shown},...(${gids.length} in all)` : shown;
}
