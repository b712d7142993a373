/**
 * State machines of volumes: tables as data, and the one engine that makes transitions.
 *
 * A transition goes from a steady state through a temporary one to a steady one. While the temporary
 * state lasts no other transition starts; failure returns to where it began. Each transition writes
 * one log line when it ends.
 *
 * Source: semantics.md E. Who may do what in which state is in state-admission.ts.
 *
 * @example
 * using change = machine.begin('init-vol'); // Clear -> InitVol
 * await files.create();                     // a throw here rolls back to Clear
 * change.commit();                          // InitVol -> SyncReady
 */
import { Notifier } from './async-watch.ts';
import { WalbError } from './errors.ts';
import { type Logger, silentLogger } from './logger.ts';

export interface TransitionRow<State extends string, Trigger extends string> {
  readonly trigger: Trigger;
  readonly from: readonly State[];
  /** The temporary state. */
  readonly via: State;
  /** Possible results; `commit()` without an argument takes the first. */
  readonly to: readonly State[];
  /** Transition that follows at once, without the steady state in between being offered to others. */
  readonly continues?: Trigger;
  /** What an operator runs to get it, and what is lost by it; absent where only servers start it. */
  readonly hint?: string;
  /** Something is lost by it: advised only where nothing else leads to the state that is needed. */
  readonly loses?: boolean;
  /** Happens all the time (a transfer): logged at debug level. */
  readonly isRoutine?: boolean;
}

export interface TransitionTable<State extends string, Trigger extends string> {
  /** Server kind, for messages. */
  readonly server: string;
  readonly steady: readonly State[];
  readonly temporary: readonly State[];
  readonly transitions: readonly TransitionRow<State, Trigger>[];
}

/** Every defect of a table in words; empty for a sound one. Tables are checked when they load. */
export function tableDefects<State extends string, Trigger extends string>(
  table: TransitionTable<State, Trigger>,
): string[] {
  const defects: string[] = [];
  const seen = new Set<string>();
  for (const row of table.transitions) {
    if (row.to.length === 0) defects.push(`${row.trigger}: no result`);
    if (!table.temporary.includes(row.via)) defects.push(`${row.via} is not a temporary state`);
    for (const state of [...row.from, ...row.to]) {
      if (!table.steady.includes(state)) defects.push(`${state} is not a steady state`);
    }
    for (const from of row.from) {
      const key = `${row.trigger} from ${from}`;
      if (seen.has(key)) defects.push(`two rows for ${key}`);
      seen.add(key);
    }
  }
  const used = new Set(table.transitions.map((row) => row.via));
  for (const state of table.temporary) {
    if (!used.has(state)) defects.push(`no transition uses ${state}`);
    if (table.steady.includes(state)) defects.push(`${state} is steady and temporary`);
  }
  return defects;
}

/** One transition under way. Leaving its scope without a commit rolls it back. */
export interface Transition<State extends string, Trigger extends string> extends Disposable {
  readonly trigger: Trigger;
  readonly from: State;
  readonly via: State;
  /** Ends in `to`, by default the row's first result. Throws `internal` when ended already. */
  commit(to?: State): void;
  /** Commits and begins the row's continuation in one step. */
  proceed(): Transition<State, Trigger>;
  /** Back to `from`. Does nothing when ended already. `reason` goes to the log. */
  rollback(reason?: unknown): void;
}

export interface StateMachineOptions<State extends string> {
  readonly initial: State;
  /** Already carries the volume (see LogFields). */
  readonly log?: Logger;
  /** Shared by all that makes up one volume's situation, so that one wait covers them all. */
  readonly changed?: Notifier;
}

export class StateMachine<State extends string, Trigger extends string> {
  readonly table: TransitionTable<State, Trigger>;
  /** Notified after each change of `state`. */
  readonly changed: Notifier;
  readonly #log: Logger;
  #state: State;
  #current: Transition<State, Trigger> | undefined;

  /** Throws `internal` when the table is unsound or `initial` is not a steady state. */
  constructor(table: TransitionTable<State, Trigger>, options: StateMachineOptions<State>) {
    const defects = tableDefects(table);
    if (defects.length > 0) {
      throw new WalbError('internal', `state table of ${table.server}: ${defects.join('; ')}`);
    }
    this.table = table;
    this.changed = options.changed ?? new Notifier();
    this.#log = options.log ?? silentLogger;
    this.#state = options.initial;
    this.#requireSteady(options.initial);
  }

  get state(): State {
    return this.#state;
  }

  /** False while a transition is under way. */
  get isSteady(): boolean {
    return this.#current === undefined;
  }

  /** The transition under way. */
  get current(): Transition<State, Trigger> | undefined {
    return this.#current;
  }

  canBegin(trigger: Trigger): boolean {
    return this.isSteady && this.#rowFor(trigger) !== undefined;
  }

  /**
   * Enters the temporary state. Throws `busy` while another transition is under way, `wrong-state`
   * when the table has no such transition from the present state.
   */
  begin(trigger: Trigger): Transition<State, Trigger> {
    const details = { state: this.#state, trigger };
    if (this.#current !== undefined) {
      const message = `${trigger} must wait: ${this.#current.trigger} is under way (state ${this.#state})`;
      throw new WalbError('busy', message, { details });
    }
    const row = this.#rowFor(trigger);
    if (row === undefined) {
      const from = this.table.transitions
        .filter((r) => r.trigger === trigger)
        .flatMap((r) => r.from);
      const message = `${trigger} starts from ${from.join(' or ')}, not from ${this.#state}`;
      throw new WalbError('wrong-state', message, { details });
    }
    return this.#enter(row);
  }

  /**
   * Sets a steady state without a transition: at start-up and for debug commands. Throws `busy`
   * while a transition is under way, `invalid-argument` when the state is not steady.
   */
  force(state: State): void {
    if (this.#current !== undefined) {
      throw new WalbError(
        'busy',
        `state can not be set while ${this.#current.trigger} is under way`,
      );
    }
    this.#requireSteady(state);
    this.#log.warn({ from: this.#state, to: state }, 'state set without a transition');
    this.#set(state);
  }

  /** Resolves with the state as soon as it is one of `states`. */
  async until(states: readonly State[], signal?: AbortSignal): Promise<State> {
    let found = this.#state;
    await this.changed.until(() => {
      found = this.#state;
      return states.includes(found);
    }, signal);
    return found;
  }

  #enter(row: TransitionRow<State, Trigger>): Transition<State, Trigger> {
    const from = this.#state;
    const end = (to: State): void => {
      this.#current = undefined;
      this.#set(to);
    };
    const transition: Transition<State, Trigger> = {
      trigger: row.trigger,
      from,
      via: row.via,
      commit: (to = row.to[0] as State) => {
        this.#requireCurrent(transition, row, to);
        this.#logEnd(row, from, to);
        end(to);
      },
      proceed: () => {
        const next = this.#continuation(row);
        const to = row.to[0] as State;
        this.#requireCurrent(transition, row, to);
        this.#logEnd(row, from, to);
        // Listeners see only the next temporary state: nobody can act on the steady one between.
        this.#state = to;
        this.#current = undefined;
        return this.#enter(next);
      },
      rollback: (reason) => {
        if (this.#current !== transition) return;
        const fields = { trigger: row.trigger, from, via: row.via, to: from };
        const failed = { ...fields, ...(reason === undefined ? {} : { err: reason }) };
        this.#log.warn(failed, 'transition rolled back');
        end(from);
      },
      [Symbol.dispose]: () => transition.rollback(),
    };
    this.#current = transition;
    this.#set(row.via);
    return transition;
  }

  #rowFor(trigger: Trigger): TransitionRow<State, Trigger> | undefined {
    return this.table.transitions.find(
      (row) => row.trigger === trigger && row.from.includes(this.#state),
    );
  }

  #continuation(row: TransitionRow<State, Trigger>): TransitionRow<State, Trigger> {
    const next = this.table.transitions.find(
      (r) => r.trigger === row.continues && r.from.includes(row.to[0] as State),
    );
    if (next === undefined) throw new WalbError('internal', `${row.trigger} has no continuation`);
    return next;
  }

  #requireCurrent(
    transition: Transition<State, Trigger>,
    row: TransitionRow<State, Trigger>,
    to: State,
  ): void {
    if (this.#current !== transition) {
      throw new WalbError('internal', `${row.trigger} ended already and can not be committed`);
    }
    if (!row.to.includes(to)) {
      throw new WalbError(
        'internal',
        `${row.trigger} ends in ${row.to.join(' or ')}, not in ${to}`,
      );
    }
  }

  #requireSteady(state: State): void {
    if (this.table.steady.includes(state)) return;
    const message = `${state} is not a steady state of ${this.table.server}: ${this.table.steady.join(', ')}`;
    throw new WalbError('invalid-argument', message, { details: { state } });
  }

  #logEnd(row: TransitionRow<State, Trigger>, from: State, to: State): void {
    const fields = { trigger: row.trigger, from, via: row.via, to };
    if (row.isRoutine === true) this.#log.debug(fields, 'state changed');
    else this.#log.info(fields, 'state changed');
  }

  #set(state: State): void {
    this.#state = state;
    this.changed.notify();
  }
}
