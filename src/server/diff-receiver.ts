/**
 * Receiving the packs of a sorted diff into a file: every byte is written as it comes and validated
 * in the same pass (pack headers, order, data checksums), so that only a whole and sound diff is ever
 * given a name.
 */
import { type Bytes, type FileHandle, type Lb, WalbError } from '../core/index.ts';
import type { ByteChunk } from '../rpc/index.ts';
import { encodeFileHeader, readSortedStream } from '../wdiff/index.ts';
import { streamSource } from '../wlog/index.ts';

export interface ReceiveOptions {
  /** Of the file header: the log history the diff belongs to. */
  readonly uuid: Uint8Array;
  /** Blocks of the image that the diff is of; nothing beyond is taken. */
  readonly sizeLb?: Lb;
  /** Bytes written between syncs, so that the last sync is short. */
  readonly fsyncInterval: Bytes;
  /** Called for each chunk, before it is used; throws to give up. */
  readonly onChunk: (bytes: Bytes) => void;
}

export interface ReceivedDiff {
  readonly records: number;
  /** End of the last record, in blocks. */
  readonly end: number;
}

/**
 * Throws `corrupt` when what comes is not a whole diff, `invalid-argument` as soon as it leaves the image;
 * the caller discards the file then.
 */
export async function receiveDiff(
  handle: FileHandle,
  chunks: AsyncIterable<ByteChunk>,
  options: ReceiveOptions,
): Promise<ReceivedDiff> {
  const writer = new SyncingWriter(handle, options.fsyncInterval);
  const source = streamSource(tee(chunks, writer, options), handle.path);
  const { batches } = await readSortedStream(source);
  let records = 0;
  let end = 0;
  for await (const batch of batches) {
    records += batch.length;
    const last = batch.at(-1);
    if (last !== undefined) end = last.address + last.blocks;
    if (options.sizeLb !== undefined && end > options.sizeLb) {
      throw new WalbError(
        'invalid-argument',
        `the diff reaches to block ${end} of ${options.sizeLb}`,
      );
    }
  }
  return { records, end };
}

async function* tee(
  chunks: AsyncIterable<ByteChunk>,
  writer: SyncingWriter,
  { uuid, onChunk }: ReceiveOptions,
): AsyncGenerator<Uint8Array> {
  const header = encodeFileHeader({ format: 'sorted', uuid });
  await writer.write([header]);
  yield header;
  for await (const { pieces } of chunks) {
    onChunk(pieces.reduce((sum, piece) => sum + piece.length, 0));
    await writer.write(pieces);
    yield* pieces;
  }
}

class SyncingWriter {
  readonly #handle: FileHandle;
  readonly #interval: Bytes;
  #position: Bytes = 0;
  #unsynced: Bytes = 0;

  constructor(handle: FileHandle, interval: Bytes) {
    this.#handle = handle;
    this.#interval = interval;
  }

  async write(pieces: readonly Uint8Array[]): Promise<void> {
    this.#handle.writev(pieces, this.#position);
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#position += size;
    this.#unsynced += size;
    if (this.#unsynced < this.#interval) return;
    this.#unsynced = 0;
    await this.#handle.sync();
  }
}
