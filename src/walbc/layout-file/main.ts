/** `walbc layout` and `walbc start-servers` as programs: errors on stderr, exit code. */
import { WalbError } from '../../core/index.ts';
import { describeError } from '../shell/describe-error.ts';
import { type LayoutTerminal, layoutCommand } from './command.ts';

/** `words` begin with the command. Never throws. */
export async function layoutMain(words: readonly string[]): Promise<number> {
  const [command, ...rest] = words;
  const terminal: LayoutTerminal = {
    env: process.env,
    cwd: process.cwd(),
    input: process.stdin,
    output: process.stdout,
  };
  try {
    // `walbc layout init --help` too.
    if (rest.some((word) => word === '--help' || word === '-h'))
      rest.splice(0, rest.length, '--help');
    if (command === 'layout') return await layoutCommand(rest, terminal);
    const { startCommandLine } = await import('./start.ts');
    return await startCommandLine(rest, terminal);
  } catch (thrown) {
    const error = WalbError.from(thrown);
    process.stderr.write(`walbc: ${describeError(error)}\n`);
    return error.exitCode;
  }
}
