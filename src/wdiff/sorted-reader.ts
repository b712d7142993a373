/** Readers of sorted wdiffs: from a file (data read when asked for) and from a chunk stream. */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import type { ByteSource } from '../wlog/index.ts';
import { BlobCache, FileBlob, MemoryBlob, OWN_CACHE_BYTES } from './blob.ts';
import type { DiffBatch, DiffIo } from './diff-io.ts';
import { type DiffFileHeader, FILE_HEADER_SIZE, validateFileHeader } from './file-header.ts';
import { fieldError, type Place } from './layout.ts';
import {
  PACK_HEADER_SIZE,
  type SortedPack,
  type SortedRecord,
  validatePack,
} from './sorted-format.ts';

/**
 * What the end of the file in place of a pack header means. walb-tools' merge, redo and virtual
 * scan take it for the end of the diff; then a diff cut at a pack border passes for a whole one,
 * so `refuse` is the default.
 */
export type MissingEnd = 'refuse' | 'accept';

/** A validated pack and where its header stands. */
export interface PlacedPack {
  readonly pack: SortedPack;
  readonly offset: Bytes;
}

/** Packs of a sorted file without their data, the end pack left out. Throws `corrupt`. */
export function* sortedPacks(
  handle: FileHandle,
  missingEnd: MissingEnd = 'refuse',
): Generator<PlacedPack> {
  const size = handle.size();
  const header = new Uint8Array(PACK_HEADER_SIZE);
  let offset = FILE_HEADER_SIZE;
  let floor: Lb = 0;
  for (;;) {
    const place = { file: handle.path, offset };
    const count = handle.read(header, offset);
    if (count < PACK_HEADER_SIZE) {
      endWithoutEndPack(count, missingEnd, place);
      return;
    }
    const pack = validatePack(header, place, floor);
    const end = offset + PACK_HEADER_SIZE + pack.totalSize;
    if (pack.isEnd) {
      refuseTrailingBytes(size, end, handle.path);
      return;
    }
    if (end > size) {
      const problem = `needs ${pack.totalSize} bytes, the file ends at ${size}`;
      throw fieldError(place, 'pack header total_size', problem);
    }
    yield { pack, offset };
    floor = endOfPack(pack, floor);
    offset = end;
  }
}

function endWithoutEndPack(count: number, missingEnd: MissingEnd, place: Place): void {
  if (count === 0 && missingEnd === 'accept') return;
  throw fieldError(place, 'pack header', 'the file ends without an end pack: it is truncated');
}

function refuseTrailingBytes(size: Bytes, end: Bytes, file: string): void {
  if (size === end) return;
  throw fieldError({ file, offset: end }, 'end of file', `${size - end} bytes follow the end pack`);
}

function endOfPack(pack: SortedPack, floor: Lb): Lb {
  const last = pack.records.at(-1);
  return last === undefined ? floor : last.address + last.blocks;
}

/** The records of a pack in a file as pieces. */
function piecesOfPack(
  { pack, offset }: PlacedPack,
  handle: FileHandle,
  cache: BlobCache,
): DiffIo[] {
  const dataAt = offset + PACK_HEADER_SIZE;
  return pack.records.map((record) =>
    pieceOf(record, () => new FileBlob(factsOf(record), handle, dataAt + record.dataOffset, cache)),
  );
}

function pieceOf(record: SortedRecord, blob: () => FileBlob | MemoryBlob): DiffIo {
  const { address, blocks, kind } = record;
  if (kind !== 'normal') return { address, blocks, kind };
  return { address, blocks, kind, blob: blob(), blobOffset: 0 };
}

/** What a record says about its data. */
export function factsOf(record: SortedRecord) {
  const { blocks, compression, dataSize, checksum } = record;
  return { blocks, compression, storedSize: dataSize, checksum };
}

export interface SortedReadOptions {
  readonly cache?: BlobCache;
  readonly missingEnd?: MissingEnd;
}

/** Pieces of a sorted file, a batch per pack. The header is validated by `openDiff`. */
export function* readSortedFile(
  handle: FileHandle,
  options: SortedReadOptions = {},
): Generator<DiffBatch> {
  const cache = options.cache ?? new BlobCache(OWN_CACHE_BYTES);
  for (const placed of sortedPacks(handle, options.missingEnd)) {
    yield piecesOfPack(placed, handle, cache);
  }
}

/** A sorted wdiff that is read front to back. */
export interface SortedStream {
  readonly header: DiffFileHeader;
  /** Pieces, a batch per pack with its data (at most 32 MiB) in memory. */
  readonly batches: AsyncIterable<DiffBatch>;
}

/**
 * Starts reading a sorted wdiff from `source` (`streamSource(chunks)` for a stream of chunks).
 * Everything is validated, also the data checksums. Throws `corrupt`, also for an indexed file,
 * which can not be read front to back.
 */
export async function readSortedStream(
  source: ByteSource,
  options: SortedReadOptions = {},
): Promise<SortedStream> {
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const count = await source.read(bytes);
  const header = validateFileHeader(bytes.subarray(0, count), source.name);
  if (header.format !== 'sorted') {
    const place = { file: source.name, offset: 0 };
    throw fieldError(place, 'file header type', 'an indexed wdiff can not be read as a stream');
  }
  return { header, batches: streamBatches(source, options) };
}

async function* streamBatches(
  source: ByteSource,
  options: SortedReadOptions,
): AsyncGenerator<DiffBatch> {
  const cache = options.cache ?? new BlobCache(OWN_CACHE_BYTES);
  const header = new Uint8Array(PACK_HEADER_SIZE);
  let floor: Lb = 0;
  let offset: Bytes = FILE_HEADER_SIZE;
  for (;;) {
    const place = { file: source.name, offset };
    const count = await source.read(header);
    if (count < PACK_HEADER_SIZE) {
      endWithoutEndPack(count, options.missingEnd ?? 'refuse', place);
      return;
    }
    const pack = validatePack(header, place, floor);
    offset += PACK_HEADER_SIZE;
    if (pack.isEnd) break;
    yield await streamPieces(source, pack, offset, cache);
    floor = endOfPack(pack, floor);
    offset += pack.totalSize;
  }
  const rest = await source.read(new Uint8Array(1));
  refuseTrailingBytes(offset + rest, offset, source.name);
}

async function streamPieces(
  source: ByteSource,
  pack: SortedPack,
  offset: Bytes,
  cache: BlobCache,
): Promise<DiffIo[]> {
  const data = Buffer.allocUnsafeSlow(pack.totalSize);
  const count = await source.read(data);
  if (count < pack.totalSize) {
    const place = { file: source.name, offset };
    const problem = `the stream ends after ${count} of ${pack.totalSize} bytes`;
    throw fieldError(place, 'pack data', problem);
  }
  return pack.records.map((record) => {
    const { dataOffset, dataSize } = record;
    const stored = data.subarray(dataOffset, dataOffset + dataSize);
    const place = { file: source.name, offset: offset + dataOffset };
    return pieceOf(record, () => new MemoryBlob(factsOf(record), stored, place, cache));
  });
}
