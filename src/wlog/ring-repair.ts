/**
 * Repair of the damaged tail of a ring. Source: formats.md 3 (shrink).
 */
import { corrupt, type Lsid } from '../core/index.ts';
import { describeStop, type EndItem } from './log-item.ts';
import { encodePackHeader } from './pack-header.ts';
import { type RingLog, writeRingBlocks } from './ring-device.ts';
import { findEndOfLog } from './ring-reader.ts';

export interface RepairOptions {
  /** Where to begin looking; the oldest lsid when omitted. */
  readonly begin?: Lsid;
  /** Cut even where the log was whole once. */
  readonly force?: boolean;
}

/**
 * Makes the end of a damaged log explicit: the pack whose data is not whole is rewritten with only the
 * records before the damage ("shrink"), and the block behind is cleared. Returns the end of the log,
 * with reason `bad-data` when something was cut. Durable when it resolves.
 *
 * Damage before the written lsid is no torn tail, for that log was whole at a checkpoint: it is `corrupt`
 * and left alone unless `force`, since cutting there would drop good log behind it.
 *
 * The shorter header goes first: after a crash in between it is followed by what was data, which is no
 * header, so the log ends at the same place.
 */
export async function repairTail(log: RingLog, options: RepairOptions = {}): Promise<EndItem> {
  const end = findEndOfLog(log, options.begin);
  if (options.force !== true) requireTail(log, end);
  if (end.reason !== 'bad-data') return end;
  const { pbs, ringPb } = log.geometry;
  const block = new Uint8Array(pbs);
  if (end.cut !== undefined) {
    encodePackHeader(end.cut, block, log.superSector.salt);
    writeRingBlocks(log, end.cut.lsid, block);
    await log.file.sync();
  }
  // In a full ring the block behind is the oldest pack.
  if (end.lsid - log.superSector.oldestLsid < BigInt(ringPb)) {
    writeRingBlocks(log, end.lsid, block.fill(0));
    await log.file.sync();
  }
  return end;
}

function requireTail(log: RingLog, end: EndItem): void {
  const { writtenLsid } = log.superSector;
  if (end.lsid >= writtenLsid) return;
  throw corrupt(
    `${log.file.path}: the log ends at lsid ${end.lsid}, before the written lsid ${writtenLsid}: ` +
      `this is damage, not a torn tail (${describeStop(end.reason)}). The data image has that log ` +
      'already; back up by hash or full backup, then reset the log, or cut it by force',
    { file: log.file.path, offset: end.offset, field: 'written_lsid', lsid: end.lsid },
  );
}
