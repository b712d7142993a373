/**
 * `wdevc`: control of walb devices with the commands, options, output and exit codes of the
 * original, for scripts written for it. Source: cli.md 0 and 3.
 */
import { type Env, silentLogger, WalbError } from '../core/index.ts';
import {
  OptionError,
  type ParsedOptions,
  type ProgramSpec,
  parseOriginal,
  parseOriginalInteger,
  usageOf,
} from '../core/original-options.ts';
import { createRealEnv } from '../core/real-env.ts';
import { createRealLogger } from '../core/real-logger.ts';
import { grpcNetwork } from '../rpc/index.ts';
import { DeviceDirectory } from '../wdev/daemon/index.ts';
import { COMMANDS, INTEGER_PARAMETERS, type WdevcCommand } from './wdevc-commands.ts';

const GLOBAL: ProgramSpec = {
  program: 'wdevc',
  about: 'Controls walb devices.',
  options: [{ name: 'debug', type: 'flag', help: 'debug log on stderr' }],
  parameters: 'COMMAND [ARGS...]',
  stopAtParameter: true,
};

/** What the program touches besides devices; main gives the real ones. */
export interface WdevcTerminal {
  /** The device directory. */
  readonly directory: string;
  stdout(text: string): void;
  stderr(text: string): void;
}

/** Runs one command; returns the exit code. */
export async function wdevcProgram(
  words: readonly string[],
  terminal: WdevcTerminal,
): Promise<number> {
  const line = parseLine(words);
  if ('text' in line) {
    terminal.stdout(line.text);
    return line.exit;
  }
  try {
    const env = wdevcEnv(line.isDebug);
    const directory = new DeviceDirectory(env, terminal.directory);
    const { parameters, values } = line.parsed;
    const lines = await line.command.run({ env, directory }, { parameters, options: values });
    for (const text of lines) terminal.stdout(`${text}\n`);
    return 0;
  } catch (thrown) {
    const { message } = WalbError.from(thrown);
    terminal.stderr(`${logTime(new Date())} ERROR wdevc:${message}\n`);
    return 1;
  }
}

type Line =
  | { readonly text: string; readonly exit: number }
  | { readonly command: WdevcCommand; readonly parsed: ParsedOptions; readonly isDebug: boolean };

/** The command to run, or what to print instead: help with 0, complaints with 1. */
function parseLine(words: readonly string[]): Line {
  let spec = GLOBAL;
  try {
    const global = parseOriginal(GLOBAL, words);
    const [name, ...rest] = global.parameters;
    if (global.wantsHelp) return { text: helpText(), exit: 0 };
    const command =
      name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (name === undefined || command === undefined) return { text: helpText(), exit: 1 };
    spec = specOf(name, command);
    const parsed = parseOriginal(spec, rest);
    if (parsed.wantsHelp) return { text: usageOf(spec), exit: 0 };
    checkParameters(command, parsed.parameters);
    return { command, parsed, isDebug: global.values.has('debug') };
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    return { text: `${error.message}\n${usageOf(spec)}`, exit: 1 };
  }
}

function specOf(name: string, command: WdevcCommand): ProgramSpec {
  return {
    program: `wdevc ${name}`,
    about: command.about,
    options: command.options ?? [],
    parameters: command.parameters.join(' '),
  };
}

function checkParameters({ parameters }: WdevcCommand, given: readonly string[]): void {
  const needed = parameters.filter((name) => !name.startsWith('[')).length;
  const missing = parameters[given.length];
  if (given.length < needed) throw new OptionError('param is necessary', missing);
  if (given.length > parameters.length) {
    throw new OptionError('redundant argVal', given[parameters.length]);
  }
  for (const [i, word] of given.entries()) {
    const name = parameters[i] as string;
    if (INTEGER_PARAMETERS.has(name)) parseOriginalInteger(word, name.replaceAll(/[[\]]/g, ''));
  }
}

function helpText(): string {
  const names = Object.entries(COMMANDS).map(
    ([name, { parameters, about }]) => [[name, ...parameters].join(' '), about] as const,
  );
  const width = Math.max(...names.map(([usage]) => usage.length));
  const lines = names.map(([usage, about]) => `  ${usage.padEnd(width)}  ${about}`);
  return `${usageOf(GLOBAL)}commands:\n${lines.join('\n')}\n`;
}

function wdevcEnv(isDebug: boolean): Env {
  const log = isDebug ? createRealLogger({ level: 'debug' }) : silentLogger;
  return createRealEnv({ network: grpcNetwork({ log }), log });
}

/** `YYYY-MM-DD hh:mm:ss.mmm`, UTC. */
function logTime(now: Date): string {
  return now.toISOString().replace('T', ' ').replace('Z', '');
}
