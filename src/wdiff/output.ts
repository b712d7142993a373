/** Writes the bytes of a diff to a file. */
import type { Bytes, FileHandle } from '../core/index.ts';
import { MIB } from '../core/index.ts';

/** Buffers per writev; the limit of common systems is 1024. */
const MAX_PARTS = 256;

/** Small buffers are gathered up to this size before they are written. */
const GATHER_BYTES: Bytes = MIB;

/**
 * Writes `parts` to `handle` from byte 0 on and returns the size; nothing is synced. For bytes whose
 * buffers stay valid, as sorted diffs have; see `writeChunks` for others.
 */
export async function writeParts(
  handle: FileHandle,
  parts: AsyncIterable<readonly Uint8Array[]>,
): Promise<Bytes> {
  let position = 0;
  for await (const list of parts) {
    for (let at = 0; at < list.length; at += MAX_PARTS) {
      const some = list.slice(at, at + MAX_PARTS);
      handle.writev(some, position);
      for (const part of some) position += part.length;
    }
  }
  return position;
}

/** The same for single buffers that are only valid until the next, as indexed diffs have. */
export async function writeChunks(
  handle: FileHandle,
  chunks: AsyncIterable<Uint8Array>,
): Promise<Bytes> {
  const gathered = new Uint8Array(GATHER_BYTES);
  let used = 0;
  let position = 0;
  const flush = () => {
    handle.write(gathered.subarray(0, used), position);
    position += used;
    used = 0;
  };
  for await (const chunk of chunks) {
    if (used + chunk.length > GATHER_BYTES) flush();
    if (chunk.length > GATHER_BYTES) {
      handle.write(chunk, position);
      position += chunk.length;
    } else {
      gathered.set(chunk, used);
      used += chunk.length;
    }
  }
  flush();
  return position;
}
