/**
 * Pieces of a diff by address. Opening walks the pack headers (sorted) or the index (indexed) once,
 * which validates order over the whole file, and keeps one address per pack or page; records are read
 * again when asked for.
 */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import type { BlobCache } from './blob.ts';
import { readDiffHeader } from './diff-file.ts';
import type { DiffIo } from './diff-io.ts';
import { BlobTable, IndexReader } from './indexed-reader.ts';
import { PACK_HEADER_SIZE, validatePack } from './sorted-format.ts';
import { piecesOfPack, sortedPacks } from './sorted-reader.ts';

/** Pages or packs of decoded pieces kept per file: neighbouring reads hit the same one. */
const KEPT_PAGES = 16;

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
  const pages = format === 'sorted' ? sortedPages(handle, cache) : indexedPages(handle, cache);
  return new PagedLookup(pages);
}

/** A diff as numbered pages of consecutive pieces. */
interface Pages {
  readonly count: number;
  /** Address of the first piece of a page. */
  startOf(page: number): Lb;
  read(page: number): readonly DiffIo[];
}

function sortedPages(handle: FileHandle, cache: BlobCache): Pages {
  const starts: Lb[] = [];
  const offsets: Bytes[] = [];
  for (const { pack, offset } of sortedPacks(handle)) {
    starts.push(pack.records[0]!.address);
    offsets.push(offset);
  }
  return {
    count: starts.length,
    startOf: (page) => starts[page]!,
    read: (page) => {
      const offset = offsets[page]!;
      const header = new Uint8Array(PACK_HEADER_SIZE);
      handle.read(header, offset);
      const pack = validatePack(header, { file: handle.path, offset }, 0);
      return piecesOfPack({ pack, offset }, handle, cache);
    },
  };
}

function indexedPages(handle: FileHandle, cache: BlobCache): Pages {
  const index = new IndexReader(handle);
  const table = new BlobTable(handle, cache);
  const starts: Lb[] = [];
  let floor: Lb = 0;
  for (let page = 0; page < index.pageCount; page++) {
    const records = index.page(page, floor);
    const last = records.at(-1)!;
    starts.push(records[0]!.address);
    floor = last.address + last.blocks;
  }
  return {
    count: index.pageCount,
    startOf: (page) => starts[page]!,
    read: (page) => index.page(page).map((record) => table.pieceOf(record)),
  };
}

class PagedLookup implements DiffLookup {
  readonly start: Lb;
  readonly end: Lb;
  readonly #pages: Pages;
  /** Most recently used last. */
  readonly #kept = new Map<number, readonly DiffIo[]>();

  constructor(pages: Pages) {
    this.#pages = pages;
    const last = pages.count === 0 ? undefined : this.#page(pages.count - 1).at(-1);
    this.start = last === undefined ? 0 : pages.startOf(0);
    this.end = last === undefined ? 0 : last.address + last.blocks;
  }

  *overlapping(start: Lb, end: Lb): Generator<DiffIo> {
    for (let number = this.#findPage(start); number < this.#pages.count; number++) {
      const pieces = this.#page(number);
      for (let i = firstEndingAfter(pieces, start); i < pieces.length; i++) {
        if (pieces[i]!.address >= end) return;
        yield pieces[i]!;
      }
    }
  }

  /** The last page that starts at or before `address`, or the first. */
  #findPage(address: Lb): number {
    let low = 0;
    let high = this.#pages.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      if (this.#pages.startOf(middle) <= address) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #page(number: number): readonly DiffIo[] {
    let pieces = this.#kept.get(number);
    if (pieces === undefined) {
      pieces = this.#pages.read(number);
      if (this.#kept.size >= KEPT_PAGES) this.#kept.delete(this.#kept.keys().next().value!);
    } else {
      this.#kept.delete(number);
    }
    this.#kept.set(number, pieces);
    return pieces;
  }
}

function firstEndingAfter(pieces: readonly DiffIo[], address: Lb): number {
  let low = 0;
  let high = pieces.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (pieces[middle]!.address + pieces[middle]!.blocks > address) high = middle;
    else low = middle + 1;
  }
  return low;
}
