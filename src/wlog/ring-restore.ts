/**
 * A wlog into a ring. Source: formats.md 3 (wlog-restore).
 */
import { type Bytes, type Lsid, lbPerPb, type Pb, WalbError } from '../core/index.ts';
import type { WlogHeader } from './file-header.ts';
import { MAX_IO_LB } from './limits.ts';
import type { EndItem } from './log-item.ts';
import { encodePackHeader, nextLsid, PADDING_FLAGS, type PackHeader } from './pack-header.ts';
import type { WlogItems } from './reader.ts';
import { type RingLog, writeRingBlocks, writeSuperSector } from './ring-device.ts';
import { lsidPosition, ringIndex } from './ring-geometry.ts';

export interface RestoreOptions {
  /** Added to every lsid; may be negative as long as no lsid becomes so. */
  readonly lsidDiff?: bigint;
  /** Packs before it are left out. */
  readonly begin?: Lsid;
  /** Packs at or after it are left out. */
  readonly end?: Lsid;
}

export interface RestoreResult {
  /** First lsid in the ring: the new oldest and written lsid. */
  readonly beginLsid: Lsid;
  readonly endLsid: Lsid;
  readonly packs: number;
  /** Packs put in so that none straddles the ring end. */
  readonly paddingPacks: number;
  /** Where and why the wlog ended. */
  readonly end: EndItem;
}

/**
 * Replaces the log in the ring by that of a wlog (items of `readWlog`). A pack that would straddle the
 * ring end is preceded by a pack of padding, and later lsids move on by as much. Durable when it resolves.
 *
 * The super sector with the new identity goes first, over a cleared first block: from then on a crash
 * leaves a valid prefix of the restored log. Throws `invalid-argument` when block sizes differ or an
 * lsid leaves its range, `limit-exceeded` when the log does not fit into the ring.
 */
export async function restoreRing(
  log: RingLog,
  items: WlogItems,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  let restore: Restore | undefined;
  for await (const item of items) {
    if (item.kind === 'header') restore = new Restore(log, item.header, options);
    else if (item.kind === 'pack') await restore?.pack(item.header);
    else if (item.kind === 'io') restore?.io(item.stored);
    else if (restore !== undefined) return restore.finish(item);
  }
  throw new WalbError('invalid-argument', 'nothing to restore: the wlog has no header');
}

class Restore {
  readonly #log: RingLog;
  readonly #source: WlogHeader;
  readonly #options: RestoreOptions;
  readonly #block: Uint8Array;
  /** Added to lsids of the source; grows with each padding pack. */
  #diff: bigint;
  #begin: Lsid | undefined;
  #next: Lsid;
  #dataLsid: Lsid = 0n;
  #skipping = false;
  #packs = 0;
  #paddingPacks = 0;

  constructor(log: RingLog, source: WlogHeader, options: RestoreOptions) {
    if (source.pbs !== log.geometry.pbs) {
      throw new WalbError(
        'invalid-argument',
        `the wlog has physical blocks of ${source.pbs} bytes, the log device of ${log.geometry.pbs}`,
        { details: { pbs: source.pbs } },
      );
    }
    this.#log = log;
    this.#source = source;
    this.#options = options;
    this.#block = new Uint8Array(source.pbs);
    this.#diff = options.lsidDiff ?? 0n;
    this.#next = source.beginLsid + this.#diff;
  }

  async pack(header: PackHeader): Promise<void> {
    const { begin = 0n, end } = this.#options;
    this.#skipping = header.lsid < begin || (end !== undefined && header.lsid >= end);
    if (this.#skipping) return;
    let lsid = header.lsid + this.#diff;
    if (this.#begin === undefined) await this.#start(lsid);
    lsid = this.#padBefore(lsid, header.totalPb);
    this.#reserve(lsid, header.totalPb);
    encodePackHeader({ ...header, lsid }, this.#block, this.#source.salt);
    this.#write(lsid, this.#block);
    this.#dataLsid = lsid + 1n;
    this.#next = lsid + 1n + BigInt(header.totalPb);
    this.#packs++;
  }

  io(stored: Uint8Array): void {
    if (this.#skipping) return;
    this.#write(this.#dataLsid, stored);
    this.#dataLsid += BigInt(stored.length / this.#source.pbs);
  }

  async finish(end: EndItem): Promise<RestoreResult> {
    if (this.#begin === undefined) await this.#start(this.#next);
    const beginLsid = this.#begin ?? this.#next;
    // The log has no end marker; a stale header right behind it must not look like its continuation.
    if (this.#next - beginLsid < BigInt(this.#log.geometry.ringPb)) this.#clear(this.#next);
    await this.#log.file.sync();
    return {
      beginLsid,
      endLsid: this.#next,
      packs: this.#packs,
      paddingPacks: this.#paddingPacks,
      end,
    };
  }

  async #start(lsid: Lsid): Promise<void> {
    if (lsid < 0n) {
      throw new WalbError('invalid-argument', `lsid ${lsid} would be negative`, {
        details: { lsidDiff: this.#diff },
      });
    }
    this.#begin = lsid;
    this.#clear(lsid);
    await this.#log.file.sync();
    writeSuperSector(this.#log.file, {
      ...this.#log.superSector,
      uuid: this.#source.uuid,
      salt: this.#source.salt,
      oldestLsid: lsid,
      writtenLsid: lsid,
    });
    await this.#log.file.sync();
  }

  /** Writes padding packs when a pack of `totalPb` at `lsid` would straddle; returns its new lsid. */
  #padBefore(lsid: Lsid, totalPb: Pb): Lsid {
    const { geometry } = this.#log;
    let left = geometry.ringPb - ringIndex(lsid, geometry);
    if (1 + totalPb <= left) return lsid;
    const largest = Math.floor(MAX_IO_LB / lbPerPb(geometry.pbs));
    let at = lsid;
    while (left > 0) {
      const padding = paddingPack(at, Math.min(left - 1, largest), geometry.pbs);
      this.#reserve(at, padding.totalPb);
      encodePackHeader(padding, this.#block, this.#source.salt);
      this.#write(at, this.#block);
      at = nextLsid(padding);
      left -= 1 + padding.totalPb;
      this.#paddingPacks++;
    }
    this.#diff += at - lsid;
    return at;
  }

  #reserve(lsid: Lsid, totalPb: Pb): void {
    const end = nextLsid({ lsid, totalPb });
    if (end - (this.#begin ?? lsid) <= BigInt(this.#log.geometry.ringPb)) return;
    throw new WalbError(
      'limit-exceeded',
      `the log does not fit into the ring of ${this.#log.geometry.ringPb} blocks; use a larger ` +
        'log device or restore fewer packs (--begin, --end)',
      { details: { lsid, ringPb: this.#log.geometry.ringPb } },
    );
  }

  #clear(lsid: Lsid): void {
    this.#log.file.write(new Uint8Array(this.#source.pbs), lsidPosition(lsid, this.#log.geometry));
  }

  #write(lsid: Lsid, blocks: Uint8Array): void {
    writeRingBlocks(this.#log, lsid, blocks);
  }
}

/** A pack whose only record is padding of `totalPb` blocks (may be 0). */
function paddingPack(lsid: Lsid, totalPb: Pb, pbs: Bytes) {
  const blocks = totalPb * lbPerPb(pbs);
  const record = { checksum: 0, flags: PADDING_FLAGS, offset: 0, blocks, lsidLocal: 1 };
  return { lsid, totalPb, nPadding: 1, records: [record] };
}
