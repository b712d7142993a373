/**
 * What a person wants to know beside the original's lines: how far behind, since when nothing went
 * well, what the last error was, and what is missing. One line per fact.
 */
import { formatSizeForHumans } from '../../core/index.ts';
import type {
  ArchiveStatus,
  ArchiveVolumeStatus,
  ArchiveVolumeSummary,
  GapReport,
  LastError,
  Progress,
  ProxyArchiveStatus,
  ProxyStatus,
  ProxyVolumeStatus,
  ServerCommon,
  Spool,
  StatusReply,
  StorageStatus,
  StorageVolumeStatus,
} from '../../rpc/index.ts';
import { describeGap, describeLastError, describeProgress } from '../describe.ts';
import { heading } from './status-common.ts';

export function humanLines(reply: StatusReply): string[] {
  const facts = factsOf(reply);
  return facts.length === 0 ? [] : [heading('Health'), ...facts];
}

function factsOf({ status, now }: StatusReply): string[] {
  switch (status?.$case) {
    case 'storage':
      return storageFacts(status.value, now);
    case 'storageVolume':
      return storageVolumeFacts(status.value, now);
    case 'proxy':
      return proxyFacts(status.value, now);
    case 'proxyVolume':
      return proxyVolumeFacts(status.value, now);
    case 'archive':
      return archiveFacts(status.value, now);
    case 'archiveVolume':
      return archiveVolumeFacts(status.value, now);
    default:
      return [];
  }
}

/** `3 m ago`, `never`. */
export function age(time: number, now: number): string {
  return time === 0 ? 'never' : `${duration(now - time)} ago`;
}

const UNITS = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
] as const;

/** Whole days, hours, minutes or seconds: `3 h`. */
export function duration(seconds: number): string {
  const known = Math.max(0, seconds);
  const unit = UNITS.find(([size]) => known >= size);
  return unit === undefined ? `${known} s` : `${Math.floor(known / unit[0])} ${unit[1]}`;
}

function troubles(
  about: string,
  error: LastError | undefined,
  gaps: readonly (GapReport | undefined)[],
  now: number,
): string[] {
  const found =
    error === undefined ? [] : [`${describeLastError(error)} (${failedWhen(error, now)})`];
  const missing = gaps.filter((gap) => gap !== undefined).map(describeGap);
  return [...found, ...missing].map((text) => `${about}${text}`);
}

/** A row of failures is told from its first to its last. */
function failedWhen({ time, since, count }: LastError, now: number): string {
  if (count <= 1 || since === 0 || since === time) return age(time, now);
  return `first ${age(since, now)}, last ${age(time, now)}`;
}

function work(progress: readonly Progress[], now: number): string[] {
  return progress.map((p) => `running ${describeProgress(p)}, began ${age(p.began, now)}`);
}

function commonFacts(common: ServerCommon | undefined, now: number): string[] {
  if (common === undefined) return [];
  const free = formatSizeForHumans(common.diskFreeBytes);
  const memory = formatSizeForHumans(common.memoryBytes);
  return [
    `version ${common.version}, pid ${common.pid}, started ${age(common.started, now)}, listens on ${common.listenAddress}`,
    `memory ${memory}, free disk ${free}`,
    ...(common.shuttingDown ? ['SHUTTING DOWN'] : []),
  ];
}

function storageFacts(status: StorageStatus, now: number): string[] {
  const { archive } = status;
  return [
    ...commonFacts(status.common, now),
    ...(archive === undefined
      ? []
      : troubles(`archive ${archive.address} `, archive.lastError, [], now)),
    ...status.proxies.flatMap((proxy) => [
      `proxy ${proxy.address} last answered ${age(proxy.lastSuccess, now)}, last took log ${age(proxy.lastTransfer, now)}`,
      ...troubles(`proxy ${proxy.address} `, proxy.lastError, [], now),
    ]),
    ...status.volumes.flatMap((v) => [
      `volume ${v.volume} log ${percent(v.logUsagePb, v.logCapacityPb)} full, ${formatSizeForHumans(v.lagPb * v.pbs)} not delivered for ${duration(v.lagSec)}, last delivered ${age(v.lastWlogSent, now)}${v.lastProxy === '' ? '' : ` to ${v.lastProxy}`}`,
      ...(v.isOverflow ? [overflowAdvice(v.volume)] : []),
      ...troubles(`volume ${v.volume} `, v.lastError, [], now),
    ]),
  ];
}

function storageVolumeFacts(status: StorageVolumeStatus, now: number): string[] {
  if (status.state === 'Clear') return [];
  return [
    `log ${percent(status.logUsagePb, status.logCapacityPb)} full, ${formatSizeForHumans(status.lagPb * status.pbs)} not delivered for ${duration(status.lagSec)}`,
    `last delivered ${age(status.lastWlogSent, now)}${status.lastProxy === '' ? '' : ` to ${status.lastProxy}`}, last backup ${age(status.lastBackup, now)}`,
    ...(status.isOverflow ? [overflowAdvice(status.volume)] : []),
    ...work(status.progress, now),
    ...troubles('', status.lastError, [], now),
  ];
}

function overflowAdvice(volume: string): string {
  return `OVERFLOW: volume ${volume} is not backed up any more; stop it, then run a hash backup`;
}

function percent(part: number, whole: number): string {
  return whole === 0 ? '0%' : `${Math.floor((part * 100) / whole)}%`;
}

function proxyFacts(status: ProxyStatus, now: number): string[] {
  const { spool } = status;
  return [
    ...commonFacts(status.common, now),
    ...(spool === undefined
      ? []
      : [
          `spool ${formatSizeForHumans(spool.usedBytes)} of ${spoolLimit(spool)}`,
          ...(spool.isFull
            ? ['SPOOL FULL: storages keep their logs until archives take diffs']
            : []),
        ]),
    ...status.volumes.flatMap((v) => [
      `volume ${v.volume} last log received ${age(v.lastWlogReceived, now)}${v.lastStorage === '' ? '' : ` from ${v.lastStorage}`}`,
      ...troubles(`volume ${v.volume} `, v.lastError, [], now),
      ...v.archives.flatMap((a) => queueFacts(`volume ${v.volume} `, a, now)),
    ]),
  ];
}

function queueFacts(about: string, a: ProxyArchiveStatus, now: number): string[] {
  const prefix = `${about}archive ${a.archive} `;
  const next = a.nextTryMs === undefined ? '' : `, next attempt in ${Math.max(0, a.nextTryMs)} ms`;
  return [
    `${prefix}${a.numDiff} diffs queued, oldest ${duration(a.wdiffSendDelayMeasuredSec)} old, last sent ${age(a.lastWdiffSent, now)}${next}`,
    ...(a.discardedDiffs === 0 ? [] : [`${prefix}discarded ${a.discardedDiffs} useless diffs`]),
    ...troubles(prefix, a.lastError, [a.gap], now),
  ];
}

function proxyVolumeFacts(status: ProxyVolumeStatus, now: number): string[] {
  if (status.state === 'Clear') return [];
  return [
    `last log received ${age(status.lastWlogReceived, now)}${status.lastStorage === '' ? '' : ` from ${status.lastStorage}`}, spool ${formatSizeForHumans(status.spoolBytes)}`,
    ...work(status.progress, now),
    ...troubles('', status.lastError, [], now),
    ...status.archives.flatMap((a) => queueFacts('', a, now)),
  ];
}

function archiveFacts(status: ArchiveStatus, now: number): string[] {
  return [
    ...commonFacts(status.common, now),
    `image store ${status.imageStore}, free ${formatSizeForHumans(status.imageStoreFreeBytes)}`,
    ...status.volumes.flatMap((v) => [
      ...(v.latest === undefined ? [] : [archiveVolumeLine(v, now)]),
      ...troubles(`volume ${v.volume} `, v.lastError, v.gaps, now),
    ]),
  ];
}

function archiveVolumeLine(v: ArchiveVolumeSummary, now: number): string {
  return `volume ${v.volume} ${restorableText(v, now)}, latest snapshot from ${age(v.latestTimestamp, now)}, last diff received ${age(v.lastWdiffReceived, now)}, last applied ${age(v.lastApply, now)}`;
}

function restorableText(
  v: Pick<ArchiveVolumeSummary, 'newestRestorableGid' | 'newestRestorableTimestamp'>,
  now: number,
): string {
  if (v.newestRestorableGid === undefined) return 'NOTHING RESTORABLE';
  return `newest restorable gid ${v.newestRestorableGid} from ${age(v.newestRestorableTimestamp, now)}`;
}

function archiveVolumeFacts(status: ArchiveVolumeStatus, now: number): string[] {
  if (status.state === 'Clear') return [];
  const sender = status.lastSender === '' ? '' : ` from ${status.lastSender}`;
  return [
    `${status.latest === undefined ? '' : `${restorableText(status, now)}, `}latest snapshot from ${age(status.latestTimestamp, now)}`,
    `last diff received ${age(status.lastWdiffReceived, now)}${sender}, last backup or replication ${age(status.lastSync, now)}, last applied ${age(status.lastApply, now)}`,
    `image uses ${formatSizeForHumans(status.imageAllocatedBytes)}, exports ${status.numExports}`,
    ...work(status.progress, now),
    ...troubles('', status.lastError, status.gaps, now),
  ];
}

/** Without a limit of its own the disk is the limit. */
function spoolLimit({ limitBytes, diskFreeBytes, usedBytes }: Spool): string {
  if (limitBytes > 0) return formatSizeForHumans(limitBytes);
  return `${formatSizeForHumans(usedBytes + diskFreeBytes)} (disk; no -spool-limit)`;
}
