/**
 * Runs one program for remote `exec` and gives its output as it comes. Both outputs are read at the same
 * time: a program that fills one while the other is waited for would wait for ever, and what is not
 * read when it ends is thrown away.
 */
import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { AsyncQueue, WalbError } from '../core/index.ts';
import type { ExecOutput, ExecRequest } from '../rpc/index.ts';

/** Pieces (64 KiB at most) read ahead of a slow caller; then the program waits. */
const MAX_PIECES = 16;

/**
 * Ends with how the program ended. A caller that stops reading closes the program's outputs. Throws
 * what keeps the program from starting.
 */
export async function* spawnProgram({
  program,
  arguments: args,
}: ExecRequest): AsyncGenerator<ExecOutput> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const pieces = new AsyncQueue<ExecOutput>(MAX_PIECES);
  const exited = new Promise<ExecOutput>((resolve, reject) => {
    child.on('error', (error) => reject(WalbError.from(error, `cannot run ${program}`)));
    child.on('close', (code, signal) =>
      resolve({ output: { $case: 'exit', value: { code: code ?? -1, signal: signal ?? '' } } }),
    );
  });
  const passOn = async ($case: 'stdout' | 'stderr', stream: Readable): Promise<void> => {
    for await (const value of stream as AsyncIterable<Uint8Array>) {
      await pieces.push({ output: { $case, value } });
    }
  };
  Promise.all([exited, passOn('stdout', child.stdout), passOn('stderr', child.stderr)])
    .then(async ([exit]) => {
      await pieces.push(exit);
      pieces.close();
    })
    .catch((error: unknown) => pieces.fail(error));
  try {
    yield* pieces;
  } finally {
    pieces.fail(new WalbError('cancelled', `nobody reads the output of ${program} any more`));
    child.stdout.destroy();
    child.stderr.destroy();
  }
}
