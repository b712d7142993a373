/** The parts of `status` and of volume views that are alike for all server kinds (cli.md 1.6). */
import type { Bytes } from '../core/index.ts';
import { type ServerCommon, StopState, VolumeState, type VolumeView } from '../rpc/index.ts';
import type { KeepAliveSettings } from './common-options.ts';
import type { ServerCore } from './server-core.ts';

/** Settings every server has; its main fills them in from the options. */
export interface CommonSettings {
  readonly baseDirectory: string;
  readonly listenAddress: string;
  readonly maxConnections: number;
  readonly maxBackgroundTasks: number;
  readonly socketTimeoutSec: number;
  /** Absent = off. */
  readonly keepAlive?: KeepAliveSettings;
  readonly version: string;
  /** Read anew for each status. */
  readonly connections: () => number;
  readonly memoryBytes: () => Bytes;
}

export function commonStatus(
  core: ServerCore,
  settings: CommonSettings,
  backgroundTasks: number,
): ServerCommon {
  return {
    baseDir: settings.baseDirectory,
    listenAddress: settings.listenAddress,
    maxConnections: settings.maxConnections,
    connections: settings.connections(),
    maxForegroundTasks: core.foreground.limit,
    foregroundTasks: core.foreground.running,
    maxBackgroundTasks: settings.maxBackgroundTasks,
    backgroundTasks,
    socketTimeoutSec: settings.socketTimeoutSec,
    keepAlive:
      settings.keepAlive === undefined ? undefined : { enabled: true, ...settings.keepAlive },
    started: core.started,
    pid: core.pid,
    version: settings.version,
    memoryBytes: settings.memoryBytes(),
    diskFreeBytes: core.env.files.freeBytes(settings.baseDirectory),
    diskTotalBytes: core.env.files.totalBytes(settings.baseDirectory),
    shuttingDown: core.isShuttingDown,
  };
}

/** What a watcher sees of a volume that does not exist. */
export function clearView(volume: string): VolumeView {
  return {
    volume,
    state: VolumeState.CLEAR,
    stopState: StopState.NOT_STOPPING,
    actions: [],
    progress: [],
    tasks: [],
    restorableRevision: 0,
    restoredRevision: 0,
    coldRevision: 0,
    diffRevision: 0,
    archiveInfoRevision: 0,
    sizeRevision: 0,
    latest: undefined,
    base: undefined,
    isOverflow: false,
    lastError: undefined,
    gaps: [],
  };
}
