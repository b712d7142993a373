/**
 * Replies of the transmission phase, encoded into a buffer at a position: pure functions.
 *
 * Source: NBD `doc/proto.md`, "Simple reply message" and "Structured reply message".
 */
import type { Bytes } from '../../core/index.ts';
import type { DataRange } from './backend.ts';
import {
  Allocation,
  BASE_ALLOCATION_ID,
  CHUNK_HEADER_SIZE,
  ReplyFlag,
  ReplyType,
  SIMPLE_REPLY_MAGIC,
  SIMPLE_REPLY_SIZE,
  STRUCTURED_REPLY_MAGIC,
} from './protocol.ts';
import type { Request } from './requests.ts';

/** Longest error text sent; the protocol allows 4096. */
export const MAX_ERROR_TEXT = 512;
/** Largest reply without the payload of a READ or the extents of a BLOCK_STATUS. */
export const MAX_BARE_REPLY = CHUNK_HEADER_SIZE + 6 + MAX_ERROR_TEXT;

/** Bytes before the data of a successful READ. */
export function readHeaderSize(structured: boolean): Bytes {
  return structured ? CHUNK_HEADER_SIZE + 8 : SIMPLE_REPLY_SIZE;
}

export function putSimpleReply(view: DataView, at: number, request: Request, errno: number): void {
  view.setUint32(at, SIMPLE_REPLY_MAGIC);
  view.setUint32(at + 4, errno);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
}

function putChunkHeader(
  view: DataView,
  at: number,
  request: Request,
  type: number,
  length: Bytes,
): void {
  view.setUint32(at, STRUCTURED_REPLY_MAGIC);
  view.setUint16(at + 4, ReplyFlag.DONE);
  view.setUint16(at + 6, type);
  view.setUint32(at + 8, request.cookieHigh);
  view.setUint32(at + 12, request.cookieLow);
  view.setUint32(at + 16, length);
}

/** Header of a whole READ in one chunk; the data follow it. */
export function putReadHeader(
  view: DataView,
  at: number,
  request: Request,
  structured: boolean,
): void {
  if (!structured) {
    putSimpleReply(view, at, request, 0);
    return;
  }
  putChunkHeader(view, at, request, ReplyType.OFFSET_DATA, 8 + request.length);
  view.setUint32(at + CHUNK_HEADER_SIZE, Math.floor(request.offset / 2 ** 32));
  view.setUint32(at + CHUNK_HEADER_SIZE + 4, request.offset % 2 ** 32);
}

/** Success without data; returns its size. A structured READ of 0 bytes needs a chunk. */
export function putDone(view: DataView, at: number, request: Request, structured: boolean): Bytes {
  if (structured) {
    putChunkHeader(view, at, request, ReplyType.NONE, 0);
    return CHUNK_HEADER_SIZE;
  }
  putSimpleReply(view, at, request, 0);
  return SIMPLE_REPLY_SIZE;
}

/** An error, with text where the client understands it; returns its size. */
export function putError(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  request: Request,
  error: { readonly errno: number; readonly text: string; readonly structured: boolean },
): Bytes {
  if (!error.structured) {
    putSimpleReply(view, at, request, error.errno);
    return SIMPLE_REPLY_SIZE;
  }
  const room = bytes.subarray(at + CHUNK_HEADER_SIZE + 6, at + MAX_BARE_REPLY);
  const { written } = new TextEncoder().encodeInto(error.text, room);
  putChunkHeader(view, at, request, ReplyType.ERROR, 6 + written);
  view.setUint32(at + CHUNK_HEADER_SIZE, error.errno);
  view.setUint16(at + CHUNK_HEADER_SIZE + 4, written);
  return CHUNK_HEADER_SIZE + 6 + written;
}

export interface Extent {
  readonly length: Bytes;
  readonly flags: number;
}

export function blockStatusSize(extents: readonly Extent[]): Bytes {
  return CHUNK_HEADER_SIZE + 4 + extents.length * 8;
}

export function putBlockStatus(
  view: DataView,
  at: number,
  request: Request,
  extents: readonly Extent[],
): void {
  putChunkHeader(view, at, request, ReplyType.BLOCK_STATUS, 4 + extents.length * 8);
  view.setUint32(at + CHUNK_HEADER_SIZE, BASE_ALLOCATION_ID);
  for (const [i, extent] of extents.entries()) {
    view.setUint32(at + CHUNK_HEADER_SIZE + 4 + i * 8, extent.length);
    view.setUint32(at + CHUNK_HEADER_SIZE + 8 + i * 8, extent.flags);
  }
}

/**
 * Extents of `base:allocation` from `offset` on, at most `limit` of them, covering no more than
 * `length` bytes. Boundaries are moved outwards to `block`, so that data never count as a hole.
 */
export function allocationExtents(
  offset: Bytes,
  length: Bytes,
  options: {
    readonly limit: number;
    readonly block: Bytes;
    readonly nextData: ((offset: Bytes) => DataRange | undefined) | undefined;
  },
): Extent[] {
  const end = offset + length;
  const extents: Extent[] = [];
  let at = offset;
  while (at < end && extents.length < options.limit) {
    const data = options.nextData === undefined ? { start: at, end } : options.nextData(at);
    const start = data === undefined ? end : roundDown(data.start, options.block);
    const isData = start <= at;
    const next = isData && data !== undefined ? roundUp(data.end, options.block) : start;
    // A backend that makes no headway must not make us loop.
    const stop = Math.min(end, Math.max(next, at + options.block));
    appendExtent(extents, stop - at, isData ? 0 : Allocation.HOLE | Allocation.ZERO);
    at = stop;
  }
  return extents;
}

/** Neighbours of the same kind become one; the protocol asks for it as far as is easy. */
function appendExtent(extents: Extent[], length: Bytes, flags: number): void {
  const last = extents.at(-1);
  if (last?.flags === flags) extents[extents.length - 1] = { length: last.length + length, flags };
  else extents.push({ length, flags });
}

function roundDown(value: Bytes, block: Bytes): Bytes {
  return value - (value % block);
}

function roundUp(value: Bytes, block: Bytes): Bytes {
  return Math.ceil(value / block) * block;
}
