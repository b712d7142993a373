/**
 * Finds out, without decoding, how much an .xz stream expands to, so that no stream is decoded that
 * produces anything but the announced size. The library offers a memory limit for its dictionary but
 * none for its output, and the index at the end of a stream can lie; LZMA2 chunk headers can not: the
 * decoder produces what they say or fails.
 *
 * ```
 * stream header (12) | block: header, LZMA2 chunks, padding, check | ... | index | footer (12)
 *
 * index         0x00, varint block count, per block 2 varints, padding to 4, crc32
 * LZMA2 chunk   control 0x00        end of the block
 *               control 0x01, 0x02  stored: u16be size-1, bytes
 *               control >= 0x80     u16be low bits of size-1 (high five in control), u16be packed-1,
 *                                   one property byte when control >= 0xc0, packed bytes
 * ```
 */

import type { Bytes } from '../../core/index.ts';
import { MIB } from '../../core/index.ts';

/** Memory the decoder may use: dictionaries up to 8 MiB, presets up to 6 (formats.md 4). */
export const MAX_XZ_DECODER_BYTES: Bytes = 16 * MIB;

const STREAM_HEADER_SIZE = 12;
const STREAM_FOOTER_SIZE = 12;
const INDEX_CHECK_SIZE = 4;
const MAX_VARINT_BYTES = 9;
const MAGIC = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00] as const;
/** Bytes of the integrity check, by its id. */
const CHECK_SIZES = [0, 4, 4, 4, 8, 8, 8, 16, 16, 16, 32, 32, 32, 64, 64, 64] as const;

/** Throws an Error unless the blocks of the stream together hold exactly `size` bytes. */
export function requireXzSize(stream: Uint8Array, size: Bytes): void {
  if (MAGIC.some((byte, at) => stream[at] !== byte)) throw new Error('it is not an .xz stream');
  const checkSize = CHECK_SIZES[byteAt(stream, 7) & 0x0f]!;
  let total = 0;
  let blocks = 0;
  let at = STREAM_HEADER_SIZE;
  // A zero byte in place of a block header starts the index.
  while (byteAt(stream, at) !== 0) {
    const chunks = at + (byteAt(stream, at) + 1) * 4;
    const block = measureChunks(stream, chunks, size - total);
    total += block.size;
    blocks++;
    const padding = (4 - ((block.end - chunks) & 3)) & 3;
    at = block.end + padding + checkSize;
  }
  if (total !== size) throw new Error(`its blocks hold ${total} bytes`);
  requireLastStream(stream, at, blocks);
}

/** The decoder would go on with another stream after this one, so nothing may follow the footer. */
function requireLastStream(stream: Uint8Array, index: number, blocks: number): void {
  const count = varintAt(stream, index + 1);
  if (count.value !== blocks) throw new Error('its index does not list its blocks');
  let at = count.end;
  for (let field = 0; field < 2 * blocks; field++) at = varintAt(stream, at).end;
  const padding = (4 - ((at - index) & 3)) & 3;
  const end = at + padding + INDEX_CHECK_SIZE + STREAM_FOOTER_SIZE;
  if (end !== stream.length) throw new Error(`it ends at ${end} of ${stream.length} bytes`);
}

/** Size of the data in the LZMA2 chunks from `start`, and where they end. */
function measureChunks(
  stream: Uint8Array,
  start: number,
  limit: Bytes,
): { readonly size: Bytes; readonly end: number } {
  let size = 0;
  let at = start;
  for (;;) {
    const control = byteAt(stream, at);
    if (control === 0) return { size, end: at + 1 };
    if (control > 2 && control < 0x80) throw new Error('it has an unknown kind of chunk');
    const low = u16At(stream, at + 1);
    if (control <= 2) {
      size += low + 1;
      at += 3 + low + 1;
    } else {
      size += ((control & 0x1f) << 16) + low + 1;
      at += (control >= 0xc0 ? 6 : 5) + u16At(stream, at + 3) + 1;
    }
    if (size > limit) throw new Error('its blocks hold more bytes');
  }
}

/** A varint of the index: 7 bits per byte, low ones first, at most 9 bytes. */
function varintAt(
  stream: Uint8Array,
  start: number,
): { readonly value: number; readonly end: number } {
  let value = 0;
  for (let at = start; at < start + MAX_VARINT_BYTES; at++) {
    const byte = byteAt(stream, at);
    value += (byte & 0x7f) * 2 ** (7 * (at - start));
    if (byte < 0x80) return { value, end: at + 1 };
  }
  throw new Error('its index is malformed');
}

function u16At(stream: Uint8Array, at: number): number {
  return (byteAt(stream, at) << 8) | byteAt(stream, at + 1);
}

function byteAt(stream: Uint8Array, at: number): number {
  const byte = stream[at];
  if (byte === undefined) throw new Error('it is cut short');
  return byte;
}
