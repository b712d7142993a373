/**
 * States and command rules of a volume at a proxy server. Its actions are the running sends, each
 * named after the archive it sends to.
 *
 * Source: semantics.md E.2, C; names as in controller-api.md 1.1. docs/states.md is generated from
 * this file.
 */
import { NOT_STOPPING, type StateModel } from '../core/index.ts';

export const PROXY_STEADY_STATES = ['Clear', 'Stopped', 'Started'] as const;
export const PROXY_TEMPORARY_STATES = [
  'Start',
  'Stop',
  'ClearVol',
  'AddArchiveInfo',
  'DeleteArchiveInfo',
  'WlogRecv',
  'WaitForEmpty',
] as const;
export type ProxySteadyState = (typeof PROXY_STEADY_STATES)[number];
export type ProxyState = ProxySteadyState | (typeof PROXY_TEMPORARY_STATES)[number];

/** An archive name. */
export type ProxyAction = string;

export type ProxyTrigger =
  | 'archive-info-add'
  | 'archive-info-delete'
  | 'clear-vol'
  | 'start'
  | 'stop'
  | 'stop-empty'
  | 'wlog-recv';

export type ProxyCommand =
  | 'start'
  | 'stop'
  | 'archive-info add'
  | 'archive-info update'
  | 'archive-info delete'
  | 'clear-vol'
  | 'resize'
  | 'kick'
  | 'get is-wdiff-send-error'
  | 'wlog-transfer'
  | 'wdiff-send';

const KNOWN: readonly ProxyState[] = ['Stopped', 'Started', ...PROXY_TEMPORARY_STATES];

/** Started in the wider sense: diffs are sent, now or as soon as possible. */
export const PROXY_SENDING_STATES: readonly ProxyState[] = ['Started', 'WlogRecv', 'WaitForEmpty'];

export const proxyModel: StateModel<ProxyState, ProxyTrigger, ProxyAction, ProxyCommand> = {
  server: 'proxy',
  steady: PROXY_STEADY_STATES,
  temporary: PROXY_TEMPORARY_STATES,
  actions: [],
  stateSets: {
    Active: ['Started', 'WlogRecv'],
    Sending: PROXY_SENDING_STATES,
    DuringStop: ['Started', 'WlogRecv', 'Stop', 'WaitForEmpty'],
  },
  transitions: [
    {
      trigger: 'archive-info-add',
      from: ['Clear', 'Stopped'],
      via: 'AddArchiveInfo',
      to: ['Stopped'],
      hint: '`archive-info add`',
    },
    {
      trigger: 'clear-vol',
      from: ['Stopped'],
      via: 'ClearVol',
      to: ['Clear'],
      hint: '`clear-vol` (drops diffs not yet delivered)',
      loses: true,
    },
    {
      // Clear when it was the last archive.
      trigger: 'archive-info-delete',
      from: ['Stopped'],
      via: 'DeleteArchiveInfo',
      to: ['Stopped', 'Clear'],
      hint: '`archive-info delete`',
      loses: true,
    },
    { trigger: 'start', from: ['Stopped'], via: 'Start', to: ['Started'], hint: '`start`' },
    { trigger: 'stop', from: ['Started'], via: 'Stop', to: ['Stopped'], hint: '`stop`' },
    {
      trigger: 'stop-empty',
      from: ['Started'],
      via: 'WaitForEmpty',
      to: ['Stopped'],
      hint: '`stop empty` (delivers everything first)',
    },
    {
      trigger: 'wlog-recv',
      from: ['Started'],
      via: 'WlogRecv',
      to: ['Started'],
      isRoutine: true,
    },
  ],
  rules: {
    start: { states: ['Stopped'], stopStates: NOT_STOPPING, denyActions: 'all' },
    stop: { states: ['Started'], waitsOut: true, stopStates: NOT_STOPPING },
    'archive-info add': { states: ['Clear', 'Stopped'], denyActions: 'all' },
    'archive-info update': { states: ['Clear', 'Stopped'], denyActions: 'all' },
    'archive-info delete': { states: ['Stopped'], denyActions: 'all' },
    'clear-vol': { states: ['Stopped'], stopStates: NOT_STOPPING, denyActions: 'all' },
    resize: { states: ['Stopped'], stopStates: NOT_STOPPING },
    kick: { states: PROXY_SENDING_STATES, also: 'without VOL: other volumes are skipped' },
    'get is-wdiff-send-error': { states: KNOWN },
    'wlog-transfer': {
      states: ['Started'],
      stopStates: NOT_STOPPING,
      isForeground: true,
      also: 'enough free disk',
    },
    'wdiff-send': {
      states: PROXY_SENDING_STATES,
      stopStates: ['NotStopping', 'WaitingForEmpty'],
      also: 'one send per archive',
    },
  },
};
