/**
 * Reader of indexed wdiffs, which need random access: the index is at the end and the blobs are in
 * log order. The index is read a page at a time, never as a whole.
 */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import { BlobCache, FileBlob } from './blob.ts';
import type { DiffBatch, DiffIo } from './diff-io.ts';
import { FILE_HEADER_SIZE } from './file-header.ts';
import {
  INDEX_RECORD_SIZE,
  INDEX_SUPER_SIZE,
  type IndexRecord,
  type IndexSuper,
  type StoredIndexRecord,
  validateIndexRecord,
  validateIndexSuper,
} from './indexed-format.ts';
import { fieldError } from './layout.ts';

/** Records per page: 12 KiB, about what one read of the page cache gives for free. */
export const INDEX_PAGE_RECORDS = 256;

/**
 * Blob objects kept so that records of one blob share one cache entry. Records of one blob lie within
 * the address range of one log IO; a blob that fell out is only decompressed again.
 */
const RECENT_BLOBS = 4096;

export function readIndexSuper(handle: FileHandle): IndexSuper {
  const size = handle.size();
  if (size < FILE_HEADER_SIZE + INDEX_SUPER_SIZE) {
    const place = { file: handle.path, offset: size };
    throw fieldError(place, 'index super', 'the file is too short to hold one');
  }
  const bytes = new Uint8Array(INDEX_SUPER_SIZE);
  handle.read(bytes, size - INDEX_SUPER_SIZE);
  return validateIndexSuper(bytes, handle.path, size);
}

/** The validated index records of a file, by page. */
export class IndexReader {
  readonly super: IndexSuper;
  readonly #handle: FileHandle;

  /** Throws `corrupt` when the super is not valid. */
  constructor(handle: FileHandle) {
    this.#handle = handle;
    this.super = readIndexSuper(handle);
  }

  get pageCount(): number {
    return Math.ceil(this.super.recordCount / INDEX_PAGE_RECORDS);
  }

  /** Records of one page; the first must not start before `floor`. Throws `corrupt`. */
  page(number: number, floor: Lb = 0): StoredIndexRecord[] {
    const first = number * INDEX_PAGE_RECORDS;
    const count = Math.min(INDEX_PAGE_RECORDS, this.super.recordCount - first);
    const offset = this.super.indexOffset + first * INDEX_RECORD_SIZE;
    const bytes = this.#read(offset, count * INDEX_RECORD_SIZE);
    const records: StoredIndexRecord[] = [];
    let end = floor;
    for (let i = 0; i < count; i++) {
      const at = i * INDEX_RECORD_SIZE;
      const place = { file: this.#handle.path, offset: offset + at };
      const bounds = { floor: end, dataEnd: this.super.indexOffset };
      const record = validateIndexRecord(bytes, at, place, bounds);
      end = record.address + record.blocks;
      records.push(record);
    }
    return records;
  }

  #read(offset: Bytes, length: Bytes): Uint8Array {
    const bytes = new Uint8Array(length);
    const count = this.#handle.read(bytes, offset);
    if (count === length) return bytes;
    throw fieldError({ file: this.#handle.path, offset }, 'index', 'the file ends inside it');
  }
}

/** Makes pieces of index records; records of one blob share one blob object. */
export class BlobTable {
  readonly #handle: FileHandle;
  readonly #cache: BlobCache;
  readonly #recent = new Map<Bytes, FileBlob>();

  constructor(handle: FileHandle, cache: BlobCache) {
    this.#handle = handle;
    this.#cache = cache;
  }

  pieceOf(record: IndexRecord): DiffIo {
    const { address, blocks, kind, ioOffset } = record;
    if (kind !== 'normal') return { address, blocks, kind };
    return { address, blocks, kind, blob: this.#blobOf(record), blobOffset: ioOffset };
  }

  #blobOf(record: IndexRecord): FileBlob {
    const known = this.#recent.get(record.dataOffset);
    if (known !== undefined && isBlobOf(known, record)) return known;
    const { origBlocks, compression, dataSize, ioChecksum, dataOffset } = record;
    const facts = { blocks: origBlocks, compression, storedSize: dataSize, checksum: ioChecksum };
    const blob = new FileBlob(facts, this.#handle, dataOffset, this.#cache);
    this.#recent.delete(dataOffset);
    this.#recent.set(dataOffset, blob);
    if (this.#recent.size > RECENT_BLOBS) this.#recent.delete(this.#recent.keys().next().value!);
    return blob;
  }
}

/** Two records may name one offset and mean different blobs only in a damaged file. */
function isBlobOf(blob: FileBlob, record: IndexRecord): boolean {
  return (
    blob.blocks === record.origBlocks &&
    blob.compression === record.compression &&
    blob.storedSize === record.dataSize &&
    blob.checksum === record.ioChecksum
  );
}

/** Pieces of an indexed file in address order, a batch per index page. */
export function* readIndexedFile(
  handle: FileHandle,
  options: { readonly cache?: BlobCache } = {},
): Generator<DiffBatch> {
  const index = new IndexReader(handle);
  const table = new BlobTable(handle, options.cache ?? new BlobCache());
  let floor: Lb = 0;
  for (let number = 0; number < index.pageCount; number++) {
    const records = index.page(number, floor);
    const last = records.at(-1)!;
    floor = last.address + last.blocks;
    yield records.map((record) => table.pieceOf(record));
  }
}
