/** What `status` and watchers see of an archive volume (cli.md 1.6). */
import {
  type ArchiveVolumeStatus,
  type ArchiveVolumeSummary,
  StopState,
  snapshotToMessage,
  stateToMessage,
  VolumeState,
  type VolumeView,
} from '../rpc/index.ts';
import { restorableSnapshots, totalSize } from '../wdiff/index.ts';
import { interruptedReplication } from './interrupted-replication.ts';
import { ARCHIVE_ACTIONS } from './states.ts';
import type { ArchiveVolume } from './volume.ts';

export function summaryOf(volume: ArchiveVolume): ArchiveVolumeSummary {
  const { sizeLb } = volume;
  return {
    volume: volume.id,
    state: volume.state,
    totalNumAction: volume.actions.total,
    stopState: volume.stop.state,
    lastSync: volume.lastSync.success,
    lastWdiffReceived: volume.lastReceived.success,
    lastSender: volume.lastSender,
    lastApply: volume.lastApply.success,
    ...newestRestorable(volume),
    numDiff: volume.catalogue.diffs.size,
    ...(sizeLb === undefined ? {} : { sizeLb }),
    latest: volume.catalogue.hasBase() ? snapshotToMessage(volume.latest()) : undefined,
    latestTimestamp: volume.latestTimestamp(),
    lastError: volume.lastError,
    gaps: volume.gaps(),
  };
}

function newestRestorable({
  catalogue,
}: ArchiveVolume): Pick<ArchiveVolumeSummary, 'newestRestorableGid' | 'newestRestorableTimestamp'> {
  const { diffs, base } = catalogue;
  const newest = catalogue.hasBase() ? restorableSnapshots(diffs, base).at(-1) : undefined;
  if (newest === undefined) return { newestRestorableTimestamp: 0 };
  return { newestRestorableGid: newest.gid, newestRestorableTimestamp: newest.timestamp };
}

export function fullStatusOf(volume: ArchiveVolume, exports: number): ArchiveVolumeStatus {
  const { catalogue, images } = volume;
  const { diffs, base } = catalogue;
  const hasBase = catalogue.hasBase();
  return {
    ...clearStatus(volume.id),
    ...summaryOf(volume),
    actions: volume.actionStatus(ARCHIVE_ACTIONS),
    progressLb: volume.progressLb,
    uuid: catalogue.uuid,
    archiveUuid: catalogue.archiveUuid,
    base: hasBase ? stateToMessage(base) : undefined,
    numCold: images.cold().length,
    numRestored: volume.restored().length,
    numRestorable: hasBase ? restorableSnapshots(diffs, base).length : 0,
    numRestorableAll: hasBase ? restorableSnapshots(diffs, base, { all: true }).length : 0,
    wdiffTotalSizeBytes: totalSize(diffs),
    fullRepl: interruptedReplication(volume),
    imageAllocatedBytes: images.baseAllocated(),
    numExports: exports,
    progress: volume.tasks.progress(),
    tasks: volume.tasks.results(),
  };
}

export function clearStatus(volume: string): ArchiveVolumeStatus {
  return {
    volume,
    state: VolumeState.CLEAR,
    actions: [],
    stopState: StopState.NOT_STOPPING,
    lastSync: 0,
    lastWdiffReceived: 0,
    progressLb: 0,
    uuid: new Uint8Array(0),
    archiveUuid: new Uint8Array(0),
    base: undefined,
    latest: undefined,
    latestTimestamp: 0,
    numCold: 0,
    numRestored: 0,
    numRestorable: 0,
    numRestorableAll: 0,
    numDiff: 0,
    wdiffTotalSizeBytes: 0,
    fullRepl: undefined,
    imageAllocatedBytes: 0,
    numExports: 0,
    lastError: undefined,
    gaps: [],
    progress: [],
    tasks: [],
    lastSender: '',
    newestRestorableTimestamp: 0,
    lastApply: 0,
  };
}

export function viewOf(volume: ArchiveVolume): VolumeView {
  const { diffs, base } = volume.catalogue;
  const hasBase = volume.catalogue.hasBase();
  const newest = hasBase ? restorableSnapshots(diffs, base).at(-1) : undefined;
  return {
    volume: volume.id,
    state: volume.state,
    stopState: volume.stop.state,
    actions: volume.actionStatus(ARCHIVE_ACTIONS),
    progress: volume.tasks.progress(),
    tasks: volume.tasks.results(),
    restorableRevision: volume.revision('restorable'),
    restoredRevision: volume.revision('restored'),
    coldRevision: volume.revision('cold'),
    diffRevision: volume.revision('diff'),
    archiveInfoRevision: 0,
    sizeRevision: volume.revision('size'),
    latest: hasBase ? snapshotToMessage(volume.latest()) : undefined,
    base: hasBase ? stateToMessage(base) : undefined,
    ...(newest === undefined ? {} : { newestRestorableGid: newest.gid }),
    isOverflow: false,
    lastError: volume.lastError,
    gaps: volume.gaps(),
  };
}
