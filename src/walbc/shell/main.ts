/**
 * The walbc shell: prompt, one-liners, scripts and runbooks, in which every call blocks.
 *
 *     walbc                        the prompt (a script when stdin is no terminal)
 *     walbc shell [--layout FILE]
 *     walbc -c 'walbc.get_state(s0, "vol")'
 *     walbc run book.ts [args]
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, resolve } from 'node:path';
import { WalbError } from '../../core/index.ts';
import { grpcNetwork } from '../../rpc/index.ts';
import { Controller } from '../controller/controller.ts';
import type { ControllerEnvironment } from '../environment.ts';
import { ServerLayout } from '../layout.ts';
import { AuditLog, auditFileOf, originOf } from '../safety/audit-log.ts';
import type { Origin } from '../safety/audit-record.ts';
import { type Asker, askOnTerminal } from './asking.ts';
import { describeError } from './describe-error.ts';
import { findLayoutFile, type LoadedLayout, loadLayout } from './layout-file.ts';
import { mainLibrary } from './main-library.ts';
import { historyFileOf, runPrompt } from './prompt.ts';
import type { Outcome } from './protocol.ts';
import {
  type SessionSpec,
  type ShellInput,
  type ShellOutput,
  withSession,
} from './terminal-session.ts';

export interface ShellOptions {
  /** The group; its servers become variables under their names, besides `sLayout` and `walbc`. */
  readonly layout: ServerLayout;
  /** More variables, such as `{ vol: 'vol' }`. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** Printed before the first prompt. */
  readonly banner: string;
  /** How servers are reached; gRPC without TLS unless given. */
  readonly environment?: Pick<ControllerEnvironment, 'network' | 'clock' | 'clientId'>;
  readonly input?: ShellInput;
  readonly output?: ShellOutput;
  readonly argv?: readonly string[];
  /** Named in the audit log. */
  readonly layoutFile?: string;
  /** Asks before calls that lose something, where there is no prompt of a terminal. */
  readonly asker?: Asker;
}

/** The prompt, until the operator leaves it. Returns the exit code asked for with `exit(code)`. */
export async function runShell(options: ShellOptions): Promise<number> {
  const output = options.output ?? process.stdout;
  output.write(options.banner === '' ? '' : `${options.banner.trimEnd()}\n`);
  const spec = sessionSpec(options, { interface: 'shell' });
  return await withSession(spec, (session, { write, setAsker }) =>
    runPrompt({
      session,
      input: options.input ?? process.stdin,
      output,
      historyFile: historyFileOf(process.env),
      write,
      setAsker,
    }),
  );
}

function sessionSpec(
  options: ShellOptions,
  how: Pick<Origin, 'interface'> & Partial<Origin>,
): SessionSpec {
  const origin = originOf(process.env, hostname(), { layout: options.layoutFile ?? '', ...how });
  return {
    safety: {
      audit: (warn) => new AuditLog({ file: auditFileOf(process.env), origin, warn }),
      ...(options.asker === undefined ? {} : { asker: options.asker }),
    },
    library: mainLibrary,
    globals: (environment) => globalsOf(options, environment),
    environment: { ...options.environment, human: true },
    output: options.output ?? process.stdout,
    argv: options.argv ?? [],
  };
}

function globalsOf(
  { layout, globals }: ShellOptions,
  environment: ControllerEnvironment,
): Record<string, unknown> {
  const servers = layout.get_all().map((server) => [server.name, server] as const);
  return {
    ...Object.fromEntries(servers.filter(([name]) => /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name))),
    sLayout: layout,
    walbc: new Controller('walbc', layout, false, 0, environment),
    ...globals,
  };
}

interface Invocation {
  readonly layout: string | undefined;
  /** `--confirm`: questions are asked without a prompt too. */
  readonly isConfirming: boolean;
  readonly words: readonly string[];
}

const USAGE = `usage: walbc [shell] [--layout FILE]
       walbc -c 'expression' [--layout FILE]
       walbc run [--layout FILE] FILE.ts [args]
       walbc < script
--confirm asks before calls that lose something, as the prompt does`;

/**
 * The shell as a program; `words` are its arguments, without a program name. Returns the exit code;
 * errors are printed on stderr.
 */
export async function shellMain(words: readonly string[]): Promise<number> {
  try {
    return await start(words);
  } catch (thrown) {
    const error = WalbError.from(thrown);
    process.stderr.write(`walbc: ${describeError(error)}\n`);
    return error.exitCode;
  }
}

async function start(words: readonly string[]): Promise<number> {
  const invocation = parseWords(words);
  const [command, ...rest] = invocation.words;
  const file = findLayoutFile({ option: invocation.layout, env: process.env, cwd: process.cwd() });
  const loaded = file === undefined ? undefined : await loadLayout(file);
  const options = {
    ...optionsFor(loaded),
    ...(invocation.isConfirming ? { asker: askOnTerminal } : {}),
  };
  switch (command) {
    case undefined:
      if (process.stdin.isTTY) return await runShell(options);
      return await runText(options, readFileSync(0, 'utf8'), 'stdin', 'script');
    case '-c': {
      const [text, ...more] = rest;
      if (text === undefined || more.length > 0) throw misused('-c takes one expression');
      return await runText(options, text, '-c', 'command');
    }
    case 'run': {
      const [book, ...argv] = rest;
      if (book === undefined) throw misused('run takes the file of a runbook');
      return await runText({ ...options, argv }, readBook(book), resolve(book), 'script');
    }
    default:
      throw misused(`'${command}' is nothing the shell knows`);
  }
}

function misused(problem: string): WalbError {
  return new WalbError('invalid-argument', `${problem}\n${USAGE}`);
}

/** `--layout FILE` may stand anywhere before the file of a runbook; what follows that is the book's. */
function parseWords(words: readonly string[]): Invocation {
  const left = [...words];
  if (left[0] === 'shell') left.shift();
  const kept: string[] = [];
  let layout: string | undefined;
  let isConfirming = false;
  while (left.length > 0 && !(kept[0] === 'run' && kept.length > 1)) {
    const word = left.shift()!;
    if (word === '--layout' || word.startsWith('--layout=')) {
      layout = word === '--layout' ? left.shift() : word.slice('--layout='.length);
      if (layout === undefined || layout === '') throw misused('--layout takes a file');
    } else if (word === '--confirm') isConfirming = true;
    else kept.push(word);
  }
  return { layout, isConfirming, words: [...kept, ...left] };
}

function readBook(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (thrown) {
    throw WalbError.from(thrown, `runbook ${path}`);
  }
}

function optionsFor(loaded: LoadedLayout | undefined): ShellOptions {
  if (loaded === undefined) {
    return {
      layout: new ServerLayout([], [], []),
      banner:
        'walbc: no layout file (--layout FILE, WALB_LAYOUT, ./walb.yaml, ~/.config/walb/walb.yaml), so no\n' +
        "servers are defined yet. s0 = ServerConnectionParam('s0', 'localhost', 10000, K_STORAGE) defines one.",
    };
  }
  const { layout, file, tls } = loaded;
  const names = layout.get_all().map(({ name }) => name);
  return {
    layout,
    layoutFile: resolve(file),
    banner: `walbc with ${names.join(' ') || 'no servers'} of ${basename(file)}. help() helps, walbc.status() shows the group.`,
    ...(tls === undefined ? {} : { environment: { network: grpcNetwork({ tls }) } }),
  };
}

/** What is no prompt, in the audit log, by the name of its text. */
const INTERFACES: Readonly<Record<string, Pick<Origin, 'interface'>>> = {
  '-c': { interface: 'command' },
  stdin: { interface: 'script' },
};

async function runText(
  options: ShellOptions,
  text: string,
  file: string,
  mode: 'command' | 'script',
): Promise<number> {
  const how = INTERFACES[file] ?? ({ interface: 'run', book: file } as const);
  const outcome = await withSession(sessionSpec(options, how), (session) =>
    session.evaluate(text, file, mode),
  );
  return finish(outcome);
}

function finish(outcome: Outcome): number {
  if (outcome.status === 'exit') return outcome.exitCode;
  if (outcome.status !== 'failed') return 0;
  process.stderr.write(`${outcome.text}\n`);
  return outcome.exitCode;
}
