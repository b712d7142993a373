// semantics.md E.1-E.3: every trigger and every command in every state of the three servers. The
// expectations are written out here a second time on purpose.
import { describe, expect, it } from 'vitest';
import { archiveModel } from '../../src/archive-server/states.ts';
import {
  ActionCounter,
  describeNeed,
  refusal,
  STOP_STATES,
  StateMachine,
  type StateModel,
  type StopState,
  tableDefects,
} from '../../src/core/index.ts';
import { proxyModel } from '../../src/proxy-server/states.ts';
import { storageModel } from '../../src/storage-server/states.ts';

type AnyModel = StateModel<string, string, string, string>;

/** Widened to strings: these tests walk over all names. */
const MODELS = {
  storage: storageModel as unknown as AnyModel,
  proxy: proxyModel as unknown as AnyModel,
  archive: archiveModel as unknown as AnyModel,
};

/** trigger: "from via to" for each row. */
const TRANSITIONS: Record<keyof typeof MODELS, Record<string, string[]>> = {
  storage: {
    'init-vol': ['Clear InitVol SyncReady'],
    'clear-vol': ['SyncReady ClearVol Clear'],
    'start-standby': ['SyncReady StartStandby Standby'],
    'stop-standby': ['Standby StopStandby SyncReady'],
    'full-sync': ['SyncReady FullSync Stopped'],
    'hash-sync': ['SyncReady HashSync Stopped'],
    'reset-vol': ['Stopped Reset SyncReady'],
    'start-target': ['Stopped StartTarget Target'],
    'stop-target': ['Target StopTarget Stopped'],
  },
  proxy: {
    'archive-info-add': ['Clear AddArchiveInfo Stopped', 'Stopped AddArchiveInfo Stopped'],
    'archive-info-delete': ['Stopped DeleteArchiveInfo Stopped'],
    'clear-vol': ['Stopped ClearVol Clear'],
    start: ['Stopped Start Started'],
    stop: ['Started Stop Stopped'],
    'stop-empty': ['Started WaitForEmpty Stopped'],
    'wlog-recv': ['Started WlogRecv Started'],
  },
  archive: {
    'init-vol': ['Clear InitVol SyncReady'],
    'clear-vol': ['SyncReady ClearVol Clear', 'Stopped ClearVol Clear'],
    'reset-vol': ['SyncReady ResetVol SyncReady', 'Stopped ResetVol SyncReady'],
    'full-sync': ['SyncReady FullSync Archived'],
    resync: ['SyncReady Resync Archived'],
    'hash-sync': ['Archived HashSync Archived'],
    'wdiff-recv': ['Archived WdiffRecv Archived'],
    'repl-sync': ['Archived ReplSyncAsServer Archived'],
    stop: ['Archived Stop Stopped'],
    start: ['Stopped Start Archived'],
  },
};

const A = 'Archived HashSync WdiffRecv ReplSyncAsServer';
const A_STOPPED = `${A} Stopped`;
const BUSY = 'Restore ReplSyncAsClient Apply Merge Resize';
const SENDING = 'Started WlogRecv WaitForEmpty';

/** command: states | actions that must not run | stop states (N: not stopping, E: until empty). */
const COMMANDS: Record<keyof typeof MODELS, Record<string, string>> = {
  storage: {
    'init-vol': 'Clear||',
    'clear-vol': 'SyncReady||',
    'reset-vol': 'Stopped||N',
    'start target': 'Stopped||N',
    'start standby': 'SyncReady||N',
    stop: 'Target Standby +temporary||N',
    'full-bkp': 'SyncReady||N',
    'hash-bkp': 'SyncReady||N',
    snapshot: 'Target Stopped||N',
    resize: 'SyncReady Stopped Target Standby||N',
    'get is-overflow': '!Clear||',
    'get uuid': '!Clear||',
    'get log-usage': '!Clear||',
    'dbg-dump-logpack-header': '!Clear||',
    WlogSend: 'Target FullSync HashSync|*|N',
    WlogRemove: 'Standby|*|N',
  },
  proxy: {
    start: 'Stopped|*|N',
    stop: 'Started +temporary||N',
    'archive-info add': 'Clear Stopped|*|',
    'archive-info update': 'Clear Stopped|*|',
    'archive-info delete': 'Stopped|*|',
    'clear-vol': 'Stopped|*|N',
    resize: 'Stopped||N',
    kick: `${SENDING}||`,
    'get is-wdiff-send-error': '!Clear||',
    'wlog-transfer': 'Started||N',
    'wdiff-send': `${SENDING}||N E`,
  },
  archive: {
    'init-vol': 'Clear|*|',
    'clear-vol': 'SyncReady Stopped|*|',
    'reset-vol': 'SyncReady Stopped|*|',
    start: 'Stopped|*|',
    stop: 'Archived +temporary||N',
    restore: `${A}|Restore Resize|N`,
    'del-restored': `${A_STOPPED}|Restore Resize|N`,
    'del-cold': `${A_STOPPED}|Restore Resize|N`,
    replicate: `${A}|${BUSY}|N`,
    apply: `${A}|${BUSY}|N`,
    merge: `${A}|Apply Merge Resize|N`,
    resize: `SyncReady ${A_STOPPED}|Restore ReplSyncAsClient Apply Resize|N`,
    'disable-snapshot': `${A}|Apply Merge|`,
    'enable-snapshot': `${A}|Apply Merge|`,
    'gc-diff': `${A_STOPPED}|*|`,
    'dbg-reload-metadata': '!|*|',
    'full-backup': 'SyncReady|*|N',
    'hash-backup': 'Archived|*|N',
    replication: 'SyncReady Archived|*|N',
    'wdiff-transfer': 'Archived||N',
    bhash: `${A}||`,
    'virt-full-scan': `${A}||`,
    'get restored': `${A_STOPPED}||N`,
    'get cold': `${A_STOPPED}||N`,
    'get exists-diff': `${A_STOPPED}||`,
    'get restorable': '!||N',
    'get uuid': `${A}||`,
    'get archive-uuid': `${A}||`,
    'get base': `${A}||`,
    'get num-action': '!Clear||',
  },
};

/** Those that count as foreground tasks (F.1). */
const FOREGROUND = [
  'storage full-bkp',
  'storage hash-bkp',
  'proxy wlog-transfer',
  'archive restore',
  'archive replicate',
  'archive apply',
  'archive merge',
  'archive full-backup',
  'archive hash-backup',
  'archive replication',
  'archive wdiff-transfer',
  'archive virt-full-scan',
];

const SERVERS = Object.keys(MODELS) as (keyof typeof MODELS)[];

function statesOf(model: AnyModel): string[] {
  return [...model.steady, ...model.temporary];
}

/** Brings a real machine into the state, through its tables. */
function machineIn(model: AnyModel, state: string): StateMachine<string, string> {
  const row = model.transitions.find((r) => r.via === state);
  const machine = new StateMachine(model, { initial: row?.from[0] ?? state });
  if (row !== undefined) machine.begin(row.trigger);
  expect(machine.state).toBe(state);
  return machine;
}

function isAllowed(model: AnyModel, states: string, state: string): boolean {
  if (states.startsWith('!')) return state !== states.slice(1);
  const words = states.split(' ');
  return words.includes(state) || (words.includes('+temporary') && model.temporary.includes(state));
}

describe.each(SERVERS)('%s: transitions', (server) => {
  const model = MODELS[server];
  const expected = TRANSITIONS[server];

  it('has a sound table with exactly the expected triggers', () => {
    expect(tableDefects(model)).toEqual([]);
    expect([...new Set(model.transitions.map((row) => row.trigger))].sort()).toEqual(
      Object.keys(expected).sort(),
    );
  });

  it.each(statesOf(model))('every trigger in %s', (state) => {
    for (const [trigger, rows] of Object.entries(expected)) {
      const machine = machineIn(model, state);
      const row = rows.find((text) => text.startsWith(`${state} `))?.split(' ');
      const isTemporary = model.temporary.includes(state);
      if (row === undefined || isTemporary) {
        const code = isTemporary ? 'busy' : 'wrong-state';
        expect(() => machine.begin(trigger), trigger).toThrow(expect.objectContaining({ code }));
        expect(machine.state).toBe(state);
        continue;
      }
      const transition = machine.begin(trigger);
      expect(machine.state).toBe(row[1]);
      transition.rollback();
      expect(machine.state).toBe(state);
      machine.begin(trigger).commit();
      expect(machine.state).toBe(row[2]);
    }
  });
});

describe.each(SERVERS)('%s: commands', (server) => {
  const model = MODELS[server];
  const expected = COMMANDS[server];
  const situation = (state: string, stopState: StopState, running: string[], foreground = 0) => {
    const actions = new ActionCounter(() => 0);
    for (const action of running) actions.begin(action);
    return {
      volume: 'v',
      state,
      stopState,
      actions,
      foreground: { running: foreground, limit: 1 },
    };
  };

  it('has exactly the expected rules', () => {
    expect(Object.keys(model.rules).sort()).toEqual(Object.keys(expected).sort());
  });

  it.each(statesOf(model))('every command in %s', (state) => {
    for (const [command, text] of Object.entries(expected)) {
      const error = refusal(model, command, situation(state, 'NotStopping', []));
      const should = isAllowed(model, text.split('|')[0] ?? '', state);
      expect(error === undefined, `${command} in ${state}`).toBe(should);
      if (error === undefined) continue;
      expect(['wrong-state', 'busy']).toContain(error.code);
      expect(error.message).toContain(`volume v is ${state}`);
      const needed = model.rules[command]?.states;
      if (needed !== undefined && needed !== 'any') {
        expect(error.message).toContain(`${command} needs ${describeNeed(model, needed)}`);
      }
      // There is always a way, and it is named.
      expect(error.message).toMatch(/run `|wait until/);
    }
  });

  it.each(STOP_STATES)('every command while %s', (stopState) => {
    for (const [command, text] of Object.entries(expected)) {
      const [states = '', , allowed = ''] = text.split('|');
      const state = statesOf(model).find((s) => isAllowed(model, states, s)) as string;
      const code = refusal(model, command, situation(state, stopState, []))?.code;
      const words = allowed.split(' ');
      const should =
        allowed === '' ||
        stopState === 'NotStopping' ||
        (words.includes('E') && stopState === 'WaitingForEmpty');
      expect(code, `${command} while ${stopState}`).toBe(should ? undefined : 'busy');
    }
  });

  const actions = model.actions.length > 0 ? model.actions : ['a0'];
  it.each(actions)('every command while %s runs', (action) => {
    for (const [command, text] of Object.entries(expected)) {
      const [states = '', denied = ''] = text.split('|');
      const state = statesOf(model).find((s) => isAllowed(model, states, s)) as string;
      const code = refusal(model, command, situation(state, 'NotStopping', [action]))?.code;
      const isDenied = denied === '*' || denied.split(' ').includes(action);
      expect(code, `${command} while ${action}`).toBe(isDenied ? 'busy' : undefined);
    }
  });

  it('counts the right commands as foreground tasks', () => {
    for (const [command, text] of Object.entries(expected)) {
      const state = statesOf(model).find((s) => isAllowed(model, text.split('|')[0] ?? '', s));
      const code = refusal(model, command, situation(state as string, 'NotStopping', [], 1))?.code;
      const isForeground = FOREGROUND.includes(`${server} ${command}`);
      expect(code, command).toBe(isForeground ? 'limit-exceeded' : undefined);
    }
  });
});

describe('details of the tables', () => {
  it('storage backups go on to Target without offering Stopped (B.6)', () => {
    const machine = new StateMachine(storageModel, { initial: 'SyncReady' });
    const seen: string[] = [];
    machine.changed.subscribe(() => seen.push(machine.state));
    machine.begin('full-sync').proceed().commit();
    expect(seen).toEqual(['FullSync', 'StartTarget', 'Target']);
  });

  it('a proxy volume is Clear once its last archive is deleted (C.1)', () => {
    const machine = new StateMachine(proxyModel, { initial: 'Stopped' });
    machine.begin('archive-info-delete').commit('Clear');
    expect(machine.state).toBe('Clear');
  });

  it('names every state set of the controller library (controller-api.md 1.1)', () => {
    expect(storageModel.stateSets['DuringFullSync']).toEqual([
      'FullSync',
      'Stopped',
      'StartTarget',
    ]);
    expect(proxyModel.stateSets['DuringStop']).toEqual([
      'Started',
      'WlogRecv',
      'Stop',
      'WaitForEmpty',
    ]);
    expect([...(archiveModel.stateSets['Active'] ?? [])].sort()).toEqual(A.split(' ').sort());
    expect([...(archiveModel.stateSets['AcceptForResize'] ?? [])].sort()).toEqual(
      `SyncReady ${A_STOPPED}`.split(' ').sort(),
    );
  });
});
