/**
 * Reads whole packs out of the ring for shipping: header verbatim, data as it lies in the ring,
 * every block mapped and every checksum verified. Memory: one pack.
 *
 * Source: formats.md 2.2, 3; semantics.md B.4 step 5.
 */
import {
  type Bytes,
  corrupt,
  LB_SIZE,
  type Lsid,
  throwIfAborted,
  WalbError,
} from '../../core/index.ts';
import { checksum } from '../../kernels/index.ts';
import {
  decodePackHeader,
  inspectPackHeader,
  lsidPosition,
  nextLsid,
  type PackHeader,
  type RingLog,
  readRingBlocks,
  recordKind,
  validatePackHeader,
} from '../../wlog/index.ts';
import type { RawLogpack } from '../volume-device.ts';

/** What the present state of the device says about the log while it is read. */
export interface LogWindow {
  /** Log before it is on stable storage. */
  readonly permanent: Lsid;
  /** Throws `overflow` or `conflict` when the log from `lsid` on is not there any more. */
  requirePresent(lsid: Lsid): void;
}

/** Reads packs from one ring; reuses its buffers. */
export class PackReader {
  readonly #log: RingLog;
  readonly #header: Uint8Array;
  #data: Uint8Array = new Uint8Array(0);

  constructor(log: RingLog) {
    this.#log = log;
    this.#header = new Uint8Array(log.geometry.pbs);
  }

  /** The pack at `lsid`; throws `corrupt` (details: file, offset, lsid, field). */
  read(lsid: Lsid): RawLogpack {
    const { pbs } = this.#log.geometry;
    readRingBlocks(this.#log, lsid, this.#header);
    const verdict = inspectPackHeader(this.#header, this.#log.superSector.salt, lsid);
    if (verdict !== 'pack') throw this.#bad(lsid, verdict, 'pack header');
    const pack = decodePackHeader(this.#header);
    const place = { file: this.#log.file.path, offset: lsidPosition(lsid, this.#log.geometry) };
    validatePackHeader(pack, pbs, place);
    const data = this.#buffer(pack.totalPb * pbs);
    readRingBlocks(this.#log, lsid + 1n, data);
    this.#verify(pack, data);
    return { lsid, header: this.#header, data };
  }

  #buffer(size: Bytes): Uint8Array {
    if (this.#data.length < size) this.#data = new Uint8Array(size);
    return this.#data.subarray(0, size);
  }

  #verify(pack: PackHeader, data: Uint8Array): void {
    const { pbs } = this.#log.geometry;
    for (const [i, record] of pack.records.entries()) {
      if (recordKind(record.flags) !== 'write') continue;
      const start = (record.lsidLocal - 1) * pbs;
      const sum = checksum(
        data.subarray(start, start + record.blocks * LB_SIZE),
        this.#log.superSector.salt,
      );
      if (sum !== record.checksum) throw this.#bad(record.lsid, 'bad-checksum', `record[${i}]`);
    }
  }

  #bad(lsid: Lsid, verdict: string, field: string): WalbError {
    const offset = lsidPosition(lsid, this.#log.geometry);
    const file = this.#log.file.path;
    return corrupt(
      `${file}: the log at lsid ${lsid} (byte ${offset}) is damaged: ${field} ${verdict}; the volume ` +
        'needs a hash backup',
      { file, offset, lsid, field },
    );
  }
}

/** Packs from `begin` up to the permanent lsid at the time of the first step. */
export async function* readPacks(
  log: RingLog,
  begin: Lsid,
  window: () => LogWindow,
  signal: AbortSignal | undefined,
): AsyncGenerator<RawLogpack, void, undefined> {
  const reader = new PackReader(log);
  const end = window().permanent;
  for (let lsid = begin; lsid < end; ) {
    throwIfAborted(signal, 'reading the log');
    window().requirePresent(lsid);
    const pack = reader.read(lsid);
    lsid = nextLsid(decodePackHeader(pack.header));
    yield pack;
  }
}

/** The error for log that the ring does not hold any more. */
export function lostLog(lsid: Lsid, oldest: Lsid, path: string, isOverflow: boolean): WalbError {
  const why = isOverflow ? 'the ring log overflowed' : `the oldest log is at lsid ${oldest}`;
  return new WalbError(
    'overflow',
    `${path}: the log at lsid ${lsid} is gone: ${why}; only a hash or full backup recovers`,
    { details: { file: path, lsid, oldest } },
  );
}
