/**
 * wdiff file header, 32 bytes, the same for sorted and indexed files (formats.md 4).
 *
 * | off | size | field | value |
 * | --: | ---: | --- | --- |
 * | 0 | 4 | checksum | over the 32 bytes, salt 0 |
 * | 4 | 2 | version | 2 |
 * | 6 | 1 | type | 0 sorted, 1 indexed |
 * | 7 | 9 | reserved | 0, ignored when read |
 * | 16 | 16 | uuid | of the log; zero for full and merged diffs of walb-tools |
 */
import { checksum } from '../kernels/index.ts';
import { assertLayout, fieldError, type Place, viewOf } from './layout.ts';

export const FILE_HEADER_SIZE = 32;
export const UUID_SIZE = 16;
export const WDIFF_VERSION = 2;

export type DiffFormat = 'sorted' | 'indexed';

const FORMAT_OF_TYPE: readonly (DiffFormat | undefined)[] = ['sorted', 'indexed'];
const TYPE_OF_FORMAT: Readonly<Record<DiffFormat, number>> = { sorted: 0, indexed: 1 };

assertLayout('wdiff file header', FILE_HEADER_SIZE, [
  [0, 4],
  [4, 2],
  [6, 1],
  [7, 9],
  [16, UUID_SIZE],
]);

export interface DiffFileHeader {
  readonly format: DiffFormat;
  /** 16 opaque bytes. */
  readonly uuid: Uint8Array;
}

interface RawFileHeader {
  readonly checksum: number;
  readonly version: number;
  readonly type: number;
  readonly uuid: Uint8Array;
}

export function decodeFileHeader(bytes: Uint8Array): RawFileHeader {
  const view = viewOf(bytes);
  return {
    checksum: view.getUint32(0, true),
    version: view.getUint16(4, true),
    type: bytes[6] ?? 0,
    uuid: bytes.slice(16, FILE_HEADER_SIZE),
  };
}

/** Checks `bytes` (32) as a file header. Throws `corrupt` naming file, offset and field. */
export function validateFileHeader(bytes: Uint8Array, file: string): DiffFileHeader {
  const place: Place = { file, offset: 0 };
  if (bytes.length < FILE_HEADER_SIZE) {
    throw fieldError(place, 'file header', `the file ends after ${bytes.length} bytes`);
  }
  const raw = decodeFileHeader(bytes);
  if (checksum(bytes.subarray(0, FILE_HEADER_SIZE), 0) !== 0) {
    throw fieldError(place, 'file header checksum', 'does not fit the header; is this a wdiff?');
  }
  if (raw.version !== WDIFF_VERSION) {
    throw fieldError(place, 'file header version', `is ${raw.version}, only 2 is known`);
  }
  const format = FORMAT_OF_TYPE[raw.type];
  if (format === undefined) {
    throw fieldError(place, 'file header type', `is ${raw.type}, known are 0 and 1`);
  }
  return { format, uuid: raw.uuid };
}

export function encodeFileHeader(header: DiffFileHeader): Uint8Array {
  if (header.uuid.length !== UUID_SIZE) {
    throw new RangeError(`a uuid has ${UUID_SIZE} bytes, not ${header.uuid.length}`);
  }
  const bytes = new Uint8Array(FILE_HEADER_SIZE);
  const view = viewOf(bytes);
  view.setUint16(4, WDIFF_VERSION, true);
  bytes[6] = TYPE_OF_FORMAT[header.format];
  bytes.set(header.uuid, 16);
  view.setUint32(0, checksum(bytes, 0), true);
  return bytes;
}
