/**
 * `walbc check`: the health of the group for cron, Nagios, Icinga and systemd timers. Looks once at
 * every server, at all of them at the same time, and never takes longer than `--timeout`.
 */
import { parseArgs } from 'node:util';
import { checkVolumeId, type Millis, toUnixSeconds, WalbError } from '../../core/index.ts';
import { digest } from './digest.ts';
import { parseDuration } from './duration.ts';
import { gather } from './gather.ts';
import { judge, type Verdict } from './judge.ts';
import { layoutOf, openGroup } from './open-group.ts';
import { EXIT_CODES, firstLine, jsonText, pluginText, unknownJson } from './report.ts';
import { FLAGS, type Limits, limitsOf, METRICS } from './thresholds.ts';

export interface CheckTerminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  now(): Millis;
  /** Resolves when the text has left the process. */
  print(text: string): Promise<void>;
}

const DEFAULT_TIMEOUT_SEC = 10;
/** Monitoring systems end a plugin after a minute or so. */
const MAX_TIMEOUT_SEC = 3600;
/** Time to read the layout and to print, once the servers were asked. */
const RESERVE_MS: Millis = 500;
const CLIENT_ID = 'check';

interface Invocation {
  readonly layout: string | undefined;
  readonly volume: string | undefined;
  readonly json: boolean;
  readonly timeout: Millis;
  readonly limits: Limits;
}

/** Prints the verdict and returns the exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. */
export async function checkProgram(
  words: readonly string[],
  terminal: CheckTerminal,
): Promise<number> {
  try {
    const invocation = parse(words);
    if (invocation === 'help') {
      await terminal.print(`${usage()}\n`);
      return 0;
    }
    const verdict = await within(invocation.timeout, look(invocation, terminal));
    const text = invocation.json ? jsonText(verdict) : pluginText(verdict);
    await terminal.print(`${text}\n`);
    return EXIT_CODES[verdict.level];
  } catch (thrown) {
    const { message } = WalbError.from(thrown);
    const isJson = words.includes('--json');
    await terminal.print(`${isJson ? unknownJson(message) : firstLine('unknown', message)}\n`);
    return EXIT_CODES.unknown;
  }
}

async function look(
  { layout, volume, timeout, limits }: Invocation,
  terminal: CheckTerminal,
): Promise<Verdict> {
  const loaded = await layoutOf({ option: layout, env: terminal.env, cwd: terminal.cwd });
  const timeoutOfCalls = Math.max(timeout - RESERVE_MS, timeout / 2);
  using group = openGroup(loaded, CLIENT_ID, timeoutOfCalls);
  const answers = await gather(group.asked, timeoutOfCalls);
  return judge(digest(answers, toUnixSeconds(terminal.now()), volume), limits, volume);
}

/**
 * The last resort against whatever is waited for, such as a module of a layout that never loads. What keeps
 * this thread itself (a loop in such a module, a file server that is dead) is for the caller's own limit.
 */
async function within<T>(timeout: Millis, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new WalbError('timeout', `not done within ${timeout / 1000} s`)),
    timeout,
  );
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function parse(words: readonly string[]): Invocation | 'help' {
  const limits = [...METRICS, ...FLAGS].map(({ name }) => [name, { type: 'string' }] as const);
  const options = {
    layout: { type: 'string' },
    vol: { type: 'string' },
    timeout: { type: 'string', short: 't' },
    json: { type: 'boolean' },
    help: { type: 'boolean', short: 'h' },
    ...Object.fromEntries(limits),
  } as const;
  let values: Readonly<Record<string, string | boolean | undefined>>;
  try {
    ({ values } = parseArgs({ args: [...words], options }));
  } catch (thrown) {
    throw new WalbError('invalid-argument', `${(thrown as Error).message} (walbc check --help)`);
  }
  if (values['help'] === true) return 'help';
  const text = (name: string): string | undefined => values[name] as string | undefined;
  return {
    layout: text('layout'),
    volume: values['vol'] === undefined ? undefined : checkVolumeId(text('vol') as string),
    json: values['json'] === true,
    timeout: timeoutOf(text('timeout')) * 1000,
    limits: limitsOf(values as Record<string, string>),
  };
}

function timeoutOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_TIMEOUT_SEC;
  const seconds = parseDuration(text);
  if (seconds >= 1 && seconds <= MAX_TIMEOUT_SEC) return seconds;
  throw new WalbError('invalid-argument', `bad --timeout '${text}': 1s to ${MAX_TIMEOUT_SEC}s`);
}

function usage(): string {
  const line = (name: string, value: string, usual: string, about: string): string =>
    `  ${`--${name} ${value}`.padEnd(28)}${usual.padEnd(10)}${about}`;
  return [
    'usage: walbc check [--layout FILE] [--vol VOLUME] [--timeout 10s] [--json] [LIMITS]',
    '',
    'Asks every server of the group and prints one line for a monitoring system, details below it.',
    'Exit code: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN (no layout, wrong usage).',
    '',
    'Limits: WARN:CRITICAL, one of them (15m or :1h), or off.',
    ...METRICS.map(({ name, usual, about }) => line(name, 'W:C', usual, about)),
    '',
    'How bad it is when: ok, warning or critical.',
    ...FLAGS.map(({ name, usual, about }) => line(name, 'LEVEL', usual, about)),
    '',
    'Always critical: a log that has overflowed, a volume that no proxy sends, an archive without a',
    'restorable snapshot.',
  ].join('\n');
}
