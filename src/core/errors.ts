/**
 * The one error class of walb-ts and its closed set of codes.
 *
 * A `WalbError` says what was wrong, where, and what to do next; `details` carries the same facts
 * as data (file, offset, field, volume, state, ...). Errors cross gRPC unchanged (src/rpc) and
 * decide the exit code of every program.
 */

/** Every code, with the exit code a program ends with and what the code means. */
export const ERROR_CODES = {
  'invalid-argument': { exit: 2, about: 'an argument or configuration value is malformed' },
  'not-found': { exit: 3, about: 'the volume, file, snapshot or server does not exist' },
  'already-exists': { exit: 3, about: 'the thing to be created is there already' },
  'wrong-state': { exit: 4, about: 'the volume is in a state that does not allow the operation' },
  busy: { exit: 4, about: 'another operation holds what this one needs' },
  'limit-exceeded': { exit: 4, about: 'a configured or built-in bound would be passed' },
  corrupt: { exit: 5, about: 'stored or received bytes failed validation' },
  'no-space': { exit: 6, about: 'a disk is full' },
  io: { exit: 6, about: 'a disk or device failed' },
  overflow: { exit: 7, about: 'the ring log overflowed; only a hash or full backup recovers' },
  conflict: { exit: 7, about: 'data of another history (uuid, gid or epoch does not fit)' },
  unavailable: { exit: 8, about: 'a peer can not be reached' },
  timeout: { exit: 8, about: 'a deadline passed' },
  cancelled: { exit: 9, about: 'stopped on request' },
  unauthenticated: { exit: 10, about: 'the peer did not prove who it is' },
  'permission-denied': { exit: 10, about: 'the peer or the system does not allow it' },
  unsupported: { exit: 11, about: 'not available for this server kind, format or platform' },
  internal: { exit: 70, about: 'a defect in walb-ts; please report it' },
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export type ErrorDetail = string | number | bigint | boolean | undefined;

export interface WalbErrorOptions {
  readonly details?: Readonly<Record<string, ErrorDetail>>;
  readonly cause?: unknown;
}

export class WalbError extends Error {
  override readonly name = 'WalbError';
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, ErrorDetail>>;

  constructor(code: ErrorCode, message: string, options: WalbErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.details = options.details ?? {};
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit;
  }

  /** Any thrown value as a WalbError; system errors get the code an operator would expect. */
  static from(thrown: unknown, context?: string): WalbError {
    if (thrown instanceof WalbError) return thrown;
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    const message = context === undefined ? error.message : `${context}: ${error.message}`;
    return new WalbError(codeOfSystemError(error), message, { cause: error });
  }
}

const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'not-found',
  ENOTDIR: 'not-found',
  EEXIST: 'already-exists',
  ENOTEMPTY: 'already-exists',
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  EIO: 'io',
  EACCES: 'permission-denied',
  EPERM: 'permission-denied',
  EROFS: 'permission-denied',
  EADDRINUSE: 'busy',
  EBUSY: 'busy',
  EMFILE: 'limit-exceeded',
  ENFILE: 'limit-exceeded',
  ECONNREFUSED: 'unavailable',
  ECONNRESET: 'unavailable',
  EPIPE: 'unavailable',
  EHOSTUNREACH: 'unavailable',
  ENOTFOUND: 'unavailable',
  ETIMEDOUT: 'timeout',
  ABORT_ERR: 'cancelled',
};

function codeOfSystemError(error: Error): ErrorCode {
  if (error.name === 'AbortError') return 'cancelled';
  if (error.name === 'TimeoutError') return 'timeout';
  const code = (error as NodeJS.ErrnoException).code;
  return (code === undefined ? undefined : SYSTEM_CODES[code]) ?? 'internal';
}

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(ERROR_CODES, text);
}

export function hasCode(thrown: unknown, ...codes: ErrorCode[]): boolean {
  return thrown instanceof WalbError && codes.includes(thrown.code);
}

/** Shorthand for the most common refusal: bytes that failed validation. */
export function corrupt(
  message: string,
  details: Readonly<Record<string, ErrorDetail>>,
): WalbError {
  return new WalbError('corrupt', message, { details });
}

/** Exhaustiveness check for discriminated unions and closed string sets. */
export function unreachable(value: never, what = 'value'): never {
  throw new WalbError('internal', `unexpected ${what}: ${String(value)}`);
}
