/**
 * The one-shot command line `walbc -a ADDR -p PORT [OPTIONS] COMMAND [ARGS...]`.
 *
 * Exit code 0 is success, 1 any failure. Nothing is on stdout after a failure but the usage of a
 * command line that did not parse; the reason is one line on stderr.
 *
 * Source: cli.md 0, 1.1, 1.2.
 */
import { type Clock, formatHostPort, type Network, WalbError } from '../../core/index.ts';
import {
  OptionError,
  type ParsedOptions,
  type ProgramSpec,
  parseOriginal,
  parseOriginalInteger,
  usageOf,
} from '../../core/original-options.ts';
import type { TlsOptions } from '../../rpc/index.ts';
import { ServerConnection } from '../connection.ts';
import type { AuditLog } from '../safety/audit-log.ts';
import { isQuery } from '../safety/queries.ts';
import { commandHelp, commandUsage, findCommand, parseCommand, runCommand } from './commands.ts';
import { CommandContext, type CommandSpec, DEFAULT_TIMEOUT_SEC } from './context.ts';
import type { Args } from './parameters.ts';
import { TLS_OPTIONS, tlsFrom } from './tls.ts';

export const WALBC: ProgramSpec = {
  program: 'walbc',
  about: 'Controls walb servers. Without arguments: the shell.',
  options: [
    { name: 'a', type: 'string', help: 'host name or address of the server', required: true },
    { name: 'p', type: 'port', help: 'its port', required: true },
    {
      name: 'to',
      type: 'integer',
      help: 'time limit of calls in seconds',
      default: `${DEFAULT_TIMEOUT_SEC}, 100 for commands`,
    },
    { name: 'id', type: 'string', help: 'our name in its logs', default: 'host name' },
    { name: 'retry', type: 'integer', help: 'more attempts; only status and get', default: '2' },
    { name: 'debug', type: 'flag', help: 'debug log on stderr' },
    { name: 'human', type: 'flag', help: 'status with lines for people, as on a terminal' },
    ...TLS_OPTIONS,
  ],
  parameters: 'COMMAND [ARGS...]',
  stopAtParameter: true,
};

/** Commands that only ask, and are therefore tried again. */
const RETRIED: ReadonlySet<string> = new Set(['status', 'get']);
const DEFAULT_RETRIES = 2;
const RETRY_PAUSE_MS = 100;
const MAX_RETRIES = 1_000;

/** What the program touches; main gives the real ones. */
export interface Terminal {
  readonly clock: Clock;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly hostName: string;
  readonly isTerminal: boolean;
  /** Where commands that change something are recorded; nowhere unless given. */
  readonly audit?: () => Promise<Pick<AuditLog, 'begin'>>;
  stdout(data: string | Uint8Array): Promise<void>;
  stderr(text: string): void;
  network(tls: TlsOptions | undefined, connectTimeoutMs: number): Network;
}

interface Invocation {
  readonly options: ParsedOptions['values'];
  readonly command: CommandSpec;
  readonly args: Args;
  /** The command as it was typed. */
  readonly words: readonly string[];
}

/** Runs one command; returns the exit code. */
export async function walbcProgram(words: readonly string[], terminal: Terminal): Promise<number> {
  let invocation: Invocation | string;
  try {
    invocation = parse(words);
  } catch (error) {
    if (error instanceof OptionError) {
      await terminal.stdout(`${error.message}\n${usageOf(WALBC)}`);
      return 1;
    }
    return fail(terminal, error);
  }
  if (typeof invocation === 'string') {
    await terminal.stdout(invocation);
    return 0;
  }
  try {
    return await run(invocation, terminal);
  } catch (error) {
    return fail(terminal, error);
  }
}

/** The help to print, or what to do. Throws `OptionError`. */
function parse(words: readonly string[]): Invocation | string {
  const { values, parameters, wantsHelp } = parseOriginal(WALBC, words);
  if (wantsHelp) return `${usageOf(WALBC)}${commandHelp()}`;
  const [name, ...rest] = parameters;
  if (name === undefined) throw new OptionError('param is necessary', 'COMMAND');
  const command = findCommand(name);
  if (command === undefined) throw new OptionError('bad opt', name);
  // What follows `exec` belongs to the program it runs.
  if (name !== 'exec') {
    const option = rest.find((word) => /^-[^0-9]/.test(word));
    if (option === '-h')
      return `usage: walbc [OPTION...] ${commandUsage(command)}\n${command.about}\n`;
    if (option !== undefined) throw new OptionError('bad opt', option);
  }
  if (values.has('retry') && !RETRIED.has(name)) {
    throw new WalbError('invalid-argument', `-retry is for status and get only, not for ${name}`);
  }
  return { options: values, command, args: parseCommand(command, rest), words: parameters };
}

async function run(invocation: Invocation, terminal: Terminal): Promise<number> {
  const { options, command, args } = invocation;
  const timeoutS = numberOption(options, 'to');
  if (timeoutS === 0) throw new WalbError('invalid-argument', '-to must be at least 1 second');
  const tls = tlsFrom(options, terminal.environment);
  const clientId = options.get('id') ?? terminal.hostName;
  const address = formatHostPort({
    host: options.get('a') as string,
    port: Number(options.get('p')),
  });
  const connection = new ServerConnection(
    { name: address, address },
    {
      network: terminal.network(tls, (timeoutS ?? DEFAULT_TIMEOUT_SEC) * 1000),
      clientId,
      signal: () => undefined,
    },
  );
  const context = new CommandContext({
    connection,
    clientId,
    human: options.has('human') || terminal.isTerminal,
    write: (bytes) => terminal.stdout(bytes),
    ...(timeoutS === undefined ? {} : { timeoutS }),
  });
  if (options.has('debug'))
    terminal.stderr(`${logTime(terminal)} DEBUG walbc ${command.name} at ${address}\n`);
  try {
    const retries = RETRIED.has(command.name) ? retriesOf(options) : 0;
    const text = await recorded(invocation, address, terminal, () =>
      withRetries(terminal, retries, () => runCommand(command, context, args)),
    );
    if (text !== undefined) await terminal.stdout(`${text}\n`);
    return 0;
  } finally {
    connection.close();
  }
}

/** Commands that change something go to the audit log, before and after. */
async function recorded<T>(
  { words }: Invocation,
  address: string,
  terminal: Terminal,
  work: () => Promise<T>,
): Promise<T> {
  if (terminal.audit === undefined || isQuery(words)) return await work();
  const { audited } = await import('../safety/audited.ts');
  const { commandText } = await import('../safety/call-text.ts');
  return await audited(await terminal.audit(), terminal.clock, commandText(address, words), work);
}

function retriesOf(options: ParsedOptions['values']): number {
  return Math.min(MAX_RETRIES, numberOption(options, 'retry') ?? DEFAULT_RETRIES);
}

async function withRetries<T>(
  terminal: Terminal,
  retries: number,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let n = 1; ; n += 1) {
    try {
      return await attempt();
    } catch (error) {
      if (n > retries) throw error;
      terminal.stderr(`error: ${oneLine(WalbError.from(error))}\nretry ${n}\n`);
      await terminal.clock.sleep(RETRY_PAUSE_MS);
    }
  }
}

function numberOption(options: ParsedOptions['values'], name: string): number | undefined {
  const text = options.get(name);
  if (text === undefined) return undefined;
  const value = parseOriginalInteger(text, `-${name}`);
  if (value >= 0n && value <= 1_000_000_000n) return Number(value);
  throw new WalbError('invalid-argument', `-${name} ${text} is out of range`);
}

function fail(terminal: Terminal, thrown: unknown): number {
  const error = WalbError.from(thrown);
  terminal.stderr(`${logTime(terminal)} ERROR walbc error: ${oneLine(error)}\n`);
  return 1;
}

/** `YYYY-MM-DD hh:mm:ss.mmm`, UTC. */
function logTime({ clock }: Terminal): string {
  return new Date(clock.now()).toISOString().replace('T', ' ').slice(0, 23);
}

function oneLine(error: WalbError): string {
  const text = error.message.replaceAll(/\s*\n\s*/g, ' ');
  if (error.code !== 'internal') return text;
  return `${text} (a defect in walb-ts; please report it: ${error.stack?.replaceAll(/\s*\n\s*/g, ' ') ?? ''})`;
}
