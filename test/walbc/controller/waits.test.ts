/**
 * Waiting (controller-api.md 5.9, 5.6): what ends a wait, what a time-out says, and what becomes of it
 * when the connection breaks or the server dies.
 */
import { describe, expect, it } from 'vitest';
import { WalbError } from '../../../src/core/index.ts';
import { Action, VolumeState } from '../../../src/rpc/index.ts';
import { FakeGroup, VOL } from './fakes.ts';

const { STOPPED, TARGET, STANDBY, SYNC_READY, ARCHIVED, STARTED, START_TARGET } = VolumeState;

/** Long enough for anything here, short enough when it fails. */
const SOON = 100;

describe('a state that comes', () => {
  it('ends the wait the moment the server says so', async () => {
    await using group = await FakeGroup.start('s0');
    const s0 = group.get('s0');
    s0.state = START_TARGET;
    const waiting = group.controller._wait_for_state_change(
      ...([s0.param, VOL, [START_TARGET], [TARGET], SOON] as const),
    );
    await s0.watched();
    s0.set(TARGET);
    await waiting;
    expect(group.reports[0]).toMatchObject({ server: 's0', volume: VOL, what: 'state Target' });
    // A text as goal is one state.
    await group.controller._wait_for_state_change(s0.param, VOL, [START_TARGET], TARGET, SOON);
  });

  it('a state that is neither on the way nor the goal ends it with an error', async () => {
    await using group = await FakeGroup.start('s0');
    const s0 = group.get('s0');
    s0.state = START_TARGET;
    const waiting = group.controller._wait_for_state_change(
      ...([s0.param, VOL, [START_TARGET], [TARGET], SOON] as const),
    );
    const failed = expect(waiting).rejects.toThrow(/bad goal.*s0.*Target.*Stopped/);
    await s0.watched();
    s0.set(STOPPED);
    await failed;
  });

  it('_wait_for_state, _wait_for_not_state and _wait_for_state_cond', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    const { controller } = group;
    a0.state = SYNC_READY;
    await controller._wait_for_not_state(a0.param, VOL, [ARCHIVED]);
    const waits = [
      controller._wait_for_state(a0.param, VOL, [ARCHIVED, STOPPED], SOON),
      controller._wait_for_not_state(a0.param, VOL, [SYNC_READY], SOON),
      controller._wait_for_state_cond(a0.param, VOL, (state) => state === ARCHIVED, 'it', SOON),
    ];
    await a0.watched();
    a0.set(ARCHIVED);
    await Promise.all(waits);
  });
});

describe('a time-out says what was waited for and what is missing', () => {
  it('a state', async () => {
    await using group = await FakeGroup.start('s0');
    group.get('s0').state = START_TARGET;
    const waiting = group.controller._wait_for_state(group.param('s0'), VOL, [TARGET], 1);
    await expect(waiting).rejects.toMatchObject({
      code: 'timeout',
      message: `timeout: waited 1 s for state Target of volume ${VOL} at s0: state StartTarget`,
    });
  });

  it('a snapshot: what is restorable instead', async () => {
    await using group = await FakeGroup.start('a0');
    group.get('a0').state = ARCHIVED;
    const waiting = (): Promise<void> =>
      group.controller.wait_for_restorable(group.param('a0'), VOL, 9, 1);
    await expect(waiting()).rejects.toThrow(/gid 9 to be restorable.*nothing is restorable/);
    group.get('a0').gids = [1n, 2n, 3n, 4n, 5n, 6n];
    await expect(waiting()).rejects.toThrow(/restorable: \.\.\. 2 3 4 5 6 \(6 in all\)/);
  });

  it('an action', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    a0.setRunning(Action.APPLY, 1);
    const waiting = group.controller._wait_for_no_action(a0.param, VOL, 'Apply', 1);
    await expect(waiting).rejects.toThrow(/the end of Apply.*running Apply/);
    const wrong = group.controller._wait_for_no_action(a0.param, VOL, 'WlogSend', 1);
    await expect(wrong).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('a task that does not end', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    a0.holdsTasks = true;
    const restoring = group.controller.restore(a0.param, VOL, 1, 1);
    await expect(restoring).rejects.toThrow(/waited 1 s for the end of restore of gid 1/);
  });

  it('a server that can not be reached', async () => {
    await using group = await FakeGroup.start('a0');
    group.get('a0').crash();
    const waiting = group.controller._wait_for_state(group.param('a0'), VOL, [ARCHIVED], 1);
    await expect(waiting).rejects.toThrow(/at a0: it can not be reached/);
  });
});

describe('a time-out of 0', () => {
  it('looks once', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    a0.gids = [1n];
    const { controller } = group;
    await controller._wait_for_state(a0.param, VOL, [ARCHIVED], 0);
    await controller.wait_for_restorable(a0.param, VOL, 1, 0);
    await expect(controller.wait_for_restorable(a0.param, VOL, 2, 0)).rejects.toMatchObject({
      code: 'timeout',
    });
    await expect(controller._wait_for_state(a0.param, VOL, [STOPPED], 0)).rejects.toThrow(
      'state Archived',
    );
  });

  it('does not wait for a server that is away', async () => {
    await using group = await FakeGroup.start('a0');
    group.get('a0').crash();
    const waiting = group.controller._wait_for_state(group.param('a0'), VOL, [ARCHIVED], 0);
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('while somebody waits', () => {
  it('a dropped connection is made again, and nothing is missed', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    const waiting = group.controller.wait_for_restorable(a0.param, VOL, 5, SOON);
    await a0.watched();
    a0.drop();
    a0.gids = [5n];
    a0.changed();
    await waiting;
    expect(group.reports.some(({ unreachable }) => unreachable !== undefined)).toBe(true);
  });

  it('a server that dies and comes back is followed again', async () => {
    await using group = await FakeGroup.start('s0');
    const s0 = group.get('s0');
    s0.state = START_TARGET;
    const waiting = group.controller._wait_for_state(s0.param, VOL, [TARGET], SOON);
    await s0.watched();
    s0.crash();
    s0.state = TARGET;
    await s0.restart();
    await waiting;
  });

  it('a server that dies in a task: its outcome is not known, and the error says what is there', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    a0.holdsTasks = true;
    const restoring = group.controller.restore(a0.param, VOL, 1, SOON);
    const failed = expect(restoring).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringMatching(/a0 was restarted while restore of gid 1.*Archived/),
    });
    await a0.watched();
    await group.settle();
    expect(group.steps()).toEqual(['a0 restore 1']);
    a0.crash();
    await a0.restart();
    await failed;
  });

  it('a server that stays away ends the wait before its time', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    const waiting = group.controller.wait_for_restorable(a0.param, VOL, 5, 400);
    const failed = expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await a0.watched();
    a0.crash();
    await group.settle();
    group.clock.skip(300_000);
    await failed;
  });

  it('an interrupt ends it; the controller can be used again', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    const waiting = group.controller.wait_for_restorable(a0.param, VOL, 5, SOON);
    const failed = expect(waiting).rejects.toMatchObject({ code: 'cancelled' });
    await a0.watched();
    group.controller.interrupt();
    await failed;
    expect(await group.controller.get_state(a0.param, VOL)).toBe(ARCHIVED);
  });
});

describe('wait_for_stopped', () => {
  it.each([
    ['s0', TARGET, VolumeState.STOP_TARGET, STOPPED],
    ['s0', STANDBY, VolumeState.STOP_STANDBY, SYNC_READY],
    ['s0', VolumeState.FULL_SYNC, VolumeState.FULL_SYNC, SYNC_READY],
    ['s0', VolumeState.HASH_SYNC, VolumeState.HASH_SYNC, STOPPED],
    ['p0', STARTED, VolumeState.WAIT_FOR_EMPTY, STOPPED],
    ['a0', ARCHIVED, VolumeState.STOP, STOPPED],
  ])('%s from %s through %s to %s', async (name, before, during, goal) => {
    await using group = await FakeGroup.start('s0', 'p0', 'a0');
    const server = group.get(name);
    server.state = during;
    server.isStopping = true;
    const waiting = group.controller.wait_for_stopped(server.param, VOL, before, SOON);
    await server.watched();
    server.isStopping = false;
    server.set(goal);
    await waiting;
    // What is there already is not waited for.
    await group.controller.wait_for_stopped(server.param, VOL, before, 0);
  });

  it('throws when the server has given the stop up', async () => {
    await using group = await FakeGroup.start('p0');
    const p0 = group.get('p0');
    p0.state = STARTED;
    p0.isStopping = true;
    const waiting = group.controller.wait_for_stopped(p0.param, VOL, null, SOON);
    const failed = expect(waiting).rejects.toThrow(/not being stopped/);
    await p0.watched();
    p0.isStopping = false;
    p0.changed();
    await failed;
  });

  it('a storage needs the state before', async () => {
    await using group = await FakeGroup.start('s0');
    const waiting = group.controller.wait_for_stopped(group.param('s0'), VOL);
    await expect(waiting).rejects.toMatchObject({ code: 'invalid-argument' });
  });

  it('a stop that fails throws why', async () => {
    await using group = await FakeGroup.start('a0');
    group.get('a0').state = ARCHIVED;
    group.get('a0').on['stop'] = () => {
      throw new WalbError('timeout', 'gave up after 60 s');
    };
    await expect(group.controller.stop(group.param('a0'), VOL)).rejects.toThrow(
      'gave up after 60 s',
    );
  });
});

describe('verify_not_restorable', () => {
  it('passes when the snapshot does not come, or the archive is away', async () => {
    await using group = await FakeGroup.start('a0');
    const a0 = group.get('a0');
    a0.state = ARCHIVED;
    a0.gids = [1n];
    const { controller } = group;
    await controller.verify_not_restorable(a0.param, VOL, 2, 1, 'too early');
    await expect(
      controller.verify_not_restorable(a0.param, VOL, 1, 1, 'too early'),
    ).rejects.toThrow('too early');
    a0.crash();
    await controller.verify_not_restorable(a0.param, VOL, 1, 1, 'too early');
  });
});

it('wait_for_restored: the image must be there when no restore runs any more', async () => {
  await using group = await FakeGroup.start('a0');
  const a0 = group.get('a0');
  a0.state = ARCHIVED;
  a0.setRunning(Action.RESTORE, 1);
  const waiting = group.controller.wait_for_restored(a0.param, VOL, 1, SOON);
  await a0.watched();
  a0.restored = [1n];
  a0.setRunning(Action.RESTORE, 0);
  await waiting;
  await expect(group.controller.wait_for_restored(a0.param, VOL, 2, SOON)).rejects.toThrow(
    'wait_for_restored:failed',
  );
});
