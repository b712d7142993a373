/**
 * What a runbook finds in the shell without importing it: `walbc run book.ts` puts these names there,
 * besides all others of the package. Calls block and return plain values. For editors and type checks.
 */
import type { Controller, Plan, ServerLayout, ServerParam } from '../src/walbc/index.ts';

/** The beginnings `F` of a list of arguments that leave out optional ones of `A` only. */
type Given<F extends unknown[], A extends unknown[]> = F extends A
  ? F | (F extends [...infer Rest, unknown] ? Given<Rest, A> : never)
  : never;

/** Blocks. `{ dry_run: true }` behind the arguments only says what would be lost. */
interface Call<A extends unknown[], R> {
  (...args: A): R;
  (...args: [...Given<Required<A>, A>, { readonly dry_run: true }]): Plan;
}

type Blocking<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? Call<A, R> : T[K];
};

declare global {
  type Walbc = Blocking<Controller>;
  type Server = ServerParam;
  /** The controller of the layout file's group. */
  const walbc: Walbc;
  /** The group itself. */
  const sLayout: ServerLayout;
  /** Words after the name of the runbook. */
  const argv: string[];
  function get_server(name: string, servers: readonly Server[]): Server;
  function run_local_command(args: readonly string[]): string;
  /** `walbc run --dry-run`: calls that change something are only said, and return undefined. */
  const dry_run: boolean;
  /** A step with number and time. False for one that an earlier run has finished. */
  function step(title: string): boolean;
  /** Does the step and returns its value; of one that an earlier run has finished, the value it had. */
  function step<T>(title: string, body: () => T): T;
  /** Asks the operator; only yes is true. `--yes` answers so. */
  function ask(text: string): boolean;
  function print(...values: unknown[]): void;
  /** Ends the runbook with this exit code. */
  function exit(code?: number): never;
}
