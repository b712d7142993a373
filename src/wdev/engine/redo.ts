/**
 * Start-up redo: repeats in the data image every write of the log from the last checkpoint to the
 * end of the log, and leaves the log so that its end stays where it was found.
 *
 * May be interrupted and repeated at any point: the super sector still names the old place until the
 * image is synced (checkpointer.ts has the order).
 *
 * All log that is read is also written back. The process before this one may have ended because a sync
 * failed; the page cache then shows blocks that the disk never got, and considers them clean, so
 * that no later sync would write them either.
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
  writeRingBlocks,
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
  const result = await settleLog(context);
  await replayLog(context, result.endLsid);
  await image.sync();
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

/**
 * First pass: finds the end of the log and makes what comes before it permanent. Only then may the image
 * get it: were the power lost in between, it would hold writes that the log does not have any more.
 */
async function settleLog({ log, clock }: RedoContext): Promise<RedoResult> {
  let packs = 0;
  let slice = 0;
  for (const item of readRing(log, { begin: log.superSector.writtenLsid })) {
    if (item.kind === 'end') {
      const endLsid = item.lsid;
      const stalePacks = wipeStalePacks(log, endLsid);
      await log.file.sync();
      return { endLsid, packs, isCut: item.reason === 'bad-data', stalePacks };
    }
    if (item.kind === 'pack') {
      packs++;
      // A cut pack comes with its new header: written back, the log ends there for everybody.
      writeRingBlocks(log, item.header.lsid, item.block);
    } else if (item.type === 'write') {
      writeRingBlocks(log, item.record.lsid, item.stored);
      slice += item.stored.length;
    }
    if (slice < APPLY_SLICE_BYTES) continue;
    slice = 0;
    await clock.yield();
  }
  throw new WalbError('internal', 'the log reader ended without saying where');
}

/** Second pass: everything up to the end of the log goes to the image. */
async function replayLog(context: RedoContext, end: Lsid): Promise<void> {
  const { log, clock } = context;
  let slice = 0;
  for (const item of readRing(log, { begin: log.superSector.writtenLsid, end })) {
    if (item.kind !== 'io' || item.type === 'padding') continue;
    await replayRecord(context, item);
    slice += item.data.length;
    if (slice < APPLY_SLICE_BYTES) continue;
    slice = 0;
    await clock.yield();
  }
}

async function replayRecord(context: RedoContext, item: IoItem): Promise<void> {
  const { log, image, hooks, logger } = context;
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
