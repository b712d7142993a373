/**
 * Writer of indexed wdiffs: blobs go out in log order as they come, and only the index lives in
 * memory, in a piece map of typed arrays (formats.md 6, 7).
 */
import type { Bytes, Lb } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { type Compression, compress } from './codec/index.ts';
import { encodeFileHeader, FILE_HEADER_SIZE } from './file-header.ts';
import {
  encodeIndexRecord,
  encodeIndexSuper,
  INDEX_ALIGNMENT,
  INDEX_RECORD_SIZE,
  type IndexRecord,
} from './indexed-format.ts';
import { IoTable } from './io-table.ts';
import { viewOf } from './layout.ts';
import { type LogIo, requireLogIo } from './log-io.ts';
import { alignedSplitting, type Piece, PieceMap } from './piece-map.ts';

/** Index records encoded at a time: 48 KiB per write. */
const INDEX_CHUNK_RECORDS = 1024;

export interface IndexedWriterOptions {
  readonly uuid: Uint8Array;
  readonly compression: Compression;
  /** Longest piece; rounded down to a power of two, 0 for no limit. */
  readonly maxIoBlocks: Lb;
}

/**
 * Turns log IOs, oldest first, into the bytes of an indexed wdiff: `begin`, `add` per IO, then
 * everything of `end`. What each call returns is to be written next.
 */
export class IndexedDiffEncoder {
  readonly #options: IndexedWriterOptions;
  readonly #ios = new IoTable();
  readonly #map: PieceMap;
  #offset: Bytes = FILE_HEADER_SIZE;
  #dataCount = 0;

  constructor(options: IndexedWriterOptions) {
    this.#options = options;
    this.#map = new PieceMap(alignedSplitting(options.maxIoBlocks), this.#ios);
  }

  /** Records the index has now. */
  get recordCount(): number {
    return this.#map.size;
  }

  begin(): Uint8Array {
    return encodeFileHeader({ format: 'indexed', uuid: this.#options.uuid });
  }

  /** The blob of this IO, or undefined when it has none. Throws `invalid-argument`. */
  add(io: LogIo): Uint8Array | undefined {
    requireLogIo(io);
    const position = this.#offset;
    this.#dataCount++;
    if (io.kind !== 'normal') {
      const facts = { kind: io.kind, position, storedSize: 0, blocks: 0, checksum: 0 };
      this.#map.put(io.address, io.blocks, this.#ios.add({ ...facts, compression: 'none' }));
      return undefined;
    }
    const { kind, level } = this.#options.compression;
    const packed = compress(kind, level, io.data);
    const stored = packed ?? io.data;
    const ref = this.#ios.add({
      kind: io.kind,
      position,
      storedSize: stored.length,
      blocks: io.blocks,
      compression: packed === undefined ? 'none' : kind,
      checksum: checksum(stored, 0),
    });
    this.#map.put(io.address, io.blocks, ref);
    this.#offset += stored.length;
    return stored;
  }

  /** Alignment, index and super. */
  *end(): Generator<Uint8Array> {
    const indexOffset = Math.ceil(this.#offset / INDEX_ALIGNMENT) * INDEX_ALIGNMENT;
    if (indexOffset > this.#offset) yield new Uint8Array(indexOffset - this.#offset);
    yield* this.#index();
    yield encodeIndexSuper({
      indexOffset,
      recordCount: this.#map.size,
      dataCount: this.#dataCount,
    });
  }

  *#index(): Generator<Uint8Array> {
    let view = viewOf(new Uint8Array(INDEX_CHUNK_RECORDS * INDEX_RECORD_SIZE));
    let used = 0;
    for (const piece of this.#map) {
      encodeIndexRecord(view, used, this.#recordOf(piece));
      used += INDEX_RECORD_SIZE;
      if (used < view.byteLength) continue;
      yield new Uint8Array(view.buffer);
      view = viewOf(new Uint8Array(view.byteLength));
      used = 0;
    }
    if (used > 0) yield new Uint8Array(view.buffer, 0, used);
  }

  #recordOf({ address, blocks, ref, ioOffset }: Piece): IndexRecord {
    const io = this.#ios.get(ref);
    return {
      address,
      blocks,
      kind: io.kind,
      compression: io.compression,
      dataOffset: io.position,
      dataSize: io.storedSize,
      ioOffset,
      origBlocks: io.blocks,
      ioChecksum: io.checksum,
    };
  }
}
