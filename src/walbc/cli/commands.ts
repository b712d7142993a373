/** All commands of walbc by name (cli.md 1.4). */
import { WalbError } from '../../core/index.ts';
import { OptionError } from '../../core/original-options.ts';
import { ARCHIVE_COMMANDS } from './commands-archive.ts';
import { COMMON_COMMANDS } from './commands-common.ts';
import { PROXY_COMMANDS } from './commands-proxy.ts';
import { STORAGE_COMMANDS } from './commands-storage.ts';
import type { CommandContext, CommandSpec } from './context.ts';
import { GET_TARGETS } from './get-targets.ts';
import { type Args, parameterUsage, parseParameters } from './parameters.ts';

const TARGET = 'TARGET';
const TARGET_ARGS = 'ARGS';

const GET: CommandSpec = {
  name: 'get',
  kinds: 'SPA',
  about: 'a value of a server or volume',
  parameters: [
    { name: TARGET, type: 'text' },
    { name: TARGET_ARGS, type: 'words', optional: true, repeated: true },
  ],
  async run(context, args) {
    const name = args.text(TARGET);
    const target = GET_TARGETS.find((one) => one.name === name);
    if (target === undefined) throw noSuchTarget(name);
    return await target.run(context, parseParameters(target.parameters, args.all(TARGET_ARGS)));
  },
};

/** In the order of the help. */
export const COMMANDS: readonly CommandSpec[] = [
  ...COMMON_COMMANDS,
  ...STORAGE_COMMANDS,
  ...PROXY_COMMANDS,
  ...ARCHIVE_COMMANDS,
  GET,
].sort((a, b) => (a.name < b.name ? -1 : 1));

export function findCommand(name: string): CommandSpec | undefined {
  return COMMANDS.find((command) => command.name === name);
}

/** The words after a command as its arguments. Throws `OptionError`. */
export function parseCommand(command: CommandSpec, words: readonly string[]): Args {
  const args = parseParameters(command.parameters, words);
  // Of `get` and `archive-info` the real parameters are those of what follows.
  if (command === GET) {
    const target = GET_TARGETS.find((one) => one.name === args.text(TARGET));
    if (target !== undefined) parseParameters(target.parameters, args.all(TARGET_ARGS));
  }
  return args;
}

/** Runs a command that was parsed. A server of another kind gives the original's message. */
export async function runCommand(
  command: CommandSpec,
  context: CommandContext,
  args: Args,
): Promise<string | undefined> {
  try {
    return await command.run(context, args);
  } catch (thrown) {
    if (thrown instanceof OptionError) throw new WalbError('invalid-argument', thrown.message);
    const error = WalbError.from(thrown);
    const isMissing =
      error.code === 'unsupported' && ('path' in error.details || 'command' in error.details);
    if (!isMissing) throw error;
    if (command === GET) throw noSuchTarget(args.text(TARGET), error);
    const message = `bad protocol:${command.name}:${context.clientId}: ${error.message}`;
    throw new WalbError('unsupported', message, { details: error.details, cause: error });
  }
}

function noSuchTarget(name: string, cause?: WalbError): WalbError {
  const why = cause === undefined ? '' : ` at this server: ${cause.message}`;
  return new WalbError('unsupported', `no such target:${name}${why}`, {
    details: { target: name },
    cause,
  });
}

export function commandUsage({ name, parameters }: CommandSpec): string {
  return [name, parameterUsage(parameters)].filter((text) => text !== '').join(' ');
}

/** What main.ts does without coming here. */
const GROUP_HELP = [
  ['[shell], -c EXPRESSION, run BOOK [ARGS...]', 'the prompt, one expression, a runbook'],
  ['check [--help]', 'health of the group, for cron and monitoring systems'],
  ['wait [--help]', 'blocks until something is so'],
  ['layout init|check|show', 'the layout file'],
  ['start-servers [NAME...]', 'starts servers of the layout'],
  ['audit [--help]', 'what was changed, when and by whom'],
] as const;

/** One line per command, then one per target of `get`, then what is for the group. */
export function commandHelp(): string {
  const rows = COMMANDS.map((command) => [commandUsage(command), command] as const);
  const targets = GET_TARGETS.map((target) => [commandUsage(target), target] as const);
  const format = ([usage, { kinds, about }]: (typeof rows)[number]): string =>
    `  ${usage}\n      ${about} (${kinds})`;
  return [
    'commands (S storage, P proxy, A archive):',
    ...rows.map(format),
    'targets of get:',
    ...targets.map(format),
    'for the group of a layout file, without -a and -p:',
    ...GROUP_HELP.map(([usage, about]) => `  ${usage}\n      ${about}`),
    '',
  ].join('\n');
}
