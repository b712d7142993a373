/**
 * The client's side of the transmission phase: replies in, whatever pieces they arrive in. Data of a
 * READ go straight into the caller's buffer.
 *
 * Source: NBD `doc/proto.md`, "Simple reply message", "Structured reply message".
 */
import { type Bytes, corrupt, KIB, type WalbError } from '../../core/index.ts';
import { decodeText, viewOf } from './options.ts';
import {
  BASE_ALLOCATION_ID,
  CHUNK_HEADER_SIZE,
  errorOfErrno,
  isErrorReplyType,
  ReplyFlag,
  ReplyType,
  SIMPLE_REPLY_MAGIC,
  SIMPLE_REPLY_SIZE,
  STRUCTURED_REPLY_MAGIC,
} from './protocol.ts';
import type { Extent } from './replies.ts';

/** Scratch for headers and small data. */
const SCRATCH: Bytes = 256 * KIB;
/** Errors and block status are short; whatever claims more is not such a reply. */
const MAX_CHUNK: Bytes = 128 * KIB;
/** From this much on the socket delivers into the caller's buffer without a copy. */
const DIRECT: Bytes = 16 * KIB;

/** A request that waits for its reply. */
export interface ExpectedReply {
  readonly cookie: number;
  /** For messages, for example `READ of 512 bytes at 0`. */
  readonly what: string;
  readonly offset: Bytes;
  /** Where the data of a READ go. */
  readonly into: Uint8Array | undefined;
  /** Data bytes received so far; a whole READ has as many as `into`. */
  filled: Bytes;
  /** The extents of a BLOCK_STATUS. */
  extents: readonly Extent[];
  error: WalbError | undefined;
}

export interface ReplyHandler {
  /** The request with this cookie, or undefined when there is none. */
  find(cookie: number): ExpectedReply | undefined;
  /** Its last reply has come. */
  finished(reply: ExpectedReply): void;
}

interface DataInProgress {
  readonly reply: ExpectedReply;
  readonly target: Uint8Array;
  readonly isLast: boolean;
  filled: Bytes;
}

export class ReplyDecoder {
  readonly #handler: ReplyHandler;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH);
  readonly #view = viewOf(this.#scratch);
  #start = 0;
  #end = 0;
  #data: DataInProgress | undefined;
  #gaveTarget = false;

  constructor(handler: ReplyHandler) {
    this.#handler = handler;
  }

  /** Where the next received bytes go; never empty. */
  space(): Uint8Array {
    const data = this.#data;
    const rest = data === undefined ? 0 : data.target.length - data.filled;
    this.#gaveTarget = this.#start === this.#end && rest >= DIRECT;
    if (data !== undefined && this.#gaveTarget) return data.target.subarray(data.filled);
    this.#scratch.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    return this.#scratch.subarray(this.#end);
  }

  /** Throws `corrupt` when the server does not speak NBD; the connection is useless then. */
  received(count: Bytes): void {
    if (this.#gaveTarget && this.#data !== undefined) this.#data.filled += count;
    else this.#end += count;
    while (this.#step()) {}
  }

  #step(): boolean {
    if (this.#data !== undefined) return this.#continueData(this.#data);
    if (this.#end - this.#start < SIMPLE_REPLY_SIZE) return false;
    const magic = this.#view.getUint32(this.#start);
    if (magic === SIMPLE_REPLY_MAGIC) return this.#simple();
    if (magic === STRUCTURED_REPLY_MAGIC) return this.#chunk();
    throw corrupt('NBD server: reply with an unknown magic', { magic });
  }

  #continueData(data: DataInProgress): boolean {
    const wanted = data.target.length - data.filled;
    const count = Math.min(wanted, this.#end - this.#start);
    data.target.set(this.#scratch.subarray(this.#start, this.#start + count), data.filled);
    data.filled += count;
    this.#start += count;
    if (data.filled < data.target.length) return false;
    this.#data = undefined;
    if (data.isLast) this.#handler.finished(data.reply);
    return true;
  }

  #simple(): boolean {
    const errno = this.#view.getUint32(this.#start + 4);
    const reply = this.#expected(this.#start + 8);
    this.#start += SIMPLE_REPLY_SIZE;
    if (errno !== 0) reply.error = errorOfErrno(errno, reply.what);
    if (errno !== 0 || reply.into === undefined) this.#handler.finished(reply);
    else this.#beginData(reply, reply.into, true);
    return true;
  }

  #chunk(): boolean {
    if (this.#end - this.#start < CHUNK_HEADER_SIZE) return false;
    const at = this.#start;
    const isLast = (this.#view.getUint16(at + 4) & ReplyFlag.DONE) !== 0;
    const type = this.#view.getUint16(at + 6);
    const length = this.#view.getUint32(at + 16);
    const reply = this.#expected(at + 8);
    if (type === ReplyType.OFFSET_DATA) return this.#dataChunk(reply, length, isLast);
    if (length > MAX_CHUNK) throw corrupt('NBD server: reply chunk is too long', { type, length });
    if (this.#end - at < CHUNK_HEADER_SIZE + length) return false;
    const body = this.#scratch.subarray(at + CHUNK_HEADER_SIZE, at + CHUNK_HEADER_SIZE + length);
    this.#start += CHUNK_HEADER_SIZE + length;
    applyChunk(reply, type, body);
    if (isLast) this.#handler.finished(reply);
    return true;
  }

  #dataChunk(reply: ExpectedReply, length: Bytes, isLast: boolean): boolean {
    const at = this.#start + CHUNK_HEADER_SIZE;
    if (this.#end - at < 8) return false;
    const offset = Number(this.#view.getBigUint64(at));
    this.#start = at + 8;
    this.#beginData(reply, targetOf(reply, offset, length - 8), isLast);
    return true;
  }

  #beginData(reply: ExpectedReply, target: Uint8Array, isLast: boolean): void {
    reply.filled += target.length;
    this.#data = { reply, target, isLast, filled: 0 };
  }

  #expected(cookieAt: number): ExpectedReply {
    const high = this.#view.getUint32(cookieAt);
    const cookie = this.#view.getUint32(cookieAt + 4);
    const reply = high === 0 ? this.#handler.find(cookie) : undefined;
    if (reply !== undefined) return reply;
    throw corrupt('NBD server: reply to a request that was not sent', { cookie });
  }
}

/** Part of the caller's buffer that a chunk fills. */
function targetOf(reply: ExpectedReply, offset: number, length: number): Uint8Array {
  const start = offset - reply.offset;
  if (reply.into === undefined || length < 0 || start < 0 || start + length > reply.into.length) {
    throw corrupt(`NBD server: data outside the ${reply.what}`, { offset, length });
  }
  return reply.into.subarray(start, start + length);
}

function applyChunk(reply: ExpectedReply, type: number, body: Uint8Array): void {
  const view = viewOf(body);
  if (type === ReplyType.NONE && body.length === 0) return;
  if (type === ReplyType.OFFSET_HOLE && body.length === 12) {
    const hole = targetOf(reply, Number(view.getBigUint64(0)), view.getUint32(8));
    hole.fill(0);
    reply.filled += hole.length;
  } else if (type === ReplyType.BLOCK_STATUS && body.length >= 12 && body.length % 8 === 4) {
    if (view.getUint32(0) === BASE_ALLOCATION_ID) reply.extents = decodeExtents(view);
  } else if (isErrorReplyType(type) && body.length >= 6) {
    reply.error ??= decodeError(reply, body);
  } else {
    throw corrupt('NBD server: malformed reply chunk', { type, length: body.length });
  }
}

function decodeExtents(view: DataView): Extent[] {
  const extents: Extent[] = [];
  for (let at = 4; at < view.byteLength; at += 8) {
    extents.push({ length: view.getUint32(at), flags: view.getUint32(at + 4) });
  }
  return extents;
}

function decodeError(reply: ExpectedReply, body: Uint8Array): WalbError {
  const view = viewOf(body);
  const text = decodeText(body.subarray(6, 6 + view.getUint16(4))) ?? '';
  return errorOfErrno(view.getUint32(0), text === '' ? reply.what : `${reply.what} (${text})`);
}
