/**
 * Remote `exec`: runs a program on the server's host, without a shell. Off unless the server was
 * started with a list of the programs it may run.
 *
 * Source: cli.md 1.4 `exec`; W9.
 */
import { WalbError } from '../core/index.ts';
import type { ExecOutput, ExecRequest } from '../rpc/index.ts';

export interface ExecPolicy {
  /** Full paths of the programs that may be run. */
  readonly allowed: readonly string[];
  /** Starts the program; given by the server's main, which owns processes. */
  readonly spawn: (request: ExecRequest) => AsyncIterable<ExecOutput>;
}

/** Throws `permission-denied` unless the program is on the list. */
export function runProgramForOperator(
  policy: ExecPolicy,
  request: ExecRequest,
): AsyncIterable<ExecOutput> {
  if (policy.allowed.length === 0) {
    throw new WalbError(
      'permission-denied',
      'exec command is disabled; start the server with -allow-exec PROGRAM[,PROGRAM...] to allow programs by name',
      { details: { program: request.program } },
    );
  }
  if (!policy.allowed.includes(request.program)) {
    throw new WalbError(
      'permission-denied',
      `exec of ${request.program} is not allowed; allowed are: ${policy.allowed.join(', ')}`,
      { details: { program: request.program } },
    );
  }
  return policy.spawn(request);
}
