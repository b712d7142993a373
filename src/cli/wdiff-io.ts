/** Input and output of the diff commands; what they share with the log commands is in wlog-io.ts. */
import { dirname } from 'node:path';
import { commitTemporary, createTemporary, discardTemporary } from '../core/durable.ts';
import {
  type Bytes,
  bytesToLb,
  type FileHandle,
  type Lb,
  parseSize,
  WalbError,
} from '../core/index.ts';
import {
  BlobCache,
  type DiffBatch,
  type DiffFile,
  type DiffStream,
  type MissingEnd,
  openDiff,
  readSortedStream,
  writeChunks,
  writeParts,
} from '../wdiff/index.ts';
import { streamSource } from '../wlog/index.ts';
import { files, random, withFile, writeStdout } from './wlog-io.ts';

export const ACCEPT_MISSING_END = '--accept-missing-end';
export const ACCEPT_MISSING_END_HELP =
  'take a sorted file that breaks off between two packs for a whole one';

export function missingEndOf(options: { readonly acceptMissingEnd?: boolean }): MissingEnd {
  return options.acceptMissingEnd === true ? 'accept' : 'refuse';
}

/** `--max-io SIZE`: a multiple of 512 bytes, 0 for no limit. */
export function parseMaxIo(text: string): Lb {
  const size = parseSize(text);
  if (size % 512 === 0) return bytesToLb(size);
  throw new WalbError('invalid-argument', `--max-io ${text} is not a multiple of 512 bytes`);
}

export const COMPRESS_HELP =
  'none, gzip, snappy, lzma, lz4 or zstd; level 0 (default) to 9; threads for sorted output';

/** Opens diffs, oldest first, over one cache; they are closed when `use` has ended. */
export async function withDiffs<T>(
  paths: readonly string[],
  missingEnd: MissingEnd,
  use: (diffs: DiffFile[]) => Promise<T>,
): Promise<T> {
  const cache = new BlobCache();
  const handles: FileHandle[] = [];
  try {
    for (const path of paths) handles.push(files.open(path, 'read'));
    return await use(handles.map((handle) => openDiff(handle, { cache, missingEnd })));
  } finally {
    for (const handle of handles) handle.close();
  }
}

/** The pieces of one diff: a file of either format, or a sorted one on standard input for `-`. */
export async function withPieces<T>(
  path: string,
  missingEnd: MissingEnd,
  use: (pieces: DiffStream) => Promise<T>,
): Promise<T> {
  if (path === '-') {
    const { batches } = await readSortedStream(streamSource(process.stdin), { missingEnd });
    return use(batches);
  }
  return withFile(path, 'read', (handle) => use(openDiff(handle, { missingEnd }).batches()));
}

/** The bytes of a diff that is about to be written. */
export type DiffBytes =
  | { readonly format: 'sorted'; readonly parts: AsyncIterable<readonly Uint8Array[]> }
  | { readonly format: 'indexed'; readonly parts: AsyncIterable<Uint8Array> };

export interface WrittenDiff {
  readonly size: Bytes;
  /** Unknown on standard output. */
  readonly records: number | undefined;
}

/**
 * Writes a diff that appears under its name only when it is whole, structurally read back and on disk;
 * or to standard output for `-`, where only the exit code tells that it is whole.
 */
export async function writeDiff(path: string, bytes: DiffBytes): Promise<WrittenDiff> {
  if (path === '-') return { size: await writeDiffToStdout(bytes), records: undefined };
  refuseSpecialFile(path);
  const handle = createTemporary({ files, random }, dirname(path));
  let written: WrittenDiff;
  try {
    const size =
      bytes.format === 'sorted'
        ? await writeParts(handle, bytes.parts)
        : await writeChunks(handle, bytes.parts);
    written = { size, records: countRecords(openDiff(handle).batches()) };
  } catch (error) {
    discardTemporary(files, handle);
    throw error;
  }
  await commitTemporary(files, handle, path);
  return written;
}

async function writeDiffToStdout({ parts }: DiffBytes): Promise<Bytes> {
  let size = 0;
  for await (const part of parts) {
    for (const piece of part instanceof Uint8Array ? [part] : part) {
      await writeStdout(piece);
      size += piece.length;
    }
  }
  return size;
}

function countRecords(batches: Iterable<DiffBatch>): number {
  let count = 0;
  for (const batch of batches) count += batch.length;
  return count;
}

/** A temporary file is renamed over the output, which would replace a device node or a pipe. */
export function refuseSpecialFile(path: string): void {
  const kind = files.info(path)?.kind;
  if (kind === undefined || kind === 'file') return;
  throw new WalbError('unsupported', `${path} is no regular file; use - and redirect`);
}

/** A file without a name beside `path`: nothing of it is left whatever happens. */
export function createScratch(path: string): FileHandle {
  const directory = path === '-' ? '/tmp' : dirname(path);
  const handle = createTemporary({ files, random }, directory);
  files.remove(handle.path);
  return handle;
}
