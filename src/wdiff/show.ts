/**
 * The text walb-tools' `wdiff-show -csum` prints, byte for byte, so that scripts that read it go on
 * working; a line is not terminated here.
 */
import type { FileHandle, Lb } from '../core/index.ts';
import { decodeFileHeader, FILE_HEADER_SIZE, validateFileHeader } from './file-header.ts';
import type { StoredIndexRecord } from './indexed-format.ts';
import { IndexReader } from './indexed-reader.ts';
import type { DiffKind } from './record.ts';
import type { SortedRecord } from './sorted-format.ts';
import { sortedPacks } from './sorted-reader.ts';

const FLAG_TEXT: Readonly<Record<DiffKind, string>> = { normal: '--', zero: 'Z-', discard: '-D' };

/** All lines about a file. Throws `corrupt` after the lines of what is before the damage. */
export function* originalLines(handle: FileHandle): Generator<string> {
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const count = handle.read(bytes, 0);
  const { format } = validateFileHeader(bytes.subarray(0, count), handle.path);
  const raw = decodeFileHeader(bytes);
  yield 'wdiff_h:';
  yield `  checksum: ${hex32(raw.checksum)}`;
  yield `  version: ${raw.version}`;
  yield `  type: ${format}`;
  yield `  uuid: ${Buffer.from(raw.uuid).toString('hex')}`;
  yield* format === 'sorted' ? sortedLines(handle) : indexedLines(handle);
}

function* sortedLines(handle: FileHandle): Generator<string> {
  for (const { pack } of sortedPacks(handle)) {
    for (const record of pack.records) yield sortedLine(record);
  }
}

export function sortedLine(record: SortedRecord): string {
  return [
    'wdiff_sorted_rec:',
    record.address,
    record.blocks,
    record.compression,
    record.dataOffset,
    record.dataSize,
    hex32(record.checksum),
    FLAG_TEXT[record.kind],
  ].join('\t');
}

function* indexedLines(handle: FileHandle): Generator<string> {
  const index = new IndexReader(handle);
  let floor: Lb = 0;
  for (let page = 0; page < index.pageCount; page++) {
    for (const record of index.page(page, floor)) {
      yield indexedLine(record);
      floor = record.address + record.blocks;
    }
  }
}

export function indexedLine(record: StoredIndexRecord): string {
  return [
    'wdiff_indexed_rec:',
    record.address,
    record.blocks,
    record.compression,
    record.dataOffset,
    record.dataSize,
    record.origBlocks,
    record.ioOffset,
    hex32(record.ioChecksum),
    hex32(record.recordChecksum),
    FLAG_TEXT[record.kind],
  ].join('\t');
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}
