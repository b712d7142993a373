/**
 * What a runbook finds in the shell without importing it: `walbc run book.ts` puts these names there,
 * besides all others of the package. Calls block and return plain values. For editors and type checks.
 */
import type { Controller, ServerLayout, ServerParam } from '../src/walbc/index.ts';

type Blocking<T> = {
  [K in keyof T]: T[K] extends (...args: infer A) => Promise<infer R> ? (...args: A) => R : T[K];
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
  function print(...values: unknown[]): void;
  /** Ends the runbook with this exit code. */
  function exit(code?: number): never;
}
