import { describe, expect, it } from 'vitest';
import {
  ActionCounter,
  type LogFields,
  type Logger,
  Notifier,
  StateMachine,
  StopControl,
  silentLogger,
  type TransitionTable,
  tableDefects,
} from '../../src/core/index.ts';

type State = 'Off' | 'On' | 'Gone' | 'Booting' | 'Halting' | 'Warming' | 'Pinging';
type Trigger = 'boot' | 'warm' | 'halt' | 'ping';

const TABLE: TransitionTable<State, Trigger> = {
  server: 'test',
  steady: ['Off', 'On', 'Gone'],
  temporary: ['Booting', 'Halting', 'Warming', 'Pinging'],
  transitions: [
    { trigger: 'boot', from: ['Off', 'Gone'], via: 'Booting', to: ['On'] },
    { trigger: 'warm', from: ['Off'], via: 'Warming', to: ['Off'], continues: 'boot' },
    { trigger: 'halt', from: ['On'], via: 'Halting', to: ['Off', 'Gone'] },
    { trigger: 'ping', from: ['On'], via: 'Pinging', to: ['On'], isRoutine: true },
  ],
};

function recordingLogger(): { log: Logger; lines: { level: string; fields: LogFields }[] } {
  const lines: { level: string; fields: LogFields }[] = [];
  const at = (level: string) => (fields: LogFields) => void lines.push({ level, fields });
  const log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  return { log: { ...log, child: () => silentLogger }, lines };
}

function machine(initial: State, log = silentLogger): StateMachine<State, Trigger> {
  return new StateMachine(TABLE, { initial, log });
}

describe('StateMachine', () => {
  it('goes through the temporary state and writes one log line', () => {
    const { log, lines } = recordingLogger();
    const m = machine('Off', log);
    const boot = m.begin('boot');
    expect([m.state, m.isSteady, boot.from, boot.via]).toEqual([
      'Booting',
      false,
      'Off',
      'Booting',
    ]);
    boot.commit();
    expect([m.state, m.isSteady]).toEqual(['On', true]);
    m.begin('ping').commit();
    expect(lines).toEqual([
      { level: 'info', fields: { trigger: 'boot', from: 'Off', via: 'Booting', to: 'On' } },
      { level: 'debug', fields: { trigger: 'ping', from: 'On', via: 'Pinging', to: 'On' } },
    ]);
  });

  it('starts nothing else while a transition is under way', () => {
    const m = machine('On');
    m.begin('ping');
    expect(m.canBegin('halt')).toBe(false);
    expect(() => m.begin('halt')).toThrow(expect.objectContaining({ code: 'busy' }));
    expect(() => m.begin('halt')).toThrow('halt must wait: ping is under way (state Pinging)');
    expect(() => m.force('Off')).toThrow(expect.objectContaining({ code: 'busy' }));
    expect(m.state).toBe('Pinging');
  });

  it('refuses a trigger from the wrong state and says from where it starts', () => {
    const m = machine('On');
    expect(() => m.begin('boot')).toThrow('boot starts from Off or Gone, not from On');
    expect(() => m.begin('boot')).toThrow(expect.objectContaining({ code: 'wrong-state' }));
  });

  it('returns to where it began on failure, also when the scope is left by a throw', () => {
    const { log, lines } = recordingLogger();
    const m = machine('Gone', log);
    const fail = (): void => {
      using _boot = m.begin('boot');
      throw new Error('no');
    };
    expect(fail).toThrow('no');
    expect(m.state).toBe('Gone');
    const reason = new Error('disk');
    m.begin('boot').rollback(reason);
    expect(m.state).toBe('Gone');
    expect(lines.map((line) => line.level)).toEqual(['warn', 'warn']);
    expect(lines[1]?.fields.err).toBe(reason);
  });

  it('chooses among results at commit', () => {
    const m = machine('On');
    m.begin('halt').commit('Gone');
    expect(m.state).toBe('Gone');
    m.begin('boot').commit();
    const halt = m.begin('halt');
    expect(() => halt.commit('On')).toThrow(/ends in Off or Gone/);
    expect(m.state).toBe('Halting');
    halt.commit();
    expect(m.state).toBe('Off');
  });

  it('ends once: a late commit is a defect, a late rollback does nothing', () => {
    const m = machine('Off');
    const boot = m.begin('boot');
    boot.commit();
    expect(() => boot.commit()).toThrow(/ended already/);
    expect(() => boot.proceed()).toThrow(/no continuation/);
    boot.rollback();
    expect(m.state).toBe('On');
  });

  it('proceeds into the continuation without offering the state between', () => {
    const m = machine('Off');
    const seen: State[] = [];
    m.changed.subscribe(() => seen.push(m.state));
    const boot = m.begin('warm').proceed();
    expect(boot.from).toBe('Off');
    boot.commit();
    expect(seen).toEqual(['Warming', 'Booting', 'On']);
  });

  it('tells waiters, even of states that last one moment', async () => {
    const m = machine('Off');
    const wait = m.until(['Booting']);
    m.begin('boot').commit();
    expect(await wait).toBe('Booting');
    expect(await m.until(['On', 'Off'])).toBe('On');
  });

  it('forces only steady states', () => {
    const m = machine('Off');
    m.force('Gone');
    expect(m.state).toBe('Gone');
    expect(() => m.force('Booting')).toThrow(
      'Booting is not a steady state of test: Off, On, Gone',
    );
    expect(() => machine('Halting')).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
  });

  it('refuses an unsound table', () => {
    const broken: TransitionTable<State, Trigger> = {
      ...TABLE,
      temporary: ['Booting', 'Off'],
      transitions: [
        { trigger: 'boot', from: ['Off', 'Off'], via: 'On', to: [] },
        { trigger: 'ping', from: ['Booting'], via: 'Booting', to: ['On'] },
      ],
    };
    expect(tableDefects(broken)).toEqual([
      'boot: no result',
      'On is not a temporary state',
      'two rows for boot from Off',
      'Booting is not a steady state',
      'no transition uses Off',
      'Off is steady and temporary',
    ]);
    expect(() => new StateMachine(broken, { initial: 'Off' })).toThrow(/state table of test/);
    expect(tableDefects(TABLE)).toEqual([]);
  });
});

describe('StopControl', () => {
  it('is one stop at a time and ends once', () => {
    const stop = new StopControl();
    const first = stop.begin('graceful');
    expect([stop.state, stop.isStopping]).toEqual(['Stopping', true]);
    expect(() => stop.begin('force')).toThrow(/already under stopping/);
    // The refused second stop must not end the first (a quirk of the original, semantics.md B.7).
    expect(stop.state).toBe('Stopping');
    first.end();
    using _second = stop.begin('empty');
    first.end();
    expect(stop.state).toBe('WaitingForEmpty');
  });

  it('aborts work under way only by force, and work begun later not at all', () => {
    const stop = new StopControl();
    const before = stop.forceSignal;
    stop.begin('graceful').end();
    expect(before.aborted).toBe(false);
    const force = stop.begin('force');
    expect([before.aborted, stop.state]).toEqual([true, 'ForceStopping']);
    expect(before.reason).toEqual(expect.objectContaining({ code: 'cancelled' }));
    force.end();
    expect([stop.forceSignal.aborted, stop.state]).toEqual([false, 'NotStopping']);
  });
});

describe('ActionCounter', () => {
  it('counts, remembers the last begin, and denies', () => {
    let now = 100;
    const actions = new ActionCounter<'Apply' | 'Merge'>(() => now);
    const merge = actions.begin('Merge');
    now = 200;
    const second = actions.begin('Merge');
    expect([actions.count('Merge'), actions.total, actions.lastBegin('Merge')]).toEqual([
      2, 2, 200,
    ]);
    expect(actions.lastBegin('Apply')).toBe(0);
    expect(actions.tryBegin('Apply', ['Merge'])).toBeUndefined();
    expect(actions.tryBegin('Apply', 'all')).toBeUndefined();
    expect(actions.running(['Apply'])).toEqual([]);
    merge.end();
    merge.end();
    expect(actions.running()).toEqual(['Merge']);
    second.end();
    expect(actions.total).toBe(0);
    using apply = actions.tryBegin('Apply', ['Merge']);
    expect(apply).toBeDefined();
    expect(actions.lastBegin('Merge')).toBe(200);
  });

  it('shares one notifier with the state machine: a stop waits for both', async () => {
    const changed = new Notifier();
    const m = new StateMachine(TABLE, { initial: 'On', changed });
    const actions = new ActionCounter(() => 1, changed);
    const ping = m.begin('ping');
    const action = actions.begin('WlogSend');
    let isQuiet = false;
    const wait = changed
      .until(() => m.isSteady && actions.total === 0)
      .then(() => {
        isQuiet = true;
      });
    ping.commit();
    await Promise.resolve();
    expect(isQuiet).toBe(false);
    action.end();
    await wait;
    expect(isQuiet).toBe(true);
  });
});
