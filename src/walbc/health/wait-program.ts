/**
 * `walbc wait CONDITION`: blocks until something is so, for scripts. Follows the servers' watch streams;
 * a server that is down is waited for as well.
 *
 * Exit code: 0 it is so, 1 it can not become so (any more), 2 wrong usage or no layout, 124 time-out.
 */
import { parseArgs } from 'node:util';
import { hasCode, type Millis, WalbError } from '../../core/index.ts';
import { grpcNetwork } from '../../rpc/grpc-network.ts';
import { Controller } from '../controller/controller.ts';
import type { WaitReport } from '../environment.ts';
import { type Condition, conditionOf, conditionUsage } from './conditions.ts';
import { parseDuration } from './duration.ts';
import { layoutOf } from './open-group.ts';

export interface WaitTerminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  monotonic(): Millis;
  stdout(text: string): void;
  stderr(text: string): void;
}

export const WAIT_EXIT = { met: 0, impossible: 1, usage: 2, timeout: 124 } as const;

/** As the longest waits of the API. */
const DEFAULT_TIMEOUT_SEC = 86_400;
const CONNECT_TIMEOUT_MS: Millis = 5_000;
/** A layout that is right now and a server that is not: how long until the next attempt. */
const RETRY_MS: Millis = 1_000;

/** A limit of 0 would mean one look, however long it takes. */
const SHORTEST_SEC = 0.1;

interface Invocation {
  readonly layout: string | undefined;
  readonly timeoutSec: number;
  readonly verbose: boolean;
  readonly words: readonly string[];
}

export async function waitProgram(
  words: readonly string[],
  terminal: WaitTerminal,
): Promise<number> {
  let invocation: Invocation | 'help';
  let walbc: Controller;
  let condition: Condition;
  try {
    invocation = parse(words);
    if (invocation === 'help') {
      terminal.stdout(`${usage()}\n`);
      return WAIT_EXIT.met;
    }
    const { env, cwd } = terminal;
    const { layout, tls } = await layoutOf({ option: invocation.layout, env, cwd });
    walbc = new Controller('walbc', layout, false, 0, {
      network: grpcNetwork({
        connectTimeout: CONNECT_TIMEOUT_MS,
        ...(tls === undefined ? {} : { tls }),
      }),
      clientId: 'wait',
      print: (text) => terminal.stderr(`${text}\n`),
      ...(invocation.verbose ? { onWait: reporter(terminal) } : {}),
    });
    condition = conditionOf(layout, invocation.words);
  } catch (thrown) {
    terminal.stderr(`walbc wait: ${WalbError.from(thrown).message.replaceAll(/\s+/g, ' ')}\n`);
    return WAIT_EXIT.usage;
  }
  using _walbc = walbc;
  return await run(walbc, condition, invocation.timeoutSec, terminal);
}

async function run(
  walbc: Controller,
  condition: Condition,
  timeoutSec: number,
  terminal: WaitTerminal,
): Promise<number> {
  const end = terminal.monotonic() + timeoutSec * 1000;
  let missing = '';
  for (;;) {
    const leftSec = Math.round((end - terminal.monotonic()) / 100) / 10;
    try {
      await condition.wait(walbc, timeoutSec === 0 ? 0 : Math.max(leftSec, SHORTEST_SEC));
      return WAIT_EXIT.met;
    } catch (thrown) {
      const error = WalbError.from(thrown);
      missing = lackOf(error.message);
      if (error.code === 'timeout' && terminal.monotonic() + RETRY_MS >= end) break;
      if (!hasCode(error, 'unavailable', 'timeout')) {
        terminal.stderr(`walbc wait: ${condition.what} can not be waited for: ${missing}\n`);
        return WAIT_EXIT.impossible;
      }
    }
    if (terminal.monotonic() + RETRY_MS >= end) break;
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
  terminal.stderr(`walbc wait: ${condition.what}: not within ${timeoutSec} s: ${missing}\n`);
  return WAIT_EXIT.timeout;
}

/** What is missing, without what was waited for and how long, which is said anyway. */
function lackOf(message: string): string {
  return message.replace(/^timeout: waited \S+ s for [^:]*: /, '');
}

/** One line on stderr whenever what is missing changes. */
function reporter(terminal: WaitTerminal): (report: WaitReport | undefined) => void {
  let last = '';
  return (report) => {
    const text = report?.missing ?? report?.unreachable ?? report?.view?.state ?? '';
    if (text === '' || text === last) return;
    last = text;
    terminal.stderr(`${report?.what}: ${text}\n`);
  };
}

function parse(words: readonly string[]): Invocation | 'help' {
  try {
    const { values, positionals } = parseArgs({
      args: [...words],
      allowPositionals: true,
      options: {
        layout: { type: 'string' },
        timeout: { type: 'string', short: 't' },
        verbose: { type: 'boolean', short: 'v' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    if (values.help === true) return 'help';
    return {
      layout: values.layout,
      timeoutSec:
        values.timeout === undefined ? DEFAULT_TIMEOUT_SEC : parseDuration(values.timeout),
      verbose: values.verbose === true,
      words: positionals,
    };
  } catch (thrown) {
    throw new WalbError(
      'invalid-argument',
      `${WalbError.from(thrown).code === 'invalid-argument' ? WalbError.from(thrown).message : (thrown as Error).message} (walbc wait --help)`,
    );
  }
}

function usage(): string {
  return [
    'usage: walbc wait [--layout FILE] [--timeout 24h] [--verbose] CONDITION',
    '',
    'Blocks until the condition is met. --timeout 0 looks once.',
    'Exit code: 0 met, 1 it can not be met, 2 wrong usage or no layout, 124 time-out (what was missing',
    'is said on stderr).',
    '',
    ...conditionUsage(),
  ].join('\n');
}
