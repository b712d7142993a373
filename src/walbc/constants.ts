/**
 * Constants of the control library under the names operators know.
 *
 * Source: controller-api.md 1.1. State names are those of the contract (`VolumeState`), so a state
 * that a server reports can be compared with them directly.
 */
import { GIB, KIB, LB_SIZE, MIB, U64_MAX } from '../core/index.ts';

/** Default limit of waits for long operations: a day. */
export const TIMEOUT_SEC = 86_400;
/** Limit of waits for what should take moments. */
export const SHORT_TIMEOUT_SEC = 100;
export const Kibi = KIB;
export const Mebi = MIB;
export const Gibi = GIB;
/** Logical block size in bytes. */
export const Lbs = LB_SIZE;
export const UINT64_MAX = U64_MAX;
export const BASE_VOLUME_PREFIX = 'wb_';
export const RESTORED_VOLUME_PREFIX = 'wr_';
export const COLD_VOLUME_PREFIX = 'wc_';

export const K_STORAGE = 0;
export const K_PROXY = 1;
export const K_ARCHIVE = 2;
export type ServerKind = typeof K_STORAGE | typeof K_PROXY | typeof K_ARCHIVE;
export const serverKinds: readonly ServerKind[] = [K_STORAGE, K_PROXY, K_ARCHIVE];
export const serverKindMap = {
  [K_STORAGE]: 'storage',
  [K_PROXY]: 'proxy',
  [K_ARCHIVE]: 'archive',
} as const;
export type ServerKindName = (typeof serverKindMap)[ServerKind];
export const serverKindRmap: Readonly<Record<ServerKindName, ServerKind>> = {
  storage: K_STORAGE,
  proxy: K_PROXY,
  archive: K_ARCHIVE,
};

// Storage, steady states.
export const sClear = 'Clear';
export const sSyncReady = 'SyncReady';
export const sStopped = 'Stopped';
export const sTarget = 'Target';
export const sStandby = 'Standby';
// Storage, temporary states.
export const stInitVol = 'InitVol';
export const stClearVol = 'ClearVol';
export const stStartStandby = 'StartStandby';
export const stStopStandby = 'StopStandby';
export const stFullSync = 'FullSync';
export const stHashSync = 'HashSync';
export const stStartTarget = 'StartTarget';
export const stStopTarget = 'StopTarget';
export const stReset = 'Reset';
// Storage, actions.
export const saWlogSend = 'WlogSend';
export const saWlogRemove = 'WlogRemove';

// Proxy.
export const pClear = 'Clear';
export const pStopped = 'Stopped';
export const pStarted = 'Started';
export const ptStart = 'Start';
export const ptStop = 'Stop';
export const ptClearVol = 'ClearVol';
export const ptAddArchiveInfo = 'AddArchiveInfo';
export const ptDeleteArchiveInfo = 'DeleteArchiveInfo';
export const ptWlogRecv = 'WlogRecv';
export const ptWaitForEmpty = 'WaitForEmpty';

// Archive.
export const aClear = 'Clear';
export const aSyncReady = 'SyncReady';
export const aArchived = 'Archived';
export const aStopped = 'Stopped';
export const atInitVol = 'InitVol';
export const atClearVol = 'ClearVol';
export const atResetVol = 'ResetVol';
export const atResync = 'Resync';
export const atFullSync = 'FullSync';
export const atHashSync = 'HashSync';
export const atWdiffRecv = 'WdiffRecv';
export const atReplSync = 'ReplSyncAsServer';
export const atStop = 'Stop';
export const atStart = 'Start';
export const aaMerge = 'Merge';
export const aaApply = 'Apply';
export const aaRestore = 'Restore';
export const aaReplSync = 'ReplSyncAsClient';
export const aaResize = 'Resize';

// Groups of states.
export const sDuringFullSync: readonly string[] = [stFullSync, sStopped, stStartTarget];
export const sDuringHashSync: readonly string[] = [stHashSync, sStopped, stStartTarget];
export const sDuringStopForTarget: readonly string[] = [sTarget, stStopTarget];
export const sDuringStopForStandby: readonly string[] = [sStandby, stStopStandby];
export const pActive: readonly string[] = [pStarted, ptWlogRecv];
export const pDuringStop: readonly string[] = [pStarted, ptWlogRecv, ptStop, ptWaitForEmpty];
/** The archive holds data of the volume that can be used. */
export const aActive: readonly string[] = [aArchived, atWdiffRecv, atHashSync, atReplSync];
export const aAcceptForResize: readonly string[] = [...aActive, aStopped, aSyncReady];
export const aAcceptForClearVol: readonly string[] = [aStopped, aSyncReady];
export const aDuringReplicate: readonly string[] = [atReplSync, atFullSync, atResync];
export const aDuringStop: readonly string[] = [...aActive, atStop];
export const aDuringFullSync: readonly string[] = [atFullSync];
export const aDuringHashSync: readonly string[] = [atHashSync];

export const CMPR_NONE = 0;
export const CMPR_SNAPPY = 1;
export const CMPR_GZIP = 2;
export const CMPR_LZMA = 3;
export const CMPR_LZ4 = 4;
export const CMPR_ZSTD = 5;
export type CompressKind = 0 | 1 | 2 | 3 | 4 | 5;

/** `2026-01-31T23:59:59` (UTC). */
export const DatetimeFormatPretty = '%Y-%m-%dT%H:%M:%S';
/** `20260131235959` (UTC). */
export const DatetimeFormatDigits = '%Y%m%d%H%M%S';
