/**
 * Snapshot records of a storage volume, and the pure decisions made from them: which gid a snapshot
 * gets, and which piece of the log is sent next.
 *
 * `done` is the record up to which everything was delivered; `queue` holds the snapshots taken since,
 * oldest first. (The original keeps the newest in front; only `status` shows that order.)
 *
 * Source: semantics.md A.1 (MetaLsidGid), B.2 (gid assignment), B.4.3 (what to send).
 */
import {
  equalBytes,
  type Gid,
  type Lb,
  type Lsid,
  type Pb,
  U64_MAX,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import { type Diff, diffOf, snapshot } from '../wdiff/index.ts';

export interface LsidGid {
  readonly lsid: Lsid;
  readonly gid: Gid;
  /** True = implicit snapshot: it may vanish when diffs are merged. */
  readonly isMergeable: boolean;
  readonly timestamp: UnixSeconds;
}

export interface Records {
  readonly done: LsidGid;
  /** Oldest first. */
  readonly queue: readonly LsidGid[];
}

/** Nothing was ever delivered: what init-vol writes. */
export const INITIAL_RECORDS: Records = {
  done: { lsid: U64_MAX, gid: U64_MAX, isMergeable: false, timestamp: 0 },
  queue: [],
};

/** After a log reset: log begins at lsid 0 with this gid, an explicit snapshot. */
export function resetRecords(gid: Gid, now: UnixSeconds): Records {
  return { done: { lsid: 0n, gid, isMergeable: false, timestamp: now }, queue: [] };
}

export function newestRecord({ done, queue }: Records): LsidGid {
  return queue.at(-1) ?? done;
}

/**
 * The gid of a snapshot at `lsid`: one more than the newest, and one more for each full chunk of
 * `maxPb` since then, so that a long log can be sent in several chunks that each consume one gid.
 * Throws `conflict` when the log runs backwards.
 */
export function gidAt(records: Records, lsid: Lsid, maxPb: Pb): Gid {
  const newest = newestRecord(records);
  if (newest.lsid > lsid) {
    throw new WalbError(
      'conflict',
      `the newest snapshot is at lsid ${newest.lsid}, beyond the log's end ${lsid}: the log was reset behind this server's back; run hash_backup`,
      { details: { newest: newest.lsid, lsid } },
    );
  }
  return newest.gid + 1n + (lsid - newest.lsid) / BigInt(maxPb);
}

/** The records with a snapshot taken at `lsid`. */
export function takeSnapshot(
  records: Records,
  at: { readonly lsid: Lsid; readonly isMergeable: boolean; readonly now: UnixSeconds },
  maxPb: Pb,
): { readonly records: Records; readonly taken: LsidGid } {
  const { lsid, isMergeable, now } = at;
  const taken = { lsid, gid: gidAt(records, lsid, maxPb), isMergeable, timestamp: now };
  return { records: { done: records.done, queue: [...records.queue, taken] }, taken };
}

/** Records that delivery has overtaken are of no use any more. */
export function dropDelivered({ done, queue }: Records): Records {
  const isDelivered = ({ lsid, gid }: LsidGid): boolean =>
    lsid < done.lsid || (lsid === done.lsid && gid <= done.gid);
  const kept = queue.filter((record) => !isDelivered(record));
  return kept.length === queue.length ? { done, queue } : { done, queue: kept };
}

/** Whether an implicit snapshot has to be taken at `permanent` before something can be sent. */
export function needsSnapshot(
  records: Records,
  permanent: Lsid,
  now: UnixSeconds,
  interval: number,
): boolean {
  const newest = records.queue.at(-1);
  if (newest === undefined) return records.done.lsid < permanent;
  return newest.lsid < permanent && newest.timestamp + interval <= now;
}

/**
 * A part of a range that may have been delivered although its acknowledgement was lost. Its diff has the
 * gid after `begin.gid`, and there must never be two diffs of that name with different content: until
 * `done` has moved on, what is sent from `begin` is cut at the same place, whatever `-wl` is meanwhile.
 */
export interface PartSent {
  readonly begin: Pick<LsidGid, 'lsid' | 'gid'>;
  readonly end: Lsid;
}

/**
 * Where the full backup under way began: the image may be read in several attempts, as long as the log
 * history goes on from this gid without a gap.
 */
export interface BackupBegin {
  readonly uuid: Uint8Array;
  readonly gid: Gid;
  /** Of the volume. */
  readonly sizeLb: Lb;
}

/**
 * Why an interrupted full backup can not go on here; undefined when it can. What was written since it
 * began is delivered, or still in the log from `done` on; so the log must reach back to there.
 */
export function whyBackupCanNotGoOn(
  backup: BackupBegin,
  now: {
    readonly records: Records;
    readonly uuid: Uint8Array;
    readonly sizeLb: Lb;
    readonly oldest: Lsid;
    readonly isOverflow: boolean;
  },
): string | undefined {
  if (!equalBytes(backup.uuid, now.uuid)) return 'the log was reset since';
  if (now.isOverflow) return 'the log has overflowed since';
  if (backup.sizeLb !== now.sizeLb) {
    return `the volume had ${backup.sizeLb} blocks and has ${now.sizeLb}`;
  }
  const { done } = now.records;
  if (now.oldest > done.lsid) return 'log that was not delivered has been freed';
  if (done.gid < backup.gid) return `delivery stands at gid ${done.gid}, before gid ${backup.gid}`;
  return undefined;
}

/** One transfer: log from `begin` to `limit`, on the way to the snapshot `target`. */
export interface SendPlan {
  readonly begin: LsidGid;
  readonly target: LsidGid;
  /** Packs that end at or before it are sent. */
  readonly limit: Lsid;
}

/**
 * What to send now; undefined while the log up to the limit is not permanent yet. `records` must have
 * a non-empty queue without delivered records. A part that was sent from the same place before is sent
 * again as it was.
 */
export function planSend(
  records: Records,
  permanent: Lsid,
  maxPb: Pb,
  partSent?: PartSent,
): SendPlan | undefined {
  const { done: begin, queue } = records;
  const isRepeated = partSent?.begin.lsid === begin.lsid && partSent.begin.gid === begin.gid;
  const reach = isRepeated ? partSent.end : begin.lsid + BigInt(maxPb);
  let index = 0;
  for (;;) {
    const next = queue[index + 1];
    const isSkippable = queue[index]?.isMergeable === true && next !== undefined;
    if (!isSkippable || next.lsid > reach || next.lsid > permanent) break;
    index += 1;
  }
  const target = queue[index];
  if (target === undefined) throw new WalbError('internal', 'nothing to send: the queue is empty');
  // No gid is left for a chunk in between: the range has to go in one piece, however long it is.
  const isIndivisible = index === 0 && target.gid === begin.gid + 1n;
  const limit = isIndivisible || target.lsid <= reach ? target.lsid : reach;
  return permanent < limit ? undefined : { begin, target, limit };
}

/** The diff of a transfer that ended at `end`, and the record that is done then. */
export function planDone(
  { begin, target }: SendPlan,
  end: Lsid,
): { readonly diff: Diff; readonly done: LsidGid } {
  const isWhole = end === target.lsid;
  const done: LsidGid = isWhole
    ? target
    : { lsid: end, gid: begin.gid + 1n, isMergeable: true, timestamp: begin.timestamp };
  const diff = diffOf(snapshot(begin.gid), snapshot(done.gid), {
    isMergeable: begin.isMergeable,
    timestamp: target.timestamp,
  });
  return { diff, done };
}
