/** Every command of a proxy in every steady state (semantics.md E.2), and archive-info (C.1). */
import { describe, expect, it } from 'vitest';
import type { Channel } from '../../src/core/index.ts';
import { ControlRpc, ProxyRpc, StopMode } from '../../src/rpc/index.ts';
import { outcomeOf, ServerWorld } from '../server/server-world.ts';
import { addArchive, infoOf, sendLog, startProxy, startVolume, VOLUME } from './support.ts';

const volume = VOLUME;

const COMMANDS: Record<string, (channel: Channel) => Promise<unknown>> = {
  start: (c) => c.unary(ControlRpc.start, { volume, role: 'unspecified' }),
  stop: (c) => c.unary(ControlRpc.stop, { volume, mode: StopMode.GRACEFUL }),
  'stop empty': (c) => c.unary(ControlRpc.stop, { volume, mode: StopMode.EMPTY }),
  'archive-info add': (c) => c.unary(ProxyRpc.addArchiveInfo, { volume, info: infoOf('a1') }),
  'archive-info update': (c) =>
    c.unary(ProxyRpc.updateArchiveInfo, { volume, info: infoOf('a0', 5) }),
  'archive-info delete': (c) => c.unary(ProxyRpc.deleteArchiveInfo, { volume, archive: 'a0' }),
  'clear-vol': (c) => c.unary(ControlRpc.clearVolume, { volume }),
  resize: (c) => c.unary(ProxyRpc.resize, { volume, sizeLb: 4096 }),
  kick: (c) => c.unary(ControlRpc.kick, { volume, archive: '' }),
  'kick all': (c) => c.unary(ControlRpc.kick, { volume: '', archive: '' }),
  'wlog transfer': (c) => sendLog(c, 0n, 1n),
};

const ALLOWED: Record<string, readonly string[]> = {
  start: ['Stopped'],
  stop: ['Started'],
  'stop empty': ['Started'],
  'archive-info add': ['Clear', 'Stopped'],
  'archive-info update': ['Clear', 'Stopped'],
  'archive-info delete': ['Stopped'],
  'clear-vol': ['Stopped'],
  resize: ['Stopped'],
  kick: ['Started'],
  'kick all': ['Clear', 'Stopped', 'Started'],
  'wlog transfer': ['Started'],
};

const AFTERWARDS: Record<string, string> = {
  start: 'Started',
  stop: 'Stopped',
  'stop empty': 'Stopped',
  'archive-info add': 'Stopped',
  'archive-info update': 'Stopped',
  'archive-info delete': 'Clear',
  'clear-vol': 'Clear',
};

const STATES = ['Clear', 'Stopped', 'Started'] as const;

async function inState(
  state: (typeof STATES)[number],
  work: (world: ServerWorld, channel: Channel) => Promise<void>,
): Promise<void> {
  await ServerWorld.run(async (world) => {
    const { channel } = await startProxy(world);
    if (state !== 'Clear') await addArchive(channel, 'a0');
    if (state === 'Started') await startVolume(channel);
    await work(world, channel);
  });
}

const stateOf = async (channel: Channel) =>
  (await channel.unary(ControlRpc.getState, { volume })).state;

describe.each(STATES)('a volume that is %s', (state) => {
  it.each(Object.keys(COMMANDS))('%s', (command) =>
    inState(state, async (world, channel) => {
      const before = world.filesBelow('p0', '/p0');
      const call = COMMANDS[command] as (c: Channel) => Promise<unknown>;
      const outcome = await outcomeOf(call(channel));
      if (ALLOWED[command]?.includes(state) === true) {
        expect(outcome).toBe('done');
        await world.until(async () => (await stateOf(channel)) === (AFTERWARDS[command] ?? state));
        return;
      }
      expect(outcome).toBe('wrong-state');
      expect(await stateOf(channel)).toBe(state);
      expect(world.filesBelow('p0', '/p0')).toEqual(before);
    }),
  );
});

describe('archive-info', () => {
  it('is listed, told, changed and deleted; the last one clears the volume', () =>
    inState('Stopped', async (_world, channel) => {
      await addArchive(channel, 'a1', 7);
      const list = async () => (await channel.unary(ProxyRpc.listArchiveInfo, { volume })).names;
      expect(await list()).toEqual(['a0', 'a1']);
      const told = await channel.unary(ProxyRpc.getArchiveInfo, { volume, archive: 'a1' });
      expect(told).toMatchObject({ name: 'a1', address: 'a1:1', wdiffSendDelaySec: 7 });
      await channel.unary(ProxyRpc.updateArchiveInfo, { volume, info: infoOf('a1', 8) });
      const changed = await channel.unary(ProxyRpc.getArchiveInfo, { volume, archive: 'a1' });
      expect(changed.wdiffSendDelaySec).toBe(8);
      // An unknown name is no error (cli.md 1.4).
      await channel.unary(ProxyRpc.deleteArchiveInfo, { volume, archive: 'a9' });
      await channel.unary(ProxyRpc.deleteArchiveInfo, { volume, archive: 'a0' });
      expect([await list(), await stateOf(channel)]).toEqual([['a1'], 'Stopped']);
      await channel.unary(ProxyRpc.deleteArchiveInfo, { volume, archive: 'a1' });
      expect([await list(), await stateOf(channel)]).toEqual([[], 'Clear']);
    }));

  it('add refuses a name that is there and changes nothing', () =>
    inState('Stopped', async (world, channel) => {
      const before = world.filesBelow('p0', '/p0');
      const info = infoOf('a0', 99);
      const call = channel.unary(ProxyRpc.addArchiveInfo, { volume, info });
      expect(await outcomeOf(call)).toBe('already-exists');
      expect(world.filesBelow('p0', '/p0')).toEqual(before);
    }));

  it.each([
    ['a path as a name', { ...infoOf('a0'), name: '../../etc' }],
    ['an address without a port', { ...infoOf('a2'), address: 'host' }],
    ['a delay beyond a year', { ...infoOf('a2'), wdiffSendDelaySec: 32_000_000 }],
    ['no name', { ...infoOf('a2'), name: '' }],
  ])('refuses %s', (_, info) =>
    inState('Stopped', async (world, channel) => {
      const before = world.filesBelow('p0', '/p0');
      const call = channel.unary(ProxyRpc.addArchiveInfo, { volume, info });
      expect(await outcomeOf(call)).toBe('invalid-argument');
      expect(world.filesBelow('p0', '/p0')).toEqual(before);
    }),
  );

  it('two at once on a new volume: one waits for the other and none is lost', () =>
    ServerWorld.run(async (world) => {
      const { channel } = await startProxy(world);
      const outcomes = await Promise.all(
        ['a0', 'a1'].map((name) => outcomeOf(addArchive(channel, name))),
      );
      expect(outcomes.sort()).toEqual(['busy', 'done']);
      expect((await channel.unary(ProxyRpc.listArchiveInfo, { volume })).names).toHaveLength(1);
    }));

  it('an unknown archive', () =>
    inState('Started', async (_world, channel) => {
      const request = { volume, archive: 'a9' };
      expect(await outcomeOf(channel.unary(ProxyRpc.getArchiveInfo, request))).toBe('not-found');
      expect(await outcomeOf(channel.unary(ProxyRpc.isWdiffSendError, request))).toBe('not-found');
      expect(await outcomeOf(channel.unary(ControlRpc.kick, request))).toBe('not-found');
    }));
});

describe('a restart', () => {
  it.each([
    [false, 'Started'],
    [true, 'Stopped'],
  ])('with -stop %s brings volumes back as %s', (startStopped, expected) =>
    ServerWorld.run(async (world) => {
      const first = await startProxy(world);
      await addArchive(first.channel, 'a0');
      await startVolume(first.channel);
      await sendLog(first.channel, 0n, 1n);
      world.world.kill(first.process);
      const { channel } = await startProxy(world, { startStopped });
      expect(await stateOf(channel)).toBe(expected);
      const { diffs } = await channel.unary(ProxyRpc.getProxyDiff, { volume, archive: 'a0' });
      expect(diffs).toHaveLength(1);
    }),
  );

  it('removes a volume that sends to nobody', () =>
    ServerWorld.run(async (world) => {
      const first = await startProxy(world);
      await addArchive(first.channel, 'a0');
      world.world.kill(first.process);
      world.world.host('p0').disk.unlink(`/p0/${VOLUME}/a0.archive`);
      const { channel } = await startProxy(world);
      expect(await stateOf(channel)).toBe('Clear');
      expect(world.filesBelow('p0', `/p0/${VOLUME}`)).toEqual({});
    }));
});

describe('a shutdown while a volume empties', () => {
  it.each(['graceful', 'force'] as const)('%s does not wait for an archive that is away', (kind) =>
    ServerWorld.run(async (world) => {
      const { channel, core, process } = await startProxy(world);
      await addArchive(channel, 'a0');
      await startVolume(channel);
      await sendLog(channel, 0n, 1n);
      await channel.unary(ControlRpc.stop, { volume, mode: StopMode.EMPTY });
      await world.until(async () => (await stateOf(channel)) === 'WaitForEmpty');
      const began = world.world.elapsed;
      core.requestShutdown(kind);
      expect((await process.exit).kind).toBe('ended');
      expect((world.world.elapsed - began) / 1e6).toBeLessThan(2);
      // Nothing was lost: it goes on where it was.
      const again = await startProxy(world);
      const { diffs } = await again.channel.unary(ProxyRpc.getProxyDiff, { volume, archive: 'a0' });
      expect(diffs).toHaveLength(1);
    }),
  );
});
