/** A group that is well, to be broken by tests: rows of facts with everything in order. */
import type {
  ArchiveRow,
  Failure,
  GapRow,
  GroupStatus,
  QueueRow,
  ServerRow,
  StorageRow,
} from '../../../src/walbc/health/facts.ts';

export const NOW = 1_800_000_000;
const GIB = 1024 ** 3;

export function server(kind: ServerRow['kind'], changes: Partial<ServerRow> = {}): ServerRow {
  return {
    server: { storage: 's0', proxy: 'p0', archive: 'a0' }[kind],
    kind,
    address: 'localhost:1',
    isUp: true,
    reason: '',
    now: NOW,
    started: NOW - 3600,
    version: '1',
    isShuttingDown: false,
    diskFreeBytes: 50 * GIB,
    diskTotalBytes: 100 * GIB,
    spoolUsedBytes: 0,
    spoolLimitBytes: 0,
    isSpoolFull: false,
    deadProxies: [],
    ...changes,
  };
}

export function storage(changes: Partial<StorageRow> = {}): StorageRow {
  return {
    server: 's0',
    volume: 'vol',
    now: NOW,
    state: 'Target',
    failure: null,
    isOverflow: false,
    logUsageBytes: 0,
    logCapacityBytes: GIB,
    writeRate: 0,
    growthRate: 0,
    overflowInSec: null,
    lagBytes: 0,
    lagSec: 0,
    lastSent: NOW - 5,
    lastProxy: 'p0',
    lastBackup: NOW - 3000,
    sentGid: 10n,
    latestGid: 10n,
    sentLsid: 1000n,
    permanentLsid: 1000n,
    ...changes,
  };
}

export function queue(changes: Partial<QueueRow> = {}): QueueRow {
  return {
    server: 'p0',
    volume: 'vol',
    archive: 'a0',
    now: NOW,
    state: 'Started',
    failure: null,
    numDiff: 0,
    bytes: 0,
    ageSec: 0,
    lastReceived: NOW - 5,
    lastSent: NOW - 4,
    isSendError: false,
    nextTrySec: null,
    ...changes,
  };
}

export function archive(changes: Partial<ArchiveRow> = {}): ArchiveRow {
  return {
    server: 'a0',
    volume: 'vol',
    now: NOW,
    state: 'Archived',
    failure: null,
    latestGid: 10n,
    latestTime: NOW - 6,
    restorableGid: 10n,
    restorableTime: NOW - 6,
    isSynchronizing: true,
    lagBytes: 0,
    lagSec: 0,
    isMissingData: false,
    numDiff: 3,
    lastReceived: NOW - 4,
    lastSync: NOW - 3000,
    lastApply: 0,
    lastSender: 'p0',
    ...changes,
  };
}

export function gap(changes: Partial<GapRow> = {}): GapRow {
  return {
    volume: 'vol',
    archive: 'a0',
    reportedBy: ['a0'],
    gidB: 5n,
    gidE: 8n,
    since: NOW - 30,
    ageSec: 30,
    advice: 'run hash_backup',
    ...changes,
  };
}

export function failure(since: number, changes: Partial<Failure> = {}): Failure {
  return {
    code: 'unavailable',
    message: 'no connection',
    time: NOW - 1,
    since: NOW - since,
    count: 7,
    peer: 'a0',
    ...changes,
  };
}

export function group(changes: Partial<GroupStatus> = {}): GroupStatus {
  return {
    time: NOW,
    servers: [server('storage'), server('proxy'), server('archive')],
    volumes: [storage()],
    queues: [queue()],
    archives: [archive()],
    gaps: [],
    ...changes,
  };
}
