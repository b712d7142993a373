/**
 * From a state that does not fit to one that does: the calls that lead there, for error messages.
 * Servers answer in commands of the command line (`stop`, `reset-vol`), from their state tables
 * (docs/states.md); at the prompt the same is said in calls.
 */
import { WalbError } from '../../core/index.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind } from '../constants.ts';
import type { ServerLayout } from '../layout.ts';
import type { ServerParam } from '../servers.ts';

/** A call that takes a volume from one of these states to another. */
export interface Way {
  readonly from: readonly string[];
  readonly to: string;
  /** As servers write it; `CALLS` has the call. */
  readonly command: string;
}

/** The ways of each kind of server, those that lose nothing first. */
export const WAYS: Readonly<Record<ServerKind, readonly Way[]>> = {
  [K_STORAGE]: [
    { from: ['Target'], to: 'Stopped', command: 'stop' },
    { from: ['Stopped'], to: 'Target', command: 'start target' },
    { from: ['Standby'], to: 'SyncReady', command: 'stop' },
    { from: ['SyncReady'], to: 'Standby', command: 'start standby' },
    { from: ['SyncReady'], to: 'Target', command: 'hash-bkp' },
    { from: ['SyncReady'], to: 'Target', command: 'full-bkp' },
    { from: ['Clear'], to: 'SyncReady', command: 'init-vol' },
    { from: ['Stopped'], to: 'SyncReady', command: 'reset-vol' },
    { from: ['SyncReady'], to: 'Clear', command: 'clear-vol' },
  ],
  [K_PROXY]: [
    { from: ['Started'], to: 'Stopped', command: 'stop' },
    { from: ['Stopped'], to: 'Started', command: 'start' },
    { from: ['Clear'], to: 'Stopped', command: 'archive-info add' },
    { from: ['Stopped'], to: 'Clear', command: 'clear-vol' },
  ],
  [K_ARCHIVE]: [
    { from: ['Archived'], to: 'Stopped', command: 'stop' },
    { from: ['Stopped'], to: 'Archived', command: 'start' },
    { from: ['Clear'], to: 'SyncReady', command: 'init-vol' },
    { from: ['SyncReady'], to: 'Archived', command: 'full-bkp' },
    { from: ['Stopped'], to: 'SyncReady', command: 'reset-vol' },
    { from: ['SyncReady', 'Stopped'], to: 'Clear', command: 'clear-vol' },
  ],
};

/** Where a temporary state ends when all goes well. */
export const ENDS: Readonly<Record<ServerKind, Readonly<Record<string, string>>>> = {
  [K_STORAGE]: {
    InitVol: 'SyncReady',
    ClearVol: 'Clear',
    StartStandby: 'Standby',
    StopStandby: 'SyncReady',
    FullSync: 'Target',
    HashSync: 'Target',
    StartTarget: 'Target',
    StopTarget: 'Stopped',
    Reset: 'SyncReady',
  },
  [K_PROXY]: {
    Start: 'Started',
    Stop: 'Stopped',
    ClearVol: 'Clear',
    AddArchiveInfo: 'Stopped',
    DeleteArchiveInfo: 'Stopped',
    WlogRecv: 'Started',
    WaitForEmpty: 'Stopped',
  },
  [K_ARCHIVE]: {
    InitVol: 'SyncReady',
    ClearVol: 'Clear',
    ResetVol: 'SyncReady',
    Resync: 'Archived',
    FullSync: 'Archived',
    HashSync: 'Archived',
    WdiffRecv: 'Archived',
    ReplSyncAsServer: 'Archived',
    Stop: 'Stopped',
    Start: 'Archived',
  },
};

type Arguments = (s: string, vol: string, storage: string, archive: string) => string;

const WITH_VOLUME =
  (method: string): Arguments =>
  (s, vol) =>
    `${method}(${s}, ${vol})`;
const AT_STORAGE =
  (method: string): Arguments =>
  (_, vol, storage) =>
    `${method}(${storage}, ${vol})`;

const COMMON: Readonly<Record<string, Arguments>> = {
  stop: WITH_VOLUME('stop'),
  start: WITH_VOLUME('start'),
  'clear-vol': WITH_VOLUME('clear'),
  'reset-vol': WITH_VOLUME('reset'),
};

/** Calls by what servers say, with the names of variables of the layout. */
export const CALLS: Readonly<Record<ServerKind, Readonly<Record<string, Arguments>>>> = {
  [K_STORAGE]: {
    ...COMMON,
    'init-vol': (s, vol) => `init_storage(${s}, ${vol}, '/dev/walb/NAME')`,
    'start target': WITH_VOLUME('start'),
    'start standby': WITH_VOLUME('go_standby'),
    'full-bkp': WITH_VOLUME('full_backup'),
    'hash-bkp': WITH_VOLUME('hash_backup'),
  },
  [K_PROXY]: {
    ...COMMON,
    'stop empty': (s, vol) => `stop(${s}, ${vol}, 'empty')`,
    'archive-info add': (s, vol, _, archive) => `add_archive_to_proxy(${s}, ${vol}, ${archive})`,
    'archive-info delete': (s, vol, _, archive) =>
      `del_archive_from_proxy(${s}, ${vol}, ${archive})`,
  },
  [K_ARCHIVE]: {
    ...COMMON,
    'init-vol': WITH_VOLUME('_init'),
    'full-bkp': AT_STORAGE('full_backup'),
    'hash-bkp': AT_STORAGE('hash_backup'),
    replicate: (s, vol) => `replicate_once(aSrc, ${vol}, ${s})`,
  },
};

/** Which volume at which server, and the layout that has names for others. */
export interface Place {
  readonly s: ServerParam;
  readonly vol: string;
  readonly sLayout: ServerLayout;
}

/** `walbc.stop(s0, 'vol')`; undefined for a command the library has no call for. */
export function callOf(command: string, { s, vol, sLayout }: Place): string | undefined {
  const make = CALLS[s.kind][command];
  const nameOf = (servers: readonly ServerParam[], many: string): string =>
    servers.length === 1 ? servers[0]!.name : many;
  const archive = sLayout.archiveL[0]?.name ?? 'ax';
  return make === undefined
    ? undefined
    : `walbc.${make(s.name, `'${vol}'`, nameOf(sLayout.storageL, 'sx'), archive)}`;
}

/**
 * The shortest way of commands from `state` to one of `needed`; undefined when there is none. For a
 * temporary state, from where it ends.
 */
export function wayTo(
  kind: ServerKind,
  state: string,
  needed: readonly string[],
): readonly string[] | undefined {
  const reached = new Map<string, readonly string[]>([[ENDS[kind][state] ?? state, []]]);
  // A Map keeps insertion order and may grow while it is walked: this is a breadth-first search.
  for (const [at, commands] of reached) {
    if (needed.includes(at)) return commands;
    for (const way of WAYS[kind]) {
      if (!way.from.includes(at) || reached.has(way.to)) continue;
      reached.set(way.to, [...commands, way.command]);
    }
  }
  return undefined;
}

/** `wait until FullSync has ended, then walbc.stop(s0, 'vol')`; '' when nothing leads there. */
export function adviceFor(place: Place, state: string, needed: readonly string[]): string {
  const { kind } = place.s;
  const way = wayTo(kind, state, needed);
  if (way === undefined) return '';
  const wait = state in ENDS[kind] ? [`wait until ${state} has ended`] : [];
  return [...wait, ...way.map((command) => callOf(command, place) ?? command)].join(', then ');
}

/** `wrong-state`: what the state is, what is needed, and the calls that get there. */
export function wrongState(
  what: string,
  place: Place,
  state: string,
  needed: readonly string[],
): WalbError {
  const { s, vol } = place;
  const found = `volume ${vol} at ${s.name} is ${state}${state === 'Clear' ? ' (not known there)' : ''}`;
  const advice = adviceFor(place, state, needed);
  const lead = advice === '' ? '' : `: ${advice}`;
  return new WalbError(
    'wrong-state',
    `${what}: ${found}; it must be ${needed.join(' or ')}${lead}`,
    {
      details: { server: s.name, volume: vol, state },
    },
  );
}

/**
 * The error of a server with calls in place of the commands it advises: for that server, or for the one
 * whose refusal it passes on (`peer`). Of a peer that the layout does not know commands stay commands.
 */
export function inCalls(error: WalbError, asked: ServerParam, sLayout: ServerLayout): WalbError {
  const { volume, advice, ...details } = error.details;
  const { peer } = details;
  const s =
    peer === undefined ? asked : sLayout.get_all().find((one) => one.get_host_port() === peer);
  if (!['wrong-state', 'busy'].includes(error.code) || typeof volume !== 'string') return error;
  const message = error.message.replace(
    /`([^`]+)`/g,
    (text, command: string) =>
      (s === undefined ? undefined : callOf(command, { s, vol: volume, sLayout })) ?? text,
  );
  void advice; // It is in the message.
  return new WalbError(error.code, message, {
    details: { volume, ...details },
    cause: error.cause,
  });
}
