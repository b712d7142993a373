/** What a storage tells of its deliveries while they fail, and after a restart (systems.md W3). */
import { describe, expect, it } from 'vitest';
import { ControlRpc, type StorageVolumeSummary } from '../../src/rpc/index.ts';
import type { StorageServer } from '../../src/storage-server/server.ts';
import { ServerWorld, type StartedServer } from '../server/server-world.ts';
import { CONFIG, FakeDevice, FakeProxies, startStorage, store } from './support.ts';

const HOUR = 3_600_000;

async function summary({ channel }: StartedServer<StorageServer>): Promise<StorageVolumeSummary> {
  const { status } = await channel.unary(ControlRpc.status, { volume: '' });
  if (status?.$case !== 'storage') throw new Error('no status');
  return status.value.volumes[0] as StorageVolumeSummary;
}

async function restart(
  world: ServerWorld,
  storage: StartedServer<StorageServer>,
  device: FakeDevice,
): Promise<StartedServer<StorageServer>> {
  await storage.channel.unary(ControlRpc.shutdown, { mode: 'graceful' });
  await storage.process.exit;
  return await startStorage(world, device, CONFIG);
}

describe('health of a storage', () => {
  it('counts and dates failures through restarts until log is delivered again', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      const proxies = new FakeProxies();
      const first = await world.fake('p0', proxies.bindings('p0'));
      await store(world, 'Target', device);
      let storage = await startStorage(world, device, CONFIG);
      device.write([3]);
      await world.until(async () => (await summary(storage)).lastWlogSent > 0);
      const well = await summary(storage);
      expect(well).toMatchObject({ lagPb: 0, lagSec: 0, lastProxy: 'p0:1', lastError: undefined });

      first.kill();
      await world.sleep(60_000);
      device.write([4, 5]);
      await world.sleep(HOUR);
      storage = await restart(world, storage, device);
      await world.sleep(HOUR);

      const failing = await summary(storage);
      expect(failing.lastWlogSent).toBe(well.lastWlogSent);
      expect(failing).toMatchObject({ lagPb: 9, lastProxy: 'p0:1' });
      expect(failing.lagSec).toBeGreaterThanOrEqual((2 * HOUR) / 1000);
      const { count = 0, since = 0, time = 0 } = failing.lastError ?? {};
      expect(count).toBeGreaterThan(100);
      expect(time - since).toBeGreaterThan((2 * HOUR) / 1000 - 120);

      await world.fake('p0', proxies.bindings('p0'));
      await world.until(async () => (await summary(storage)).lagPb === 0);
      const again = await summary(storage);
      expect(again).toMatchObject({ lagSec: 0, lastError: undefined });
      expect(again.lastWlogSent).toBeGreaterThan(time);
    }));

  it('measures how the ring fills while nothing is delivered and nobody asks', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      await store(world, 'Target', device);
      const storage = await startStorage(world, device, CONFIG);
      for (let i = 0; i < 30; i += 1) {
        device.write([10]);
        await world.sleep(10_000);
      }
      const { logRatePbPerSec, logGrowthPbPerSec } = await summary(storage);
      expect(logRatePbPerSec).toBeCloseTo(1, 0);
      expect(logGrowthPbPerSec).toBeCloseTo(1, 1);
    }));

  it('says that log waits only as long as it does', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      const proxies = new FakeProxies();
      await world.fake('p0', proxies.bindings('p0'));
      await store(world, 'Target', device);
      const storage = await startStorage(world, device, CONFIG);
      // A day without writes, then one: it has not been waiting for a day.
      await world.sleep(24 * HOUR);
      device.write([3]);
      expect((await summary(storage)).lagSec).toBeLessThan(60);
      await world.until(async () => (await summary(storage)).lagPb === 0);
    }));
});
