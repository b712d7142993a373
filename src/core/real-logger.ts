/**
 * The logger of real programs: pino JSON lines, to a file or to stderr; on a terminal the same lines
 * in a form for people.
 *
 * gid and lsid are u64, which JSON readers round; bigints are therefore written as decimal strings.
 */
import { createRequire } from 'node:module';
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { WalbError } from './errors.ts';
import { systemCode } from './file-errors.ts';
import type { LogFields, Logger } from './logger.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface RealLoggerOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Appended to; stderr when omitted. Its directory is made when missing. */
  readonly file?: string;
  /** `auto` (default): for people when stderr is a terminal and no file is given. */
  readonly format?: 'auto' | 'json' | 'human';
  /** Fields of every line, for example `{ server: 'archive0' }`. */
  readonly fields?: LogFields;
}

export interface RealLogger extends Logger {
  /** Closes and reopens the file under its name; call it after log rotation (SIGHUP). */
  reopen(): void;
}

/** Causes followed when an error is logged; a chain longer than this is a loop. */
const MAX_CAUSES = 8;
const STDERR = 2;

type Pino = typeof import('pino').pino;
type Destination = ReturnType<Pino['destination']>;

/** Throws `not-found` or `permission-denied` when the file can not be opened. */
export function createRealLogger(options: RealLoggerOptions = {}): RealLogger {
  // Loaded here so that one-shot commands that log nothing do not pay for it.
  const require = createRequire(import.meta.url);
  const { pino } = require('pino') as typeof import('pino');
  const destination = openDestination(pino, options.file);
  const stream = wantsHuman(options) ? humanStream(require, destination) : destination;
  const settings = {
    level: options.level ?? 'info',
    base: { pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // Errors are plain values already; pino's own serializer would add stacks and round u64.
    serializers: { err: (value: unknown) => value },
    formatters: { level: (label: string) => ({ level: label }) },
  };
  const root = pino(settings, stream).child(plainFields(options.fields ?? {}));
  const reopen = () => {
    if (options.file !== undefined) destination.reopen();
  };
  return { ...adapt(root), reopen };
}

/**
 * Lines are written synchronously: the last words of a dying server are the ones that matter, and
 * the data path does not log.
 */
function openDestination(pino: Pino, file: string | undefined): Destination {
  try {
    const destination = pino.destination({ dest: file ?? STDERR, sync: true, mkdir: true });
    // A full log disk or a closed terminal must not take a backup server down.
    destination.on('error', () => {});
    return destination;
  } catch (error) {
    throw WalbError.from(error, `cannot open the log file ${file}`);
  }
}

function wantsHuman({ format = 'auto', file }: RealLoggerOptions): boolean {
  if (format !== 'auto') return format === 'human';
  return file === undefined && process.stderr.isTTY === true;
}

function humanStream(require: NodeJS.Require, destination: Destination): DestinationStream {
  const pretty = require('pino-pretty') as typeof import('pino-pretty');
  return pretty({
    destination,
    colorize: process.stderr.isTTY === true,
    translateTime: 'SYS:HH:MM:ss.l',
    ignore: 'pid',
    singleLine: true,
  });
}

function adapt(log: PinoLogger): Logger {
  return {
    debug: (fields, message) =>
      log.isLevelEnabled('debug') && log.debug(plainFields(fields), message),
    info: (fields, message) => log.info(plainFields(fields), message),
    warn: (fields, message) => log.warn(plainFields(fields), message),
    error: (fields, message) => log.error(plainFields(fields), message),
    child: (fields) => adapt(log.child(plainFields(fields))),
  };
}

function plainFields(fields: LogFields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) plain[name] = plainValue(value);
  return plain;
}

function plainValue(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return plainError(value, MAX_CAUSES);
  if (Array.isArray(value)) return value.map(plainValue);
  if (isPlainObject(value)) return plainFields(value);
  return value;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The stack only of defects: for a refused command, a broken link or disk it says nothing. */
function plainError(error: Error, depth: number): Record<string, unknown> {
  const code = error instanceof WalbError ? error.code : systemCode(error);
  const details = error instanceof WalbError ? Object.entries(error.details) : [];
  const isDefect = code === undefined || code === 'internal';
  const cause = depth > 0 ? error.cause : undefined;
  return {
    type: error.name,
    ...(code === undefined ? {} : { code }),
    message: error.message,
    ...(details.length > 0 ? { details: plainFields(Object.fromEntries(details)) } : {}),
    ...(isDefect ? { stack: error.stack } : {}),
    ...(cause === undefined ? {} : { cause: plainCause(cause, depth - 1) }),
  };
}

function plainCause(cause: unknown, depth: number): unknown {
  return cause instanceof Error ? plainError(cause, depth) : String(cause);
}
