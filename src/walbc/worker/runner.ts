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
import { planText } from '../retention/table.ts';
import type { AuditLog } from '../safety/audit-log.ts';
import { audited } from '../safety/audited.ts';
import { ServerConnectionParam } from '../servers.ts';
import { CompressOpt } from '../values/compress-opt.ts';
import { SyncOpt } from '../values/sync-opt.ts';
import type { WorkerConfig } from './config.ts';
import { gatherFacts, replicationKey, serverOf } from './facts.ts';
import type { Facts, WorkerTask } from './model.ts';
import { retentionOf } from './retain.ts';
import { type SelectedTask, selectTask } from './select.ts';

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
  /** Select, and log what, but start nothing. */
  readonly selectOnly?: boolean;
  /** 1: steps and tasks. 2: also what they were chosen from. */
  readonly verbose: number;
  /** Logged at the start: the command line and the configuration. */
  readonly announce?: readonly string[];
  /** A unix time in the reader's zone; UTC unless given. */
  readonly localTime?: (time: UnixSeconds) => string;
  readonly print: (line: string) => void;
  readonly clock: Clock;
  /** Ends the worker after the running tasks. */
  readonly signal: AbortSignal;
  readonly environment?: ControllerEnvironment;
  readonly audit?: Pick<AuditLog, 'begin'>;
}

type Level = 'INFO' | 'WARN' | 'ERROR' | 'DEBUG';

export class Worker {
  readonly #config: WorkerConfig;
  readonly #options: WorkerOptions;
  readonly #archive: ServerConnectionParam;
  readonly #controller: Controller;
  readonly #running = new Map<string, { task: WorkerTask; done: Promise<void> }>();
  readonly #replicated = new Map<string, UnixSeconds>();
  readonly #holds = new Map<string, string | undefined>();

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
    try {
      return this.#options.dryRun ? await this.#dryRun() : await this.#loop();
    } finally {
      this.#controller.close();
    }
  }

  async #loop(): Promise<number> {
    this.#log('INFO', 'start walb-worker');
    for (const line of this.#options.announce ?? []) this.#options.print(line);
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
        if (failures >= MAX_FAILURES) return this.#giveUp();
        await this.#pause(RETRY_MS);
      }
    }
    await Promise.all([...this.#running.values()].map(({ done }) => done));
    this.#log('INFO', 'end walb-worker');
    return 0;
  }

  /** What runs at the archive goes on there; nobody waits for it any more. */
  #giveUp(): number {
    const left = [...this.#running.values()].map(({ task }) => describeTask(task));
    const why = `${MAX_FAILURES} rounds in a row failed`;
    this.#log('ERROR', 'end walb-worker', why, ...left.map((text) => `left running ${text}`));
    return 1;
  }

  async #dryRun(): Promise<number> {
    const { print, localTime = formatTimestamp, step } = this.#options;
    const facts = await this.#gather();
    for (const volume of facts.volumes) {
      const plan = retentionOf(volume, this.#config, facts.now);
      if (plan === undefined) continue;
      for (const line of planText(volume.volume, plan, localTime)) print(line);
    }
    const task = selectTask(facts, this.#config, step);
    print(task === undefined ? 'nothing to do' : `would ${describeTask(task)}`);
    if (task !== undefined) print(`  because ${task.why}`);
    return 0;
  }

  /** True when a task was started: then there may be more to do at once. */
  async #round(): Promise<boolean> {
    const task = await this.#select();
    if (task === undefined) {
      this.#log('DEBUG', 'no task');
      return false;
    }
    this.#log('DEBUG', 'selected', `step ${task.step}`, describeTask(task), task.why);
    if (this.#options.selectOnly === true || !this.#mayStart(task)) return false;
    this.#start(task);
    return true;
  }

  async #select(): Promise<SelectedTask | undefined> {
    const { clock, step } = this.#options;
    const began = clock.monotonic();
    const facts = await this.#gather();
    this.#reportHolds(facts);
    if (this.#options.verbose > 1) this.#reportFacts(facts);
    const task = selectTask(facts, this.#config, step);
    const took = clock.monotonic() - began;
    const level = took > SLOW_SELECTION_MS ? 'WARN' : 'DEBUG';
    this.#log(level, `selection took ${(took / 1000).toFixed(3)} s`);
    return task;
  }

  async #gather(): Promise<Facts> {
    return await gatherFacts({
      controller: this.#controller,
      archive: this.#archive,
      config: this.#config,
      clock: this.#options.clock,
      memory: { busy: new Set(this.#running.keys()), replicated: this.#replicated },
      warn: (...fields) => this.#log('WARN', ...fields),
    });
  }

  /** Why retention drops nothing: once, until it is something else. */
  #reportHolds({ volumes, now }: Facts): void {
    for (const facts of volumes) {
      const hold = retentionOf(facts, this.#config, now)?.hold;
      if (hold === this.#holds.get(facts.volume)) continue;
      this.#holds.set(facts.volume, hold);
      if (hold !== undefined) this.#log('WARN', `vol=${facts.volume}`, 'nothing is dropped', hold);
    }
  }

  #reportFacts({ volumes, destinations }: Facts): void {
    for (const { volume, numDiff, restorable, latestGid, keepGids } of volumes) {
      const counts = `numDiff=${numDiff} restorable=${restorable.length} latest=${latestGid}`;
      this.#log('DEBUG', 'volume', `vol=${volume} ${counts} doNotMerge=${listed(keepGids)}`);
    }
    for (const { server, volume, isActive, latestGid, lastReplicated } of destinations) {
      const last = lastReplicated === undefined ? 'never' : formatTimestamp(lastReplicated);
      const state = `isActive=${isActive} latest=${latestGid} lastReplicated=${last}`;
      this.#log('DEBUG', 'destination', `dst=${server.name} vol=${volume} ${state}`);
    }
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
    const done = this.#recorded(task)
      .then(() => this.#log('INFO', 'endTask', describeTask(task)))
      .catch((thrown: unknown) =>
        this.#log('ERROR', 'errTask', describeTask(task), WalbError.from(thrown).message),
      )
      .finally(() => this.#running.delete(task.volume));
    this.#running.set(task.volume, { task, done });
  }

  async #recorded(task: WorkerTask): Promise<void> {
    const { audit, clock } = this.#options;
    if (audit === undefined) return await this.#perform(task);
    const call = `walb worker ${this.#archive.get_host_port()} ${describeTask(task)}`;
    await audited(audit, clock, call, () => this.#perform(task));
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
