/**
 * States, actions and command rules of a volume at a storage server.
 *
 * Source: semantics.md E.1, B.6, B.7; names as in controller-api.md 1.1. docs/states.md is generated
 * from this file.
 */
import { NOT_STOPPING, type StateModel } from '../core/index.ts';

export const STORAGE_STEADY_STATES = [
  'Clear',
  'SyncReady',
  'Stopped',
  'Target',
  'Standby',
] as const;
export const STORAGE_TEMPORARY_STATES = [
  'InitVol',
  'ClearVol',
  'StartStandby',
  'StopStandby',
  'FullSync',
  'HashSync',
  'StartTarget',
  'StopTarget',
  'Reset',
] as const;
export type StorageSteadyState = (typeof STORAGE_STEADY_STATES)[number];
export type StorageState = StorageSteadyState | (typeof STORAGE_TEMPORARY_STATES)[number];

export const STORAGE_ACTIONS = ['WlogSend', 'WlogRemove'] as const;
export type StorageAction = (typeof STORAGE_ACTIONS)[number];

export type StorageTrigger =
  | 'init-vol'
  | 'clear-vol'
  | 'start-standby'
  | 'stop-standby'
  | 'full-sync'
  | 'hash-sync'
  | 'reset-vol'
  | 'start-target'
  | 'stop-target';

export type StorageCommand =
  | 'init-vol'
  | 'clear-vol'
  | 'reset-vol'
  | 'start target'
  | 'start standby'
  | 'stop'
  | 'full-bkp'
  | 'hash-bkp'
  | 'snapshot'
  | 'resize'
  | 'get is-overflow'
  | 'get uuid'
  | 'get log-usage'
  | 'dbg-dump-logpack-header'
  | 'WlogSend'
  | 'WlogRemove';

const KNOWN: readonly StorageState[] = [
  ...STORAGE_STEADY_STATES.filter((state) => state !== 'Clear'),
  ...STORAGE_TEMPORARY_STATES,
];
const ACTION_RULE = { stopStates: NOT_STOPPING, denyActions: 'all' } as const;

export const storageModel: StateModel<StorageState, StorageTrigger, StorageAction, StorageCommand> =
  {
    server: 'storage',
    steady: STORAGE_STEADY_STATES,
    temporary: STORAGE_TEMPORARY_STATES,
    actions: STORAGE_ACTIONS,
    stateSets: {
      DuringFullSync: ['FullSync', 'Stopped', 'StartTarget'],
      DuringHashSync: ['HashSync', 'Stopped', 'StartTarget'],
      DuringStopForTarget: ['Target', 'StopTarget'],
      DuringStopForStandby: ['Standby', 'StopStandby'],
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
        from: ['SyncReady'],
        via: 'ClearVol',
        to: ['Clear'],
        hint: '`clear-vol`',
        loses: true,
      },
      {
        trigger: 'start-standby',
        from: ['SyncReady'],
        via: 'StartStandby',
        to: ['Standby'],
        hint: '`start standby`',
      },
      {
        trigger: 'stop-standby',
        from: ['Standby'],
        via: 'StopStandby',
        to: ['SyncReady'],
        hint: '`stop`',
      },
      {
        trigger: 'full-sync',
        from: ['SyncReady'],
        via: 'FullSync',
        to: ['Stopped'],
        continues: 'start-target',
        hint: '`full-bkp`',
      },
      {
        trigger: 'hash-sync',
        from: ['SyncReady'],
        via: 'HashSync',
        to: ['Stopped'],
        continues: 'start-target',
        hint: '`hash-bkp`',
      },
      {
        trigger: 'reset-vol',
        from: ['Stopped'],
        via: 'Reset',
        to: ['SyncReady'],
        hint: '`reset-vol` (drops log not yet delivered)',
        loses: true,
      },
      {
        trigger: 'start-target',
        from: ['Stopped'],
        via: 'StartTarget',
        to: ['Target'],
        hint: '`start target`',
      },
      // Also made by the server itself when it finds an overflow.
      {
        trigger: 'stop-target',
        from: ['Target'],
        via: 'StopTarget',
        to: ['Stopped'],
        hint: '`stop`',
      },
    ],
    rules: {
      'init-vol': { states: ['Clear'] },
      'clear-vol': { states: ['SyncReady'] },
      'reset-vol': { states: ['Stopped'], stopStates: NOT_STOPPING },
      'start target': { states: ['Stopped'], stopStates: NOT_STOPPING, also: 'no overflow' },
      'start standby': { states: ['SyncReady'], stopStates: NOT_STOPPING },
      stop: { states: ['Target', 'Standby'], waitsOut: true, stopStates: NOT_STOPPING },
      'full-bkp': { states: ['SyncReady'], stopStates: NOT_STOPPING, isForeground: true },
      'hash-bkp': { states: ['SyncReady'], stopStates: NOT_STOPPING, isForeground: true },
      snapshot: { states: ['Target', 'Stopped'], stopStates: NOT_STOPPING, also: 'no overflow' },
      resize: {
        states: ['SyncReady', 'Stopped', 'Target', 'Standby'],
        stopStates: NOT_STOPPING,
        also: 'grows only',
      },
      'get is-overflow': { states: KNOWN },
      'get uuid': { states: KNOWN },
      'get log-usage': { states: KNOWN },
      'dbg-dump-logpack-header': { states: KNOWN },
      WlogSend: { states: ['Target', 'FullSync', 'HashSync'], ...ACTION_RULE, runs: 'WlogSend' },
      WlogRemove: { states: ['Standby'], ...ACTION_RULE, runs: 'WlogRemove' },
    },
  };
