/** `status` of an archive server (cli.md 1.6). */
import { formatSize, formatTimestamp, lbToBytes, toHex } from '../../core/index.ts';
import {
  type ArchiveStatus,
  type ArchiveVolumeStatus,
  type ArchiveVolumeSummary,
  type FullReplState,
  VolumeState,
} from '../../rpc/index.ts';
import { commonOf, heading, keepAliveLine } from './status-common.ts';
import { bit, snapshotText, stateSpanText, stopStateText } from './text.ts';

const NO_BASE = 'baseLv NOT FOUND';

export function archiveStatus(status: ArchiveStatus, nodeId: string): string[] {
  const common = commonOf(status.common);
  return [
    heading('ArchiveGlobal'),
    `nodeId ${nodeId}`,
    `baseDir ${common.baseDir}`,
    `volumeGroup ${status.volumeGroup}`,
    ...(status.thinpool === '' ? [] : [`thinpool ${status.thinpool}`]),
    `maxConnections ${common.maxConnections}`,
    `maxForegroundTasks ${common.maxForegroundTasks}`,
    `socketTimeout ${common.socketTimeoutSec}`,
    keepAliveLine(common),
    `doAutoResize ${bit(status.autoResize)}`,
    `keepOneColdSnapshot ${bit(status.keepOneColdSnapshot)}`,
    heading('Volume'),
    ...status.volumes.map(summaryLine),
  ];
}

function summaryLine(v: ArchiveVolumeSummary): string {
  const head = [
    `volume ${v.volume} state ${v.state} totalNumAction ${v.totalNumAction}`,
    `stopState ${stopStateText(v.stopState)} lastSyncTime ${formatTimestamp(v.lastSync)}`,
    `lastWdiffReceivedTime ${formatTimestamp(v.lastWdiffReceived)} numDiff ${v.numDiff}`,
  ].join(' ');
  if (v.sizeLb === undefined) return `${head} ${NO_BASE}`;
  const latest = v.latest === undefined ? '' : `latestSnapshot ${snapshotText(v.latest)} `;
  return `${head} ${latest}size ${formatSize(lbToBytes(v.sizeLb))}`;
}

export function archiveVolumeStatus(status: ArchiveVolumeStatus): string[] {
  const head = ['hostType archive', `volume ${status.volume}`, `state ${status.state}`];
  if (status.state === VolumeState.CLEAR) return head;
  const actions = status.actions.map(({ action, running }) => `${action} ${running}`);
  return [
    ...head,
    `action ${actions.join(' ')}`,
    `stopState ${stopStateText(status.stopState)}`,
    `lastSyncTime ${formatTimestamp(status.lastSync)}`,
    `lastWdiffReceivedTime ${formatTimestamp(status.lastWdiffReceived)}`,
    `progressLb ${status.progressLb}`,
    ...(status.sizeLb === undefined ? [NO_BASE] : baseLines(status, status.sizeLb)),
  ];
}

function baseLines(status: ArchiveVolumeStatus, sizeLb: number): string[] {
  return [
    `sizeLb ${sizeLb}`,
    `size ${formatSize(lbToBytes(sizeLb))}`,
    `uuid ${toHex(status.uuid)}`,
    `archiveUuid ${toHex(status.archiveUuid)}`,
    ...(status.base === undefined ? [] : [`base ${stateSpanText(status.base)}`]),
    ...(status.latest === undefined ? [] : [`latest ${snapshotText(status.latest)}`]),
    `numCold ${status.numCold}`,
    `numRestored ${status.numRestored}`,
    `numRestorable ${status.numRestorable}`,
    `numRestorableAll ${status.numRestorableAll}`,
    `numDiff ${status.numDiff}`,
    `wdiffTotalSize ${status.wdiffTotalSizeBytes}`,
    `fullReplState ${fullReplText(status.fullRepl)}`,
  ];
}

function fullReplText(state: FullReplState | undefined): string {
  if (state === undefined) return 'None';
  return `${stateSpanText(state.base)} ${state.progressLb} ${formatTimestamp(state.timestamp)}`;
}
