/**
 * Diff files (wdiff): formats, readers, writers, conversion from logs, merge, redo, virtual images.
 *
 * ```ts
 * const merged = mergeFiles(paths.map((path) => files.open(path, 'read')));   // oldest first
 * await redo(merged, image, { discard: 'zero' });                             // onto an image, or
 * await writeParts(out, sortedDiffParts(merged, { uuid, compression, packLimit: 'uncompressed' }));
 * ```
 *
 * Everything takes and gives streams of pieces (`DiffStream` of `DiffIo`) whose data is read only when
 * asked for, and uses memory that does not grow with the size of the diffs. Handles belong to the
 * caller. Formats: docs/formats-wdiff.md. Errors are `corrupt` with `file`, `offset` and `field`.
 */
export * from './algebra/index.ts';
export { BLOB_CACHE_BYTES, BlobCache, blobOfData } from './blob.ts';
export { freshBuffer, type TakeBuffer } from './buffers.ts';
export * from './codec/index.ts';
export {
  type ConvertOptions,
  convertToIndexed,
  convertToSorted,
  DEFAULT_MAX_IO_BLOCKS,
  type LogIos,
  logIosOf,
  type SortedConvertOptions,
} from './convert.ts';
export {
  type DiffFile,
  mergeFiles,
  type OpenDiffOptions,
  openDiff,
  readDiffHeader,
} from './diff-file.ts';
export {
  type DataIo,
  type DiffBatch,
  type DiffBlob,
  type DiffIo,
  type DiffStream,
  type EmptyIo,
  ioData,
  isWhole,
  sliceIo,
} from './diff-io.ts';
export {
  type DiffFileHeader,
  type DiffFormat,
  encodeFileHeader,
  FILE_HEADER_SIZE,
  UUID_SIZE,
  validateFileHeader,
} from './file-header.ts';
export { IndexedDiffEncoder, type IndexedWriterOptions } from './indexed-writer.ts';
export { discardIo, type LogIo, writeIo } from './log-io.ts';
export { type MergeOptions, mergeDiffs } from './merge.ts';
export * from './name.ts';
export { writeChunks, writeParts } from './output.ts';
export { type DiffKind, MAX_ADDRESS, MAX_DATA_BLOCKS } from './record.ts';
export { type DiscardMode, type RedoOptions, type RedoReport, redo } from './redo.ts';
export { SCRATCH_MEMORY, type ScratchFactory } from './scratch.ts';
export { originalLines } from './show.ts';
export { type MissingEnd, readSortedStream, type SortedStream } from './sorted-reader.ts';
export { SortedDiffEncoder, type SortedWriterOptions, sortedDiffParts } from './sorted-writer.ts';
export {
  type DiffProblem,
  MAX_PROBLEMS,
  type VerifyOptions,
  type VerifyReport,
  verifyDiff,
} from './verify.ts';
export { VirtualImage, type VirtualImageOptions } from './virtual-image.ts';
export {
  SCAN_CHUNK,
  type ScanChunk,
  type VirtualScanOptions,
  virtualScan,
} from './virtual-scan.ts';
