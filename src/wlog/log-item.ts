/**
 * What reading a log yields, from a wlog file and from a ring log device alike: each pack, then its
 * records in order, and one `end` item that says why nothing more follows.
 */
import type { Bytes, Lsid } from '../core/index.ts';
import type { HeaderVerdict, LogRecord, PackHeader, RecordKind } from './pack-header.ts';

/** Why reading stopped. None of them is an error by itself (formats.md 2.3). */
export type StopReason =
  /** The end block of a wlog file. */
  | Exclude<HeaderVerdict, 'pack'>
  /** The file ends where a pack header would begin: there is no end block. */
  | 'end-of-file'
  /** The file ends inside a header block. */
  | 'short-header'
  /** Data is missing; only when data is skipped, otherwise it is an error. */
  | 'truncated-data'
  /** A pack was cut before a record whose data fails its checksum (ring only). */
  | 'bad-data'
  /** The end asked for was reached (ring only). */
  | 'end-lsid';

export interface PackItem {
  readonly kind: 'pack';
  readonly header: PackHeader;
  /** The header block as stored (re-encoded when the pack was cut); valid until the next item. */
  readonly block: Uint8Array;
  /** Byte position of the header in the file or device. */
  readonly offset: Bytes;
}

export interface IoItem {
  readonly kind: 'io';
  readonly pack: PackHeader;
  readonly record: LogRecord;
  readonly type: RecordKind;
  /** The IO's bytes; empty unless a write, or when data is skipped. Valid until the next item. */
  readonly data: Uint8Array;
  /** All bytes of its physical blocks, padding included; valid until the next item. */
  readonly stored: Uint8Array;
  /** Byte position of the first data block in the file or device. */
  readonly offset: Bytes;
}

export interface EndItem {
  readonly kind: 'end';
  readonly reason: StopReason;
  /** The lsid after the last pack. */
  readonly lsid: Lsid;
  /** Byte position where reading stopped. */
  readonly offset: Bytes;
  /** With `bad-data`: the last pack as it was cut; absent when none of its records was good. */
  readonly cut?: PackHeader;
}

export type LogItem = PackItem | IoItem | EndItem;

const REASONS: Readonly<Record<StopReason, string>> = {
  'end-block': 'end block',
  'end-of-file': 'the file ends without an end block',
  'short-header': 'the file ends inside a pack header',
  'truncated-data': 'the file ends inside the data of a pack',
  'bad-type': 'the next block is not a pack header (sector type)',
  'bad-checksum': 'the checksum of the next pack header does not match',
  'unexpected-lsid': 'the next pack header carries another lsid',
  'bad-data': 'the data of a record does not match its checksum; the pack was cut before it',
  'end-lsid': 'the end asked for was reached',
};

/** One sentence for an operator. */
export function describeStop(reason: StopReason): string {
  return REASONS[reason];
}

/** Whether a wlog file that ends so is complete. */
export function isCleanEnd(reason: StopReason): boolean {
  return reason === 'end-block' || reason === 'end-lsid';
}
