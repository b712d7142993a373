/** Every command of a storage in every steady state (semantics.md E.1). */
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../src/core/index.ts';
import { ControlRpc, StopMode, StorageRpc } from '../../src/rpc/index.ts';
import { outcomeOf, ServerWorld } from '../server/server-world.ts';
import { DEVICE, FakeDevice, type Stored, startStorage, store, VOLUME } from './support.ts';

const backup = { volume: VOLUME, bulkBytes: 0, compression: undefined };

const COMMANDS: Record<string, (channel: Channel) => Promise<unknown>> = {
  'init-vol': (c) => c.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: DEVICE }),
  'clear-vol': (c) => c.unary(ControlRpc.clearVolume, { volume: VOLUME }),
  'reset-vol': (c) => c.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 7n }),
  'start target': (c) => c.unary(ControlRpc.start, { volume: VOLUME, role: 'target' }),
  'start standby': (c) => c.unary(ControlRpc.start, { volume: VOLUME, role: 'standby' }),
  stop: (c) => c.unary(ControlRpc.stop, { volume: VOLUME, mode: StopMode.GRACEFUL }),
  snapshot: (c) => c.unary(StorageRpc.snapshot, { volume: VOLUME }),
  resize: (c) => c.unary(StorageRpc.resize, { volume: VOLUME, sizeLb: 128 }),
  'full-bkp': (c) => c.unary(StorageRpc.fullBackup, backup),
  'hash-bkp': (c) => c.unary(StorageRpc.hashBackup, backup),
  'get is-overflow': (c) => c.unary(StorageRpc.isOverflow, { volume: VOLUME }),
  'get uuid': (c) => c.unary(StorageRpc.getUuid, { volume: VOLUME }),
  'get log-usage': (c) => c.unary(StorageRpc.getLogUsage, { volume: VOLUME }),
};

/** Where each is allowed; a backup then fails for want of an archive, which is another matter. */
const ALLOWED: Record<string, readonly string[]> = {
  'init-vol': ['Clear'],
  'clear-vol': ['SyncReady'],
  'reset-vol': ['Stopped'],
  'start target': ['Stopped'],
  'start standby': ['SyncReady'],
  stop: ['Target', 'Standby'],
  snapshot: ['Target', 'Stopped'],
  resize: ['SyncReady', 'Stopped', 'Target', 'Standby'],
  'full-bkp': ['SyncReady'],
  'hash-bkp': ['SyncReady'],
  'get is-overflow': ['SyncReady', 'Stopped', 'Target', 'Standby'],
  'get uuid': ['SyncReady', 'Stopped', 'Target', 'Standby'],
  'get log-usage': ['SyncReady', 'Stopped', 'Target', 'Standby'],
};

const AFTERWARDS: Record<string, string> = {
  'init-vol': 'SyncReady',
  'clear-vol': 'Clear',
  'reset-vol': 'SyncReady',
  'start target': 'Target',
  'start standby': 'Standby',
};

const STOPPED: Record<string, string> = { Target: 'Stopped', Standby: 'SyncReady' };

const STATES = ['Clear', 'SyncReady', 'Stopped', 'Target', 'Standby'] as const;

async function inState(
  state: (typeof STATES)[number],
  work: (world: ServerWorld, channel: Channel) => Promise<void>,
): Promise<void> {
  await ServerWorld.run(async (world) => {
    const device = new FakeDevice();
    if (state !== 'Clear') await store(world, state as Stored, device);
    const { channel } = await startStorage(world, device);
    await work(world, channel);
  });
}

const stateOf = async (channel: Channel) =>
  (await channel.unary(ControlRpc.getState, { volume: VOLUME })).state;

describe.each(STATES)('a volume that is %s', (state) => {
  it.each(Object.keys(COMMANDS))('%s', (command) =>
    inState(state, async (world, channel) => {
      const before = world.filesBelow('s0', '/s0');
      const outcome = await outcomeOf(
        (COMMANDS[command] as (c: Channel) => Promise<unknown>)(channel),
      );
      if (ALLOWED[command]?.includes(state) === true) {
        const isBackup = command.endsWith('-bkp');
        expect(outcome).toBe(isBackup ? 'unavailable' : 'done');
        const expected = AFTERWARDS[command] ?? (command === 'stop' ? STOPPED[state] : state);
        // A stop goes on after its reply.
        await world.until(async () => (await stateOf(channel)) === expected);
        return;
      }
      expect(outcome).toBe('wrong-state');
      expect(await stateOf(channel)).toBe(state);
      expect(world.filesBelow('s0', '/s0')).toEqual(before);
    }),
  );
});

describe('refusals that are not about the state', () => {
  it('a device in use, a smaller size, a missing role, an unknown mode', () =>
    inState('Stopped', async (_world, channel) => {
      const init = { volume: 'other', devicePath: DEVICE };
      expect(await outcomeOf(channel.unary(ControlRpc.initVolume, init))).toBe('busy');
      expect(await stateOf(channel)).toBe('Stopped');
      const smaller = { volume: VOLUME, sizeLb: 63 };
      expect(await outcomeOf(channel.unary(StorageRpc.resize, smaller))).toBe('invalid-argument');
      const start = { volume: VOLUME, role: 'unspecified' } as const;
      expect(await outcomeOf(channel.unary(ControlRpc.start, start))).toBe('invalid-argument');
      const stop = { volume: VOLUME, mode: StopMode.EMPTY };
      expect(await outcomeOf(channel.unary(ControlRpc.stop, stop))).toBe('invalid-argument');
      const bad = { volume: 'no_underscore' };
      expect(await outcomeOf(channel.unary(ControlRpc.getState, bad))).toBe('invalid-argument');
    }));

  it('the device of init-vol does not exist', () =>
    inState('Clear', async (world, channel) => {
      const init = { volume: VOLUME, devicePath: '/dev/walb/none' };
      expect(await outcomeOf(channel.unary(ControlRpc.initVolume, init))).toBe('not-found');
      expect(await stateOf(channel)).toBe('Clear');
      expect(world.filesBelow('s0', '/s0')).toEqual({});
      expect(
        await outcomeOf((COMMANDS['init-vol'] as (c: Channel) => Promise<unknown>)(channel)),
      ).toBe('done');
    }));

  it('an overflow refuses target and snapshot; standby begins a new log (B.7)', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      await store(world, 'Stopped', device);
      const { channel } = await startStorage(world, device);
      device.overflow = true;
      for (const command of ['start target', 'snapshot']) {
        const call = COMMANDS[command] as (c: Channel) => Promise<unknown>;
        expect(await outcomeOf(call(channel))).toBe('overflow');
      }
      await COMMANDS['reset-vol']?.(channel);
      device.overflow = true;
      const before = device.uuid;
      await COMMANDS['start standby']?.(channel);
      expect(device.uuid).not.toEqual(before);
    }));

  it('a log of another history refuses target and snapshot, and stops a target at start (B.1)', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      await store(world, 'Target', device);
      device.uuid = new Uint8Array(16).fill(9);
      const { channel } = await startStorage(world, device);
      expect(await stateOf(channel)).toBe('Stopped');
      for (const command of ['start target', 'snapshot']) {
        const call = COMMANDS[command] as (c: Channel) => Promise<unknown>;
        expect(await outcomeOf(call(channel))).toBe('conflict');
      }
      await COMMANDS['reset-vol']?.(channel);
      expect(await stateOf(channel)).toBe('SyncReady');
    }));

  it('a backup beyond -fg', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      await store(world, 'SyncReady', device);
      const { channel, core } = await startStorage(world, device, {}, 1);
      using _taken = core.foreground.acquire('another');
      const call = COMMANDS['full-bkp'] as (c: Channel) => Promise<unknown>;
      expect(await outcomeOf(call(channel))).toBe('limit-exceeded');
      expect(await stateOf(channel)).toBe('SyncReady');
    }));
});
