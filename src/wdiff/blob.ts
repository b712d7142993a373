/** Blobs: in memory (from a stream) and in a file (read when asked for), with a bounded cache. */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import { LB_SIZE, MIB } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { freshBuffer, type TakeBuffer, WorkBuffer } from './buffers.ts';
import { type CompressionKind, decompress } from './codec/index.ts';
import type { DiffBlob } from './diff-io.ts';
import { fieldError, type Place } from './layout.ts';

/**
 * Decompressed bytes one cache keeps unless told otherwise. Several records of an indexed file and
 * several pieces of a merge show windows of one blob, which are near each other in address order;
 * 64 MiB holds two blobs of the largest size.
 */
export const BLOB_CACHE_BYTES: Bytes = 64 * MIB;

/**
 * Of a file that was opened without a shared cache: enough for the pieces of a few cut records. Many
 * files that are open together should share one cache (`mergeFiles` does).
 */
export const OWN_CACHE_BYTES: Bytes = 2 * MIB;

/** Least recently used decompressed blobs, shared by all files of one merge or image. */
export class BlobCache {
  readonly #limit: Bytes;
  readonly #entries = new Map<DiffBlob, Uint8Array>();
  #bytes: Bytes = 0;
  /** For stored bytes on their way to the decompressor. */
  readonly work = new WorkBuffer();

  constructor(limit: Bytes = BLOB_CACHE_BYTES) {
    this.#limit = limit;
  }

  /** Bytes kept now; more than the limit only when a single blob is larger. */
  get bytes(): Bytes {
    return this.#bytes;
  }

  get(blob: DiffBlob): Uint8Array | undefined {
    const data = this.#entries.get(blob);
    if (data === undefined) return undefined;
    this.#entries.delete(blob);
    this.#entries.set(blob, data);
    return data;
  }

  /**
   * Keeps `data` at the cost of the least recently used. A blob beyond the limit is kept alone: cut into
   * many pieces, it would be decompressed for each of them otherwise.
   */
  put(blob: DiffBlob, data: Uint8Array): void {
    if (this.#entries.has(blob)) return;
    for (const [oldest, bytes] of this.#entries) {
      if (this.#bytes + data.length <= this.#limit) break;
      this.#entries.delete(oldest);
      this.#bytes -= bytes.length;
    }
    this.#entries.set(blob, data);
    this.#bytes += data.length;
  }
}

/** What a record says about its blob. */
export interface BlobFacts {
  readonly blocks: Lb;
  readonly compression: CompressionKind;
  readonly storedSize: Bytes;
  readonly checksum: number;
}

/** A blob whose stored bytes are in memory already. */
export class MemoryBlob implements DiffBlob {
  readonly blocks: Lb;
  readonly compression: CompressionKind;
  readonly storedSize: Bytes;
  readonly checksum: number;
  readonly #stored: Uint8Array;
  readonly #place: Place;
  readonly #cache: BlobCache;

  /** Throws `corrupt` when `stored` does not have the checksum. */
  constructor(facts: BlobFacts, stored: Uint8Array, place: Place, cache: BlobCache) {
    this.blocks = facts.blocks;
    this.compression = facts.compression;
    this.storedSize = facts.storedSize;
    this.checksum = facts.checksum;
    this.#stored = stored;
    this.#place = place;
    this.#cache = cache;
    verifyStored(stored, facts.checksum, place);
  }

  stored(): Uint8Array {
    return this.#stored;
  }

  data(): Uint8Array {
    const cached = this.#cache.get(this);
    if (cached !== undefined) return cached;
    const data = expand(this, this.#stored, this.#place, freshBuffer);
    this.#cache.put(this, data);
    return data;
  }

  dataOnce(take: TakeBuffer = freshBuffer): Uint8Array {
    return this.#cache.get(this) ?? expand(this, this.#stored, this.#place, take);
  }
}

/** A blob in a file; every access reads it unless the cache has its data. */
export class FileBlob implements DiffBlob {
  readonly blocks: Lb;
  readonly compression: CompressionKind;
  readonly storedSize: Bytes;
  readonly checksum: number;
  readonly #handle: FileHandle;
  readonly #offset: Bytes;
  readonly #cache: BlobCache;

  constructor(facts: BlobFacts, handle: FileHandle, offset: Bytes, cache: BlobCache) {
    this.blocks = facts.blocks;
    this.compression = facts.compression;
    this.storedSize = facts.storedSize;
    this.checksum = facts.checksum;
    this.#handle = handle;
    this.#offset = offset;
    this.#cache = cache;
  }

  stored(take: TakeBuffer = freshBuffer): Uint8Array {
    const place = this.#place;
    const bytes = take(this.storedSize);
    const count = this.#handle.read(bytes, this.#offset);
    if (count !== this.storedSize) {
      throw fieldError(place, 'record data', `the file ends after ${count} of ${this.storedSize}`);
    }
    verifyStored(bytes, this.checksum, place);
    return bytes;
  }

  data(): Uint8Array {
    const cached = this.#cache.get(this);
    if (cached !== undefined) return cached;
    const data = this.#load(freshBuffer);
    this.#cache.put(this, data);
    return data;
  }

  dataOnce(take: TakeBuffer = freshBuffer): Uint8Array {
    return this.#cache.get(this) ?? this.#load(take);
  }

  #load(take: TakeBuffer): Uint8Array {
    if (this.compression === 'none') return this.stored(take);
    return expand(this, this.stored(this.#cache.work.take), this.#place, take);
  }

  get #place(): Place {
    return { file: this.#handle.path, offset: this.#offset };
  }
}

/**
 * Blob objects kept so that pieces of one blob share one cache entry. Pieces of a blob lie within the
 * address range of one log IO; a blob that fell out is only decompressed again.
 */
const RECENT_BLOBS = 4096;

/** The blobs of one file, by where they are. */
export class BlobTable {
  readonly #handle: FileHandle;
  readonly #cache: BlobCache;
  readonly #recent = new Map<Bytes, FileBlob>();

  constructor(handle: FileHandle, cache: BlobCache) {
    this.#handle = handle;
    this.#cache = cache;
  }

  blobAt(offset: Bytes, facts: BlobFacts): FileBlob {
    const known = this.#recent.get(offset);
    if (known !== undefined && isBlobOf(known, facts)) return known;
    const blob = new FileBlob(facts, this.#handle, offset, this.#cache);
    this.#recent.delete(offset);
    this.#recent.set(offset, blob);
    if (this.#recent.size > RECENT_BLOBS) this.#recent.delete(this.#recent.keys().next().value!);
    return blob;
  }
}

/** Two records may name one offset and mean different blobs only in a damaged file. */
function isBlobOf(blob: FileBlob, facts: BlobFacts): boolean {
  return (
    blob.blocks === facts.blocks &&
    blob.compression === facts.compression &&
    blob.storedSize === facts.storedSize &&
    blob.checksum === facts.checksum
  );
}

/** Throws `corrupt` when `stored` does not have the checksum `sum`. */
function verifyStored(stored: Uint8Array, sum: number, place: Place): void {
  const actual = checksum(stored, 0);
  if (actual === sum) return;
  throw fieldError(place, 'record data checksum', 'does not fit the stored data', {
    expected: sum,
    actual,
  });
}

function expand(blob: DiffBlob, stored: Uint8Array, place: Place, take: TakeBuffer): Uint8Array {
  if (blob.compression === 'none') return stored;
  const size = blob.blocks * LB_SIZE;
  try {
    // Only lz4 expands into a given buffer; the others make one, and a copy would come on top.
    const into = blob.compression === 'lz4' ? take(size) : undefined;
    return decompress(blob.compression, stored, size, into);
  } catch (thrown) {
    const cause = thrown instanceof Error ? thrown.message : String(thrown);
    throw fieldError(place, 'record data', `${blob.compression} can not expand it: ${cause}`);
  }
}

/** An uncompressed blob of data that was never stored: log IOs, image blocks. */
export function blobOfData(data: Uint8Array): DiffBlob {
  return {
    blocks: data.length / LB_SIZE,
    compression: 'none',
    storedSize: data.length,
    get checksum() {
      return checksum(data, 0);
    },
    stored: () => data,
    data: () => data,
    dataOnce: () => data,
  };
}
