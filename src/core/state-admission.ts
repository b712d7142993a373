/**
 * Which command may start in which situation, as data, and the one function that decides it.
 *
 * A refusal says what was found, what is needed, and which commands lead there; the commands are
 * found in the transition table, so that the advice can not contradict the rules.
 *
 * Source: semantics.md E.
 *
 * @example
 * admit(storageModel, 'full-bkp', situation); // throws wrong-state:
 * // volume v is Standby; full-bkp needs SyncReady: run `stop`
 */
import { type ErrorCode, type ErrorDetail, WalbError } from './errors.ts';
import type { TransitionRow, TransitionTable } from './state-machine.ts';
import type { StopState } from './state-stop.ts';

export interface CommandRule<State extends string, Action extends string> {
  readonly states: readonly State[] | 'any';
  /**
   * Accepted in any temporary state too: the command first waits until the state is steady, and only
   * then `states` must hold ("effective" state of the specification).
   */
  readonly waitsOut?: boolean;
  /** Actions that must not run. */
  readonly denyActions?: readonly Action[] | 'all';
  /** Stop states in which it may start; every one when omitted. */
  readonly stopStates?: readonly StopState[];
  /** Counts as a foreground task (`-fg`). */
  readonly isForeground?: boolean;
  /** The action that it occupies while it runs. */
  readonly runs?: Action;
  /** Further conditions, which the command itself checks; for the documentation. */
  readonly also?: string;
}

export const NOT_STOPPING: readonly StopState[] = ['NotStopping'];

/** Everything about one server kind's volumes that is a table. */
export interface StateModel<
  State extends string,
  Trigger extends string,
  Action extends string,
  Command extends string,
> extends TransitionTable<State, Trigger> {
  readonly actions: readonly Action[];
  /** Named sets of states that rules and clients use. */
  readonly stateSets: Readonly<Record<string, readonly State[]>>;
  readonly rules: Readonly<Record<Command, CommandRule<State, Action>>>;
}

export interface Situation<State extends string, Action extends string> {
  readonly volume: string;
  readonly state: State;
  readonly stopState: StopState;
  /** Usually the volume's ActionCounter. */
  readonly actions: { running(deny: readonly Action[] | 'all'): readonly string[] };
  /** Foreground tasks of the whole process, without the one that asks; needed for such rules. */
  readonly foreground?: { readonly running: number; readonly limit: number };
}

/**
 * Throws unless the command may start now: `wrong-state` or `busy` (see `refusal`),
 * `limit-exceeded` when the foreground limit is reached.
 */
export function admit<S extends string, T extends string, A extends string, C extends string>(
  model: StateModel<S, T, A, C>,
  command: C,
  situation: Situation<S, A>,
): void {
  const error = refusal(model, command, situation);
  if (error !== undefined) throw error;
}

/** Why the command may not start now; undefined when it may. The most lasting obstacle comes first. */
export function refusal<S extends string, T extends string, A extends string, C extends string>(
  model: StateModel<S, T, A, C>,
  command: C,
  situation: Situation<S, A>,
): WalbError | undefined {
  const rule: CommandRule<S, A> = model.rules[command];
  return (
    refusalByState(model, command, rule, situation) ??
    refusalByStop(command, rule, situation) ??
    refusalByActions(command, rule, situation) ??
    refusalByForeground(command, rule, situation)
  );
}

function refuse<S extends string, A extends string>(
  code: ErrorCode,
  message: string,
  command: string,
  situation: Situation<S, A>,
  details: Readonly<Record<string, ErrorDetail>>,
): WalbError {
  const { volume, state } = situation;
  return new WalbError(code, message, { details: { volume, command, state, ...details } });
}

function refusalByState<S extends string, T extends string, A extends string>(
  table: TransitionTable<S, T>,
  command: string,
  rule: CommandRule<S, A>,
  situation: Situation<S, A>,
): WalbError | undefined {
  const { volume, state } = situation;
  const { states } = rule;
  if (states === 'any' || states.includes(state)) return undefined;
  const isTemporary = table.temporary.includes(state);
  if (isTemporary && rule.waitsOut === true) return undefined;

  const found = `volume ${volume} is ${state}${state === 'Clear' ? ' (not known here)' : ''}`;
  const needs = describeNeed(table, states);
  const steps = stepsTo(table, state, states);
  const wait = isTemporary ? [`wait until ${state} has ended`] : [];
  const run = steps !== undefined && steps.length > 0 ? [`run ${steps.join(', then ')}`] : [];
  const advice = [...wait, ...run].join(', then ');
  const message = `${found}; ${command} needs ${needs}${advice === '' ? '' : `: ${advice}`}`;
  const code = isTemporary && steps?.length === 0 ? 'busy' : 'wrong-state';
  return refuse(code, message, command, situation, { needs, advice });
}

function refusalByStop<S extends string, A extends string>(
  command: string,
  rule: CommandRule<S, A>,
  situation: Situation<S, A>,
): WalbError | undefined {
  const { volume, stopState } = situation;
  if (rule.stopStates === undefined || rule.stopStates.includes(stopState)) return undefined;
  const message = `volume ${volume} is already under stopping (${stopState}); ${command} can start when that has ended`;
  return refuse('busy', message, command, situation, { stopState });
}

function refusalByActions<S extends string, A extends string>(
  command: string,
  rule: CommandRule<S, A>,
  situation: Situation<S, A>,
): WalbError | undefined {
  if (rule.denyActions === undefined) return undefined;
  const running = situation.actions.running(rule.denyActions).join(', ');
  if (running === '') return undefined;
  const message = `volume ${situation.volume} runs ${running}; ${command} can start when that has ended`;
  return refuse('busy', message, command, situation, { running });
}

function refusalByForeground<S extends string, A extends string>(
  command: string,
  rule: CommandRule<S, A>,
  situation: Situation<S, A>,
): WalbError | undefined {
  if (rule.isForeground !== true) return undefined;
  const { foreground } = situation;
  if (foreground === undefined) {
    throw new WalbError('internal', `${command} needs the number of foreground tasks to decide`);
  }
  if (foreground.running < foreground.limit) return undefined;
  const message = `${command} on volume ${situation.volume} exceeds max foreground tasks (${foreground.limit}): repeat it later or raise -fg`;
  return refuse('limit-exceeded', message, command, situation, { limit: foreground.limit });
}

/** "SyncReady or Stopped"; "any state but Clear" when that is shorter. */
export function describeNeed<S extends string, T extends string>(
  table: TransitionTable<S, T>,
  states: readonly S[],
): string {
  const all = [...table.steady, ...table.temporary];
  const missing = all.filter((state) => !states.includes(state));
  if (missing.length === 1) return `any state but ${missing[0]}`;
  return states.join(' or ');
}

/** The state a transition leads to by itself, its continuation included. */
function endOf<S extends string, T extends string>(
  table: TransitionTable<S, T>,
  row: TransitionRow<S, T>,
): S {
  const end = row.to[0] as S;
  const next = table.transitions.find((r) => r.trigger === row.continues && r.from.includes(end));
  return next === undefined ? end : endOf(table, next);
}

/** A way on which nothing is lost, if there is one; else any. */
function stepsTo<S extends string, T extends string>(
  table: TransitionTable<S, T>,
  from: S,
  needed: readonly S[],
): string[] | undefined {
  const harmless = table.transitions.filter((row) => row.loses !== true);
  return shortestSteps(table, from, needed, harmless) ?? shortestSteps(table, from, needed);
}

/**
 * Shortest way of commands from `from` (for a temporary state: from where it ends) to one of
 * `needed`, as phrases; empty when nothing has to be run, undefined when there is no way.
 */
function shortestSteps<S extends string, T extends string>(
  table: TransitionTable<S, T>,
  from: S,
  needed: readonly S[],
  rows = table.transitions,
): string[] | undefined {
  const under = table.transitions.find((row) => row.via === from);
  const start = under === undefined ? from : endOf(table, under);
  const reached = new Map<S, string[]>([[start, []]]);
  // A Map keeps insertion order and may grow while it is walked: this is a breadth-first search.
  for (const [state, steps] of reached) {
    if (needed.includes(state)) return steps;
    for (const [next, phrases] of edgesFrom(table, state, rows)) {
      if (!reached.has(next)) reached.set(next, [...steps, phrases.join(' or ')]);
    }
  }
  return undefined;
}

function edgesFrom<S extends string, T extends string>(
  table: TransitionTable<S, T>,
  state: S,
  rows: readonly TransitionRow<S, T>[],
): Map<S, string[]> {
  const edges = new Map<S, string[]>();
  for (const row of rows) {
    if (row.hint === undefined || !row.from.includes(state)) continue;
    const end = endOf(table, row);
    edges.set(end, [...(edges.get(end) ?? []), row.hint]);
  }
  return edges;
}
