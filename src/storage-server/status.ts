/** What `status` and watchers see of a storage volume (cli.md 1.6). */
import {
  type MetaLsidGid,
  StopState,
  type StorageVolumeStatus,
  type StorageVolumeSummary,
  VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import type { Lsids } from '../wdev/volume-device.ts';
import { type LsidGid, newestRecord } from './records.ts';
import type { StorageAction } from './states.ts';
import type { StorageVolume } from './volume.ts';

const ACTIONS: readonly StorageAction[] = ['WlogSend', 'WlogRemove'];

export async function summaryOf(volume: StorageVolume): Promise<StorageVolumeSummary> {
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
    lastWlogSent: volume.lastSent,
    lastError: volume.lastError,
    logRatePbPerSec: volume.logRate.perSecond,
    stopState: volume.stop.state,
  };
}

export async function fullStatusOf(volume: StorageVolume): Promise<StorageVolumeStatus> {
  const lsids = await volume.lsids();
  const { records, info } = volume;
  const waiting = records.queue[0];
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
    lagSec: waiting === undefined ? 0 : Math.max(0, volume.now() - waiting.timestamp),
    lastWlogSent: volume.lastSent,
    lastProxy: volume.lastProxy,
    lastBackup: volume.lastBackup,
    lastError: volume.lastError,
    logRatePbPerSec: volume.logRate.perSecond,
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
