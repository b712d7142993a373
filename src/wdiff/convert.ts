/**
 * Conversion of log to wdiff, with exactly the piece boundaries of the original (formats.md 7).
 *
 * Indexed: data goes out as it comes, only the index lives in memory. This is what a proxy does while
 * it receives a log.
 *
 * Sorted: output is in address order, so the data must wait until the log has ended. It waits raw in
 * a scratch store. Compressing it first would cost a decompression for every cut piece and the
 * compression of everything overwritten; a file in the page cache costs neither.
 */
import type { Bytes, Lb } from '../core/index.ts';
import { LB_SIZE, MIB } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import type { LogItem, WlogItem } from '../wlog/index.ts';
import { freshBuffer, type TakeBuffer } from './buffers.ts';
import type { Compression } from './codec/index.ts';
import type { DiffBatch, DiffBlob, DiffIo } from './diff-io.ts';
import { IndexedDiffEncoder } from './indexed-writer.ts';
import { IoTable } from './io-table.ts';
import { discardIo, type LogIo, requireLogIo, writeIo } from './log-io.ts';
import { type Piece, PieceMap, plainSplitting } from './piece-map.ts';
import { type ScratchFactory, ScratchStore } from './scratch.ts';
import { sortedDiffParts } from './sorted-writer.ts';

/** Longest piece by default: 1 MiB. */
export const DEFAULT_MAX_IO_BLOCKS: Lb = MIB / LB_SIZE;

const BATCH_PIECES = 128;

export interface ConvertOptions {
  /** Of the output's file header: that of the log. */
  readonly uuid: Uint8Array;
  /** `nrCpu` counts for sorted output. */
  readonly compression: Compression & { readonly nrCpu?: number };
  /** Longest piece, 0 for no limit; default 2048 (1 MiB). */
  readonly maxIoBlocks?: Lb;
}

export interface SortedConvertOptions extends ConvertOptions {
  /** Used when the data passes `scratchMemory`; without it that is an error. */
  readonly scratch?: ScratchFactory;
  readonly scratchMemory?: Bytes;
  /** As in `SortedWriterOptions`. */
  readonly buffers?: 'fresh' | 'reused';
}

/** The writes and discards of a log as conversion takes them: padding left out, zeros found. */
export async function* logIosOf(
  items: AsyncIterable<WlogItem | LogItem> | Iterable<WlogItem | LogItem>,
): AsyncGenerator<LogIo> {
  for await (const item of items) {
    if (item.kind !== 'io') continue;
    if (item.type === 'write') yield writeIo(item.record.offset, item.data);
    else if (item.type === 'discard') yield discardIo(item.record.offset, item.record.blocks);
  }
}

export type LogIos = AsyncIterable<LogIo> | Iterable<LogIo>;

/**
 * The bytes of the indexed wdiff of `ios` (oldest first), to be written one after another. Each
 * buffer is valid until the next is asked for. Throws `invalid-argument` for an impossible IO.
 */
export async function* convertToIndexed(
  ios: LogIos,
  options: ConvertOptions,
): AsyncGenerator<Uint8Array> {
  const { uuid, compression, maxIoBlocks = DEFAULT_MAX_IO_BLOCKS } = options;
  const encoder = new IndexedDiffEncoder({ uuid, compression, maxIoBlocks });
  yield encoder.begin();
  for await (const io of ios) {
    const blob = encoder.add(io);
    if (blob !== undefined) yield blob;
  }
  yield* encoder.end();
}

/**
 * The bytes of the sorted wdiff of `ios` (oldest first): lists of buffers to be written one after
 * another. Throws `invalid-argument` for an impossible IO, `limit-exceeded` without scratch.
 */
export async function* convertToSorted(
  ios: LogIos,
  options: SortedConvertOptions,
): AsyncGenerator<readonly Uint8Array[]> {
  const sorter = new LogSorter(options);
  for await (const io of ios) sorter.add(io);
  const { uuid, compression, buffers = 'fresh' } = options;
  const writer = { uuid, compression, packLimit: 'stored', buffers } as const;
  yield* sortedDiffParts(sorter.batches(), writer);
}

/** Collects log IOs and gives the pieces that are left of them in address order. */
class LogSorter {
  readonly #ios = new IoTable();
  readonly #map: PieceMap;
  readonly #scratch: ScratchStore;

  constructor(options: SortedConvertOptions) {
    const maxIoBlocks = options.maxIoBlocks ?? DEFAULT_MAX_IO_BLOCKS;
    this.#map = new PieceMap(plainSplitting(maxIoBlocks), this.#ios);
    this.#scratch = new ScratchStore(options.scratch, options.scratchMemory);
  }

  add(io: LogIo): void {
    requireLogIo(io);
    const position = io.kind === 'normal' ? this.#scratch.append(io.data) : 0;
    const { kind, blocks } = io;
    const facts = {
      kind,
      position,
      blocks,
      storedSize: 0,
      compression: 'none',
      checksum: 0,
    } as const;
    this.#map.put(io.address, io.blocks, this.#ios.add(facts));
  }

  *batches(): Generator<DiffBatch> {
    let batch: DiffIo[] = [];
    for (const piece of this.#map) {
      batch.push(this.#pieceIo(piece));
      if (batch.length < BATCH_PIECES) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  #pieceIo({ address, blocks, ref, ioOffset }: Piece): DiffIo {
    const io = this.#ios.get(ref);
    if (io.kind !== 'normal') return { address, blocks, kind: io.kind };
    const blob = new ScratchBlob(this.#scratch, io.position + ioOffset * LB_SIZE, blocks);
    return { address, blocks, kind: 'normal', blob, blobOffset: 0 };
  }
}

/** A piece whose raw data wait in the scratch store. */
class ScratchBlob implements DiffBlob {
  readonly compression = 'none';
  readonly blocks: Lb;
  readonly storedSize: Bytes;
  readonly #scratch: ScratchStore;
  readonly #position: Bytes;
  #checksum: number | undefined;

  constructor(scratch: ScratchStore, position: Bytes, blocks: Lb) {
    this.#scratch = scratch;
    this.#position = position;
    this.blocks = blocks;
    this.storedSize = blocks * LB_SIZE;
  }

  /** Known once the bytes were read. */
  get checksum(): number {
    this.#checksum ??= checksum(this.dataOnce(), 0);
    return this.#checksum;
  }

  stored(take?: TakeBuffer): Uint8Array {
    const bytes = this.dataOnce(take);
    this.#checksum ??= checksum(bytes, 0);
    return bytes;
  }

  data(): Uint8Array {
    return this.dataOnce();
  }

  dataOnce(take: TakeBuffer = freshBuffer): Uint8Array {
    return this.#scratch.read(this.#position, take(this.storedSize));
  }
}
