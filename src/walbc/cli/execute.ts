/** Running one command of walbc in this process: for `Controller.run_ctl`. */
import { WalbError } from '../../core/index.ts';
import { OptionError } from '../../core/original-options.ts';
import { findCommand, parseCommand, runCommand } from './commands.ts';
import { CommandContext, type ContextOptions } from './context.ts';

/** What the command prints on stdout, without its last newline. */
export async function commandOutput(
  options: ContextOptions,
  words: readonly string[],
): Promise<string> {
  const [name = '', ...rest] = words;
  const command = findCommand(name);
  if (command === undefined) throw new WalbError('invalid-argument', `no command ${name}`);
  try {
    const args = parseCommand(command, rest);
    return (await runCommand(command, new CommandContext(options), args)) ?? '';
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    throw new WalbError('invalid-argument', `${name}: ${error.message}`, { cause: error });
  }
}
