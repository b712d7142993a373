/**
 * Copies one file handle to another, keeping holes: only data ranges are read, and chunks that turn
 * out to be all zero (a preallocated range, or a source that does not report holes, such as a block
 * device) are not written.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileHandle } from './files.ts';
import { type Bytes, MIB } from './units.ts';

/** Read and written per call; larger gains nothing in the page cache. */
const COPY_CHUNK: Bytes = MIB;

/**
 * `target` is new and empty. Lets others run after each chunk (about a millisecond of work); `check`
 * is called then and stops the copy by throwing.
 */
export async function copyDataRanges(
  source: FileHandle,
  target: FileHandle,
  check: () => void,
): Promise<void> {
  const size = source.size();
  target.truncate(size);
  const chunk = Buffer.alloc(Math.min(COPY_CHUNK, size));
  const zeros = Buffer.alloc(chunk.length);
  let range = source.nextData(0);
  while (range !== undefined) {
    const end = Math.min(range.end, size);
    for (let at = range.start; at < end; at += chunk.length) {
      const piece = chunk.subarray(0, Math.min(chunk.length, end - at));
      const filled = piece.subarray(0, source.read(piece, at));
      if (!filled.equals(zeros.subarray(0, filled.length))) target.write(filled, at);
      await nextTurn();
      check();
    }
    range = source.nextData(end);
  }
}
