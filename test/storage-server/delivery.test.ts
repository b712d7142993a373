/** Delivering log: what is sent when to whom, what is remembered, when the ring is freed (B.3-B.5). */
import { describe, expect, it } from 'vitest';
import { KIB, WalbError } from '../../src/core/index.ts';
import { ControlRpc, handle, ProxyRpc, StopMode, StorageRpc } from '../../src/rpc/index.ts';
import type { StorageServer } from '../../src/storage-server/server.ts';
import { waitForLog } from '../../src/storage-server/wlog-send.ts';
import { ServerWorld, type StartedServer } from '../server/server-world.ts';
import { type CONFIG, FakeDevice, FakeProxies, startStorage, store, VOLUME } from './support.ts';

interface Setup {
  readonly world: ServerWorld;
  readonly device: FakeDevice;
  readonly proxies: FakeProxies;
  storage: StartedServer<StorageServer>;
}

/** A target with two proxies that take everything. */
async function target(
  work: (setup: Setup) => Promise<void>,
  config: Partial<typeof CONFIG> = {},
): Promise<void> {
  await ServerWorld.run(async (world) => {
    const device = new FakeDevice();
    const proxies = new FakeProxies();
    for (const name of ['p0', 'p1']) await world.fake(name, proxies.bindings(name));
    await store(world, 'Target', device);
    const storage = await startStorage(world, device, config);
    await work({ world, device, proxies, storage });
  });
}

const done = (world: ServerWorld) =>
  JSON.parse(world.filesBelow('s0', '/s0')[`/s0/${VOLUME}/done`] ?? '{}') as {
    lsid: string;
    gid: string;
  };

const status = async ({ storage }: Setup) => {
  const reply = await storage.channel.unary(ControlRpc.status, { volume: VOLUME });
  if (reply.status?.$case !== 'storageVolume') throw new Error('no status');
  return reply.status.value;
};

describe('a delivery', () => {
  it('goes to the preferred proxy and is remembered on disk', () =>
    target(async ({ world, device, proxies }) => {
      device.write([3, 4, 5]);
      await world.until(() => proxies.deliveries.length > 0 && done(world).lsid === '12');
      expect(proxies.ranges).toEqual(['p0 0-1']);
      const [{ hello, end, bytes }] = proxies.deliveries as [(typeof proxies.deliveries)[0]];
      expect(hello).toMatchObject({
        volume: VOLUME,
        pbs: 512,
        sizeLb: 64,
        beginLsid: 0n,
        gidB: 0n,
      });
      expect([end.endLsid, bytes]).toEqual([12n, 12 * 512]);
      expect(end.diff?.isMergeable).toBe(false);
      expect(done(world).gid).toBe('1');
    }));

  it('frees the ring only up to what a checkpoint covers too', () =>
    target(async ({ world, device }) => {
      device.write([10]);
      await world.until(() => done(world).lsid === '10');
      await world.sleep(2000);
      expect(device.oldest).toBe(0n);
      device.prevWritten = 6n;
      device.announce();
      await world.until(() => device.oldest === 6n);
      device.prevWritten = 10n;
      device.announce();
      await world.until(() => device.oldest === 10n);
    }));

  it('does not send what is not permanent, and does not wait for an event to send it then', () =>
    target(async ({ world, device, proxies }) => {
      device.write([5], false);
      await world.sleep(5000);
      expect(proxies.ranges).toEqual([]);
      device.permanent = 5n;
      await world.until(() => proxies.ranges.length === 1, 1500);
    }));

  it('frees nothing before the acknowledgement, and sends the same range again when it is lost', () =>
    target(async ({ world, device, proxies }) => {
      proxies.beforeAck = () => {
        if (proxies.deliveries.length < 3) throw new WalbError('io', 'not this time');
      };
      device.prevWritten = 7n;
      device.write([7]);
      await world.until(() => proxies.deliveries.length === 2);
      expect([device.oldest, done(world).lsid]).toEqual([0n, '0']);
      await world.until(() => device.oldest === 7n);
      expect(proxies.ranges).toEqual(['p0 0-1', 'p0 0-1', 'p0 0-1']);
    }));

  it('cuts a part where it was cut before, though -wl has changed since (B.4)', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      const proxies = new FakeProxies();
      await world.fake('p0', proxies.bindings('p0'));
      device.write(Array.from({ length: 30 }, () => 7));
      await store(world, 'Target', device);
      proxies.beforeAck = () => {
        throw new WalbError('io', 'lost');
      };
      const first = await startStorage(world, device, { maxWlogSend: 50 * 512 });
      await world.until(() => proxies.deliveries.length === 1);
      world.world.kill(first.process);
      proxies.beforeAck = () => {};
      await startStorage(world, device, { maxWlogSend: 500 * KIB });
      await world.until(() => done(world).lsid === '210');
      const ends = proxies.deliveries.map(({ end }) => [end.diff?.snapE?.gidB, end.endLsid]);
      expect(ends).toEqual([
        [1n, 49n],
        [1n, 49n],
        [5n, 210n],
      ]);
    }));

  it('with a pack that -wl does not hold is refused with advice, and goes on with a larger -wl', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      const proxies = new FakeProxies();
      await world.fake('p0', proxies.bindings('p0'));
      device.write([30, 30]);
      await store(world, 'Target', device);
      const storage = await startStorage(world, device, { maxWlogSend: 20 * 512 });
      await world.until(async () => {
        const { lastError } = await status({ world, device, proxies, storage });
        return lastError?.error?.message.includes('larger -wl') === true;
      });
      world.world.kill(storage.process);
      await startStorage(world, device, { maxWlogSend: 40 * 512 });
      await world.until(() => done(world).lsid === '60');
    }));

  it('of a log that is reset meanwhile counts for nothing', () =>
    target(async (setup) => {
      const { world, device, proxies, storage } = setup;
      const release = Promise.withResolvers<void>();
      proxies.beforeAck = () => release.promise;
      device.write([9]);
      await world.until(() => proxies.deliveries.length === 1);
      const volume = { volume: VOLUME };
      await storage.channel.unary(ControlRpc.stop, { ...volume, mode: StopMode.FORCE });
      await world.until(async () => (await status(setup)).state === 'Stopped');
      await storage.channel.unary(ControlRpc.resetVolume, { ...volume, gid: 40n });
      release.resolve();
      await world.sleep(5000);
      expect(done(world)).toMatchObject({ lsid: '0', gid: '40' });
      expect(device.oldest).toBe(0n);
    }));
});

describe('snapshots', () => {
  it('are of permanent log, and end ranges', () =>
    target(async ({ world, device, proxies, storage }) => {
      proxies.refuse = () => {
        throw new WalbError('no-space', 'full');
      };
      device.write([4], false);
      const { gid } = await storage.channel.unary(StorageRpc.snapshot, { volume: VOLUME });
      expect([device.permanent, device.flushes]).toEqual([4n, 1]);
      device.write([6]);
      await world.sleep(12_000);
      proxies.refuse = () => {};
      await storage.channel.unary(ControlRpc.kick, { volume: '', archive: '' });
      await world.until(() => done(world).lsid === '10');
      expect(proxies.ranges[0]).toBe(`p0 0-${gid}`);
      expect(proxies.deliveries[1]?.end.diff?.isMergeable).toBe(false);
    }));
});

describe('proxies (B.5, W3)', () => {
  it('the next one is tried when the preferred one refuses', () =>
    target(async ({ world, device, proxies }) => {
      proxies.refuse = (proxy) => {
        if (proxy === 'p0') throw new WalbError('wrong-state', 'Stopped');
      };
      device.write([3]);
      await world.until(() => done(world).lsid === '3');
      expect(proxies.ranges).toEqual(['p1 0-1']);
    }));

  it('one that does not answer is left out until its heartbeat comes back', () =>
    target(async (setup) => {
      const { world, device, proxies } = setup;
      await world.sleep(3000);
      const host = world.world.host('p0');
      world.world.links.partition(world.world.host('s0'), host);
      await world.until(async () => {
        const reply = await setup.storage.channel.unary(ControlRpc.status, { volume: '' });
        return (
          reply.status?.$case === 'storage' && reply.status.value.proxies[0]?.isAvailable === false
        );
      }, 30_000);
      device.write([3]);
      await world.until(() => done(world).lsid === '3');
      world.world.links.heal(world.world.host('s0'), host);
      await world.sleep(13_000);
      device.write([4]);
      await world.until(() => done(world).lsid === '7');
      expect(proxies.ranges.map((range) => range.slice(0, 2))).toEqual(['p1', 'p0']);
    }));

  it('one that answers its heartbeat, but no transfer, is asked last for a while', () =>
    ServerWorld.run(async (world) => {
      const proxies = new FakeProxies();
      let offers = 0;
      const hanging = handle(ProxyRpc.transferWlog, () => {
        offers += 1;
        return new Promise(() => {});
      });
      const [heartbeat] = proxies.bindings('p0');
      await world.fake('p0', [heartbeat!, hanging]);
      await world.fake('p1', proxies.bindings('p1'));
      const device = new FakeDevice();
      await store(world, 'Target', device);
      await startStorage(world, device);
      const delivered = async (): Promise<number> => {
        const began = world.world.elapsed;
        const count = proxies.deliveries.length;
        device.write([3]);
        await world.until(() => proxies.deliveries.length > count);
        return (world.world.elapsed - began) / 1e6;
      };
      expect(await delivered()).toBeGreaterThan(9);
      for (let i = 0; i < 4; i++) expect(await delivered()).toBeLessThan(8);
      expect(offers).toBe(1);
      // Perhaps it has been repaired meanwhile: it is the preferred one.
      await world.sleep(60_000);
      await delivered();
      expect(offers).toBe(2);
    }));

  it('one that takes a transfer, and then does nothing, gives way to the spare', () =>
    target(async ({ world, device, proxies }) => {
      proxies.beforeAck = ({ proxy }) => (proxy === 'p0' ? new Promise(() => {}) : undefined);
      device.write([3]);
      await world.until(() => done(world).lsid === '3', 150_000);
      expect(proxies.ranges).toEqual(['p0 0-1', 'p1 0-1']);
    }));

  it('each is asked every ten seconds, one per second', () =>
    target(async ({ world, proxies }) => {
      await world.sleep(1500);
      expect(proxies.heartbeats).toBe(1);
      await world.sleep(1000);
      expect(proxies.heartbeats).toBe(2);
      await world.sleep(8000);
      expect(proxies.heartbeats).toBe(2);
      await world.sleep(30_000);
      expect(proxies.heartbeats).toBeGreaterThanOrEqual(7);
      expect(proxies.heartbeats).toBeLessThanOrEqual(9);
    }));

  it('a kick with none alive asks them and sends at once', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      const proxies = new FakeProxies();
      await store(world, 'Target', device);
      const storage = await startStorage(world, device, { minDelay: 60_000, maxDelay: 60_000 });
      device.write([3]);
      await world.sleep(30_000);
      for (const name of ['p0', 'p1']) await world.fake(name, proxies.bindings(name));
      await storage.channel.unary(ControlRpc.kick, { volume: '', archive: '' });
      await world.until(() => done(world).lsid === '3', 1000);
    }));
});

describe('a failure', () => {
  it('is retried after the shortest delay, doubled each time up to the longest', () =>
    target(async ({ world, device, proxies }) => {
      const times: number[] = [];
      proxies.refuse = (proxy) => {
        if (proxy === 'p0') times.push(world.world.elapsed / 1e6);
        throw new WalbError('busy', 'no');
      };
      device.write([3]);
      await world.sleep(40_000);
      const gaps = times.slice(1).map((time, i) => Math.round(time - (times[i] as number)));
      expect(gaps.slice(0, 6)).toEqual([1, 2, 4, 8, 8, 8]);
    }));

  it('an overflow stops the target, and only it (W2)', () =>
    target(async (setup) => {
      setup.device.overflow = true;
      setup.device.announce();
      await setup.world.until(async () => (await status(setup)).state === 'Stopped');
      expect((await status(setup)).isOverflow).toBe(true);
      expect(setup.device.watchers).toBe(0);
    }));
});

describe('a standby', () => {
  it('frees log at each checkpoint and sends nothing', () =>
    ServerWorld.run(async (world) => {
      const device = new FakeDevice();
      const proxies = new FakeProxies();
      await world.fake('p0', proxies.bindings('p0'));
      await store(world, 'Standby', device);
      await startStorage(world, device);
      device.write([9]);
      device.prevWritten = 9n;
      device.announce();
      await world.until(() => device.oldest === 9n);
      await world.sleep(10_000);
      expect(proxies.ranges).toEqual([]);
    }));
});

describe('stopping (B.7)', () => {
  const stop = ({ storage }: Setup, mode: StopMode) =>
    storage.channel.unary(ControlRpc.stop, { volume: VOLUME, mode });

  const hanging = async (setup: Setup) => {
    const release = Promise.withResolvers<void>();
    setup.proxies.beforeAck = () => release.promise;
    setup.device.write([9]);
    await setup.world.until(() => setup.proxies.deliveries.length === 1);
    return release;
  };

  it('gracefully waits for a transfer', () =>
    target(async (setup) => {
      const release = await hanging(setup);
      await stop(setup, StopMode.GRACEFUL);
      await setup.world.sleep(20_000);
      expect((await status(setup)).state).toBe('Target');
      release.resolve();
      await setup.world.until(async () => (await status(setup)).state === 'Stopped');
      expect(done(setup.world).lsid).toBe('9');
    }));

  it('is given up after 60 s, changes nothing then, and log is sent again', () =>
    target(async (setup) => {
      const release = await hanging(setup);
      await stop(setup, StopMode.GRACEFUL);
      await expect(stop(setup, StopMode.FORCE)).rejects.toMatchObject({ code: 'busy' });
      await setup.world.sleep(61_000);
      const after = await status(setup);
      expect([after.state, after.stopState]).toEqual(['Target', 'NotStopping']);
      expect(after.tasks.at(-1)?.error?.code).toBeDefined();
      release.resolve();
      setup.device.packEnds.push(20n);
      setup.device.permanent = 20n;
      await setup.world.until(() => done(setup.world).lsid === '20');
    }));

  it('by force makes a transfer give up', () =>
    target(async (setup) => {
      await hanging(setup);
      await stop(setup, StopMode.FORCE);
      await setup.world.until(async () => (await status(setup)).state === 'Stopped', 2000);
      expect(done(setup.world).lsid).toBe('0');
    }));

  it('a shutdown by force ends the process with a transfer under way, a graceful one waits', () =>
    target(async (setup) => {
      const { storage, world } = setup;
      const release = await hanging(setup);
      await storage.channel.unary(ControlRpc.shutdown, { mode: 'graceful' });
      await world.sleep(5000);
      expect(storage.process.alive).toBe(true);
      release.resolve();
      expect((await storage.process.exit).kind).toBe('ended');
      expect(done(world).lsid).toBe('9');
      setup.storage = await startStorage(world, setup.device);
      await hanging({ ...setup, proxies: Object.assign(setup.proxies, { deliveries: [] }) });
      setup.storage.core.requestShutdown('force');
      expect((await setup.storage.process.exit).kind).toBe('ended');
    }));
});

describe('the wait for log to become permanent (B.3)', () => {
  const volume = { info: { pbs: 4096 } } as never;
  it.each([
    [0, 1000],
    [10, 1000],
    [30, 550],
    [50, 100],
    [90, 100],
  ])('%d of 100 blocks: %d ms', (pb, delay) => {
    const lsids = { latest: 1000n + BigInt(pb), permanent: 1000n };
    expect(waitForLog({ maxWlogSend: 100 * 4096 }, volume, lsids)).toEqual({
      next: 'later',
      delay,
    });
  });
});
