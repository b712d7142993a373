/**
 * Bytes read one after another, from memory, a file or a stream. Answers come synchronously where the
 * source can, so that reading a file costs no turn of the event loop per block.
 */
import type { Bytes, FileHandle } from '../core/index.ts';

export interface ByteSource {
  /** For error messages: the path, or `-`. */
  readonly name: string;
  /** Fills `into`; returns how many bytes, fewer than asked only at the end. */
  read(into: Uint8Array): number | Promise<number>;
  /** Passes over `count` bytes; returns how many there were. */
  skip(count: Bytes): number | Promise<number>;
}

export function bytesSource(bytes: Uint8Array, name = '(in memory)'): ByteSource {
  let at = 0;
  const advance = (count: number) => {
    const step = Math.min(count, bytes.length - at);
    at += step;
    return step;
  };
  return {
    name,
    read: (into) => {
      const from = at;
      const count = advance(into.length);
      into.set(bytes.subarray(from, from + count));
      return count;
    },
    skip: advance,
  };
}

/** Reads `file` from byte `start` on. The caller closes the file. */
export function fileSource(file: FileHandle, start: Bytes = 0): ByteSource {
  let at = start;
  return {
    name: file.path,
    read: (into) => {
      let count = 0;
      while (count < into.length) {
        const got = file.read(into.subarray(count), at);
        if (got === 0) break;
        count += got;
        at += got;
      }
      return count;
    },
    skip: (count) => {
      const step = Math.max(0, Math.min(count, file.size() - at));
      at += step;
      return step;
    },
  };
}

/** Reads chunks of any size, such as standard input. Keeps at most one chunk. */
export function streamSource(chunks: AsyncIterable<Uint8Array>, name = '-'): ByteSource {
  const iterator = chunks[Symbol.asyncIterator]();
  let chunk: Uint8Array = new Uint8Array(0);
  /** Hands out the next piece of up to `count` bytes; undefined at the end. */
  const take = async (count: number): Promise<Uint8Array | undefined> => {
    while (chunk.length === 0) {
      const next = await iterator.next();
      if (next.done) return undefined;
      chunk = next.value;
    }
    const piece = chunk.subarray(0, count);
    chunk = chunk.subarray(piece.length);
    return piece;
  };
  const consume = async (count: number, use: (piece: Uint8Array, at: number) => void) => {
    let done = 0;
    while (done < count) {
      const piece = await take(count - done);
      if (piece === undefined) break;
      use(piece, done);
      done += piece.length;
    }
    return done;
  };
  return {
    name,
    read: (into) => consume(into.length, (piece, at) => into.set(piece, at)),
    skip: (count) => consume(count, () => {}),
  };
}
