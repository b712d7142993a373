/** Errors say which call leads on. The ways are held to the state tables of the servers. */
import { describe, expect, test } from 'vitest';
import { archiveModel } from '../../../src/archive-server/states.ts';
import { WalbError } from '../../../src/core/index.ts';
import { refusal } from '../../../src/core/state-admission.ts';
import { proxyModel } from '../../../src/proxy-server/states.ts';
import { storageModel } from '../../../src/storage-server/states.ts';
import { K_ARCHIVE, K_PROXY, K_STORAGE, type ServerKind } from '../../../src/walbc/constants.ts';
import { Controller } from '../../../src/walbc/controller/controller.ts';
import {
  adviceFor,
  CALLS,
  callOf,
  ENDS,
  inCalls,
  WAYS,
  wayTo,
  wrongState,
} from '../../../src/walbc/controller/ways.ts';
import { ServerLayout } from '../../../src/walbc/layout.ts';
import { ServerConnectionParam } from '../../../src/walbc/servers.ts';

interface Row {
  readonly from: readonly string[];
  readonly via: string;
  readonly to: readonly string[];
  readonly trigger: string;
  readonly continues?: string;
  readonly hint?: string;
}

interface Table {
  readonly steady: readonly string[];
  readonly temporary: readonly string[];
  readonly transitions: readonly Row[];
}

const TABLES: Readonly<Record<ServerKind, Table>> = {
  [K_STORAGE]: storageModel,
  [K_PROXY]: proxyModel,
  [K_ARCHIVE]: archiveModel,
};
const KINDS: readonly ServerKind[] = [K_STORAGE, K_PROXY, K_ARCHIVE];

const server = (name: string, kind: ServerKind) => new ServerConnectionParam(name, 'h', 1, kind);
const [s0, p0, a0] = [server('s0', K_STORAGE), server('p0', K_PROXY), server('a0', K_ARCHIVE)];
const SERVERS = [s0, p0, a0];
const sLayout = new ServerLayout([s0], [p0], [a0]);
const at = (kind: ServerKind) => ({ s: SERVERS[kind]!, vol: 'vol', sLayout });

/** Where a transition leads by itself. */
function endOf(table: Table, row: Row): string {
  const end = row.to[0]!;
  const next = table.transitions.find((r) => r.trigger === row.continues && r.from.includes(end));
  return next === undefined ? end : endOf(table, next);
}

const commandsOf = (hint = ''): string[] => [...hint.matchAll(/`([^`]+)`/g)].map((m) => m[1]!);

describe.each(KINDS)('kind %i', (kind) => {
  const table = TABLES[kind];

  test('every way is a transition of the server that its table advises', () => {
    for (const { from, to, command } of WAYS[kind]) {
      const row = table.transitions.find(
        (one) =>
          commandsOf(one.hint).includes(command) &&
          from.every((state) => one.from.includes(state)) &&
          endOf(table, one) === to,
      );
      expect(row, `${from} -> ${to} by ${command}`).toBeDefined();
    }
  });

  test('temporary states end where the table says, and none is left out', () => {
    const ends = Object.fromEntries(table.transitions.map((row) => [row.via, endOf(table, row)]));
    expect(ENDS[kind]).toEqual(ends);
    expect(Object.keys(ENDS[kind]).sort()).toEqual([...table.temporary].sort());
  });

  test('every command that the server may advise has a call, of a method there is', () => {
    const commands = table.transitions.flatMap(({ hint }) => commandsOf(hint));
    for (const command of [...commands, ...Object.keys(CALLS[kind])]) {
      const call = callOf(command, at(kind));
      const method = /^walbc\.(\w+)\(/.exec(call ?? '')?.[1];
      expect(Controller.prototype, command).toHaveProperty(method ?? 'no call');
    }
  });

  test('from every state there is a way to every steady one', () => {
    for (const state of [...table.steady, ...table.temporary]) {
      for (const needed of table.steady) {
        const way = wayTo(kind, state, [needed]);
        const isThere = state === needed || ENDS[kind][state] === needed;
        expect(way?.length ?? -1, `${state} -> ${needed}`).toBeGreaterThanOrEqual(isThere ? 0 : 1);
        const advice = adviceFor(at(kind), state, [needed]);
        if (!isThere) expect(advice).toMatch(/walbc\.\w+\(/);
        if (table.temporary.includes(state)) expect(advice).toMatch(/^wait until /);
      }
    }
  });

  test('every refusal of a server is told in calls', () => {
    const model = table as unknown as typeof storageModel;
    for (const command of Object.keys(model.rules) as (keyof typeof model.rules)[]) {
      for (const state of [...model.steady, ...model.temporary]) {
        const error = refusal(model, command, {
          volume: 'vol',
          state,
          stopState: 'NotStopping',
          actions: { running: () => [] },
          foreground: { running: 0, limit: 1 },
        });
        if (error === undefined) continue;
        const told = inCalls(error, SERVERS[kind]!, sLayout);
        expect(told.code).toBe(error.code);
        expect(told.message).toContain(`volume vol is ${state}`);
        expect(told.message).not.toContain('`');
        expect(told.details).not.toHaveProperty('advice');
        if (error.message.includes('`')) expect(told.message).toMatch(/walbc\.\w+\(/);
      }
    }
  });
});

describe('messages', () => {
  test.each([
    [K_STORAGE, 'Target', ['SyncReady', 'Standby', 'Stopped'], "walbc.stop(s0, 'vol')"],
    [K_STORAGE, 'Stopped', ['Target'], "walbc.start(s0, 'vol')"],
    [K_STORAGE, 'Clear', ['SyncReady'], "walbc.init_storage(s0, 'vol', '/dev/walb/NAME')"],
    [K_STORAGE, 'Target', ['SyncReady'], "walbc.stop(s0, 'vol'), then walbc.reset(s0, 'vol')"],
    [K_STORAGE, 'FullSync', ['Target'], 'wait until FullSync has ended'],
    [
      K_PROXY,
      'Clear',
      ['Started'],
      "walbc.add_archive_to_proxy(p0, 'vol', a0), then walbc.start(p0, 'vol')",
    ],
    [K_ARCHIVE, 'SyncReady', ['Archived', 'WdiffRecv'], "walbc.full_backup(s0, 'vol')"],
    [K_ARCHIVE, 'Stopped', ['Archived'], "walbc.start(a0, 'vol')"],
  ] as const)('kind %i: from %s to %j', (kind, state, needed, advice) => {
    expect(adviceFor(at(kind), state, needed)).toBe(advice);
  });

  test('what was found, what is needed, what to call', () => {
    const error = wrongState('prepare_backup:bad state', at(K_STORAGE), 'Target', [
      'SyncReady',
      'Stopped',
    ]);
    expect(error.message).toBe(
      "prepare_backup:bad state: volume vol at s0 is Target; it must be SyncReady or Stopped: walbc.stop(s0, 'vol')",
    );
    expect(error).toMatchObject({
      code: 'wrong-state',
      details: { server: 's0', volume: 'vol', state: 'Target' },
    });
    const unknown = wrongState('x', at(K_ARCHIVE), 'Strange', ['Archived']);
    expect(unknown.message).toBe('x: volume vol at a0 is Strange; it must be Archived');
  });

  test('with several storages the operator chooses', () => {
    const two = new ServerLayout([s0, server('s1', K_STORAGE)], [], [a0]);
    expect(callOf('full-bkp', { s: a0, vol: 'vol', sLayout: two })).toBe(
      "walbc.full_backup(sx, 'vol')",
    );
  });

  test('a refusal that a server passes on is advised at the server it is from', () => {
    const archive = new ServerConnectionParam('a0', 'archive', 1, K_ARCHIVE);
    const layout = new ServerLayout([s0], [p0], [archive]);
    const refused = (peer: string): WalbError =>
      new WalbError('wrong-state', `${peer} answers: volume vol is Archived: run \`stop\``, {
        details: { volume: 'vol', peer },
      });
    expect(inCalls(refused('archive:1'), s0, layout).message).toBe(
      `archive:1 answers: volume vol is Archived: run walbc.stop(a0, 'vol')`,
    );
    // Under an address that the layout does not have, it may be any server.
    expect(inCalls(refused('x:1'), s0, layout).message).toMatch(/run `stop`$/);
  });

  test('other errors are left as they are', () => {
    const error = new WalbError('io', 'run `stop`', { details: { volume: 'vol' } });
    expect(inCalls(error, s0, sLayout)).toBe(error);
    const strange = new WalbError('wrong-state', 'run `dance`', { details: { volume: 'vol' } });
    expect(inCalls(strange, s0, sLayout).message).toBe('run `dance`');
  });
});
