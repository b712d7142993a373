/**
 * Turns a pack plan into bytes: checksums, headers, and the list of writes to make. Pure but for the
 * caller's header buffer and the checksums it puts into the plan.
 *
 * Source: formats.md 2.2.
 */
import { type Bytes, LB_SIZE, WalbError } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { encodePackHeader, recordPb, WRITE_FLAGS } from './pack-header.ts';
import type { LogIo, PackPlan, PlannedRecord } from './pack-planner.ts';
import type { RingGeometry } from './ring-geometry.ts';

/** Parts to be written one after another from `position` on: one `writev`. */
export interface LogWrite {
  readonly position: Bytes;
  readonly parts: Uint8Array[];
}

/** Fills the rest of an IO's last physical block; never written to. */
const ZEROS = new Uint8Array(64 * 1024);

/**
 * Computes all checksums, encodes the headers into `headers` (at least packs * pbs bytes) and lists
 * what to write where. Neighbouring pieces share one entry, so that a batch which does not touch the
 * ring end is a single write. Padding is not written: what is there stays, as the format allows.
 * Throws `invalid-argument` when an IO's data has the wrong length.
 */
export function encodePlan(
  plan: PackPlan,
  ios: readonly LogIo[],
  geometry: RingGeometry,
  salt: number,
  headers: Uint8Array,
): LogWrite[] {
  const { pbs } = geometry;
  const writes = new WriteList();
  for (let p = 0; p < plan.packs.length; p++) {
    const pack = plan.packs[p]!;
    const header = headers.subarray(p * pbs, (p + 1) * pbs);
    writes.add(pack.position, header);
    for (const record of pack.records) {
      if (record.flags !== WRITE_FLAGS) continue;
      const data = dataOf(record, ios);
      record.checksum = checksum(data, salt);
      writes.add(record.position, data);
      const rest = recordPb(record, pbs) * pbs - data.length;
      if (rest > 0) writes.add(record.position + data.length, ZEROS.subarray(0, rest));
    }
    encodePackHeader(pack, header, salt);
  }
  return writes.list;
}

function dataOf(record: PlannedRecord, ios: readonly LogIo[]): Uint8Array {
  const io = ios[record.io];
  if (io?.kind !== 'write' || io.data.length !== io.blocks * LB_SIZE) {
    throw new WalbError('invalid-argument', `IO ${record.io} lacks data of its length`, {
      details: { offset: record.offset, blocks: record.blocks },
    });
  }
  if (record.blocks === io.blocks) return io.data;
  const start = record.ioStart * LB_SIZE;
  return io.data.subarray(start, start + record.blocks * LB_SIZE);
}

class WriteList {
  readonly list: LogWrite[] = [];
  #last: LogWrite | undefined;
  #end = -1;

  add(position: Bytes, part: Uint8Array): void {
    if (this.#last === undefined || position !== this.#end) {
      this.#last = { position, parts: [] };
      this.list.push(this.#last);
    }
    this.#last.parts.push(part);
    this.#end = position + part.length;
  }
}
