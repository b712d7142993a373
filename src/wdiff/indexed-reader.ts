/**
 * Reader of indexed wdiffs, which need random access: the index is at the end and the blobs are in
 * log order. The index is read a page at a time, never as a whole.
 */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import { BlobCache, BlobTable, OWN_CACHE_BYTES } from './blob.ts';
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

  /** The bytes of one page, a whole number of records. */
  rawPage(number: number): Uint8Array {
    const first = number * INDEX_PAGE_RECORDS;
    const count = Math.min(INDEX_PAGE_RECORDS, this.super.recordCount - first);
    return this.#read(this.#offsetOf(number), count * INDEX_RECORD_SIZE);
  }

  /** Validates record `index` of a raw page. Throws `corrupt`. */
  record(page: Uint8Array, number: number, index: number, floor: Lb = 0): StoredIndexRecord {
    const at = index * INDEX_RECORD_SIZE;
    const place = { file: this.#handle.path, offset: this.#offsetOf(number) + at };
    return validateIndexRecord(page, at, place, { floor, dataEnd: this.super.indexOffset });
  }

  /** Records of one page; the first must not start before `floor`. Throws `corrupt`. */
  page(number: number, floor: Lb = 0): StoredIndexRecord[] {
    const bytes = this.rawPage(number);
    const records: StoredIndexRecord[] = [];
    let end = floor;
    for (let i = 0; i * INDEX_RECORD_SIZE < bytes.length; i++) {
      const record = this.record(bytes, number, i, end);
      end = record.address + record.blocks;
      records.push(record);
    }
    return records;
  }

  #offsetOf(page: number): Bytes {
    return this.super.indexOffset + page * INDEX_PAGE_RECORDS * INDEX_RECORD_SIZE;
  }

  #read(offset: Bytes, length: Bytes): Uint8Array {
    const bytes = new Uint8Array(length);
    const count = this.#handle.read(bytes, offset);
    if (count === length) return bytes;
    throw fieldError({ file: this.#handle.path, offset }, 'index', 'the file ends inside it');
  }
}

/** The piece of an index record; records of one blob share one blob object. */
export function pieceOfIndexRecord(record: IndexRecord, table: BlobTable): DiffIo {
  const { address, blocks, kind, ioOffset, dataOffset } = record;
  if (kind !== 'normal') return { address, blocks, kind };
  const { origBlocks, compression, dataSize, ioChecksum } = record;
  const facts = { blocks: origBlocks, compression, storedSize: dataSize, checksum: ioChecksum };
  return { address, blocks, kind, blob: table.blobAt(dataOffset, facts), blobOffset: ioOffset };
}

/** Pieces of an indexed file in address order, a batch per index page. */
export function* readIndexedFile(
  handle: FileHandle,
  options: { readonly cache?: BlobCache } = {},
): Generator<DiffBatch> {
  const index = new IndexReader(handle);
  const table = new BlobTable(handle, options.cache ?? new BlobCache(OWN_CACHE_BYTES));
  let floor: Lb = 0;
  for (let number = 0; number < index.pageCount; number++) {
    const records = index.page(number, floor);
    const last = records.at(-1)!;
    floor = last.address + last.blocks;
    yield records.map((record) => pieceOfIndexRecord(record, table));
  }
}
