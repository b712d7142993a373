/**
 * The virtual full image with random access: what an instant restore serves (semantics.md D.4).
 * Every read asks the diffs from newest to oldest for what is not yet found, then the base.
 */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import { LB_SIZE, WalbError } from '../core/index.ts';
import { BlobCache } from './blob.ts';
import { type DiffLookup, lookupOf } from './diff-lookup.ts';
import { drawPiece, readBase } from './virtual-scan.ts';

export interface VirtualImageOptions {
  /** Size of the image, by default that of the base. Beyond the base it reads as zeros. */
  readonly size?: Bytes;
  /** Decompressed bytes kept for all diffs together; default BLOB_CACHE_BYTES. */
  readonly cacheBytes?: Bytes;
}

/** A half-open byte range. */
interface Range {
  readonly start: Bytes;
  readonly end: Bytes;
}

export class VirtualImage {
  readonly size: Bytes;
  readonly #base: FileHandle;
  /** Newest first. */
  readonly #diffs: readonly DiffLookup[];

  /**
   * `diffs` oldest first, of either format. The directory of each sorted file is read now. The handles
   * stay the caller's and must stay open. Throws `corrupt`.
   */
  constructor(base: FileHandle, diffs: readonly FileHandle[], options: VirtualImageOptions = {}) {
    const cache = new BlobCache(options.cacheBytes);
    this.#base = base;
    this.#diffs = diffs.map((handle) => lookupOf(handle, cache)).reverse();
    this.size = options.size ?? base.size();
  }

  /** Fills `into` from byte `offset` on; all of it must lie inside. Any offset and length. */
  read(offset: Bytes, into: Uint8Array): void {
    const end = offset + into.length;
    if (offset < 0 || end > this.size) {
      throw new WalbError('invalid-argument', `${offset}+${into.length} is outside the image`, {
        details: { offset, length: into.length, size: this.size },
      });
    }
    let missing: Range[] = [{ start: offset, end }];
    for (const diff of this.#diffs) {
      if (missing.length === 0) return;
      missing = missing.flatMap((range) => drawDiff(diff, range, into, offset));
    }
    for (const range of missing) {
      readBase(this.#base, into.subarray(range.start - offset, range.end - offset), range.start);
    }
  }

  /**
   * First range at or after byte `offset` that may hold data; undefined: only zeros follow. Data that a
   * later diff made zeros may still be reported.
   */
  nextData(offset: Bytes): Range | undefined {
    const stored = this.#base.nextData(offset);
    let found = stored && within(stored, offset, this.size);
    for (const diff of this.#diffs) {
      const piece = nextDataPiece(diff, offset, found?.start ?? this.size);
      found = (piece && within(piece, offset, this.size)) ?? found;
    }
    return found;
  }
}

/** The first piece with data that overlaps `offset`..`limit`. */
function nextDataPiece(diff: DiffLookup, offset: Bytes, limit: Bytes): Range | undefined {
  for (const io of diff.overlapping(Math.floor(offset / LB_SIZE), Math.ceil(limit / LB_SIZE))) {
    if (io.kind !== 'normal') continue;
    return { start: io.address * LB_SIZE, end: (io.address + io.blocks) * LB_SIZE };
  }
  return undefined;
}

function within({ start, end }: Range, from: Bytes, to: Bytes): Range | undefined {
  const clipped = { start: Math.max(start, from), end: Math.min(end, to) };
  return clipped.start < clipped.end ? clipped : undefined;
}

/** Draws what `diff` has of `range`; returns what it does not have. */
function drawDiff(diff: DiffLookup, range: Range, into: Uint8Array, offset: Bytes): Range[] {
  const start: Lb = Math.floor(range.start / LB_SIZE);
  const end: Lb = Math.ceil(range.end / LB_SIZE);
  if (start >= diff.end || end <= diff.start) return [range];
  const missing: Range[] = [];
  const target = into.subarray(range.start - offset, range.end - offset);
  let at = range.start;
  for (const io of diff.overlapping(start, end)) {
    const from = Math.max(range.start, io.address * LB_SIZE);
    if (from > at) missing.push({ start: at, end: from });
    drawPiece(io, target, range.start);
    at = Math.min(range.end, (io.address + io.blocks) * LB_SIZE);
  }
  if (at < range.end) missing.push({ start: at, end: range.end });
  return missing;
}
