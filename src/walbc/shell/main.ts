/**
 * The walbc shell: prompt, one-liners, scripts and runbooks, in which every call blocks.
 *
 *     walbc                        the prompt (a script when stdin is no terminal)
 *     walbc shell [--python] [--layout FILE]
 *     walbc -c 'walbc.get_state(s0, "vol")'
 *     walbc run book.ts [--dry-run] [args]
 */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, resolve } from 'node:path';
import { WalbError } from '../../core/index.ts';
import { grpcNetwork } from '../../rpc/index.ts';
import { Controller } from '../controller/controller.ts';
import type { ControllerEnvironment } from '../environment.ts';
import { ServerLayout } from '../layout.ts';
import { BookRun, runsFolder } from '../runbook/book-run.ts';
import { parseRun, RUN_USAGE, type RunOptions } from '../runbook/options.ts';
import { AuditLog, auditFileOf, originOf, stateFolder } from '../safety/audit-log.ts';
import type { Origin } from '../safety/audit-record.ts';
import { type Asker, askOnTerminal, sayYes } from './asking.ts';
import { describeError } from './describe-error.ts';
import { findLayoutFile, type LoadedLayout, loadLayout } from './layout-file.ts';
import { classes } from './library-names.ts';
import { mainLibrary } from './main-library.ts';
import { historyFileOf, runPrompt } from './prompt.ts';
import type { Language, Outcome } from './protocol.ts';
import {
  type Safety,
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
  /** What is typed, or the script is in; TypeScript unless given. */
  readonly language?: Language;
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
      ...(options.language === undefined ? {} : { language: options.language }),
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
    dry_run: false,
    ...globals,
  };
}

interface Invocation {
  readonly layout: string | undefined;
  /** `--confirm`: questions are asked without a prompt too. */
  readonly isConfirming: boolean;
  /** `--python`. */
  readonly isPython: boolean;
  readonly words: readonly string[];
}

const USAGE = `usage: walbc [shell] [--python] [--layout FILE]
       walbc [--python] -c 'expression' [--layout FILE]
       walbc run [OPTIONS] BOOK [ARGS...]     (walbc run --help)
       walbc [--python] < script
--python: input is Python instead of TypeScript; .python and .typescript switch at the prompt
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
  if (command === 'run') return await runBook(parseRun(rest), invocation);
  const options = {
    ...(await optionsFrom(invocation.layout)),
    ...(invocation.isConfirming ? { asker: askOnTerminal } : {}),
    ...(invocation.isPython ? { language: 'python' as const } : {}),
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
    case '--help':
    case '-h':
      process.stdout.write(`${USAGE}\n`);
      return 0;
    default:
      throw misused(`'${command}' is nothing the shell knows`);
  }
}

function misused(problem: string): WalbError {
  return new WalbError('invalid-argument', `${problem}\n${USAGE}`);
}

async function optionsFrom(layout: string | undefined): Promise<ShellOptions> {
  const file = findLayoutFile({ option: layout, env: process.env, cwd: process.cwd() });
  return optionsFor(file === undefined ? undefined : await loadLayout(file));
}

/** `walbc run`; undefined options ask for the usage. */
async function runBook(run: RunOptions | undefined, invocation: Invocation): Promise<number> {
  if (run === undefined) {
    process.stdout.write(RUN_USAGE);
    return 0;
  }
  const text = readBook(run.book);
  const options = await optionsFrom(run.layout ?? invocation.layout);
  const book = resolve(run.book);
  const origin = originOf(process.env, hostname(), { interface: 'run', layout: '', book });
  const bookRun = new BookRun({
    options: run,
    book,
    text,
    layout: options.layout
      .get_all()
      .map((server) => `${server.name} ${server.get_host_port()}`)
      .join(', '),
    who: `${origin.user}${origin.sudoUser === undefined ? '' : ` (sudo ${origin.sudoUser})`} at ${origin.host}`,
    folder: runsFolder(stateFolder(process.env)),
    classes,
    now: Date.now,
    note: (line) => void process.stderr.write(`${line}\n`),
  });
  const spec = sessionSpec({ ...options, argv: bookRun.args }, { interface: 'run', book });
  const outcome = await withSession(
    {
      ...spec,
      globals: (environment) => ({ ...spec.globals(environment), dry_run: run.isDryRun }),
      safety: { ...spec.safety!, recorder: bookRun, ...askersOf(run, invocation) },
      steps: (print) => bookRun.steps(print),
      onWrite: (printed) => bookRun.printed(printed),
    },
    (session) => session.evaluate(text, book, 'script'),
  );
  return bookRun.end(finish(outcome), outcome.status === 'failed' ? outcome.text : '');
}

/** Who answers: --yes does, without it the terminal. Calls are asked about with --confirm only. */
function askersOf(
  run: RunOptions,
  { isConfirming }: Invocation,
): Pick<Safety, 'asker' | 'answerer'> {
  const answerer = run.isYes ? sayYes : askOnTerminal;
  return run.isConfirming || isConfirming ? { asker: answerer, answerer } : { answerer };
}

/** `--layout FILE` may stand anywhere; the words behind `run` are read by its own parser. */
function parseWords(words: readonly string[]): Invocation {
  const left = [...words];
  if (left[0] === 'shell') left.shift();
  const kept: string[] = [];
  let layout: string | undefined;
  let isConfirming = false;
  let isPython = false;
  while (left.length > 0 && kept[0] !== 'run') {
    const word = left.shift()!;
    if (word === '--layout' || word.startsWith('--layout=')) {
      layout = word === '--layout' ? left.shift() : word.slice('--layout='.length);
      if (layout === undefined || layout === '') throw misused('--layout takes a file');
    } else if (word === '--confirm') isConfirming = true;
    else if (word === '--python') isPython = true;
    else kept.push(word);
  }
  return { layout, isConfirming, isPython, words: [...kept, ...left] };
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
const INTERFACES = {
  '-c': { interface: 'command' },
  stdin: { interface: 'script' },
} as const;

async function runText(
  options: ShellOptions,
  text: string,
  file: keyof typeof INTERFACES,
  mode: 'command' | 'script',
): Promise<number> {
  const outcome = await withSession(sessionSpec(options, INTERFACES[file]), (session) =>
    session.evaluate(text, file, mode, options.language),
  );
  return finish(outcome);
}

function finish(outcome: Outcome): number {
  if (outcome.status === 'exit') return outcome.exitCode;
  if (outcome.status !== 'failed') return 0;
  process.stderr.write(`${outcome.text}\n`);
  return outcome.exitCode;
}
