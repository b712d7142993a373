/**
 * Pieces of a diff by address. Opening walks the pack headers (sorted) or the index (indexed) once,
 * which validates order over the whole file, and keeps one address per pack or page. A lookup searches
 * the bytes of a page and decodes only the records it wants.
 */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import { type BlobCache, BlobTable } from './blob.ts';
import { readDiffHeader } from './diff-file.ts';
import type { DiffIo } from './diff-io.ts';
import { INDEX_RECORD_SIZE } from './indexed-format.ts';
import { IndexReader, pieceOfIndexRecord } from './indexed-reader.ts';
import { fieldError, getU64, viewOf } from './layout.ts';
import {
  PACK_HEADER_SIZE,
  PACK_RECORDS_AT,
  SORTED_RECORD_SIZE,
  trustedSortedRecord,
  validatePack,
} from './sorted-format.ts';
import { factsOf, sortedPacks } from './sorted-reader.ts';

/** Pages kept per file, 4 KiB (sorted) or 12 KiB (indexed) each: neighbouring reads hit the same one. */
const KEPT_PAGES = 32;

export interface DiffLookup {
  /** Address of the first piece, and end of the last; equal in an empty diff. */
  readonly start: Lb;
  readonly end: Lb;
  /** Pieces that overlap `start`..`end`, in order. */
  overlapping(start: Lb, end: Lb): Iterable<DiffIo>;
}

/** Opens a file of either format for lookups. Throws `corrupt`. */
export function lookupOf(handle: FileHandle, cache: BlobCache): DiffLookup {
  const { format } = readDiffHeader(handle);
  const table = new BlobTable(handle, cache);
  return new PagedLookup(
    format === 'sorted' ? sortedPages(handle, table) : indexedPages(handle, table),
  );
}

/** Records in a row, as stored: address and length are read in place. */
interface Page {
  readonly view: DataView;
  /** Where the first record is; address and io_blocks are its first two fields in both formats. */
  readonly recordsAt: number;
  readonly recordSize: number;
  readonly count: number;
  pieceAt(index: number): DiffIo;
}

/** A diff as numbered pages. */
interface Pages {
  /** Address of the first record of each page. */
  readonly starts: readonly Lb[];
  /** End of the last record. */
  readonly end: Lb;
  read(page: number): Page;
}

function sortedPages(handle: FileHandle, table: BlobTable): Pages {
  const starts: Lb[] = [];
  const offsets: Bytes[] = [];
  let end: Lb = 0;
  for (const { pack, offset } of sortedPacks(handle)) {
    const last = pack.records.at(-1)!;
    starts.push(pack.records[0]!.address);
    offsets.push(offset);
    end = last.address + last.blocks;
  }
  return { starts, end, read: (page) => packPage(handle, offsets[page]!, table) };
}

function packPage(handle: FileHandle, offset: Bytes, table: BlobTable): Page {
  const header = new Uint8Array(PACK_HEADER_SIZE);
  const place = { file: handle.path, offset };
  if (handle.read(header, offset) < PACK_HEADER_SIZE) {
    throw fieldError(place, 'pack header', 'the file has become shorter');
  }
  const { records } = validatePack(header, place, 0);
  const view = viewOf(header);
  return {
    view,
    recordsAt: PACK_RECORDS_AT,
    recordSize: SORTED_RECORD_SIZE,
    count: records.length,
    pieceAt: (index) => {
      const record = trustedSortedRecord(view, index);
      const { address, blocks, kind } = record;
      if (kind !== 'normal') return { address, blocks, kind };
      const dataAt = offset + PACK_HEADER_SIZE + record.dataOffset;
      return { address, blocks, kind, blob: table.blobAt(dataAt, factsOf(record)), blobOffset: 0 };
    },
  };
}

function indexedPages(handle: FileHandle, table: BlobTable): Pages {
  const index = new IndexReader(handle);
  const starts: Lb[] = [];
  let end: Lb = 0;
  for (let number = 0; number < index.pageCount; number++) {
    const records = index.page(number, end);
    const last = records.at(-1)!;
    starts.push(records[0]!.address);
    end = last.address + last.blocks;
  }
  return { starts, end, read: (number) => indexPage(index, number, table) };
}

function indexPage(index: IndexReader, number: number, table: BlobTable): Page {
  const bytes = index.rawPage(number);
  return {
    view: viewOf(bytes),
    recordsAt: 0,
    recordSize: INDEX_RECORD_SIZE,
    count: bytes.length / INDEX_RECORD_SIZE,
    pieceAt: (at) => pieceOfIndexRecord(index.record(bytes, number, at), table),
  };
}

class PagedLookup implements DiffLookup {
  readonly start: Lb;
  readonly end: Lb;
  readonly #pages: Pages;
  /** Most recently used last. */
  readonly #kept = new Map<number, Page>();

  constructor(pages: Pages) {
    this.#pages = pages;
    this.start = pages.starts[0] ?? 0;
    this.end = pages.end;
  }

  *overlapping(start: Lb, end: Lb): Generator<DiffIo> {
    const { starts } = this.#pages;
    for (let number = this.#findPage(start); number < starts.length; number++) {
      if (starts[number]! >= end) return;
      const page = this.#page(number);
      for (let i = firstEndingAfter(page, start); i < page.count; i++) {
        if (getU64(page.view, page.recordsAt + i * page.recordSize) >= end) return;
        yield page.pieceAt(i);
      }
    }
  }

  /** The last page that starts at or before `address`, or the first. */
  #findPage(address: Lb): number {
    const { starts } = this.#pages;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (starts[middle]! <= address) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #page(number: number): Page {
    let page = this.#kept.get(number);
    if (page === undefined) {
      page = this.#pages.read(number);
      if (this.#kept.size >= KEPT_PAGES) this.#kept.delete(this.#kept.keys().next().value!);
    } else {
      this.#kept.delete(number);
    }
    this.#kept.set(number, page);
    return page;
  }
}

function firstEndingAfter(page: Page, address: Lb): number {
  let low = 0;
  let high = page.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const at = page.recordsAt + middle * page.recordSize;
    if (getU64(page.view, at) + page.view.getUint32(at + 8, true) > address) high = middle;
    else low = middle + 1;
  }
  return low;
}
