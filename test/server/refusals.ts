/**
 * Every situation in which a command has to be refused, generated from a server's state table
 * (semantics.md E), and the check that a refusal is all that happens.
 *
 * The code is derived here a second time, from the words of docs/states.md: `busy` when waiting is
 * enough, `wrong-state` when another command has to be run first.
 */
import { expect } from 'vitest';
import type {
  ActionCounter,
  CommandRule,
  StateMachine,
  StateModel,
  StopControl,
  StopMode,
} from '../../src/core/index.ts';
import { type STOP_STATES, WalbError } from '../../src/core/index.ts';

/** One reason to refuse; everything else is as the command needs it. */
export type Hurdle<State extends string = string> =
  | { readonly kind: 'state'; readonly state: State }
  | { readonly kind: 'unknown volume' }
  | { readonly kind: 'action'; readonly state: State; readonly action: string }
  | { readonly kind: 'stopping'; readonly state: State; readonly mode: StopMode }
  | { readonly kind: 'foreground'; readonly state: State };

export interface Refusal<State extends string = string> {
  /** For example `while Apply runs`. */
  readonly title: string;
  readonly hurdle: Hurdle<State>;
  readonly code: string;
}

type Model<S extends string, A extends string> = StateModel<S, string, A, string>;

export interface RefusalOptions {
  /** What may run, where the table does not name the actions. */
  readonly actions?: readonly string[];
  readonly stopModes: readonly StopMode[];
}

const STOP_STATE_OF = {
  graceful: 'Stopping',
  force: 'ForceStopping',
  empty: 'WaitingForEmpty',
} as const satisfies Record<StopMode, (typeof STOP_STATES)[number]>;

export function refusalsOf<S extends string, A extends string>(
  model: Model<S, A>,
  command: string,
  { actions = model.actions, stopModes }: RefusalOptions,
): Refusal<S>[] {
  const rule = model.rules[command] as CommandRule<S, A>;
  const allowed = (rule.states === 'any' ? model.steady.at(-1) : rule.states[0]) as S;
  const refusals: Refusal<S>[] = wrongStates(model, rule).map((state) => ({
    title: `in ${state}`,
    hurdle: { kind: 'state', state },
    code: codeFor(model, rule, state),
  }));
  if (rule.states !== 'any' && !rule.states.includes('Clear' as S)) {
    const hurdle = { kind: 'unknown volume' } as const;
    refusals.push({ title: 'for a volume that is not known', hurdle, code: 'wrong-state' });
  }
  // A volume that is Clear runs nothing and is not being stopped.
  if (allowed === 'Clear') return refusals;
  const denied = rule.denyActions === 'all' ? actions : (rule.denyActions ?? []);
  for (const action of denied) {
    const hurdle = { kind: 'action', state: allowed, action } as const;
    refusals.push({ title: `while ${action} runs`, hurdle, code: 'busy' });
  }
  for (const mode of rule.stopStates === undefined ? [] : stopModes) {
    if (rule.stopStates?.includes(STOP_STATE_OF[mode]) === true) continue;
    const hurdle = { kind: 'stopping', state: allowed, mode } as const;
    refusals.push({ title: `during a ${mode} stop`, hurdle, code: 'busy' });
  }
  if (rule.isForeground === true) {
    const hurdle = { kind: 'foreground', state: allowed } as const;
    refusals.push({ title: 'over the foreground limit', hurdle, code: 'limit-exceeded' });
  }
  return refusals;
}

function wrongStates<S extends string, A extends string>(
  model: Model<S, A>,
  rule: CommandRule<S, A>,
): S[] {
  const { states } = rule;
  if (states === 'any') return [];
  const waits = (state: S): boolean => rule.waitsOut === true && model.temporary.includes(state);
  // The steady Clear is a volume that is not known.
  return [...model.steady.filter((state) => state !== 'Clear'), ...model.temporary].filter(
    (state) => !states.includes(state) && !waits(state),
  );
}

function codeFor<S extends string, A extends string>(
  model: Model<S, A>,
  rule: CommandRule<S, A>,
  state: S,
): string {
  let row = model.transitions.find(({ via }) => via === state);
  if (row === undefined) return 'wrong-state';
  while (row.continues !== undefined) {
    const continues: string = row.continues;
    row = model.transitions.find(({ trigger }) => trigger === continues)!;
  }
  return (rule.states as readonly S[]).includes(row.to[0] as S) ? 'busy' : 'wrong-state';
}

/** What of a server is put into the situation. */
export interface Subject {
  readonly model: Model<string, string>;
  readonly machine: StateMachine<string, string>;
  readonly stop: StopControl;
  readonly actions: ActionCounter;
  /** Takes every foreground task there is; released when disposed. */
  fillForeground(): Disposable;
  /** Everything that a refused command must leave as it is. */
  fingerprint(): unknown;
}

/** Brings the volume into the situation, the way it gets there, until disposed. */
export function meet(subject: Subject, hurdle: Hurdle): Disposable {
  const held = new DisposableStack();
  if (hurdle.kind === 'unknown volume') return held;
  held.use(enterState(subject, hurdle.state));
  if (hurdle.kind === 'action') held.use(subject.actions.begin(hurdle.action));
  if (hurdle.kind === 'stopping') held.use(subject.stop.begin(hurdle.mode));
  if (hurdle.kind === 'foreground') held.use(subject.fillForeground());
  return held;
}

export function enterState({ model, machine }: Subject, state: string): Disposable {
  const before = machine.state;
  const row = model.transitions.find(({ via }) => via === state);
  machine.force(row?.from[0] ?? state);
  const change = row === undefined ? undefined : machine.begin(row.trigger);
  return {
    [Symbol.dispose]: () => {
      change?.rollback();
      machine.force(before);
    },
  };
}

/** The call fails with the code and a message, and nothing else happens. */
export async function expectRefused(
  subject: Subject,
  call: () => Promise<unknown>,
  code: string,
): Promise<void> {
  const everything = () => ({
    own: subject.fingerprint(),
    state: subject.machine.state,
    transition: subject.machine.current,
    stopState: subject.stop.state,
    actions: subject.actions.total,
  });
  const before = everything();
  const error = await call().then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error, 'it was not refused').toBeInstanceOf(WalbError);
  const { code: actual, message } = error as WalbError;
  expect(actual, message).toBe(code);
  expect(message.length).toBeGreaterThan(10);
  expect(everything()).toEqual(before);
}
