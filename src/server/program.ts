/**
 * The main function of every server: options, environment, loading, listening, ending.
 *
 * Start-up: parse -> lock the base directory -> load volumes -> listen -> one line on stdout that
 * says where. Anything that fails before that line ends the process with exit code 1.
 *
 * Source: cli.md 2, F.1 (shutdown).
 */
import { existsSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { makeDirectoryDurably } from '../core/durable.ts';
import { type Binding, formatHostPort, WalbError } from '../core/index.ts';
import {
  OptionError,
  type OptionSpec,
  type ProgramSpec,
  usageOf,
} from '../core/original-options.ts';
import { createRealEnv } from '../core/real-env.ts';
import { createRealLogger, type RealLogger } from '../core/real-logger.ts';
import {
  CallLimit,
  type GetVersionReply,
  type GrpcNetworkOptions,
  grpcNetwork,
  HandlerStatistics,
  type HostType,
  intercept,
  logCalls,
  PROTOCOL_VERSION,
} from '../rpc/index.ts';
import {
  COMMON_OPTIONS,
  checkCommonOptions,
  type KeepAliveSettings,
  keepAliveOf,
  OptionValues,
} from './common-options.ts';
import { parseWithConfig } from './config-file.ts';
import { type ControlLogic, controlBindings } from './control.ts';
import { spawnProgram } from './program-exec.ts';
import { ServerCore } from './server-core.ts';
import { serveUntilShutdown, shutDownOnSignals } from './shutdown.ts';
import type { CommonSettings } from './status.ts';

/** A server once it is made: what the program needs to run it. */
export interface RunningServer extends ControlLogic {
  /** Reads what earlier runs left, and starts what has to run by itself. */
  load(): Promise<void>;
  /** Resolves when background work has ended; after a shutdown was asked for. */
  stopWork(): Promise<void>;
  /** Calls of this server kind; those common to all are added. */
  bindings(): Binding[];
}

export interface ServerProgram {
  /** For example `walb-proxy`. */
  readonly program: string;
  readonly about: string;
  readonly hostType: HostType;
  readonly options: readonly OptionSpec[];
  /** Refuses to start without its base directory (cli.md 2); the others make theirs. */
  readonly needsBaseDirectory?: boolean;
  create(core: ServerCore, options: OptionValues, settings: CommonSettings): RunningServer;
}

/** Runs until a shutdown; returns the exit code. */
export async function serverMain(
  program: ServerProgram,
  words: readonly string[],
): Promise<number> {
  const spec: ProgramSpec = {
    program: program.program,
    about: program.about,
    options: [...COMMON_OPTIONS, ...program.options],
  };
  let options: OptionValues;
  try {
    const parsed = await parseWithConfig(spec, words, readConfig);
    if (parsed.wantsHelp) {
      process.stdout.write(usageOf(spec));
      return 0;
    }
    if (parsed.parameters.length > 0) {
      throw new OptionError('redundant argVal', parsed.parameters[0]);
    }
    options = new OptionValues(spec.options, parsed);
  } catch (error) {
    if (error instanceof OptionError) process.stdout.write(`${error.message}\n${usageOf(spec)}`);
    else process.stderr.write(`${program.program}: ${WalbError.from(error).message}\n`);
    return 1;
  }
  return await run(program, options);
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw WalbError.from(error, `-config ${path}`);
  }
}

async function run(program: ServerProgram, options: OptionValues): Promise<number> {
  const nodeId = options.text('id') === 'host name' ? hostname() : (options.text('id') as string);
  let log: RealLogger | undefined;
  try {
    // Before the log, whose file may be in it and would make it.
    if (program.needsBaseDirectory === true) checkBaseDirectory(program.program, options);
    log = createLogger(options, nodeId);
    checkCommonOptions(options);
    await serve(program, options, nodeId, log);
    return 0;
  } catch (thrown) {
    const error = WalbError.from(thrown);
    log?.error({ err: error }, 'server failed');
    process.stderr.write(`${program.program}: ${error.message}\n`);
    return 1;
  }
}

/**
 * The data of an archive are often on a disk of their own. While it is not mounted, a directory made in
 * its place would look like an archive that has lost every volume.
 */
function checkBaseDirectory(program: string, options: OptionValues): void {
  const path = options.text('b') as string;
  if (existsSync(path)) return;
  throw new WalbError(
    'not-found',
    `the base directory ${path} does not exist: mount its file system, or, for a new archive, mkdir -p ${path} and start ${program} again`,
    { details: { path } },
  );
}

async function serve(
  program: ServerProgram,
  options: OptionValues,
  nodeId: string,
  log: RealLogger,
): Promise<void> {
  const keepAlive = keepAliveOf(options);
  const network = grpcNetwork({
    ...tlsFrom(options),
    ...probesOf(keepAlive),
    connectTimeout: options.positive('to') * 1000,
    log,
  });
  const env = createRealEnv({ network, log });
  const baseDirectory = options.text('b') as string;
  await makeDirectoryDurably(env.files, baseDirectory);
  using held = new DisposableStack();
  held.adopt(env.files.lock(`${baseDirectory}/.lock`), (lock) => lock.release());
  const core = new ServerCore(env, {
    hostType: program.hostType,
    nodeId,
    maxForegroundTasks: options.positive('fg'),
    pid: process.pid,
  });
  const statistics = new HandlerStatistics(env.clock);
  const limit = new CallLimit(options.positive('maxconn'));
  const version = versionReply();
  const address = formatHostPort({
    host: options.text('listen') as string,
    port: Number(options.text('p')),
  });
  let listening = address;
  const bindings = (): Binding[] => {
    const control = controlBindings(core, server, {
      version,
      handlerStat: (reset) => statistics.report(reset),
      exec: { allowed: allowedPrograms(options), spawn: spawnProgram },
    });
    return intercept(
      [...control, ...server.bindings()],
      [logCalls(env), statistics.interceptor, limit.interceptor],
    );
  };
  const server = program.create(core, options, {
    baseDirectory,
    get listenAddress() {
      return listening;
    },
    maxConnections: options.positive('maxconn'),
    maxBackgroundTasks: options.has('bg') ? options.positive('bg') : 1,
    socketTimeoutSec: options.positive('to'),
    ...(keepAlive === undefined ? {} : { keepAlive }),
    version: version.version,
    connections: () => limit.running,
    memoryBytes: () => process.memoryUsage.rss(),
  });
  held.use(shutDownOnSignals(core));
  held.use(reopenOnHangup(options, log));
  const listener = await startUp(core, server, async () => {
    await server.load();
    return await env.network.listen(address, bindings());
  });
  listening = listener.address;
  log.info({ address: listening, base: baseDirectory }, 'listening');
  process.stdout.write(`${program.program}: ${nodeId} listens on ${listening}\n`);
  await serveUntilShutdown(core, listener, () => server.stopWork());
  log.info({}, 'ended');
}

/** What a start that fails half-way has begun ends before the failure is reported. */
async function startUp<T>(
  core: ServerCore,
  server: RunningServer,
  start: () => Promise<T>,
): Promise<T> {
  try {
    return await start();
  } catch (error) {
    core.requestShutdown('force');
    await server.stopWork();
    throw error;
  }
}

/** After a log rotation SIGHUP begins the new file. */
function reopenOnHangup(options: OptionValues, log: RealLogger): Disposable {
  const reopen = (): void => log.reopen();
  const isFile = options.text('l') !== '-';
  if (isFile) process.on('SIGHUP', reopen);
  return { [Symbol.dispose]: () => void process.off('SIGHUP', reopen) };
}

/** A peer is given up after as long as TCP would take: one long wait in place of several probes. */
function probesOf(keepAlive: KeepAliveSettings | undefined): Pick<GrpcNetworkOptions, 'keepAlive'> {
  if (keepAlive === undefined) return {};
  const { idleSec, intervalSec, count } = keepAlive;
  return { keepAlive: { idle: idleSec * 1000, timeout: intervalSec * count * 1000 } };
}

function createLogger(options: OptionValues, nodeId: string): RealLogger {
  const file = options.text('l') as string;
  const path = file.startsWith('/') ? file : `${options.text('b')}/${file}`;
  return createRealLogger({
    level: options.has('debug') ? 'debug' : 'info',
    fields: { server: nodeId },
    ...(file === '-' ? {} : { file: path }),
  });
}

/** All three TLS options or none, as `checkCommonOptions` has made sure. */
function tlsFrom(options: OptionValues): {
  tls?: { ca: string; certificate: string; privateKey: string };
} {
  const names = ['tls-ca', 'tls-cert', 'tls-key'] as const;
  const given = names.filter((name) => options.has(name));
  if (given.length === 0) return {};
  const read = (name: (typeof names)[number]): string => {
    const path = options.text(name) as string;
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      throw WalbError.from(error, `-${name} ${path}`);
    }
  };
  return {
    tls: { ca: read('tls-ca'), certificate: read('tls-cert'), privateKey: read('tls-key') },
  };
}

function allowedPrograms(options: OptionValues): string[] {
  const list = (options.text('allow-exec') ?? '').split(',').filter((name) => name !== '');
  const relative = list.find((name) => !name.startsWith('/'));
  if (relative === undefined) return list;
  throw new WalbError('invalid-argument', `-allow-exec takes full paths; '${relative}' is not one`);
}

const LOG_VERSION = 2;

function versionReply(): GetVersionReply {
  const packageFile = new URL('../../package.json', import.meta.url);
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  return {
    version,
    buildDate: '',
    logVersion: LOG_VERSION,
    commit: '',
    protocolVersion: PROTOCOL_VERSION,
    nodeVersion: process.version,
  };
}
