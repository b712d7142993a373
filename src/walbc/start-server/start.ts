/** Starts one server process at its place and waits until it listens or has died. */
import { fileURLToPath } from 'node:url';
import { type ErrorDetail, WalbError } from '../../core/index.ts';
import { serverKindMap } from '../constants.ts';
import type { ServerLayout } from '../layout.ts';
import { shellLine, startCommand } from '../server-params.ts';
import type { ServerStartupParam } from '../servers.ts';
import { type Place, placeOf, shellAt } from './place.ts';
import { parseAnswer, START_SCRIPT, type StartAnswer } from './script.ts';

/** Programs of the package that runs. */
const OWN_BIN = fileURLToPath(new URL('../../../bin/', import.meta.url));

/** A dozen log lines; more is not an answer of the script. */
const MAX_OUTPUT = 1024 * 1024;

export interface StartResult {
  readonly answer: Extract<StartAnswer, { readonly kind: 'running' | 'started' }>;
  /** For messages: 'this machine' or 'user@host'. */
  readonly where: string;
  readonly logFile: string;
}

interface Launch {
  readonly s: ServerStartupParam;
  readonly place: Place;
  readonly where: string;
  readonly logFile: string;
  readonly command: readonly string[];
}

/**
 * Starts the process unless it runs already. Throws `unavailable` with its last words when it dies, or
 * with those of ssh; `timeout` when it neither listens nor dies within `timeoutMs`.
 */
export async function startProcessOf(
  s: ServerStartupParam,
  layout: ServerLayout,
  timeoutMs: number,
): Promise<StartResult> {
  const place = await placeOf(s);
  const launch: Launch = {
    s,
    place,
    where: place ?? 'this machine',
    logFile: logFileOf(s),
    command: commandAt(s, layout, place),
  };
  const answer = await run(launch, timeoutMs);
  if (answer.kind === 'failed') throw died(launch, answer);
  return { answer, where: launch.where, logFile: launch.logFile };
}

function logFileOf({ name, dataDir, logPath }: ServerStartupParam): string {
  if (logPath === null) return `${dataDir}/${name}.log`;
  return logPath.startsWith('/') ? logPath : `${dataDir}/${logPath}`;
}

/** Here the programs of this package are meant where the layout names none; elsewhere the PATH. */
function commandAt(s: ServerStartupParam, layout: ServerLayout, place: Place): string[] {
  const [program = '', ...options] = startCommand(s, layout);
  return [place === undefined && s.binDir === '' ? OWN_BIN + program : program, ...options];
}

async function run(launch: Launch, timeoutMs: number): Promise<StartAnswer> {
  const { s, place, logFile, command } = launch;
  const kind = serverKindMap[s.kind];
  const [program, args] = shellAt(place, [
    kind,
    `${s.dataDir}/walb-${kind}.pid`,
    logFile,
    ...command,
  ]);
  const { execa } = await import('execa');
  const result = await execa(program, args, {
    input: START_SCRIPT,
    reject: false,
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT,
  });
  const answer = parseAnswer(result.stdout);
  if (answer !== undefined) return answer;
  if (result.timedOut) throw late(launch, timeoutMs);
  const said = result.stderr.trim() || result.shortMessage || 'it said nothing';
  throw failure(
    'unavailable',
    launch,
    `${s.name} could not be started at ${launch.where}: ${said}`,
  );
}

function failure(
  code: 'unavailable' | 'timeout',
  { s, logFile, where }: Launch,
  message: string,
  more: Readonly<Record<string, ErrorDetail>> = {},
): WalbError {
  return new WalbError(code, message, {
    details: { server: s.name, where, log: logFile, ...more },
  });
}

function died(
  launch: Launch,
  { code, lastLines }: Extract<StartAnswer, { kind: 'failed' }>,
): WalbError {
  const { s, where, command } = launch;
  const words = lastLines === '' ? 'it said nothing' : lastLines;
  const message = `${s.name} ended at once with exit code ${code} at ${where}: ${words}\nIt was started as: ${shellLine(command)}`;
  return failure('unavailable', launch, message, { exitCode: code });
}

function late(launch: Launch, timeoutMs: number): WalbError {
  const { s, where, logFile } = launch;
  const message = `${s.name} is not ready at ${where} after ${timeoutMs / 1000} s; it may still be starting: see ${logFile} there, and call start_server again`;
  return failure('timeout', launch, message);
}
