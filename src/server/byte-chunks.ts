/**
 * Byte streams as messages: packs and diff packs of any size cut into chunks of bounded size, and
 * put together again. Chunk borders mean nothing (transfer.proto ByteChunk).
 */
import type { Bytes } from '../core/index.ts';
import { type ByteChunk, CHUNK_SIZE } from '../rpc/index.ts';

export type ByteParts = AsyncIterable<readonly Uint8Array[]> | Iterable<readonly Uint8Array[]>;

/** Chunks of at most `limit` bytes each; buffers are passed on, not copied. */
export async function* toChunks(
  parts: ByteParts,
  limit: Bytes = CHUNK_SIZE,
): AsyncGenerator<ByteChunk> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  for await (const list of parts) {
    for (const part of list) {
      let at = 0;
      while (at < part.length) {
        const piece = part.subarray(at, at + limit - size);
        pieces.push(piece);
        size += piece.length;
        at += piece.length;
        if (size < limit) continue;
        yield { pieces };
        pieces = [];
        size = 0;
      }
    }
  }
  if (size > 0) yield { pieces };
}

export function chunkSize(chunk: ByteChunk): Bytes {
  return chunk.pieces.reduce((sum, piece) => sum + piece.length, 0);
}
