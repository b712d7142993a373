/** The device daemon and its clients in one process: real files, unix sockets and gRPC. */
import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Env, silentLogger } from '../../../src/core/index.ts';
import { createRealEnv } from '../../../src/core/real-env.ts';
import { DeviceRpc, grpcNetwork } from '../../../src/rpc/index.ts';
import {
  deviceOpener,
  openRemoteDevice,
  type RemoteDevice,
  type ServedDevice,
  serveDevice,
} from '../../../src/wdev/daemon/index.ts';
import { connectNbd, type NbdClient } from '../../../src/wdev/nbd/index.ts';
import { decodePackHeader } from '../../../src/wlog/index.ts';

const SIZE_LB = 32 << 11;

class World implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'walb-dev-'));
  readonly env: Env = createRealEnv({ network: grpcNetwork(), log: silentLogger });
  readonly control = join(this.folder, 'control.sock');
  readonly nbdSocket = join(this.folder, 'nbd.sock');
  readonly #owned: (() => Promise<void>)[] = [];

  async serve(): Promise<ServedDevice> {
    const served = await serveDevice(this.env, {
      log: join(this.folder, 'log'),
      data: join(this.folder, 'data'),
      name: 'v0',
      sizeLb: SIZE_LB,
      logBytes: 16 << 20,
      nbd: [{ kind: 'unix', path: this.nbdSocket }],
      control: this.control,
    });
    this.#owned.unshift(() => served.stop());
    return served;
  }

  async remote(): Promise<RemoteDevice> {
    const options = { control: `unix:${this.control}`, clientId: 'test' };
    const device = await openRemoteDevice(this.env, options);
    this.#owned.unshift(() => device.close());
    return device;
  }

  async nbd(): Promise<NbdClient> {
    const client = await connectNbd(
      { kind: 'unix', path: this.nbdSocket },
      { clock: this.env.clock },
    );
    this.#owned.unshift(() => client.close());
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#owned) await end();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function packsOf(device: RemoteDevice, begin = 0n): Promise<bigint[]> {
  const lsids: bigint[] = [];
  for await (const { lsid, header } of device.readLog(begin)) {
    expect(decodePackHeader(header).lsid).toBe(lsid);
    lsids.push(lsid);
  }
  return lsids;
}

describe('a device in another process', () => {
  test('shows what its engine shows', async () => {
    await using world = new World();
    const { device } = await world.serve();
    const remote = await world.remote();
    expect(await remote.info()).toMatchObject({
      ...(await device.info()),
      name: 'v0',
      path: '/dev/walb/v0',
    });
    expect(await remote.lsids()).toEqual(await device.lsids());
    expect(await remote.isOverflow()).toBe(false);
  });

  test('what was written over NBD is in its log and its blocks', async () => {
    await using world = new World();
    await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    const data = Buffer.alloc(1 << 20, 'walb');
    for (let i = 0; i < 4; i++) await nbd.write(i << 20, data);
    expect(await packsOf(remote)).toEqual([]);
    await remote.flush();
    const packs = await packsOf(remote);
    expect(packs.length).toBeGreaterThanOrEqual(4);
    expect(packs[0]).toBe(0n);
    const into = Buffer.alloc(8 << 20);
    await remote.readBlocks(0, into);
    expect(into.equals(Buffer.concat([data, data, data, data, Buffer.alloc(4 << 20)]))).toBe(true);
  });

  test('checkpoint, oldest lsid, and log that is gone', async () => {
    await using world = new World();
    await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    await nbd.write(0, Buffer.alloc(4096, 1), { fua: true });
    await remote.takeCheckpoint();
    const { prevWritten, permanent } = await remote.lsids();
    expect(prevWritten).toBe(permanent);
    await remote.setOldestLsid(prevWritten);
    await expect(packsOf(remote, 0n)).rejects.toMatchObject({ code: 'overflow' });
    expect(await packsOf(remote, prevWritten)).toEqual([]);
    await expect(remote.setOldestLsid(prevWritten + 5n)).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  test('a log reset while it is read is a conflict, not damage', async () => {
    await using world = new World();
    await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    for (let i = 0; i < 3; i++) await nbd.write(i * 4096, Buffer.alloc(4096, i + 1), { fua: true });
    const reading = remote.readLog(0n)[Symbol.asyncIterator]();
    expect((await reading.next()).value).toMatchObject({ lsid: 0n });
    const before = await remote.info();
    const after = await remote.resetLog();
    expect(Buffer.from(after.uuid).equals(before.uuid)).toBe(false);
    // The new history overwrites the packs that were about to be read.
    for (let i = 0; i < 3; i++) await nbd.write(i * 4096, Buffer.alloc(4096, i + 9), { fua: true });
    await expect(reading.next()).rejects.toMatchObject({ code: 'conflict' });
  });

  test('grows, and what is beyond the old end can be read at once', async () => {
    await using world = new World();
    await world.serve();
    const remote = await world.remote();
    await remote.readBlocks(0, new Uint8Array(512));
    await remote.resize(2 * SIZE_LB);
    await remote.readBlocks(2 * SIZE_LB - 1, new Uint8Array(512));
    expect((await remote.info()).sizeLb).toBe(2 * SIZE_LB);
    await expect(remote.resize(SIZE_LB)).rejects.toMatchObject({ code: 'invalid-argument' });
    truncateSync(join(world.folder, 'data'), 3 * SIZE_LB * 512);
    await remote.resize(0);
    expect((await remote.info()).sizeLb).toBe(3 * SIZE_LB);
  });

  test('watching hears of writes', async () => {
    await using world = new World();
    await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    const first = Promise.withResolvers<void>();
    const later = Promise.withResolvers<void>();
    let calls = 0;
    const cancel = remote.watch(() => {
      calls++;
      first.resolve();
      if (calls > 1) later.resolve();
    });
    await first.promise;
    await nbd.write(0, Buffer.alloc(4096, 1));
    await later.promise;
    cancel();
  });

  test('survives a restart of its process', async () => {
    await using world = new World();
    const served = await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    await nbd.write(512, Buffer.alloc(512, 7));
    const into = Buffer.alloc(512);
    await remote.readBlocks(1, into);
    await nbd.close();
    await served.stop();
    await expect(remote.lsids()).rejects.toMatchObject({ code: 'unavailable' });
    await world.serve();
    into.fill(0);
    await remote.readBlocks(1, into);
    expect(into.equals(Buffer.alloc(512, 7))).toBe(true);
    expect((await remote.lsids()).latest).toBeGreaterThan(0n);
  });

  test('clear-wal, freeze and melt, checkpoint interval', async () => {
    await using world = new World();
    const { device } = await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    const { channel } = remote;
    await nbd.write(0, Buffer.alloc(4096, 1));
    await channel.unary(DeviceRpc.clearLog, { timeoutSec: 5 });
    expect(await channel.unary(DeviceRpc.getDeviceLogUsage, {})).toMatchObject({ usagePb: 0 });
    await channel.unary(DeviceRpc.freeze, { timeoutSec: 0 });
    expect(await channel.unary(DeviceRpc.isFrozen, {})).toEqual({ value: true });
    let isDone = false;
    const writing = nbd.write(0, Buffer.alloc(4096, 2)).then(() => (isDone = true));
    await nbd.read(0, Buffer.alloc(4096));
    expect(isDone).toBe(false);
    await channel.unary(DeviceRpc.melt, {});
    await writing;
    await channel.unary(DeviceRpc.setCheckpointInterval, { intervalMs: 1234 });
    expect(device.checkpointInterval).toBe(1234);
  });

  test('DeleteDevice: busy while it is used, unless forced; then the process may end', async () => {
    await using world = new World();
    const served = await world.serve();
    const [remote, nbd] = [await world.remote(), await world.nbd()];
    const remove = (force: boolean) => remote.channel.unary(DeviceRpc.deleteDevice, { force });
    await expect(remove(false)).rejects.toMatchObject({ code: 'busy' });
    await nbd.flush();
    await remove(true);
    await served.stopped;
    await expect(remote.lsids()).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('opening by path', () => {
  test('a control socket, a name that is not there, a device nobody serves', async () => {
    await using world = new World();
    await world.serve();
    const opener = deviceOpener(world.env, { directory: world.folder, clientId: 's0' });
    const device = await opener.open(world.control);
    expect((await device.info()).name).toBe('v0');
    await device.close();
    await expect(opener.open('/dev/walb/zz')).rejects.toMatchObject({ code: 'not-found' });
    await expect(opener.open(join(world.folder, 'none.sock'))).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  test('two processes never serve one device', async () => {
    await using world = new World();
    await world.serve();
    await expect(world.serve()).rejects.toMatchObject({ code: 'busy' });
  });
});
