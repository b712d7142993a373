/** What `status` and `get latest-snap` tell of a proxy (cli.md 1.5, 1.6). */
import { type Bytes, MIB } from '../core/index.ts';
import {
  HostType,
  type LatestSnap,
  type ProxyStatus,
  type ProxyVolumeStatus,
} from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { type CommonSettings, commonStatus } from '../server/status.ts';
import type { ProxyConfig } from './config.ts';
import { shortage } from './receive.ts';
import type { Sends } from './sends.ts';
import type { ProxyVolume } from './volume.ts';

export interface StatusHost {
  readonly core: ServerCore;
  readonly config: ProxyConfig;
  spoolUsed(): number;
  /** Room that the last transfer had to be refused for; 0 when it found enough. */
  readonly roomMissed: Bytes;
}

export function serverStatusOf(
  host: StatusHost,
  settings: CommonSettings,
  volumes: readonly ProxyVolume[],
  sends: Sends,
): ProxyStatus {
  const { core, config } = host;
  const used = host.spoolUsed();
  const running = volumes.reduce((sum, { actions }) => sum + actions.total, 0);
  return {
    common: commonStatus(core, settings, running),
    maxWdiffSendMb: Math.ceil(config.maxWdiffSend / MIB),
    maxWdiffSendNr: config.maxWdiffFiles,
    minDelaySecForRetry: config.minDelay / 1000,
    maxDelaySecForRetry: config.maxDelay / 1000,
    retryTimeoutSec: config.retryTimeout,
    taskQueue: sends.entries(),
    volumes: volumes.map((volume) => volume.summary(sends.statuses(volume))),
    spool: {
      usedBytes: used,
      limitBytes: config.spoolLimit,
      diskFreeBytes: core.env.files.freeBytes(config.baseDirectory),
      isFull: shortage(host, Math.max(1, host.roomMissed)) !== undefined,
    },
  };
}

export function clearStatus(volume: string): ProxyVolumeStatus {
  return {
    volume,
    state: 'Clear',
    sizeLb: 0,
    numDiff: 0,
    totalSizeBytes: 0,
    lastWlogReceived: 0,
    totalNumAction: 0,
    stopState: 'NotStopping',
    archives: [],
    spoolBytes: 0,
    lastStorage: '',
    lastError: undefined,
    progress: [],
    tasks: [],
  };
}

/** The newest queued diff for each archive. */
export function latestSnapsOf(volume: ProxyVolume): LatestSnap[] {
  return volume.spool.archives().map((archive) => {
    const last = volume.spool.queue(archive).at(-1)?.diff;
    return {
      volume: volume.id,
      kind: HostType.PROXY,
      archive,
      timestamp: last?.timestamp ?? 0,
      ...(last === undefined ? {} : { gid: last.E.b }),
    };
  });
}
