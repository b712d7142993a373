/**
 * Start-up redo: repeats in the data image every write of the log from the last checkpoint to the
 * end of the log, and leaves the log so that its end stays where it was found.
 *
 * May be interrupted and repeated at any point: the super sector still names the old place until the
 * image is synced (checkpointer.ts has the order).
 *
 * Source: formats.md 3 (end of log, shrink).
 */
import { type Clock, type Logger, type Lsid, MIB, WalbError } from '../../core/index.ts';
import {
  type IoItem,
  inspectPackHeader,
  lsidPosition,
  type RingLog,
  readRing,
  readRingBlocks,
} from '../../wlog/index.ts';
import type { DataImage } from './data-image.ts';
import type { BlockHooks } from './hooks.ts';
import { APPLY_SLICE_BYTES, MAX_UNSYNCED_LOG } from './limits.ts';

export interface RedoResult {
  /** The lsid after the last good pack: where the log goes on. */
  readonly endLsid: Lsid;
  readonly packs: number;
  /** A pack was cut before a record whose data did not reach the disk. */
  readonly isCut: boolean;
  /** Packs behind the end, kept by a power cut that lost earlier ones; made invalid. */
  readonly stalePacks: number;
}

export interface RedoContext {
  readonly log: RingLog;
  readonly image: DataImage;
  readonly hooks: BlockHooks;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Everything is on stable storage when it resolves, except the super sector's new `written_lsid`. */
export async function redo(context: RedoContext): Promise<RedoResult> {
  const { log, image, logger } = context;
  const from = log.superSector.writtenLsid;
  const replayed = await replayLog(context);
  const result = { ...replayed, stalePacks: wipeStalePacks(log, replayed.endLsid) };
  await image.sync();
  await log.file.sync();
  report(from, result, logger);
  return result;
}

function report(from: Lsid, result: RedoResult, logger: Logger): void {
  const { endLsid, ...counts } = result;
  if (result.isCut || result.stalePacks > 0) {
    logger.warn(
      { lsid: endLsid, from, ...counts },
      'log redone up to a gap; after a power cut this is normal, otherwise the log device lost data: ' +
        'make a hash backup',
    );
  } else if (endLsid > from) logger.info({ lsid: endLsid, from, ...counts }, 'log redone');
}

async function replayLog(context: RedoContext): Promise<Omit<RedoResult, 'stalePacks'>> {
  const { log, clock } = context;
  const lastHeader = new Uint8Array(log.geometry.pbs);
  let lastOffset = 0;
  let packs = 0;
  let slice = 0;
  for (const item of readRing(log, { begin: log.superSector.writtenLsid })) {
    if (item.kind === 'pack') {
      packs++;
      lastHeader.set(item.block);
      lastOffset = item.offset;
    } else if (item.kind === 'io') {
      await replayRecord(context, item);
      slice += item.data.length;
      if (slice < APPLY_SLICE_BYTES) continue;
      slice = 0;
      await clock.yield();
    } else {
      const isCut = item.reason === 'bad-data';
      // The reader shows a cut pack with its new header: written back, the log ends there for all.
      if (isCut && packs > 0) log.file.write(lastHeader, lastOffset);
      return { endLsid: item.lsid, packs, isCut };
    }
  }
  throw new WalbError('internal', 'the log reader ended without saying where');
}

async function replayRecord(context: RedoContext, item: IoItem): Promise<void> {
  const { log, image, hooks, logger } = context;
  if (item.type === 'padding') return;
  const { offset, blocks, lsid } = item.record;
  if (offset + blocks > log.superSector.deviceLb) {
    logger.warn({ lsid, offset, blocks }, 'log record beyond the end of the volume skipped');
    return;
  }
  const parts = item.type === 'discard' ? undefined : [item.data];
  const wait = image.replace(offset, blocks, Number(lsid), parts);
  if (wait !== undefined) await wait;
  hooks.markDirty?.(offset, blocks, lsid);
}

/**
 * A power cut may keep a later pack and lose an earlier one, where the log then ends. New packs fill
 * the hole, and if one of them happened to end where the old pack begins, the next redo would run
 * on into it and bring back a write that was lost, over newer ones. So every block behind the end
 * that is the header of a pack for just that place is cleared. No more than `MAX_UNSYNCED_LOG` can be
 * behind the end, because writers wait when that much log is unsynced.
 */
function wipeStalePacks(log: RingLog, end: Lsid): number {
  const { pbs, ringPb } = log.geometry;
  const { oldestLsid, writtenLsid, salt } = log.superSector;
  const isOverflow = end - oldestLsid > BigInt(ringPb);
  const free = ringPb - Number(end - (isOverflow ? writtenLsid : oldestLsid));
  const count = Math.min(free, MAX_UNSYNCED_LOG / pbs);
  const chunkPb = Math.min(count, MIB / pbs);
  const chunk = new Uint8Array(chunkPb * pbs);
  const zeros = new Uint8Array(pbs);
  let found = 0;
  for (let done = 0; done < count; done += chunkPb) {
    const blocks = Math.min(chunkPb, count - done);
    readRingBlocks(log, end + BigInt(done), chunk.subarray(0, blocks * pbs));
    for (let i = 0; i < blocks; i++) {
      const lsid = end + BigInt(done + i);
      const block = chunk.subarray(i * pbs, (i + 1) * pbs);
      if (!isHeaderAt(block, lsid) || inspectPackHeader(block, salt, lsid) !== 'pack') continue;
      log.file.write(zeros, lsidPosition(lsid, log.geometry));
      found++;
    }
  }
  return found;
}

/** Cheap test before the checksum: the lsid field (formats.md 2.2, offset 8). */
function isHeaderAt(block: Uint8Array, lsid: Lsid): boolean {
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  return view.getUint32(8, true) === Number(lsid & 0xffff_ffffn);
}
