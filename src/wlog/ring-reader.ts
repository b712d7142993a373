/**
 * Reads the log out of a ring: pack by pack from the oldest lsid until the end of the log, which has
 * no marker. Source: formats.md 3 (end of log, shrink, position of every block).
 *
 * Each pack is verified as a whole before it is yielded, and its data is then read a second time
 * (from the page cache), so that memory stays bounded by one IO although a pack may be 256 MiB.
 */
import { type Bytes, corrupt, LB_SIZE, type Lsid, WalbError } from '../core/index.ts';
import { checksumFinish, checksumPartial } from '../kernels/index.ts';
import type { EndItem, IoItem, LogItem, StopReason } from './log-item.ts';
import {
  decodePackHeader,
  encodePackHeader,
  inspectPackHeader,
  type LogRecord,
  nextLsid,
  type PackFields,
  type PackHeader,
  recordKind,
  recordPb,
  validatePackHeader,
} from './pack-header.ts';
import { type RingLog, readRingBlocks } from './ring-device.ts';
import { lsidPosition, type RingGeometry, ringRanges } from './ring-geometry.ts';

export interface RingReadOptions {
  /** First lsid, at a pack boundary; the oldest lsid when omitted or older. */
  readonly begin?: Lsid;
  /** Packs at or after it are not read; up to the end of the log when omitted. */
  readonly end?: Lsid;
  /** `verify` (default) checks IO data, `skip` reads headers only. */
  readonly data?: 'verify' | 'skip';
}

/** Bytes read at a time while verifying; a multiple of 4, so that partial sums add up. */
const VERIFY_CHUNK: Bytes = 1024 * 1024;
const NO_BYTES = new Uint8Array(0);

/** Packs and IOs of the ring in order and one `end` item. Throws `corrupt` for a header that lies. */
export function* readRing(
  log: RingLog,
  options: RingReadOptions = {},
): Generator<LogItem, void, undefined> {
  const { oldestLsid } = log.superSector;
  const reader = new RingReader(log, options.data ?? 'verify');
  let lsid = oldestLsid;
  if (options.begin !== undefined && options.begin > lsid) lsid = options.begin;
  // A log is never longer than its ring. Without this bound, reading a ring that is being written
  // could chase the writer for ever.
  const limit = lsid + BigInt(log.geometry.ringPb);
  for (;;) {
    const found = reader.examine(lsid, options.end, limit);
    if (typeof found === 'string') {
      yield endItem(log, found, lsid);
      return;
    }
    if (found.pack !== undefined) {
      yield* reader.items(found.pack);
      lsid = nextLsid(found.pack);
    }
    if (found.cut) {
      const end = endItem(log, 'bad-data', lsid);
      yield found.pack === undefined ? end : { ...end, cut: found.pack };
      return;
    }
  }
}

function endItem(log: RingLog, reason: StopReason, lsid: Lsid): EndItem {
  return { kind: 'end', reason, lsid, offset: lsidPosition(lsid, log.geometry) };
}

/** A pack as it counts: cut before its first bad record; no pack when not even one record is good. */
interface Examined {
  readonly pack: PackHeader | undefined;
  readonly cut: boolean;
}

class RingReader {
  readonly #log: RingLog;
  readonly #geometry: RingGeometry;
  readonly #mode: 'verify' | 'skip';
  readonly #block: Uint8Array;
  readonly #chunk: Uint8Array;
  #io: Uint8Array = NO_BYTES;

  constructor(log: RingLog, mode: 'verify' | 'skip') {
    this.#log = log;
    this.#geometry = log.geometry;
    this.#mode = mode;
    this.#block = new Uint8Array(log.geometry.pbs);
    this.#chunk = mode === 'verify' ? new Uint8Array(VERIFY_CHUNK) : NO_BYTES;
  }

  /** The pack at `lsid`, or why the log ends there. Leaves its header block in the buffer. */
  examine(lsid: Lsid, end: Lsid | undefined, limit: Lsid): Examined | StopReason {
    const { pbs } = this.#geometry;
    if (end !== undefined && lsid >= end) return 'end-lsid';
    if (lsid >= limit) return 'unexpected-lsid';
    readRingBlocks(this.#log, lsid, this.#block);
    const verdict = inspectPackHeader(this.#block, this.#log.superSector.salt, lsid);
    if (verdict !== 'pack') return verdict;
    const pack = decodePackHeader(this.#block);
    if (pack.nRecords === 0) return 'bad-type';
    this.#validate(pack, lsid);
    const good = this.#mode === 'skip' ? pack.records.length : this.#countGood(pack);
    if (good === pack.records.length) return { pack, cut: false };
    const cut = cutPack(pack, good, pbs);
    if (cut === undefined) return { pack: undefined, cut: true };
    encodePackHeader(cut, this.#block, this.#log.superSector.salt);
    return { pack: decodePackHeader(this.#block), cut: true };
  }

  #validate(pack: PackHeader, lsid: Lsid): void {
    const { pbs, ringPb } = this.#geometry;
    const place = { file: this.#log.file.path, offset: lsidPosition(lsid, this.#geometry) };
    validatePackHeader(pack, pbs, place);
    if (pack.totalPb >= ringPb) {
      throw corrupt(
        `${place.file}: the pack at lsid ${lsid} has ${pack.totalPb} blocks, the ring ${ringPb}`,
        { ...place, lsid, field: 'total_io_size' },
      );
    }
  }

  /** How many records from the first on have data that match their checksum. */
  #countGood(pack: PackHeader): number {
    const bad = pack.records.findIndex(
      (record) => recordKind(record.flags) === 'write' && !this.#matches(record),
    );
    return bad < 0 ? pack.records.length : bad;
  }

  #matches(record: LogRecord): boolean {
    let rest = record.blocks * LB_SIZE;
    let sum = this.#log.superSector.salt;
    const pb = recordPb(record, this.#geometry.pbs);
    for (const range of ringRanges(record.lsid, pb, this.#geometry)) {
      for (let done = 0; done < range.length && rest > 0; ) {
        const piece = this.#chunk.subarray(0, Math.min(rest, range.length - done, VERIFY_CHUNK));
        this.#log.file.read(piece, range.position + done);
        sum = checksumPartial(piece, sum);
        done += piece.length;
        rest -= piece.length;
      }
    }
    return checksumFinish(sum) === record.checksum;
  }

  *items(pack: PackHeader): Generator<LogItem, void, undefined> {
    const offset = lsidPosition(pack.lsid, this.#geometry);
    yield { kind: 'pack', header: pack, block: this.#block, offset };
    for (const record of pack.records) yield this.#ioItem(pack, record);
  }

  #ioItem(pack: PackHeader, record: LogRecord): IoItem {
    const type = recordKind(record.flags);
    const offset = lsidPosition(record.lsid, this.#geometry);
    const stored = this.#mode === 'skip' ? NO_BYTES : this.#read(record);
    const data = type === 'write' ? stored.subarray(0, record.blocks * LB_SIZE) : NO_BYTES;
    return { kind: 'io', pack, record, type, data, stored, offset };
  }

  #read(record: LogRecord): Uint8Array {
    const size = recordPb(record, this.#geometry.pbs) * this.#geometry.pbs;
    if (this.#io.length < size) this.#io = new Uint8Array(size);
    const stored = this.#io.subarray(0, size);
    readRingBlocks(this.#log, record.lsid, stored);
    return stored;
  }
}

/**
 * The pack with only its first `keep` records and all counts recomputed ("shrink"); undefined when no
 * record is left.
 */
function cutPack(pack: PackFields, keep: number, pbs: Bytes): PackFields | undefined {
  const records = pack.records.slice(0, keep);
  if (records.length === 0) return undefined;
  return {
    lsid: pack.lsid,
    totalPb: records.reduce((sum, record) => sum + recordPb(record, pbs), 0),
    nPadding: records.filter((record) => recordKind(record.flags) === 'padding').length,
    records,
  };
}

/** The end of the log: the lsid after the last good pack, and what ended it. */
export function findEndOfLog(log: RingLog, begin?: Lsid): EndItem {
  const options = begin === undefined ? {} : { begin };
  for (const item of readRing(log, options)) if (item.kind === 'end') return item;
  throw new WalbError('internal', 'reading a ring ended without an end item');
}
