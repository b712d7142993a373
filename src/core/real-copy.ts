/**
 * Copies one file handle to another, keeping holes: only data ranges are read, and chunks that turn
 * out to be all zero (a preallocated range, or a source that does not report holes, such as a block
 * device) are not written.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FileHandle } from './files.ts';
import { type Bytes, MIB } from './units.ts';
import { isZero, ZERO_CHUNK } from './zeros.ts';

/**
 * Synced after so many bytes: a kernel with too many dirty pages makes the writer wait, and a
 * synchronous write would then stop the whole server.
 */
const SYNC_INTERVAL: Bytes = 64 * MIB;

/**
 * `target` is new and empty; it is synced when this resolves. Lets others run after each chunk (about
 * a millisecond of work); `check` is called then with how far the copy is, and stops it by throwing.
 */
export async function copyDataRanges(
  source: FileHandle,
  target: FileHandle,
  check: (position: Bytes) => void,
): Promise<void> {
  const size = source.size();
  target.truncate(size);
  const chunk = Buffer.alloc(Math.min(ZERO_CHUNK, size));
  let unsynced: Bytes = 0;
  for (const piece of pieces(source, size, chunk.length)) {
    const filled = chunk.subarray(0, source.read(chunk.subarray(0, piece.length), piece.start));
    if (!isZero(filled)) target.write(filled, piece.start);
    unsynced += filled.length;
    if (unsynced >= SYNC_INTERVAL) {
      await target.sync();
      unsynced = 0;
    }
    await nextTurn();
    check(piece.start + piece.length);
  }
  await target.sync();
}

function* pieces(source: FileHandle, size: Bytes, most: Bytes) {
  for (let range = source.nextData(0); range !== undefined; range = source.nextData(range.end)) {
    const end = Math.min(range.end, size);
    for (let start = range.start; start < end; start += most) {
      yield { start, length: Math.min(most, end - start) };
    }
  }
}
