/** Takes a sorted wdiff from a stream into a file, byte for byte, checking all of it on the way. */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import type { ByteSource } from '../wlog/index.ts';
import { verifyStored } from './blob.ts';
import { WorkBuffer } from './buffers.ts';
import { type DiffFileHeader, FILE_HEADER_SIZE, validateFileHeader } from './file-header.ts';
import { fieldError } from './layout.ts';
import { PACK_HEADER_SIZE, type SortedPack, validatePack } from './sorted-format.ts';
import { endOfPack, refuseTrailingBytes } from './sorted-reader.ts';

export interface ReceiveOptions {
  /** Called after every pack with the bytes written so far, and awaited: to sync, throttle, abort. */
  readonly afterPack?: (written: Bytes) => void | Promise<void>;
}

export interface ReceivedDiff {
  readonly header: DiffFileHeader;
  readonly size: Bytes;
  readonly records: number;
  /** End of the last record. */
  readonly end: Lb;
}

/**
 * Copies the stream to `handle` from byte 0 on. Structure, order, and the checksums of all data are
 * validated; the data are not decompressed. Nothing is synced. Memory: one pack.
 *
 * Throws `corrupt`, then the file holds the packs before the damage and must not be used.
 */
export async function receiveSortedDiff(
  source: ByteSource,
  handle: FileHandle,
  options: ReceiveOptions = {},
): Promise<ReceivedDiff> {
  const bytes = new Uint8Array(PACK_HEADER_SIZE);
  const work = new WorkBuffer();
  const header = await receiveHeader(source, handle);
  let offset: Bytes = FILE_HEADER_SIZE;
  let records = 0;
  let end: Lb = 0;
  for (;;) {
    await readWhole(source, bytes, offset, 'pack header');
    const pack = validatePack(bytes, { file: source.name, offset }, end);
    const data = work.take(pack.totalSize);
    const dataAt = offset + PACK_HEADER_SIZE;
    await readWhole(source, data, dataAt, 'pack data');
    verifyData(pack, data, source.name, dataAt);
    handle.writev([bytes, data], offset);
    offset = dataAt + pack.totalSize;
    if (pack.isEnd) break;
    records += pack.records.length;
    end = endOfPack(pack, end);
    await options.afterPack?.(offset);
  }
  const rest = await source.read(new Uint8Array(1));
  refuseTrailingBytes(offset + rest, offset, source.name);
  return { header, size: offset, records, end };
}

async function receiveHeader(source: ByteSource, handle: FileHandle): Promise<DiffFileHeader> {
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const count = await source.read(bytes);
  const header = validateFileHeader(bytes.subarray(0, count), source.name);
  if (header.format !== 'sorted') {
    const place = { file: source.name, offset: 0 };
    throw fieldError(place, 'file header type', 'is indexed; a stream is sorted');
  }
  handle.write(bytes, 0);
  return header;
}

async function readWhole(
  source: ByteSource,
  into: Uint8Array,
  offset: Bytes,
  what: string,
): Promise<void> {
  const count = await source.read(into);
  if (count === into.length) return;
  const problem = `the stream ends after ${count} of ${into.length} bytes`;
  throw fieldError({ file: source.name, offset }, what, problem);
}

function verifyData(pack: SortedPack, data: Uint8Array, file: string, dataAt: Bytes): void {
  for (const { kind, dataOffset, dataSize, checksum } of pack.records) {
    if (kind !== 'normal') continue;
    const stored = data.subarray(dataOffset, dataOffset + dataSize);
    verifyStored(stored, checksum, { file, offset: dataAt + dataOffset });
  }
}
