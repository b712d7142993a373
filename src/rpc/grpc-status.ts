/** WalbError <-> gRPC status and trailers. */
import { Metadata, type StatusObject, status } from '@grpc/grpc-js';
import { type ErrorCode, WalbError } from '../core/index.ts';
import { decodeError, encodeError } from './error-codec.ts';

/** Trailer that carries the ErrorInfo; the status code and text are for other gRPC programs. */
const ERROR_TRAILER = 'walb-error-bin';

/** Characters of the status text; the whole message is in the trailer. */
const MAX_STATUS_TEXT = 200;

const STATUS_OF: Readonly<Record<ErrorCode, status>> = {
  'invalid-argument': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  'wrong-state': status.FAILED_PRECONDITION,
  busy: status.ABORTED,
  'limit-exceeded': status.RESOURCE_EXHAUSTED,
  corrupt: status.DATA_LOSS,
  'no-space': status.RESOURCE_EXHAUSTED,
  io: status.INTERNAL,
  overflow: status.DATA_LOSS,
  conflict: status.FAILED_PRECONDITION,
  unavailable: status.UNAVAILABLE,
  timeout: status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unauthenticated: status.UNAUTHENTICATED,
  'permission-denied': status.PERMISSION_DENIED,
  unsupported: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
};

/**
 * What a status without our trailer means: it was made by a gRPC library, not by a walb-ts server. All
 * that is not listed (CANCELLED, INTERNAL, UNKNOWN, ... after a reset stream) is a lost connection.
 */
const CODE_OF: Partial<Record<status, ErrorCode>> = {
  [status.DEADLINE_EXCEEDED]: 'timeout',
  [status.RESOURCE_EXHAUSTED]: 'limit-exceeded',
  [status.UNIMPLEMENTED]: 'unsupported',
  [status.UNAUTHENTICATED]: 'unauthenticated',
  [status.PERMISSION_DENIED]: 'permission-denied',
};

export interface GrpcFailure {
  readonly code: status;
  readonly details: string;
  readonly metadata: Metadata;
}

/** The status a server ends a call with. */
export function statusOf(error: WalbError): GrpcFailure {
  const metadata = new Metadata();
  metadata.set(ERROR_TRAILER, Buffer.from(encodeError(error)));
  const details = error.message.slice(0, MAX_STATUS_TEXT).toWellFormed();
  return { code: STATUS_OF[error.code], details, metadata };
}

/** The error a client sees for a status other than OK. */
export function errorOfStatus(failure: StatusObject, address: string, path: string): WalbError {
  const [trailer] = failure.metadata.get(ERROR_TRAILER);
  if (trailer instanceof Uint8Array) return decodeError(trailer);
  const code = CODE_OF[failure.code] ?? 'unavailable';
  const cause = plainCause(failure.details);
  const text = `${textOf(code, address, path)}${cause === '' ? '' : `: ${cause}`}`;
  return new WalbError(code, text, {
    details: { address, path, status: status[failure.code] },
  });
}

/**
 * What the library says without what it wraps around the cause: `No connection established. Last
 * error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: `.
 */
function plainCause(details: string): string {
  return details
    .replace(/^No connection established\. Last error: (Error: )?/, '')
    .replace(/\.? ?Resolution note: .*$/s, '')
    .replace(/^connect ECONNREFUSED \S+$/, 'nothing listens there (ECONNREFUSED)')
    .replace(/^Deadline exceeded after ([\d.]+)s.*$/s, 'waited $1 s')
    .trim();
}

function textOf(code: ErrorCode, address: string, path: string): string {
  switch (code) {
    case 'timeout':
      return `${address} did not finish ${path} in time`;
    case 'limit-exceeded':
      return `a message of ${path} between here and ${address} is too big`;
    case 'unsupported':
      return `the server at ${address} does not offer ${path}; is it of the right kind and version?`;
    case 'unavailable':
      return `no connection to ${address}, or it was lost`;
    default:
      return `${address} refused ${path}`;
  }
}
