/** Facts about a small group, as its servers would say them. */
import {
  ArchiveVolumeStatus,
  ProxyArchiveStatus,
  ProxyVolumeStatus,
  StatusReply,
  StorageStatus,
  StorageVolumeStatus,
  StorageVolumeSummary,
  VolumeState,
} from '../../../src/rpc/index.ts';
import { Diff, GidInfo, K_STORAGE } from '../../../src/walbc/index.ts';
import {
  type ArchiveAt,
  type Facts,
  NO_FACTS,
  type ProxyAt,
  type ServerAt,
  type StorageAt,
  type VolumeAt,
} from '../../../src/walbc/safety/facts.ts';

const MIB = 1 << 20;
const EMPTY = new Uint8Array();

export function diff(text: string): Diff {
  const made = new Diff();
  made.parse(text);
  return made;
}

/** Clean diffs 0 -> 1 -> ... -> `last`, 1 MiB each. */
export function chain(last: number): Diff[] {
  return Array.from({ length: last }, (_, gid) =>
    diff(`|${gid}|-->|${gid + 1}| -- 2026-01-31T00:00:0${gid} ${MIB}`),
  );
}

/** Snapshots; those whose gid is negative are implicit. */
export function snapshots(...gids: number[]): GidInfo[] {
  return gids.map((gid) => new GidInfo(`${Math.abs(gid)} 2026-01-31T00:00:00 ${gid < 0 ? 0 : 1}`));
}

export function archive(
  server: string,
  more: Partial<Omit<ArchiveAt, 'status'>> & { status?: Partial<ArchiveVolumeStatus> } = {},
): ArchiveAt {
  const { status, ...lists } = more;
  const diffs = lists.diffs ?? chain(4);
  return {
    kind: 'archive',
    server,
    status: {
      ...ArchiveVolumeStatus.decode(EMPTY),
      volume: 'vol',
      state: VolumeState.ARCHIVED,
      sizeLb: (64 * MIB) / 512,
      base: { snapB: { gidB: 0n, gidE: 0n }, snapE: undefined, timestamp: 0 },
      numDiff: diffs.length,
      ...status,
    },
    diffs,
    applicable: diffs,
    restorable: snapshots(1, 2, -3, 4),
    restored: [],
    cold: [],
    exports: [],
    ...lists,
  };
}

export function emptyArchive(server: string): ArchiveAt {
  const lists = { diffs: [], applicable: [], restorable: [] };
  return archive(server, {
    ...lists,
    status: { state: VolumeState.CLEAR, sizeLb: undefined, base: undefined },
  });
}

export function storage(server: string, status: Partial<StorageVolumeStatus> = {}): StorageAt {
  return {
    kind: 'storage',
    server,
    status: {
      ...StorageVolumeStatus.decode(EMPTY),
      volume: 'vol',
      state: VolumeState.TARGET,
      devicePath: '/dev/walb/0',
      sizeLb: (64 * MIB) / 512,
      pbs: 4096,
      logUsagePb: 256,
      logCapacityPb: 1024,
      ...status,
    },
  };
}

export function proxy(server: string, queues: Readonly<Record<string, number>>): ProxyAt {
  return {
    kind: 'proxy',
    server,
    status: {
      ...ProxyVolumeStatus.decode(EMPTY),
      volume: 'vol',
      state: VolumeState.STARTED,
      archives: Object.entries(queues).map(([name, numDiff]) => ({
        ...ProxyArchiveStatus.decode(EMPTY),
        archive: name,
        numDiff,
        wdiffTotalSizeBytes: numDiff * MIB,
        ...(numDiff === 0 ? {} : { minGid: 5n, maxGid: 9n }),
      })),
    },
  };
}

export function silent(server: string): VolumeAt {
  return { kind: 'silent', server, serverKind: K_STORAGE, why: 'no answer within 5 s' };
}

/** A storage as a whole, with one target volume. */
export function storageServer(server: string, logRatePbPerSec = 0): ServerAt {
  const volumes = [
    {
      ...StorageVolumeSummary.decode(EMPTY),
      volume: 'vol',
      state: VolumeState.TARGET,
      logUsagePb: 256,
      logCapacityPb: 1024,
      pbs: 4096,
      logRatePbPerSec,
    },
  ];
  return {
    kind: 'server',
    server,
    serverKind: K_STORAGE,
    reply: {
      ...StatusReply.decode(EMPTY),
      status: { $case: 'storage', value: { ...StorageStatus.decode(EMPTY), volumes } },
    },
  };
}

export function facts(...volume: VolumeAt[]): Facts {
  return { ...NO_FACTS, volume, primary: 'a0' };
}
