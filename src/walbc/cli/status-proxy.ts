/** `status` of a proxy server (cli.md 1.6). */
import { formatSize, formatTimestamp, lbToBytes } from '../../core/index.ts';
import {
  type ProxyArchiveStatus,
  type ProxyStatus,
  type ProxyVolumeStatus,
  type ProxyVolumeSummary,
  VolumeState,
} from '../../rpc/index.ts';
import { commonOf, heading, keepAliveLine } from './status-common.ts';
import { bit, compressionText } from './text.ts';

export function proxyStatus(status: ProxyStatus, nodeId: string): string[] {
  const common = commonOf(status.common);
  return [
    heading('ProxyGlobal'),
    `nodeId ${nodeId}`,
    `baseDir ${common.baseDir}`,
    `maxWdiffSendMb ${status.maxWdiffSendMb}`,
    `minDelaySecForRetry ${status.minDelaySecForRetry}`,
    `maxDelaySecForRetry ${status.maxDelaySecForRetry}`,
    `retryTimeout ${status.retryTimeoutSec}`,
    `maxConnections ${common.maxConnections}`,
    `maxForegroundTasks ${common.maxForegroundTasks}`,
    `maxBackgroundTasks ${common.maxBackgroundTasks}`,
    `socketTimeout ${common.socketTimeoutSec}`,
    keepAliveLine(common),
    heading(`TaskQueue ${status.taskQueue.length}`),
    ...status.taskQueue.map(
      ({ volume, archive, timeDiffMs }) =>
        `volume ${volume} archive ${archive} timeDiffMs ${timeDiffMs}`,
    ),
    heading('Volume'),
    ...status.volumes.flatMap(summaryLines),
  ];
}

function summaryLines(v: ProxyVolumeSummary): string[] {
  const size = formatSize(v.totalSizeBytes);
  const time = formatTimestamp(v.lastWlogReceived);
  return [
    `volume ${v.volume} state ${v.state} numDiff ${v.numDiff} totalSize ${size} timestamp ${time}`,
    ...v.archives.map((a) =>
      [
        `  archive ${a.archive} action ${actionText(a)} numDiff ${a.numDiff}`,
        `totalSize ${formatSize(a.wdiffTotalSizeBytes)} minGid ${a.minGid ?? 0n}`,
        `maxGid ${a.maxGid ?? 0n} ${formatTimestamp(a.lastWdiffSent)}`,
      ].join(' '),
    ),
  ];
}

function actionText({ isSending }: ProxyArchiveStatus): string {
  return isSending ? 'WdiffSend' : 'None';
}

export function proxyVolumeStatus(status: ProxyVolumeStatus): string[] {
  const head = ['hostType proxy', `volume ${status.volume}`, `state ${status.state}`];
  if (status.state === VolumeState.CLEAR) return head;
  return [
    ...head,
    `sizeLb ${status.sizeLb}`,
    `size ${formatSize(lbToBytes(status.sizeLb))}`,
    `numDiff ${status.numDiff}`,
    `totalSize ${formatSize(status.totalSizeBytes)}`,
    `lastWlogReceivedTime ${formatTimestamp(status.lastWlogReceived)}`,
    `totalNumAction ${status.totalNumAction}`,
    heading('Archive'),
    ...status.archives.flatMap(archiveLines),
  ];
}

function archiveLines(a: ProxyArchiveStatus): string[] {
  return [
    `archive ${a.archive}`,
    `host ${a.address}`,
    `compression ${compressionText(a.compression)}`,
    `wdiffSendDelay ${a.wdiffSendDelaySec}`,
    `action ${actionText(a)}`,
    `numDiff ${a.numDiff}`,
    `lastWdiffSentTime ${formatTimestamp(a.lastWdiffSent)}`,
    `isWdiffSendError ${bit(a.isWdiffSendError)}`,
    `wdiffTotalSize ${a.wdiffTotalSizeBytes}`,
    `wdiffSendDelayMeasured ${a.wdiffSendDelayMeasuredSec}`,
  ].map((line) => `  ${line}`);
}
