/** What a full scan and a hash scan of a device have in common. */
import type { Lb, UnixSeconds } from '../core/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import type { CompressOption } from '../wdiff/index.ts';
import type { ScanThrottle } from './scan-throttle.ts';
import type { StorageVolume } from './volume.ts';

export interface Scan {
  readonly volume: StorageVolume;
  readonly bulkLb: Lb;
  readonly compression: CompressOption;
  readonly throttle: ScanThrottle;
  readonly signal: AbortSignal;
  readonly task: TaskHandle;
  /** Seed of the hashes. */
  readonly timestamp: UnixSeconds;
}
