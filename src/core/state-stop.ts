/**
 * What else, besides its state, decides what a volume may do now: whether it is being stopped, and
 * which actions run. Both announce changes through the volume's Notifier.
 *
 * Source: semantics.md B.7, C.5 (stop), E.3 (actions), cli.md 1.6 (stopState, last begin times).
 */
import { Notifier } from './async-watch.ts';
import { WalbError } from './errors.ts';
import type { UnixSeconds } from './units.ts';

export const STOP_STATES = ['NotStopping', 'Stopping', 'ForceStopping', 'WaitingForEmpty'] as const;
export type StopState = (typeof STOP_STATES)[number];
export type StopMode = 'graceful' | 'force' | 'empty';

const STOP_STATE_OF: Readonly<Record<StopMode, StopState>> = {
  graceful: 'Stopping',
  force: 'ForceStopping',
  empty: 'WaitingForEmpty',
};

/** One stop of a volume from its acceptance until the volume has stopped or the stop was given up. */
export interface Stop extends Disposable {
  readonly mode: StopMode;
  /** Back to NotStopping; also done when the scope is left. */
  end(): void;
}

export class StopControl {
  readonly changed: Notifier;
  #state: StopState = 'NotStopping';
  #force = new AbortController();

  constructor(changed: Notifier = new Notifier()) {
    this.changed = changed;
  }

  get state(): StopState {
    return this.#state;
  }

  get isStopping(): boolean {
    return this.#state !== 'NotStopping';
  }

  /**
   * Aborts, with a WalbError `cancelled`, when a force stop begins. Long work started now takes it
   * along; a new signal begins with the next period.
   */
  get forceSignal(): AbortSignal {
    return this.#force.signal;
  }

  /** Begins to stop. Throws `busy` ("already under stopping") while another stop goes on. */
  begin(mode: StopMode): Stop {
    if (this.isStopping) {
      throw new WalbError('busy', `already under stopping (stopState ${this.#state})`, {
        details: { stopState: this.#state },
      });
    }
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      if (mode === 'force') this.#force = new AbortController();
      this.#set('NotStopping');
    };
    if (mode === 'force')
      this.#force.abort(new WalbError('cancelled', 'the volume is force-stopped'));
    this.#set(STOP_STATE_OF[mode]);
    return { mode, end, [Symbol.dispose]: end };
  }

  #set(state: StopState): void {
    this.#state = state;
    this.changed.notify();
  }
}

/** One running action; ending it twice does nothing. */
export interface RunningAction extends Disposable {
  end(): void;
}

/** Running actions by name. Names are free: a proxy counts by archive, an archive by kind of work. */
export class ActionCounter<Action extends string = string> {
  readonly changed: Notifier;
  readonly #now: () => UnixSeconds;
  readonly #running = new Map<Action, number>();
  readonly #lastBegin = new Map<Action, UnixSeconds>();

  constructor(now: () => UnixSeconds, changed: Notifier = new Notifier()) {
    this.#now = now;
    this.changed = changed;
  }

  count(action: Action): number {
    return this.#running.get(action) ?? 0;
  }

  get total(): number {
    return [...this.#running.values()].reduce((sum, count) => sum + count, 0);
  }

  /** When the action last began; 0 when it never did. */
  lastBegin(action: Action): UnixSeconds {
    return this.#lastBegin.get(action) ?? 0;
  }

  /** Names of the running actions among `deny`, or of all running ones. */
  running(deny: readonly Action[] | 'all' = 'all'): Action[] {
    const names = [...this.#running.keys()];
    return deny === 'all' ? names : names.filter((name) => deny.includes(name));
  }

  begin(action: Action): RunningAction {
    this.#running.set(action, this.count(action) + 1);
    this.#lastBegin.set(action, this.#now());
    this.changed.notify();
    let isOver = false;
    const end = (): void => {
      if (isOver) return;
      isOver = true;
      this.#leave(action);
    };
    return { end, [Symbol.dispose]: end };
  }

  /** Begins the action unless one of `deny` runs; undefined then. */
  tryBegin(action: Action, deny: readonly Action[] | 'all'): RunningAction | undefined {
    return this.running(deny).length > 0 ? undefined : this.begin(action);
  }

  #leave(action: Action): void {
    const left = this.count(action) - 1;
    if (left > 0) this.#running.set(action, left);
    else this.#running.delete(action);
    this.changed.notify();
  }
}
