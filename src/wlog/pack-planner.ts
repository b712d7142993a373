/**
 * Pure planning of log writes: which IO becomes which record of which pack, at which lsid, and where
 * every piece goes on the log device. Nothing is read or written here.
 *
 *     const plan = planPacks(ios, nextLsid, geometry, defaultPackLimits(geometry));
 *     const headers = new Uint8Array(plan.packs.length * geometry.pbs);   // caller's buffer
 *     for (const { position, parts } of encodePlan(plan, ios, geometry, salt, headers)) {
 *       file.writev(parts, position);
 *     }
 *     nextLsid = plan.endLsid;
 *
 * Source: formats.md 2.2 (packs and records), 3 (no data straddles the ring end; padding is a record
 * inside the pack being built, as the kernel driver does), 9 (limits).
 */
import {
  type Bytes,
  ceilPb,
  type Lb,
  type Lsid,
  lbPerPb,
  type Pb,
  WalbError,
} from '../core/index.ts';
import { MAX_DISCARD_LB, MAX_LSID, MAX_PACK_PB, maxAlignedIoLb, recordCapacity } from './limits.ts';
import { DISCARD_FLAGS, PADDING_FLAGS, type RecordFields, WRITE_FLAGS } from './pack-header.ts';
import { type RingGeometry, ringIndex, ringPosition } from './ring-geometry.ts';

export interface WriteIo {
  readonly kind: 'write';
  readonly offset: Lb;
  readonly blocks: Lb;
  /** `blocks` * 512 bytes; needed by `encodePlan`, not by planning. */
  readonly data: Uint8Array;
}

export interface DiscardIo {
  readonly kind: 'discard';
  readonly offset: Lb;
  readonly blocks: Lb;
}

export type LogIo = WriteIo | DiscardIo;

export interface PackLimits {
  /** Writes longer than this become several records. */
  readonly maxIoLb: Lb;
  /** A pack grows up to this total_io_size; only a single IO (with its padding) may pass it. */
  readonly maxPackPb: Pb;
}

/** The largest the format and the ring allow. */
export function defaultPackLimits(geometry: RingGeometry): PackLimits {
  const { pbs, ringPb } = geometry;
  return {
    maxIoLb: Math.min(maxAlignedIoLb(pbs), Math.max(ringPb - 1, 1) * lbPerPb(pbs)),
    maxPackPb: hardPackLimit(geometry),
  };
}

/** A pack with its header must fit into the ring, or it would overwrite itself. */
function hardPackLimit(geometry: RingGeometry): Pb {
  return Math.min(MAX_PACK_PB, geometry.ringPb - 1);
}

export interface PlannedRecord extends RecordFields {
  /** Set by `encodePlan`. */
  checksum: number;
  /** Index of the IO in the list planned; -1 for padding. */
  readonly io: number;
  /** First logical block of that IO this record covers (more than 0 in a split IO). */
  readonly ioStart: Lb;
  /** Byte position of the data on the device; meaningless for a discard. */
  readonly position: Bytes;
}

export interface PlannedPack {
  readonly lsid: Lsid;
  readonly totalPb: Pb;
  readonly nPadding: number;
  readonly records: readonly PlannedRecord[];
  /** Byte position of the header block on the device. */
  readonly position: Bytes;
}

export interface PackPlan {
  readonly packs: readonly PlannedPack[];
  /** The lsid after the last pack: where the next plan begins. */
  readonly endLsid: Lsid;
  /** Ring blocks taken, headers and padding included: endLsid - first lsid. */
  readonly takenPb: Pb;
}

/**
 * Plans packs for `ios` in order. Writes and discards longer than a record may be are split.
 * Throws `invalid-argument` for an IO of length 0, `limit-exceeded` when a piece can not fit into
 * the ring or lsids run out. The caller makes sure that `takenPb` blocks of the ring are free.
 */
export function planPacks(
  ios: readonly LogIo[],
  nextLsid: Lsid,
  geometry: RingGeometry,
  limits: PackLimits,
): PackPlan {
  const planner = new Planner(nextLsid, geometry, limits);
  for (let i = 0; i < ios.length; i++) planner.add(ios[i]!, i);
  return planner.finish();
}

class Planner {
  readonly #geometry: RingGeometry;
  readonly #maxIoLb: Lb;
  readonly #maxPackPb: Pb;
  readonly #hardPackPb: Pb;
  readonly #capacity: number;
  readonly #startLsid: Lsid;
  readonly #startIndex: Pb;
  readonly #packs: PlannedPack[] = [];
  /** Header of the pack being built, in blocks from the first pack of this plan. */
  #header: Pb = 0;
  #used: Pb = 0;
  #padding = 0;
  #records: PlannedRecord[] = [];

  constructor(nextLsid: Lsid, geometry: RingGeometry, limits: PackLimits) {
    this.#geometry = geometry;
    this.#startLsid = nextLsid;
    this.#startIndex = ringIndex(nextLsid, geometry);
    this.#hardPackPb = hardPackLimit(geometry);
    this.#maxPackPb = Math.min(limits.maxPackPb, this.#hardPackPb);
    this.#maxIoLb = Math.min(limits.maxIoLb, maxAlignedIoLb(geometry.pbs));
    this.#capacity = recordCapacity(geometry.pbs);
    const largest = ceilPb(this.#maxIoLb, geometry.pbs);
    if (this.#maxIoLb < 1 || largest > this.#hardPackPb) {
      throw new WalbError(
        'limit-exceeded',
        `a ring of ${geometry.ringPb} blocks is too small for writes of ${this.#maxIoLb} logical ` +
          'blocks; lower maxIoLb or use a larger log device',
        { details: { ringPb: geometry.ringPb, maxIoLb: this.#maxIoLb } },
      );
    }
  }

  add(io: LogIo, index: number): void {
    if (!(io.blocks > 0)) {
      throw new WalbError('invalid-argument', `IO ${index} at ${io.offset} has no length`, {
        details: { offset: io.offset, blocks: io.blocks },
      });
    }
    const max = io.kind === 'discard' ? MAX_DISCARD_LB : this.#maxIoLb;
    for (let start = 0; start < io.blocks; start += max) {
      const blocks = Math.min(max, io.blocks - start);
      if (io.kind === 'discard') this.#addDiscard(io.offset + start, blocks, index, start);
      else this.#addWrite(io.offset + start, blocks, index, start);
    }
  }

  finish(): PackPlan {
    this.#close();
    const endLsid = this.#startLsid + BigInt(this.#header);
    if (endLsid > MAX_LSID) {
      throw new WalbError('limit-exceeded', 'log sequence ids are used up; reset the log', {
        details: { lsid: this.#startLsid },
      });
    }
    return { packs: this.#packs, endLsid, takenPb: this.#header };
  }

  #addDiscard(offset: Lb, blocks: Lb, io: number, ioStart: Lb): void {
    if (this.#records.length >= this.#capacity) this.#close();
    this.#push(DISCARD_FLAGS, offset, blocks, io, ioStart);
  }

  #addWrite(offset: Lb, blocks: Lb, io: number, ioStart: Lb): void {
    const pb = ceilPb(blocks, this.#geometry.pbs);
    if (!this.#fits(pb, this.#maxPackPb)) {
      this.#close();
      // An IO alone may pass the caller's limit. With too much padding before it not even that
      // fits: then the padding gets a pack of its own, and the next one starts at the ring start.
      if (!this.#fits(pb, this.#hardPackPb)) {
        this.#pad(this.#paddingBefore(pb));
        this.#close();
      }
    }
    this.#pad(this.#paddingBefore(pb));
    this.#push(WRITE_FLAGS, offset, blocks, io, ioStart);
    this.#used += pb;
  }

  /** Blocks left before the ring end when `pb` blocks would straddle it, else 0. */
  #paddingBefore(pb: Pb): Pb {
    const { ringPb } = this.#geometry;
    const left = ringPb - ((this.#startIndex + this.#header + 1 + this.#used) % ringPb);
    return pb > left ? left : 0;
  }

  #fits(pb: Pb, maxPackPb: Pb): boolean {
    const padding = this.#paddingBefore(pb);
    const records = padding > 0 ? 2 : 1;
    if (padding > 0 && this.#padding > 0) return false;
    if (this.#records.length + records > this.#capacity) return false;
    return this.#used + padding + pb <= maxPackPb;
  }

  #pad(pb: Pb): void {
    if (pb === 0) return;
    this.#push(PADDING_FLAGS, 0, pb * lbPerPb(this.#geometry.pbs), -1, 0);
    this.#used += pb;
    this.#padding++;
  }

  #push(flags: number, offset: Lb, blocks: Lb, io: number, ioStart: Lb): void {
    const lsidLocal = 1 + this.#used;
    const index = this.#startIndex + this.#header + lsidLocal;
    const position = ringPosition(index, this.#geometry);
    this.#records.push({ checksum: 0, flags, offset, blocks, lsidLocal, io, ioStart, position });
  }

  #close(): void {
    if (this.#records.length === 0) return;
    this.#packs.push({
      lsid: this.#startLsid + BigInt(this.#header),
      totalPb: this.#used,
      nPadding: this.#padding,
      records: this.#records,
      position: ringPosition(this.#startIndex + this.#header, this.#geometry),
    });
    this.#header += 1 + this.#used;
    this.#used = 0;
    this.#padding = 0;
    this.#records = [];
  }
}
