/**
 * No call of a server can be forgotten by the state tables: each is either decided by a line of them, or
 * named here as one that runs in any state (semantics.md E, docs/states.md).
 */
import { describe, expect, it } from 'vitest';
import { archiveModel } from '../../src/archive-server/states.ts';
import { proxyModel } from '../../src/proxy-server/states.ts';
import { ArchiveRpc, ControlRpc, ProxyRpc, StorageRpc } from '../../src/rpc/index.ts';
import { storageModel } from '../../src/storage-server/states.ts';

/** Calls that a state table decides, and the lines that do. The tests of wrong states make them. */
type Decided = Readonly<Record<string, readonly string[]>>;

const CONTROL_IN_ANY_STATE = [
  'getHostType',
  'getState',
  'listVolumes',
  'getPid',
  'getVersion',
  'getHandlerStat',
  'status',
  'getLatestSnap',
  'shutdown',
  'exec',
  'sleep',
  'watch',
];

interface Side {
  readonly rules: object;
  readonly decided: Decided;
  readonly anyState: readonly string[];
  readonly calls: object;
  /** What the server does by itself. */
  readonly own: readonly string[];
}

const SIDES: Record<string, Side> = {
  storage: {
    rules: storageModel.rules,
    calls: StorageRpc,
    decided: {
      initVolume: ['init-vol'],
      clearVolume: ['clear-vol'],
      resetVolume: ['reset-vol'],
      start: ['start target', 'start standby'],
      stop: ['stop'],
      fullBackup: ['full-bkp'],
      hashBackup: ['hash-bkp'],
      snapshot: ['snapshot'],
      resize: ['resize'],
      isOverflow: ['get is-overflow'],
      getUuid: ['get uuid'],
      getLogUsage: ['get log-usage'],
      dumpLogpackHeader: ['dbg-dump-logpack-header'],
    },
    anyState: ['kick', 'setFullScanBps', 'getTsDelta'],
    own: ['WlogSend', 'WlogRemove'],
  },
  proxy: {
    rules: proxyModel.rules,
    calls: ProxyRpc,
    decided: {
      start: ['start'],
      stop: ['stop'],
      clearVolume: ['clear-vol'],
      kick: ['kick'],
      addArchiveInfo: ['archive-info add'],
      updateArchiveInfo: ['archive-info update'],
      deleteArchiveInfo: ['archive-info delete'],
      resize: ['resize'],
      isWdiffSendError: ['get is-wdiff-send-error'],
      transferWlog: ['wlog-transfer'],
    },
    // The first two are refused whatever the state: a proxy has neither.
    anyState: ['initVolume', 'resetVolume', 'listArchiveInfo', 'getArchiveInfo', 'getProxyDiff'],
    own: ['wdiff-send'],
  },
  archive: {
    rules: archiveModel.rules,
    calls: ArchiveRpc,
    decided: {
      initVolume: ['init-vol'],
      clearVolume: ['clear-vol'],
      resetVolume: ['reset-vol'],
      start: ['start'],
      stop: ['stop'],
      restore: ['restore'],
      delRestored: ['del-restored'],
      delCold: ['del-cold'],
      disableSnapshots: ['disable-snapshot'],
      enableSnapshots: ['enable-snapshot'],
      replicate: ['replicate'],
      apply: ['apply'],
      merge: ['merge'],
      resize: ['resize'],
      gcDiff: ['gc-diff'],
      blockHash: ['bhash'],
      virtualFullScan: ['virt-full-scan'],
      exportSnapshot: ['bhash'],
      reloadMetadata: ['dbg-reload-metadata'],
      setUuid: ['dbg-reload-metadata'],
      setState: ['dbg-reload-metadata'],
      setBase: ['dbg-reload-metadata'],
      existsDiff: ['get exists-diff'],
      getRestorable: ['get restorable'],
      getRestored: ['get restored'],
      getCold: ['get cold'],
      getUuid: ['get uuid'],
      getArchiveUuid: ['get archive-uuid'],
      getBase: ['get base'],
      getNumAction: ['get num-action'],
      fullSync: ['full-backup'],
      hashSync: ['hash-backup'],
      transferWdiff: ['wdiff-transfer'],
      serveReplication: ['replication'],
    },
    anyState: [
      'kick', // An archive has nothing to kick: refused whatever the state.
      'closeExport',
      'listExports',
      'getDiffs',
      'getApplicableDiffs',
      'getNumDiff',
      'getTotalDiffSize',
      'existsBaseImage',
      'getBaseAll',
      'getMetaSnap',
      'getMetaState',
      'getVolSize',
      'getProgress',
      'getVolumeGroup',
      'getThinpool',
      'getAllActions',
      'getTsDelta',
      'gatherLatestSnap',
    ],
    own: [],
  },
};

describe.each(Object.entries(SIDES))('%s', (_name, { rules, decided, anyState, calls, own }) => {
  it('every call is decided by the state table, or runs in any state', () => {
    const named = [...Object.keys(decided), ...anyState, ...CONTROL_IN_ANY_STATE];
    const known = [...Object.keys(calls), ...Object.keys(ControlRpc)];
    expect(named.toSorted()).toEqual(known.toSorted());
  });

  it('every line of the state table decides a call, or what the server does by itself', () => {
    const lines = new Set([...Object.values(decided).flat(), ...own]);
    expect([...lines].sort()).toEqual(Object.keys(rules).sort());
  });
});
