/**
 * Requests of the transmission phase: decoding and validating, two functions.
 *
 * Source: NBD `doc/proto.md`, "Request message" and "Request types". Layout: magic (4), command
 * flags (2), type (2), cookie (8), offset (8), length (4), then the payload of a WRITE.
 */
import { type Bytes, MIB } from '../../core/index.ts';
import {
  Command,
  CommandFlag,
  MAX_PAYLOAD,
  type NbdErrno,
  NbdError,
  REQUEST_MAGIC,
} from './protocol.ts';

/** A refused WRITE payload longer than this is not read away: the connection is dropped. */
export const MAX_SKIPPED_PAYLOAD: Bytes = 64 * MIB;

/** Reused from request to request; nothing here allocates. */
export interface Request {
  flags: number;
  type: number;
  /** The client's 8-byte cookie, as two halves. */
  cookieHigh: number;
  cookieLow: number;
  /** Infinity when the wire value does not fit a plain number: out of every device's range. */
  offset: Bytes;
  length: Bytes;
}

export function emptyRequest(): Request {
  return { flags: 0, type: 0, cookieHigh: 0, cookieLow: 0, offset: 0, length: 0 };
}

/** Reads the 28 bytes at `at`; false when they do not start with the magic. */
export function decodeRequest(view: DataView, at: number, into: Request): boolean {
  into.flags = view.getUint16(at + 4);
  into.type = view.getUint16(at + 6);
  into.cookieHigh = view.getUint32(at + 8);
  into.cookieLow = view.getUint32(at + 12);
  const offset = view.getUint32(at + 16) * 2 ** 32 + view.getUint32(at + 20);
  into.offset = Number.isSafeInteger(offset) ? offset : Number.POSITIVE_INFINITY;
  into.length = view.getUint32(at + 24);
  return view.getUint32(at) === REQUEST_MAGIC;
}

export function encodeRequest(view: DataView, at: number, request: Request): void {
  view.setUint32(at, REQUEST_MAGIC);
  view.setUint16(at + 4, request.flags);
  view.setUint16(at + 6, request.type);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
  view.setUint32(at + 16, Math.floor(request.offset / 2 ** 32));
  view.setUint32(at + 20, request.offset % 2 ** 32);
  view.setUint32(at + 24, request.length);
}

export function isChange(type: number): boolean {
  return type === Command.WRITE || type === Command.TRIM || type === Command.WRITE_ZEROES;
}

/** What a request is checked against. */
export interface RequestRules {
  /** The device may grow from one request to the next. */
  size: Bytes;
  readonly readOnly: boolean;
  /** A power of two. */
  readonly minimumBlock: Bytes;
  readonly canFastZero: boolean;
  readonly structured: boolean;
  readonly allocation: boolean;
}

/** Flags a command may carry; FUA is tolerated everywhere, as the protocol asks. */
const ALLOWED_FLAGS: Readonly<Record<number, number>> = {
  [Command.READ]: CommandFlag.FUA | CommandFlag.DF,
  [Command.WRITE]: CommandFlag.FUA,
  [Command.FLUSH]: CommandFlag.FUA,
  [Command.TRIM]: CommandFlag.FUA,
  [Command.CACHE]: CommandFlag.FUA,
  [Command.WRITE_ZEROES]: CommandFlag.FUA | CommandFlag.NO_HOLE | CommandFlag.FAST_ZERO,
  [Command.BLOCK_STATUS]: CommandFlag.FUA | CommandFlag.REQ_ONE,
};

/** The error to answer with, or undefined when the request is fine. DISCONNECT is not for here. */
export function faultOf(request: Request, rules: RequestRules): NbdErrno | undefined {
  const allowed = ALLOWED_FLAGS[request.type];
  if (allowed === undefined || (request.flags & ~allowed) !== 0) return NbdError.EINVAL;
  if ((request.flags & CommandFlag.DF) !== 0 && !rules.structured) return NbdError.EINVAL;
  if ((request.flags & CommandFlag.FAST_ZERO) !== 0 && !rules.canFastZero) return NbdError.ENOTSUP;
  if (request.type === Command.FLUSH) return undefined;
  return isChange(request.type) && rules.readOnly ? NbdError.EPERM : rangeFault(request, rules);
}

function rangeFault(request: Request, rules: RequestRules): NbdErrno | undefined {
  const { type, offset, length } = request;
  if (offset + length > rules.size) {
    const writes = type === Command.WRITE || type === Command.WRITE_ZEROES;
    return writes ? NbdError.ENOSPC : NbdError.EINVAL;
  }
  const mask = rules.minimumBlock - 1;
  if (offset % rules.minimumBlock !== 0 || (length & mask) !== 0) return NbdError.EINVAL;
  if (carriesData(type) && length > MAX_PAYLOAD) return NbdError.EINVAL;
  if (type === Command.BLOCK_STATUS && (!rules.allocation || length === 0)) return NbdError.EINVAL;
  return undefined;
}

function carriesData(type: number): boolean {
  return type === Command.READ || type === Command.WRITE;
}
