/**
 * The state of a whole group as plain values: what `walbc.group_status()` returns, what the table of
 * `walbc.status()` shows and what `walbc check` judges. One row per server, and one per volume at each
 * place its data pass: storage -> proxy -> archive.
 *
 * Times are unix seconds of the server that told them, 0 = never; `now` of the row is that server's
 * clock at that moment, so that ages are right where clocks differ.
 */
import type { Bytes, UnixSeconds } from '../../core/index.ts';

export type Kind = 'storage' | 'proxy' | 'archive';

/** `a storage`, `an archive`. */
export function withArticle(noun: string): string {
  return `${/^[aeiou]/.test(noun) ? 'an' : 'a'} ${noun}`;
}

export interface GroupStatus {
  /** Of who asked. */
  readonly time: UnixSeconds;
  readonly servers: readonly ServerRow[];
  /** Volumes at storages. */
  readonly volumes: readonly StorageRow[];
  /** Volumes at proxies: one row for each archive they are sent to. */
  readonly queues: readonly QueueRow[];
  readonly archives: readonly ArchiveRow[];
  readonly gaps: readonly GapRow[];
}

/** What went wrong and has not gone well since. */
export interface Failure {
  readonly code: string;
  readonly message: string;
  /** Last and first time in a row. */
  readonly time: UnixSeconds;
  readonly since: UnixSeconds;
  readonly count: number;
  readonly peer: string;
}

export interface ServerRow {
  readonly server: string;
  readonly kind: Kind;
  readonly address: string;
  readonly isUp: boolean;
  /** Why not. */
  readonly reason: string;
  readonly now: UnixSeconds;
  readonly started: UnixSeconds;
  readonly version: string;
  readonly isShuttingDown: boolean;
  /** Of the file system of its base directory; of an archive, of its images. */
  readonly diskFreeBytes: Bytes;
  /** 0 = not known. */
  readonly diskTotalBytes: Bytes;
  /** Proxies. */
  readonly spoolUsedBytes: Bytes;
  /** 0 = no limit but the disk. */
  readonly spoolLimitBytes: Bytes;
  /** The proxy refuses log because of its limit. */
  readonly isSpoolFull: boolean;
  /** Storages: proxies that do not answer them. */
  readonly deadProxies: readonly string[];
}

interface Row {
  readonly server: string;
  readonly volume: string;
  readonly now: UnixSeconds;
  readonly state: string;
  readonly failure: Failure | null;
}

export interface StorageRow extends Row {
  readonly isOverflow: boolean;
  readonly logUsageBytes: Bytes;
  readonly logCapacityBytes: Bytes;
  /** Bytes per second over the last minute. */
  readonly writeRate: number;
  /** Bytes per second by which the used part of the ring grew in the last five minutes. */
  readonly growthRate: number;
  /** Seconds until the ring overflows if it goes on so; null = it does not grow. */
  readonly overflowInSec: number | null;
  /** Log that no proxy has. */
  readonly lagBytes: Bytes;
  readonly lagSec: number;
  readonly lastSent: UnixSeconds;
  readonly lastProxy: string;
  readonly lastBackup: UnixSeconds;
  /** Of the last snapshot that proxies have, and of the newest. */
  readonly sentGid: bigint;
  readonly latestGid: bigint;
  /** Position up to which proxies have the log, and up to which there is some to be sent. */
  readonly sentLsid: bigint;
  readonly permanentLsid: bigint;
}

export interface QueueRow extends Row {
  readonly archive: string;
  readonly numDiff: number;
  readonly bytes: Bytes;
  /** Age of the oldest queued diff. */
  readonly ageSec: number;
  readonly lastReceived: UnixSeconds;
  readonly lastSent: UnixSeconds;
  /** Given up, or silent for too long (`is_wdiff_send_error`). */
  readonly isSendError: boolean;
  /** Seconds until the next attempt; null = none is queued. */
  readonly nextTrySec: number | null;
}

export interface ArchiveRow extends Row {
  /** Of the latest snapshot, which may be dirty; null = there are no data. */
  readonly latestGid: bigint | null;
  readonly latestTime: UnixSeconds;
  /** Newest snapshot that can be restored. */
  readonly restorableGid: bigint | null;
  readonly restorableTime: UnixSeconds;
  /** Some proxy sends this volume here. */
  readonly isSynchronizing: boolean;
  /** Bytes on their way: log at the storage and diffs at proxies; null = no storage backs it up. */
  readonly lagBytes: Bytes | null;
  /** How long the oldest data that are not here have been waiting; 0 = everything is here. */
  readonly lagSec: number | null;
  /** The storage has got rid of data that are neither here nor at a proxy that answers. */
  readonly isMissingData: boolean;
  readonly numDiff: number;
  readonly lastReceived: UnixSeconds;
  readonly lastSync: UnixSeconds;
  readonly lastApply: UnixSeconds;
  readonly lastSender: string;
}

/** A missing piece in the chain of diffs of a volume at an archive (systems.md W7). */
export interface GapRow {
  readonly volume: string;
  readonly archive: string;
  /** Servers that report it. */
  readonly reportedBy: readonly string[];
  /** Gid up to which the archive has everything. */
  readonly gidB: bigint;
  /** Begin of the first diff behind it; null when it is not known. */
  readonly gidE: bigint | null;
  readonly since: UnixSeconds;
  readonly ageSec: number;
  readonly advice: string;
}
