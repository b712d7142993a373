/**
 * Byte streams as messages: packs and diff packs of any size cut into chunks of bounded size, and
 * put together again. Chunk borders mean nothing (transfer.proto ByteChunk).
 */
import { type Bytes, WalbError } from '../core/index.ts';
import { type ByteChunk, CHUNK_SIZE } from '../rpc/index.ts';
import { FILE_HEADER_SIZE } from '../wdiff/index.ts';

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

/** The wire form of a diff has no file header: its uuid goes in the message before. */
export async function* withoutFileHeader(
  parts: AsyncIterable<readonly Uint8Array[]>,
): AsyncGenerator<readonly Uint8Array[]> {
  let skip: Bytes = FILE_HEADER_SIZE;
  for await (const list of parts) {
    if (skip === 0) yield list;
    else {
      skip -= list.reduce((sum, part) => sum + part.length, 0);
      if (skip !== 0) throw new WalbError('internal', 'the file header did not come first');
    }
  }
}
