/** Bounds of every transport. */
import { type Bytes, KIB, MIB, WalbError } from '../core/index.ts';

/**
 * Version of the contract, sent with every call. It changes only when old and new programs can not
 * work together; new fields and methods do not change it.
 */
export const PROTOCOL_VERSION = 1;

/**
 * Largest encoded message. Twice the 4 MiB that bulk messages are meant to have at most (the largest
 * bulk size, cli.md 1.3), so that framing never pushes one over; small enough that a hostile peer
 * can not make us allocate much.
 */
export const MAX_FRAME: Bytes = 8 * MIB;

/** What senders of byte streams should gather per message: throughput is flat from here on. */
export const CHUNK_SIZE: Bytes = MIB;

/**
 * Bytes a sender may have handed to the transport that have not left it. One message is always let
 * through. Big enough to keep a link busy, and the bound of memory per stream and direction.
 */
export const SEND_WINDOW: Bytes = 2 * MIB;

/** Messages a transport reads ahead of the reader, so that decoding overlaps with receiving. */
export const READ_AHEAD = 2;

/**
 * Largest encoded error. HTTP/2 peers accept 64 KiB of headers by default, and base64 adds a third.
 */
export const MAX_ERROR: Bytes = 16 * KIB;

/** Longest client id shown in logs and statistics; a host name has at most 253 characters. */
export const MAX_CLIENT_ID = 253;

/** Longer time limits than this are no limit: timers of the platform end at 2^31 ms (24.8 days). */
export const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Throws `limit-exceeded` for a message that must not be sent or accepted. */
export function checkFrame(length: Bytes, path: string): void {
  if (length <= MAX_FRAME) return;
  const message = `a message of ${path} has ${length} bytes; at most ${MAX_FRAME} are allowed`;
  throw new WalbError('limit-exceeded', message, { details: { length, limit: MAX_FRAME, path } });
}
