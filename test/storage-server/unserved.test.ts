/** A volume whose device is away at start-up: the others are served, and it is tried again. */
import { describe, expect, it } from 'vitest';
import { WalbError } from '../../src/core/index.ts';
import { ControlRpc, StorageRpc, type StorageStatus } from '../../src/rpc/index.ts';
import { StorageServer } from '../../src/storage-server/server.ts';
import { VolumeFiles } from '../../src/storage-server/volume-files.ts';
import type { VolumeDevice } from '../../src/wdev/volume-device.ts';
import { HostType, outcomeOf, ServerWorld, type StartedServer } from '../server/server-world.ts';
import { CONFIG, FakeDevice } from './support.ts';

const pathOf = (id: string): string => `/dev/walb/${id}`;

/** Devices that come and go. */
class Shelf {
  readonly devices = new Map<string, FakeDevice>();
  readonly away = new Set<string>();
  opened = 0;

  add(id: string): FakeDevice {
    const device = new FakeDevice();
    this.devices.set(pathOf(id), device);
    return device;
  }

  readonly open = async (path: string): Promise<VolumeDevice> => {
    this.opened += 1;
    const device = this.devices.get(path);
    if (device === undefined || this.away.has(path)) {
      throw new WalbError('unavailable', `device ${path} does not run`);
    }
    return device;
  };
}

async function startWith(
  world: ServerWorld,
  shelf: Shelf,
  ids: readonly string[],
): Promise<StartedServer<StorageServer>> {
  const env = await world.envOn('s0');
  for (const id of ids) {
    const { uuid } = shelf.add(id);
    const done = { lsid: 0n, gid: 0n, isMergeable: false, timestamp: 1 };
    const stored = { devicePath: pathOf(id), state: 'Target' as const, uuid };
    const files = new VolumeFiles(env, `/s0/${id}`);
    await files.create({ ...stored, records: { done, queue: [] } });
  }
  return await start(world, shelf);
}

function start(world: ServerWorld, { open }: Shelf): Promise<StartedServer<StorageServer>> {
  return world.start(
    's0',
    HostType.STORAGE,
    (core, settings) => new StorageServer(core, CONFIG, settings, { open }),
  );
}

async function statusOf({ channel }: StartedServer<StorageServer>): Promise<StorageStatus> {
  const { status } = await channel.unary(ControlRpc.status, { volume: '' });
  if (status?.$case !== 'storage') throw new Error('no status of a storage');
  return status.value;
}

describe('a volume whose device is away', () => {
  it('does not keep the others from being served, and says what is wrong', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      shelf.away.add(pathOf('bad'));
      const s0 = await startWith(world, shelf, ['bad', 'good']);
      const { channel } = s0;

      expect((await channel.unary(ControlRpc.getState, { volume: 'good' })).state).toBe('Target');
      const wrong = { code: 'unavailable', message: expect.stringContaining('not served') };
      const calls = [
        channel.unary(ControlRpc.getState, { volume: 'bad' }),
        channel.unary(StorageRpc.snapshot, { volume: 'bad' }),
        channel.unary(StorageRpc.getUuid, { volume: 'bad' }),
        channel.unary(ControlRpc.clearVolume, { volume: 'bad' }),
        channel.unary(ControlRpc.initVolume, { volume: 'bad', devicePath: pathOf('bad') }),
      ];
      for (const call of calls) await expect(call).rejects.toMatchObject(wrong);

      const { volumes } = await statusOf(s0);
      expect(volumes.map(({ volume }) => volume).sort()).toEqual(['bad', 'good']);
      const bad = volumes.find(({ volume }) => volume === 'bad');
      expect(bad?.lastError?.error?.message).toContain('device /dev/walb/bad does not run');
      const { volumes: listed } = await channel.unary(ControlRpc.listVolumes, {});
      expect(listed).toEqual(['bad', 'good']);
    }));

  it('is served when the device comes back, with growing delays', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      shelf.away.add(pathOf('vol'));
      const { channel } = await startWith(world, shelf, ['vol']);
      await world.sleep(60_000);
      // After 1, 2, 4, 8, 8, ... seconds.
      expect(shelf.opened).toBeGreaterThan(5);
      expect(shelf.opened).toBeLessThan(14);
      shelf.away.clear();
      await world.sleep(8_000);
      expect((await channel.unary(ControlRpc.getState, { volume: 'vol' })).state).toBe('Target');
      expect(shelf.devices.get(pathOf('vol'))?.watchers).toBe(1);
      const opened = shelf.opened;
      await world.sleep(60_000);
      expect(shelf.opened).toBe(opened);
    }));

  it('is tried at once on a kick', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      shelf.away.add(pathOf('vol'));
      const { channel } = await startWith(world, shelf, ['vol']);
      await world.sleep(20_000);
      shelf.away.clear();
      await channel.unary(ControlRpc.kick, { volume: '', archive: '' });
      expect((await channel.unary(ControlRpc.getState, { volume: 'vol' })).state).toBe('Target');
    }));

  it('keeps its device from other volumes', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      shelf.away.add(pathOf('vol'));
      const { channel } = await startWith(world, shelf, ['vol']);
      const request = { volume: 'other', devicePath: pathOf('vol') };
      expect(await outcomeOf(channel.unary(ControlRpc.initVolume, request))).toBe('busy');
    }));

  it('is none any more once its directory is gone', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      shelf.away.add(pathOf('vol'));
      const { channel } = await startWith(world, shelf, ['vol']);
      const env = await world.envOn('s0');
      env.files.removeTree('/s0/vol');
      await channel.unary(ControlRpc.kick, { volume: '', archive: '' });
      expect((await channel.unary(ControlRpc.getState, { volume: 'vol' })).state).toBe('Clear');
    }));

  it('does not hold up the end of the server', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      shelf.away.add(pathOf('vol'));
      const { core, process } = await startWith(world, shelf, ['vol']);
      core.requestShutdown('graceful');
      expect((await process.exit).kind).toBe('ended');
      const { opened } = shelf;
      await world.sleep(60_000);
      expect(shelf.opened).toBe(opened);
    }));
});

describe('a volume with a damaged file', () => {
  it('is refused with the file, until the file is repaired', () =>
    ServerWorld.run(async (world) => {
      const shelf = new Shelf();
      const first = await startWith(world, shelf, ['bad', 'good']);
      first.core.requestShutdown('graceful');
      await first.process.exit;
      const env = await world.envOn('s0');
      const whole = await new VolumeFiles(env, '/s0/bad').load();
      const file = env.files.open('/s0/bad/done', 'replace');
      file.write(Buffer.from('{'), 0);
      file.close();
      const { channel } = await start(world, shelf);
      const call = channel.unary(ControlRpc.getState, { volume: 'bad' });
      await expect(call).rejects.toMatchObject({
        code: 'corrupt',
        message: expect.stringContaining('/s0/bad/done'),
      });
      expect((await channel.unary(ControlRpc.getState, { volume: 'good' })).state).toBe('Target');
      await new VolumeFiles(env, '/s0/bad').setDelivered(whole.records);
      await channel.unary(ControlRpc.kick, { volume: '', archive: '' });
      expect((await channel.unary(ControlRpc.getState, { volume: 'bad' })).state).toBe('Target');
    }));
});
