/** What a full and a hash backup have in common: the work agreed on, its begin and its end. */
import { type Gid, type Lb, throwIfAborted, type UnixSeconds } from '../core/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import type { TaskHandle } from '../server/task-log.ts';
import type { CompressOption } from '../wdiff/index.ts';
import type { StorageConfig } from './config.ts';
import { ScanThrottle } from './scan-throttle.ts';
import type { StorageVolume } from './volume.ts';

export interface BackupHost {
  readonly core: ServerCore;
  readonly config: StorageConfig;
  /** Blocks per second of all scans; 0 = unlimited. */
  scanLimit(): Lb;
  /** Follows the log of the volume from now on. */
  monitor(volume: StorageVolume): void;
  /** Sends log now. */
  sendNow(volume: StorageVolume): void;
}

export interface BackupWork {
  readonly host: BackupHost;
  readonly volume: StorageVolume;
  readonly bulkLb: Lb;
  readonly compression: CompressOption;
  readonly signal: AbortSignal;
  /** Seed of the hashes. */
  readonly timestamp: UnixSeconds;
}

/** The rest of a backup that the archive has accepted. */
export type Run = (task: TaskHandle) => Promise<void>;

export interface Scan extends BackupWork {
  readonly throttle: ScanThrottle;
  readonly task: TaskHandle;
}

export function scanOf(work: BackupWork, task: TaskHandle): Scan {
  const { host } = work;
  const throttle = new ScanThrottle(host.core.clock, () => host.scanLimit());
  return { ...work, throttle, task };
}

/** Throws `cancelled`; asked before the log is given up. */
export function requireNotForced({ volume }: BackupWork): void {
  throwIfAborted(volume.forceSignal, 'backup');
}

/** The snapshot that ends the backup; explicit, so that no merge swallows it. */
export async function endHistory({ host, volume }: BackupWork): Promise<Gid> {
  const { gid } = await volume.takeSnapshot();
  host.sendNow(volume);
  return gid;
}
