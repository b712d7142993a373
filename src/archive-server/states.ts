/**
 * States, actions and command rules of a volume at an archive server.
 *
 * Source: semantics.md E.3, D; names as in controller-api.md 1.1. docs/states.md is generated from
 * this file.
 */
import { NOT_STOPPING, type StateModel } from '../core/index.ts';

export const ARCHIVE_STEADY_STATES = ['Clear', 'SyncReady', 'Archived', 'Stopped'] as const;
export const ARCHIVE_TEMPORARY_STATES = [
  'InitVol',
  'ClearVol',
  'ResetVol',
  'FullSync',
  'Resync',
  'HashSync',
  'WdiffRecv',
  'ReplSyncAsServer',
  'Stop',
  'Start',
] as const;
export type ArchiveSteadyState = (typeof ARCHIVE_STEADY_STATES)[number];
export type ArchiveState = ArchiveSteadyState | (typeof ARCHIVE_TEMPORARY_STATES)[number];

/** In the order of `get all-actions`. */
export const ARCHIVE_ACTIONS = ['Merge', 'Apply', 'Restore', 'ReplSyncAsClient', 'Resize'] as const;
export type ArchiveAction = (typeof ARCHIVE_ACTIONS)[number];

export type ArchiveTrigger =
  | 'init-vol'
  | 'clear-vol'
  | 'reset-vol'
  | 'full-sync'
  | 'resync'
  | 'hash-sync'
  | 'wdiff-recv'
  | 'repl-sync'
  | 'stop'
  | 'start';

export type ArchiveCommand =
  | 'init-vol'
  | 'clear-vol'
  | 'reset-vol'
  | 'start'
  | 'stop'
  | 'restore'
  | 'del-restored'
  | 'del-cold'
  | 'replicate'
  | 'apply'
  | 'merge'
  | 'resize'
  | 'disable-snapshot'
  | 'enable-snapshot'
  | 'gc-diff'
  | 'dbg-reload-metadata'
  | 'full-backup'
  | 'hash-backup'
  | 'replication'
  | 'wdiff-transfer'
  | 'bhash'
  | 'virt-full-scan'
  | 'get restored'
  | 'get cold'
  | 'get exists-diff'
  | 'get restorable'
  | 'get uuid'
  | 'get archive-uuid'
  | 'get base'
  | 'get num-action';

/** States in which the volume holds data that clients may use. */
export const ARCHIVE_ACTIVE_STATES: readonly ArchiveState[] = [
  'Archived',
  'HashSync',
  'WdiffRecv',
  'ReplSyncAsServer',
];
export const ARCHIVE_ACTIVE_OR_STOPPED_STATES: readonly ArchiveState[] = [
  ...ARCHIVE_ACTIVE_STATES,
  'Stopped',
];
const ACTIVE = ARCHIVE_ACTIVE_STATES;
const ACTIVE_OR_STOPPED = ARCHIVE_ACTIVE_OR_STOPPED_STATES;
const KNOWN: readonly ArchiveState[] = [
  'SyncReady',
  'Archived',
  'Stopped',
  ...ARCHIVE_TEMPORARY_STATES,
];

/** What must not run while the base image is read as a whole or changed. */
const NO_BASE_USERS: readonly ArchiveAction[] = [
  'Restore',
  'ReplSyncAsClient',
  'Apply',
  'Merge',
  'Resize',
];

export const archiveModel: StateModel<ArchiveState, ArchiveTrigger, ArchiveAction, ArchiveCommand> =
  {
    server: 'archive',
    steady: ARCHIVE_STEADY_STATES,
    temporary: ARCHIVE_TEMPORARY_STATES,
    actions: ARCHIVE_ACTIONS,
    stateSets: {
      Active: ACTIVE,
      ActiveOrStopped: ACTIVE_OR_STOPPED,
      AcceptForResize: [...ACTIVE, 'Stopped', 'SyncReady'],
      AcceptForClearVol: ['Stopped', 'SyncReady'],
      DuringReplicate: ['ReplSyncAsServer', 'FullSync', 'Resync'],
      DuringStop: [...ACTIVE, 'Stop'],
      DuringFullSync: ['FullSync'],
      DuringHashSync: ['HashSync'],
    },
    transitions: [
      {
        trigger: 'init-vol',
        from: ['Clear'],
        via: 'InitVol',
        to: ['SyncReady'],
        hint: '`init-vol`',
      },
      {
        trigger: 'clear-vol',
        from: ['SyncReady', 'Stopped'],
        via: 'ClearVol',
        to: ['Clear'],
        hint: '`clear-vol` (deletes the base image and all diffs)',
        loses: true,
      },
      {
        trigger: 'reset-vol',
        from: ['SyncReady', 'Stopped'],
        via: 'ResetVol',
        to: ['SyncReady'],
        hint: '`reset-vol` (deletes the base image and all diffs)',
        loses: true,
      },
      {
        // Full backup, or full replication as the server.
        trigger: 'full-sync',
        from: ['SyncReady'],
        via: 'FullSync',
        to: ['Archived'],
        hint: '`full-bkp` at the storage server',
      },
      {
        trigger: 'resync',
        from: ['SyncReady'],
        via: 'Resync',
        to: ['Archived'],
        hint: '`replicate` at another archive server',
      },
      { trigger: 'hash-sync', from: ['Archived'], via: 'HashSync', to: ['Archived'] },
      {
        trigger: 'wdiff-recv',
        from: ['Archived'],
        via: 'WdiffRecv',
        to: ['Archived'],
        isRoutine: true,
      },
      { trigger: 'repl-sync', from: ['Archived'], via: 'ReplSyncAsServer', to: ['Archived'] },
      { trigger: 'stop', from: ['Archived'], via: 'Stop', to: ['Stopped'], hint: '`stop`' },
      { trigger: 'start', from: ['Stopped'], via: 'Start', to: ['Archived'], hint: '`start`' },
    ],
    rules: {
      'init-vol': { states: ['Clear'], denyActions: 'all' },
      'clear-vol': { states: ['SyncReady', 'Stopped'], denyActions: 'all' },
      'reset-vol': { states: ['SyncReady', 'Stopped'], denyActions: 'all' },
      start: { states: ['Stopped'], denyActions: 'all' },
      stop: {
        states: ['Archived'],
        waitsOut: true,
        stopStates: NOT_STOPPING,
        also: 'waits until no action runs',
      },
      restore: {
        states: ACTIVE,
        denyActions: ['Restore', 'Resize'],
        stopStates: NOT_STOPPING,
        isForeground: true,
        runs: 'Restore',
        also: 'the snapshot is clean and not restored yet',
      },
      'del-restored': {
        states: ACTIVE_OR_STOPPED,
        denyActions: ['Restore', 'Resize'],
        stopStates: NOT_STOPPING,
      },
      'del-cold': {
        states: ACTIVE_OR_STOPPED,
        denyActions: ['Restore', 'Resize'],
        stopStates: NOT_STOPPING,
      },
      replicate: {
        states: ACTIVE,
        denyActions: NO_BASE_USERS,
        stopStates: NOT_STOPPING,
        isForeground: true,
        runs: 'ReplSyncAsClient',
      },
      apply: {
        states: ACTIVE,
        denyActions: NO_BASE_USERS,
        stopStates: NOT_STOPPING,
        isForeground: true,
        runs: 'Apply',
        also: 'there is something to apply',
      },
      merge: {
        states: ACTIVE,
        denyActions: ['Apply', 'Merge', 'Resize'],
        stopStates: NOT_STOPPING,
        isForeground: true,
        runs: 'Merge',
        also: 'the base is not applying; at least two diffs to merge',
      },
      resize: {
        states: ['SyncReady', ...ACTIVE_OR_STOPPED],
        denyActions: ['Restore', 'ReplSyncAsClient', 'Apply', 'Resize'],
        stopStates: NOT_STOPPING,
        runs: 'Resize',
        also: 'the base image exists; grows only',
      },
      'disable-snapshot': { states: ACTIVE, denyActions: ['Apply', 'Merge'] },
      'enable-snapshot': { states: ACTIVE, denyActions: ['Apply', 'Merge'] },
      'gc-diff': { states: ACTIVE_OR_STOPPED, denyActions: 'all' },
      'dbg-reload-metadata': { states: 'any', denyActions: 'all' },
      'full-backup': {
        states: ['SyncReady'],
        denyActions: 'all',
        stopStates: NOT_STOPPING,
        isForeground: true,
      },
      'hash-backup': {
        states: ['Archived'],
        denyActions: 'all',
        stopStates: NOT_STOPPING,
        isForeground: true,
      },
      replication: {
        states: ['SyncReady', 'Archived'],
        denyActions: 'all',
        stopStates: NOT_STOPPING,
        isForeground: true,
      },
      'wdiff-transfer': { states: ['Archived'], stopStates: NOT_STOPPING, isForeground: true },
      bhash: { states: ACTIVE },
      'virt-full-scan': { states: ACTIVE, isForeground: true },
      'get restored': { states: ACTIVE_OR_STOPPED, stopStates: NOT_STOPPING },
      'get cold': { states: ACTIVE_OR_STOPPED, stopStates: NOT_STOPPING },
      'get exists-diff': { states: ACTIVE_OR_STOPPED },
      'get restorable': {
        states: 'any',
        stopStates: NOT_STOPPING,
        also: 'empty unless the state is an active one',
      },
      'get uuid': { states: ACTIVE },
      'get archive-uuid': { states: ACTIVE },
      'get base': { states: ACTIVE },
      'get num-action': { states: KNOWN },
    },
  };
