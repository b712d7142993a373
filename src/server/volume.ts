/**
 * What a volume is on any server, apart from its data: state, stop, running actions, long
 * operations, last error, revisions of its lists. One notifier announces every change of any of them.
 *
 * Source: semantics.md E; control.proto VolumeView.
 */
import {
  ActionCounter,
  admit,
  type Clock,
  type Logger,
  Notifier,
  refusal,
  type Situation,
  StateMachine,
  type StateModel,
  StopControl,
  toUnixSeconds,
  type UnixSeconds,
  type WalbError,
} from '../core/index.ts';
import type { Action, ActionStatus, LastError } from '../rpc/index.ts';
import type { ChangeHub } from './change-hub.ts';
import { nextFailure } from './failures.ts';
import type { ForegroundLimit } from './foreground.ts';
import type { History, Remembered } from './history.ts';
import { TaskLog } from './task-log.ts';

/** Lists whose change a watcher is told by a counter (VolumeView). */
export type RevisionName = 'restorable' | 'restored' | 'cold' | 'diff' | 'archiveInfo' | 'size';

/** Subject of the history for what a server retries for a volume as a whole. */
const WORK = 'work';

interface Outcome {
  ended: UnixSeconds;
  success: UnixSeconds;
  error: LastError | undefined;
}

/** What volumes share with their server. */
export interface VolumeHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly hub: ChangeHub;
  readonly foreground: ForegroundLimit;
  readonly history: History;
  readonly nextTaskId: () => number;
}

export class ServerVolume<
  State extends string,
  Trigger extends string,
  ActionName extends string,
  Command extends string,
> {
  readonly id: string;
  readonly log: Logger;
  readonly changed = new Notifier();
  readonly machine: StateMachine<State, Trigger>;
  readonly stop: StopControl;
  readonly actions: ActionCounter<ActionName>;
  readonly tasks: TaskLog;
  readonly #host: VolumeHost;
  readonly #model: StateModel<State, Trigger, ActionName, Command>;
  readonly #outcomes = new Map<ActionName, Outcome>();
  readonly #revisions = new Map<RevisionName, number>();

  constructor(
    host: VolumeHost,
    id: string,
    model: StateModel<State, Trigger, ActionName, Command>,
    initial: State,
  ) {
    this.id = id;
    this.#host = host;
    this.#model = model;
    this.log = host.log.child({ volume: id });
    this.machine = new StateMachine(model, { initial, log: this.log, changed: this.changed });
    this.stop = new StopControl(this.changed);
    this.actions = new ActionCounter(() => this.now(), this.changed);
    this.tasks = new TaskLog({
      now: () => this.now(),
      nextTaskId: host.nextTaskId,
      changed: this.changed,
      log: this.log,
    });
    this.changed.subscribe(() => host.hub.notify(id));
  }

  get state(): State {
    return this.machine.state;
  }

  now(): UnixSeconds {
    return toUnixSeconds(this.#host.clock.now());
  }

  /** Throws the refusal of the command rules (semantics.md E) when `command` may not start now. */
  admit(command: Command): void {
    admit(this.#model, command, this.#situation());
  }

  refusal(command: Command): WalbError | undefined {
    return refusal(this.#model, command, this.#situation());
  }

  get lastError(): LastError | undefined {
    return this.remembered(WORK).failure;
  }

  /** Remembers a failure of something that will be retried; shown in status until `succeeded`. */
  failed(thrown: unknown, peer = ''): void {
    this.#host.history.failed(this.id, WORK, thrown, this.now(), peer);
    this.changed.notify();
  }

  succeeded(): void {
    if (this.lastError === undefined) return;
    this.#host.history.succeeded(this.id, WORK, this.now());
    this.changed.notify();
  }

  /** What is known of a subject, from before the server was started too. */
  remembered(subject: string): Remembered {
    return this.#host.history.at(this.id, subject);
  }

  /** Something went well that status shows the time of. */
  remember(subject: string, peer = ''): void {
    this.#host.history.succeeded(this.id, subject, this.now(), peer);
  }

  /** Something failed that status shows until it goes well. */
  rememberFailure(subject: string, thrown: unknown, peer = ''): void {
    this.#host.history.failed(this.id, subject, thrown, this.now(), peer);
  }

  /** The volume, or one subject, is no more. */
  forgetHistory(subject?: string): void {
    this.#host.history.forget(this.id, subject);
  }

  revision(name: RevisionName): number {
    return this.#revisions.get(name) ?? 0;
  }

  /** Announces that a list has changed. */
  touch(...names: RevisionName[]): void {
    for (const name of names) this.#revisions.set(name, this.revision(name) + 1);
    this.changed.notify();
  }

  /** Runs `work` counted as `action`, and remembers how it ended for `status`. */
  async during<T>(action: ActionName, work: () => Promise<T>, peer = ''): Promise<T> {
    using _running = this.actions.begin(action);
    const outcome = this.#outcomes.get(action) ?? { ended: 0, success: 0, error: undefined };
    this.#outcomes.set(action, outcome);
    try {
      const result = await work();
      outcome.success = this.now();
      outcome.error = undefined;
      return result;
    } catch (thrown) {
      outcome.error = nextFailure(outcome.error, thrown, this.now(), peer);
      throw thrown;
    } finally {
      outcome.ended = this.now();
    }
  }

  /** Counters and outcomes of the given actions, as `status` and waits see them. */
  actionStatus(names: readonly (ActionName & Action)[]): ActionStatus[] {
    return names.map((action) => {
      const outcome = this.#outcomes.get(action);
      return {
        action,
        running: this.actions.count(action),
        lastBegan: this.actions.lastBegin(action),
        lastEnded: outcome?.ended ?? 0,
        lastSuccess: outcome?.success ?? 0,
        lastError: outcome?.error,
        archive: '',
      };
    });
  }

  #situation(): Situation<State, ActionName> {
    const { foreground } = this.#host;
    return {
      volume: this.id,
      state: this.state,
      stopState: this.stop.state,
      actions: this.actions,
      foreground: { running: foreground.running, limit: foreground.limit },
    };
  }
}
