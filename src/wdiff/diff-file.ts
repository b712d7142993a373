/** Opens a wdiff of either format. */
import type { FileHandle } from '../core/index.ts';
import { BlobCache } from './blob.ts';
import type { DiffBatch } from './diff-io.ts';
import { type DiffFileHeader, FILE_HEADER_SIZE, validateFileHeader } from './file-header.ts';
import { readIndexedFile } from './indexed-reader.ts';
import { type MergeOptions, mergeDiffs } from './merge.ts';
import { type MissingEnd, readSortedFile } from './sorted-reader.ts';

export interface OpenDiffOptions {
  /** Shared by all files of one merge or image; a small one of its own by default. */
  readonly cache?: BlobCache;
  readonly missingEnd?: MissingEnd;
}

/** An open wdiff; the caller owns and closes the handle. */
export interface DiffFile extends DiffFileHeader {
  readonly handle: FileHandle;
  /** All pieces in address order; can be called again for another pass. Throws `corrupt`. */
  batches(): Iterable<DiffBatch>;
}

/** Validates the file header and tells the format. Throws `corrupt`. */
export function openDiff(handle: FileHandle, options: OpenDiffOptions = {}): DiffFile {
  const header = readDiffHeader(handle);
  const batches =
    header.format === 'sorted'
      ? () => readSortedFile(handle, options)
      : () => readIndexedFile(handle, options);
  return { ...header, handle, batches };
}

/** The file header alone: format and uuid. Throws `corrupt`. */
export function readDiffHeader(handle: FileHandle): DiffFileHeader {
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const count = handle.read(bytes, 0);
  return validateFileHeader(bytes.subarray(0, count), handle.path);
}

/**
 * Merged pieces of files of either format, oldest first, over one shared cache: the way to merge any
 * number of files in bounded memory. The caller owns and closes the handles. Throws `corrupt`.
 */
export function mergeFiles(
  handles: readonly FileHandle[],
  options: MergeOptions & OpenDiffOptions = {},
): AsyncGenerator<DiffBatch> {
  const { cache = new BlobCache(), missingEnd = 'refuse', maxIoBlocks = 0 } = options;
  const diffs = handles.map((handle) => openDiff(handle, { cache, missingEnd }));
  return mergeDiffs(
    diffs.map((diff) => diff.batches()),
    { maxIoBlocks },
  );
}
