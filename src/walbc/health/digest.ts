/** From what servers answer to the facts of the group. Pure. */
import type { UnixSeconds } from '../../core/index.ts';
import type {
  ArchiveStatus,
  ArchiveVolumeSummary,
  LastError,
  ProxyArchiveStatus,
  ProxyStatus,
  ProxyVolumeSummary,
  ServerCommon,
  StatusReply,
  StorageStatus,
  StorageVolumeSummary,
} from '../../rpc/index.ts';
import {
  type ArchiveRow,
  type Failure,
  type GapRow,
  type GroupStatus,
  type Kind,
  type QueueRow,
  type ServerRow,
  type StorageRow,
  withArticle,
} from './facts.ts';
import { gapRow, mergeGaps } from './gaps.ts';
import { withLag } from './lag.ts';

/** What one server of the layout said, or why it did not. */
export interface Answer {
  readonly server: string;
  readonly kind: Kind;
  readonly address: string;
  readonly reply?: StatusReply;
  readonly error?: string;
}

/** `volume`: that one only. Volumes that are Clear everywhere do not appear. */
export function digest(
  answers: readonly Answer[],
  time: UnixSeconds,
  volume: string | undefined,
): GroupStatus {
  const isWanted = (one: { readonly volume: string }): boolean =>
    volume === undefined || one.volume === volume;
  const volumes = answers.flatMap(storageRows).filter(isWanted);
  const queues = answers.flatMap(queueRows).filter(isWanted);
  const archives = answers
    .flatMap(archiveRows)
    .filter(isWanted)
    .map((row) => withLag(row, volumes, queues));
  const gaps = mergeGaps(answers.flatMap(gapRows).filter(isWanted));
  return { time, servers: answers.map(serverRow), volumes, queues, archives, gaps };
}

// ---- servers

function serverRow(answer: Answer): ServerRow {
  const { server, kind, address, reply } = answer;
  const known = statusOf(answer);
  const common = known?.value.common;
  const down: ServerRow = {
    server,
    kind,
    address,
    isUp: false,
    reason: answer.error ?? reasonOf(answer),
    now: 0,
    started: 0,
    version: '',
    isShuttingDown: false,
    diskFreeBytes: 0,
    diskTotalBytes: 0,
    spoolUsedBytes: 0,
    spoolLimitBytes: 0,
    isSpoolFull: false,
    deadProxies: [],
  };
  if (reply === undefined || known === undefined || common === undefined) return down;
  return {
    ...down,
    isUp: true,
    reason: '',
    now: reply.now,
    started: common.started,
    version: common.version,
    isShuttingDown: common.shuttingDown,
    ...diskOf(known, common),
    ...spoolOf(known),
    deadProxies: deadProxiesOf(known),
  };
}

type Known =
  | { readonly kind: 'storage'; readonly value: StorageStatus }
  | { readonly kind: 'proxy'; readonly value: ProxyStatus }
  | { readonly kind: 'archive'; readonly value: ArchiveStatus };

/** The answer of a server of the kind the layout says. */
function statusOf({ reply, kind }: Answer): Known | undefined {
  const status = reply?.status;
  return status !== undefined && status.$case === kind
    ? ({ kind, value: status.value } as Known)
    : undefined;
}

function reasonOf({ reply, kind }: Answer): string {
  const other = reply?.server?.hostType ?? 'server of an unknown kind';
  return `${withArticle(other)} answers there, not ${withArticle(kind)}: the layout or the address is wrong`;
}

function diskOf(
  known: Known,
  common: ServerCommon,
): Pick<ServerRow, 'diskFreeBytes' | 'diskTotalBytes'> {
  if (known.kind === 'archive') {
    const { imageStoreFreeBytes, imageStoreTotalBytes } = known.value;
    return { diskFreeBytes: imageStoreFreeBytes, diskTotalBytes: imageStoreTotalBytes };
  }
  return { diskFreeBytes: common.diskFreeBytes, diskTotalBytes: common.diskTotalBytes };
}

function spoolOf(
  known: Known,
): Pick<ServerRow, 'spoolUsedBytes' | 'spoolLimitBytes' | 'isSpoolFull'> {
  const spool = known.kind === 'proxy' ? known.value.spool : undefined;
  return {
    spoolUsedBytes: spool?.usedBytes ?? 0,
    spoolLimitBytes: spool?.limitBytes ?? 0,
    isSpoolFull: spool?.isFull ?? false,
  };
}

function deadProxiesOf(known: Known): string[] {
  if (known.kind !== 'storage') return [];
  return known.value.proxies
    .filter(({ isAvailable }) => !isAvailable)
    .map(({ address }) => address);
}

// ---- volumes

export function failureOf(error: LastError | undefined): Failure | null {
  if (error === undefined) return null;
  const { time, since, count, peer } = error;
  const { code = 'internal', message = 'unknown' } = error.error ?? {};
  return { code, message, time, since: since === 0 ? time : since, count, peer };
}

function storageRows(answer: Answer): StorageRow[] {
  const known = statusOf(answer);
  if (known?.kind !== 'storage') return [];
  const now = answer.reply?.now ?? 0;
  return known.value.volumes.map((v) => storageRow(answer.server, now, v));
}

function storageRow(server: string, now: UnixSeconds, v: StorageVolumeSummary): StorageRow {
  const used = v.logUsagePb * v.pbs;
  const capacity = v.logCapacityPb * v.pbs;
  const growthRate = v.logGrowthPbPerSec * v.pbs;
  // A standby keeps its log for nobody: what has not been delivered is no lag.
  const isSource = v.state !== 'Standby' && v.state !== 'SyncReady';
  return {
    server,
    volume: v.volume,
    now,
    state: v.state,
    failure: failureOf(v.lastError),
    isOverflow: v.isOverflow,
    logUsageBytes: used,
    logCapacityBytes: capacity,
    writeRate: v.logRatePbPerSec * v.pbs,
    growthRate,
    overflowInSec: growthRate > 0 ? Math.max(0, (capacity - used) / growthRate) : null,
    lagBytes: isSource ? v.lagPb * v.pbs : 0,
    lagSec: isSource ? v.lagSec : 0,
    lastSent: v.lastWlogSent,
    lastProxy: v.lastProxy,
    lastBackup: v.lastBackup,
    sentGid: v.oldestGid,
    latestGid: v.latestGid,
    sentLsid: v.permanentLsid - BigInt(v.lagPb),
    permanentLsid: v.permanentLsid,
  };
}

function queueRows(answer: Answer): QueueRow[] {
  const known = statusOf(answer);
  if (known?.kind !== 'proxy') return [];
  const now = answer.reply?.now ?? 0;
  return known.value.volumes.flatMap((v) =>
    v.archives.map((a) => queueRow(answer.server, now, v, a)),
  );
}

function queueRow(
  server: string,
  now: UnixSeconds,
  v: ProxyVolumeSummary,
  a: ProxyArchiveStatus,
): QueueRow {
  return {
    server,
    volume: v.volume,
    archive: a.archive,
    now,
    state: v.state,
    failure: failureOf(a.lastError ?? v.lastError),
    numDiff: a.numDiff,
    bytes: a.wdiffTotalSizeBytes,
    ageSec: a.wdiffSendDelayMeasuredSec,
    lastReceived: v.lastWlogReceived,
    lastSent: a.lastWdiffSent,
    isSendError: a.isWdiffSendError,
    nextTrySec: a.nextTryMs === undefined ? null : Math.max(0, a.nextTryMs / 1000),
  };
}

function archiveRows(answer: Answer): ArchiveRow[] {
  const known = statusOf(answer);
  if (known?.kind !== 'archive') return [];
  const now = answer.reply?.now ?? 0;
  return known.value.volumes.map((v) => archiveRow(answer.server, now, v));
}

function archiveRow(server: string, now: UnixSeconds, v: ArchiveVolumeSummary): ArchiveRow {
  return {
    server,
    volume: v.volume,
    now,
    state: v.state,
    failure: failureOf(v.lastError),
    latestGid: v.latest?.gidB ?? null,
    latestTime: v.latestTimestamp,
    restorableGid: v.newestRestorableGid ?? null,
    restorableTime: v.newestRestorableTimestamp,
    isSynchronizing: false,
    lagBytes: null,
    lagSec: null,
    isMissingData: false,
    numDiff: v.numDiff,
    lastReceived: v.lastWdiffReceived,
    lastSync: v.lastSync,
    lastApply: v.lastApply,
    lastSender: v.lastSender,
  };
}

// ---- gaps

function gapRows(answer: Answer): GapRow[] {
  const known = statusOf(answer);
  const now = answer.reply?.now ?? 0;
  const { server } = answer;
  if (known?.kind === 'archive') {
    return known.value.volumes.flatMap((v) =>
      v.gaps.map((gap) => gapRow(server, v.volume, server, gap, now)),
    );
  }
  if (known?.kind !== 'proxy') return [];
  return known.value.volumes.flatMap((v) =>
    v.archives.flatMap((a) =>
      a.gap === undefined ? [] : [gapRow(server, v.volume, a.archive, a.gap, now)],
    ),
  );
}
