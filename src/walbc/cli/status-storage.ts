/** `status` of a storage server (cli.md 1.6). */
import { formatSize, formatTimestamp, lbToBytes, toHex } from '../../core/index.ts';
import {
  type MetaLsidGid,
  type StorageStatus,
  type StorageVolumeStatus,
  VolumeState,
} from '../../rpc/index.ts';
import { commonOf, heading, keepAliveLine } from './status-common.ts';
import { bit, stopStateText } from './text.ts';

export function storageStatus(status: StorageStatus, nodeId: string): string[] {
  const common = commonOf(status.common);
  return [
    heading('StorageGlobal'),
    `nodeId ${nodeId}`,
    `baseDir ${common.baseDir}`,
    `maxWlogSendMb ${status.maxWlogSendMb}`,
    `minDelaySecForRetry ${status.minDelaySecForRetry}`,
    `maxDelaySecForRetry ${status.maxDelaySecForRetry}`,
    `maxConnections ${common.maxConnections}`,
    `maxForegroundTasks ${common.maxForegroundTasks}`,
    `maxBackgroundTasks ${common.maxBackgroundTasks}`,
    `socketTimeout ${common.socketTimeoutSec}`,
    keepAliveLine(common),
    `fullScanLbPerSec ${status.fullScanLbPerSec}`,
    heading('Archive'),
    `host ${hostText(status.archive?.address ?? '')}`,
    heading('Proxy'),
    ...status.proxies.map(
      (proxy) =>
        `host ${hostText(proxy.address)} isAvailable ${bit(proxy.isAvailable)} timeToNextCheck ${proxy.timeToNextCheckSec}`,
    ),
    heading('TaskQueue'),
    ...status.taskQueue.map(
      ({ volume, timeDiffMs }) => `volume ${volume} timeDiffMs ${timeDiffMs}`,
    ),
    heading('Volume'),
    ...status.volumes.map((v) =>
      [
        `volume ${v.volume} state ${v.state} logUsagePb ${v.logUsagePb}`,
        `logCapacityPb ${v.logCapacityPb} oldestGid ${v.oldestGid} latestGid ${v.latestGid}`,
        `oldestLsid ${v.oldestLsid} permanentLsid ${v.permanentLsid}`,
      ].join(' '),
    ),
  ];
}

/** The original prints the port twice, and scripts cut by it. */
function hostText(address: string): string {
  const port = address.slice(address.lastIndexOf(':') + 1);
  return `${address}:${port}`;
}

export function storageVolumeStatus(status: StorageVolumeStatus): string[] {
  const head = ['hostType storage', `volId ${status.volume}`, `state ${status.state}`];
  if (status.state === VolumeState.CLEAR) return head;
  const actions = status.actions.map(({ action, running }) => `${action} ${running}`);
  return [
    ...head,
    `action ${actions.join(' ')}`,
    `stopState ${stopStateText(status.stopState)}`,
    `isUnderMonitoring ${bit(status.isUnderMonitoring)}`,
    `wdevPath ${status.devicePath}`,
    `sizeLb ${status.sizeLb}`,
    `size ${formatSize(lbToBytes(status.sizeLb))}`,
    `isOverflow ${bit(status.isOverflow)}`,
    `logUsagePb ${status.logUsagePb}`,
    `logCapacityPb ${status.logCapacityPb}`,
    `uuid ${toHex(status.uuid)}`,
    `pbs ${status.pbs}`,
    `salt ${status.salt.toString(16).padStart(8, '0')}`,
    heading('DoneFile'),
    ...(status.done === undefined ? [] : [recordText(status.done)]),
    heading('QueueFile'),
    ...status.queue.map(recordText),
  ];
}

function recordText({ lsid, gid, isMergeable, timestamp }: MetaLsidGid): string {
  const time = formatTimestamp(timestamp);
  return `LsidGid timestamp ${time} isMergeable ${bit(isMergeable)} lsid ${lsid} gid ${gid}`;
}
