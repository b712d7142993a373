/** What `status` and watchers see of a storage volume (cli.md 1.6). */
import { type Lb, MIB } from '../core/index.ts';
import {
  compressionToMessage,
  type LastError,
  type MetaLsidGid,
  StopState,
  type StorageStatus,
  type StorageVolumeStatus,
  type StorageVolumeSummary,
  VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import { nextFailure } from '../server/failures.ts';
import type { ServerCore } from '../server/server-core.ts';
import { type CommonSettings, commonStatus } from '../server/status.ts';
import type { TaskQueue } from '../server/task-queue.ts';
import type { Lsids } from '../wdev/volume-device.ts';
import type { StorageConfig } from './config.ts';
import type { ProxyPool } from './proxies.ts';
import { type LsidGid, newestRecord } from './records.ts';
import type { StorageAction } from './states.ts';
import type { TsDeltaWatcher } from './ts-delta.ts';
import type { UnservedVolumes } from './unserved.ts';
import type { StorageVolume } from './volume.ts';

const ACTIONS: readonly StorageAction[] = ['WlogSend', 'WlogRemove'];

export interface StatusHost {
  readonly core: ServerCore;
  readonly config: StorageConfig;
  readonly proxies: ProxyPool;
  scanLimit(): Lb;
}

export async function serverStatusOf(
  host: StatusHost,
  settings: CommonSettings,
  tsDelta: TsDeltaWatcher,
  queue: TaskQueue,
  volumes: readonly StorageVolume[],
  unserved: Pick<UnservedVolumes, 'ids' | 'lastError'>,
): Promise<StorageStatus> {
  const { config, core } = host;
  const running = volumes.reduce((sum, { actions }) => sum + actions.total, 0);
  return {
    common: commonStatus(core, settings, running),
    maxWlogSendMb: Math.ceil(config.maxWlogSend / MIB),
    minDelaySecForRetry: config.minDelay / 1000,
    maxDelaySecForRetry: config.maxDelay / 1000,
    fullScanLbPerSec: host.scanLimit(),
    snapshotIntervalSec: config.snapshotInterval,
    tsDeltaIntervalSec: config.tsDeltaInterval,
    syncCompression: compressionToMessage(config.syncCompression),
    archive: tsDelta.link(),
    proxies: host.proxies.links(),
    taskQueue: queue.entries().map(({ key, dueIn }) => ({
      volume: key,
      archive: '',
      timeDiffMs: Math.round(dueIn),
    })),
    // A volume that is being made has no device yet; it must not hide the others.
    volumes: [
      ...(await Promise.all(volumes.filter(({ isOpen }) => isOpen).map(summaryOf))),
      ...unserved.ids().map((id) => unreadable(id, VolumeState.CLEAR, unserved.lastError(id))),
    ],
  };
}

/** A device that does not answer must not hide the other volumes. */
async function summaryOf(volume: StorageVolume): Promise<StorageVolumeSummary> {
  try {
    return await readSummary(volume);
  } catch (error) {
    const last = nextFailure(volume.lastError, error, volume.now());
    return unreadable(volume.id, volume.state, last);
  }
}

/** Nothing is known of the log. */
function unreadable(
  volume: string,
  state: VolumeState,
  lastError: LastError | undefined,
): StorageVolumeSummary {
  return {
    volume,
    state,
    logUsagePb: 0,
    logCapacityPb: 0,
    oldestGid: 0n,
    latestGid: 0n,
    oldestLsid: 0n,
    permanentLsid: 0n,
    pbs: 0,
    isOverflow: false,
    lagPb: 0,
    lagSec: 0,
    lastWlogSent: 0,
    lastProxy: '',
    lastBackup: 0,
    lastError,
    logRatePbPerSec: 0,
    logGrowthPbPerSec: 0,
    doneTimestamp: 0,
    stopState: StopState.NOT_STOPPING,
  };
}

async function readSummary(volume: StorageVolume): Promise<StorageVolumeSummary> {
  const lsids = await volume.lsids();
  const { records, info } = volume;
  return {
    volume: volume.id,
    state: volume.state,
    logUsagePb: Number(lsids.latest - lsids.oldest),
    logCapacityPb: info.ringPb,
    oldestGid: records.done.gid,
    latestGid: newestRecord(records).gid,
    oldestLsid: lsids.oldest,
    permanentLsid: lsids.permanent,
    pbs: info.pbs,
    isOverflow: await volume.checkOverflow(),
    lagPb: lagPb(volume, lsids),
    lagSec: volume.lag,
    lastWlogSent: volume.lastSent.success,
    lastProxy: volume.lastSent.peer,
    lastBackup: volume.lastBackup.success,
    lastError: volume.lastError,
    logRatePbPerSec: volume.logRate.perSecond,
    logGrowthPbPerSec: volume.logRate.growthPerSecond,
    doneTimestamp: records.done.timestamp,
    stopState: volume.stop.state,
  };
}

export async function fullStatusOf(volume: StorageVolume): Promise<StorageVolumeStatus> {
  const lsids = await volume.lsids();
  const { records, info } = volume;
  return {
    volume: volume.id,
    state: volume.state,
    actions: volume.actionStatus(ACTIONS),
    stopState: volume.stop.state,
    isUnderMonitoring: volume.isMonitored,
    devicePath: volume.devicePath,
    sizeLb: info.sizeLb,
    isOverflow: await volume.checkOverflow(),
    logUsagePb: Number(lsids.latest - lsids.oldest),
    logCapacityPb: info.ringPb,
    uuid: volume.uuid,
    pbs: info.pbs,
    salt: info.salt,
    done: recordMessage(records.done),
    queue: records.queue.map(recordMessage).reverse(),
    lsids,
    lagPb: lagPb(volume, lsids),
    lagSec: volume.lag,
    lastWlogSent: volume.lastSent.success,
    lastProxy: volume.lastSent.peer,
    lastBackup: volume.lastBackup.success,
    lastError: volume.lastError,
    logRatePbPerSec: volume.logRate.perSecond,
    logGrowthPbPerSec: volume.logRate.growthPerSecond,
    progress: volume.tasks.progress(),
    tasks: volume.tasks.results(),
  };
}

export function clearStatus(volume: string): StorageVolumeStatus {
  return {
    volume,
    state: VolumeState.CLEAR,
    actions: [],
    stopState: StopState.NOT_STOPPING,
    isUnderMonitoring: false,
    devicePath: '',
    sizeLb: 0,
    isOverflow: false,
    logUsagePb: 0,
    logCapacityPb: 0,
    uuid: new Uint8Array(0),
    pbs: 0,
    salt: 0,
    done: undefined,
    queue: [],
    lsids: undefined,
    lagPb: 0,
    lagSec: 0,
    lastWlogSent: 0,
    lastProxy: '',
    lastBackup: 0,
    lastError: undefined,
    logRatePbPerSec: 0,
    logGrowthPbPerSec: 0,
    progress: [],
    tasks: [],
  };
}

export function viewOf(volume: StorageVolume): VolumeView {
  const { records } = volume;
  return {
    volume: volume.id,
    state: volume.state,
    stopState: volume.stop.state,
    actions: volume.actionStatus(ACTIONS),
    progress: volume.tasks.progress(),
    tasks: volume.tasks.results(),
    restorableRevision: 0,
    restoredRevision: 0,
    coldRevision: 0,
    diffRevision: 0,
    archiveInfoRevision: 0,
    sizeRevision: volume.revision('size'),
    latest: undefined,
    base: undefined,
    doneGid: records.done.gid,
    newestGid: newestRecord(records).gid,
    isOverflow: volume.isOverflow,
    lastError: volume.lastError,
    gaps: [],
  };
}

function lagPb({ records }: StorageVolume, { permanent }: Lsids): number {
  const { lsid } = records.done;
  return permanent > lsid ? Number(permanent - lsid) : 0;
}

function recordMessage({ lsid, gid, isMergeable, timestamp }: LsidGid): MetaLsidGid {
  return { lsid, gid, isMergeable, timestamp };
}
