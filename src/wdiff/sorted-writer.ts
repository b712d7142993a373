/** Writer of sorted wdiffs: packs of at most 127 records and 32 MiB, records compressed one by one. */
import type { Bytes, Lb } from '../core/index.ts';
import { LB_SIZE, WalbError } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { BufferArena, freshBuffer, type TakeBuffer, WorkBuffer } from './buffers.ts';
import {
  type Compression,
  type CompressionKind,
  compress,
  ParallelCompressor,
} from './codec/index.ts';
import { type DataIo, type DiffIo, type DiffStream, ioData, isWhole } from './diff-io.ts';
import { encodeFileHeader, FILE_HEADER_SIZE } from './file-header.ts';
import {
  encodePack,
  MAX_PACK_DATA,
  MAX_PACK_RECORDS,
  PACK_HEADER_SIZE,
  type SortedRecord,
} from './sorted-format.ts';

export interface SortedWriterOptions {
  readonly uuid: Uint8Array;
  /** With `nrCpu` above 1, `sortedDiffParts` compresses on that many threads. */
  readonly compression: Compression & { readonly nrCpu?: number };
  /**
   * What counts towards the 32 MiB of a pack (formats.md 5): conversion and full scan count stored
   * bytes, a merge uncompressed ones.
   */
  readonly packLimit: 'stored' | 'uncompressed';
  /**
   * `reuse` (default) writes data that is compressed with the wanted codec as it is, whatever its
   * level; `always` compresses everything anew.
   */
  readonly recompress?: 'reuse' | 'always';
  /**
   * `fresh` (default): what comes out is memory of its own. `reused`: it is valid only until the next
   * call, which saves most of the memory traffic when it goes to a file.
   */
  readonly buffers?: 'fresh' | 'reused';
  /** Stands for the file in errors. */
  readonly name?: string;
}

/** Data compressed elsewhere; undefined when they are to be stored raw. */
export interface PackedElsewhere {
  readonly packed: Uint8Array | undefined;
}

/** Data of a record as it will be stored. */
interface Stored {
  readonly bytes: Uint8Array;
  readonly compression: CompressionKind;
  readonly checksum: number;
}

/**
 * Turns pieces into the bytes of a sorted wdiff: `begin`, then `add` for each piece, then `end`.
 * What `add` returns is to be written in order; it is empty until a pack is complete. Pieces that
 * are unsorted or overlap are refused with `invalid-argument` before anything of them is written.
 */
export class SortedDiffEncoder {
  readonly #options: SortedWriterOptions;
  readonly #name: string;
  #records: SortedRecord[] = [];
  #parts: Uint8Array[] = [];
  #storedSize: Bytes = 0;
  #countedSize: Bytes = 0;
  #offset: Bytes = 0;
  /** End of the last record of the packs that are written already. */
  #floor: Lb = 0;
  #end: Lb = 0;
  readonly #work = new WorkBuffer();
  /** In turn, a pack each: while one pack is being written out, the next begins in the other arena. */
  readonly #arenas: readonly [BufferArena, BufferArena] | undefined;
  #packNumber = 0;
  #take: TakeBuffer = freshBuffer;

  constructor(options: SortedWriterOptions) {
    this.#options = options;
    this.#name = options.name ?? '<output>';
    if (options.buffers !== 'reused') return;
    this.#arenas = [new BufferArena(), new BufferArena()];
    this.#take = this.#arenas[0].take;
  }

  begin(): Uint8Array[] {
    this.#offset = FILE_HEADER_SIZE;
    return [encodeFileHeader({ format: 'sorted', uuid: this.#options.uuid })];
  }

  add(io: DiffIo, elsewhere?: PackedElsewhere): Uint8Array[] {
    refuseDisorder(io, this.#end);
    const stored = io.kind === 'normal' ? this.#store(io, elsewhere) : undefined;
    const storedSize = stored?.bytes.length ?? 0;
    const counted = this.#countedSizeOf(io, storedSize);
    const full =
      this.#records.length === MAX_PACK_RECORDS || this.#countedSize + counted > MAX_PACK_DATA;
    const done = full && this.#records.length > 0 ? this.#finishPack() : [];
    this.#append(io, stored);
    this.#countedSize += counted;
    return done;
  }

  end(): Uint8Array[] {
    const last = this.#records.length > 0 ? this.#finishPack() : [];
    const place = { file: this.#name, offset: this.#offset };
    return [...last, encodePack([], place, this.#end)];
  }

  #countedSizeOf(io: DiffIo, storedSize: Bytes): Bytes {
    if (io.kind !== 'normal') return 0;
    return this.#options.packLimit === 'stored' ? storedSize : io.blocks * LB_SIZE;
  }

  /** Whether `add` would compress the piece, rather than pass on what is stored. */
  compresses(io: DataIo): boolean {
    const { compression, recompress } = this.#options;
    return recompress === 'always' || !isWhole(io) || io.blob.compression !== compression.kind;
  }

  #store(io: DataIo, elsewhere: PackedElsewhere | undefined): Stored {
    const { kind, level } = this.#options.compression;
    if (!this.compresses(io)) {
      const { blob } = io;
      return { bytes: blob.stored(this.#take), compression: kind, checksum: blob.checksum };
    }
    const packed =
      elsewhere === undefined ? compress(kind, level, this.data(io)) : elsewhere.packed;
    const bytes = packed ?? this.#keep(this.data(io));
    return {
      bytes,
      compression: packed === undefined ? 'none' : kind,
      checksum: checksum(bytes, 0),
    };
  }

  /** The data of a piece in a buffer that the next call uses again. */
  data(io: DataIo): Uint8Array {
    return ioData(io, this.#work.take);
  }

  /** A copy that outlives the next piece. */
  #keep(data: Uint8Array): Uint8Array {
    const kept = this.#take(data.length);
    kept.set(data);
    return kept;
  }

  #append(io: DiffIo, stored: Stored | undefined): void {
    const { address, blocks, kind } = io;
    this.#records.push({
      address,
      blocks,
      kind,
      compression: stored?.compression ?? 'none',
      dataOffset: this.#storedSize,
      dataSize: stored?.bytes.length ?? 0,
      checksum: stored?.checksum ?? 0,
    });
    this.#end = address + blocks;
    if (stored === undefined) return;
    this.#parts.push(stored.bytes);
    this.#storedSize += stored.bytes.length;
  }

  #finishPack(): Uint8Array[] {
    const place = { file: this.#name, offset: this.#offset };
    const pack = [encodePack(this.#records, place, this.#floor), ...this.#parts];
    this.#offset += PACK_HEADER_SIZE + this.#storedSize;
    this.#floor = this.#end;
    this.#records = [];
    this.#parts = [];
    this.#storedSize = 0;
    this.#countedSize = 0;
    this.#nextArena();
    return pack;
  }

  /**
   * The arena the pack before used: its bytes were handed out by an earlier call. The first record of
   * the next pack is still in the arena of this one, which is left alone until that pack is out too.
   */
  #nextArena(): void {
    if (this.#arenas === undefined) return;
    this.#packNumber++;
    const arena = this.#arenas[this.#packNumber & 1]!;
    arena.reset();
    this.#take = arena.take;
  }
}

function refuseDisorder(io: DiffIo, end: Lb): void {
  if (io.address >= end && io.blocks > 0) return;
  throw new WalbError(
    'invalid-argument',
    `piece ${io.address}+${io.blocks} is empty or starts before ${end}, where the one before it ends`,
    { details: { address: io.address, blocks: io.blocks, end } },
  );
}

/**
 * The bytes of a sorted wdiff of `pieces`, as lists of buffers to be written one after another: the
 * file header, then a list per pack (at most 4096 + 32 MiB). Memory: one pack, or two with reused
 * buffers.
 */
export async function* sortedDiffParts(
  pieces: DiffStream,
  options: SortedWriterOptions,
): AsyncGenerator<readonly Uint8Array[]> {
  const encoder = new SortedDiffEncoder(options);
  yield encoder.begin();
  const { kind, level, nrCpu = 1 } = options.compression;
  if (kind === 'none' || nrCpu === 1) {
    for await (const batch of pieces) {
      for (const io of batch) {
        const parts = encoder.add(io);
        if (parts.length > 0) yield parts;
      }
    }
  } else {
    await using compressor = new ParallelCompressor({ kind, level, nrCpu });
    // A thread gets a copy of the data at once, so the encoder's work buffer is free for the next.
    const dataOf = (io: DiffIo) =>
      io.kind === 'normal' && encoder.compresses(io) ? encoder.data(io) : undefined;
    for await (const { item, packed } of compressor.map(piecesOf(pieces), dataOf)) {
      const parts = encoder.add(item, { packed });
      if (parts.length > 0) yield parts;
    }
  }
  yield encoder.end();
}

async function* piecesOf(stream: DiffStream): AsyncGenerator<DiffIo> {
  for await (const batch of stream) yield* batch;
}
