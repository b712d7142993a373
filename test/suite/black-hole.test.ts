/**
 * Hurt before: a connect time-out to one proxy that blocked the spare (W3). The preferred proxy is a
 * black hole, in the three ways a TCP peer can be one; log must get to the spare, and no later delivery
 * may wait for the black hole again.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { KIB, silentLogger } from '../../src/core/index.ts';
import { createRealEnv } from '../../src/core/real-env.ts';
import { ControlRpc, grpcNetwork, HostType, handle, ProxyRpc } from '../../src/rpc/index.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import { StorageServer } from '../../src/storage-server/server.ts';
import { VolumeFiles } from '../../src/storage-server/volume-files.ts';
import { CONFIG, DEVICE, FakeDevice, FakeProxies, VOLUME } from '../storage-server/support.ts';

/** `-to` of the storage. */
const CONNECT_TIMEOUT = 1_000;
/** Beyond any time-out that may pass before the spare is tried, on a busy machine. */
const PATIENCE = 30_000;
const NO_SERVER = { hostType: HostType.PROXY, nodeId: 'p0', instance: '' };

interface BlackHole extends AsyncDisposable {
  readonly address: string;
}

const addressOf = (at: AddressInfo): string => `127.0.0.1:${at.port}`;

/** Takes connections and says nothing: a hung process. */
async function silent(): Promise<BlackHole> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.on('error', () => {})));
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    address: addressOf(server.address() as AddressInfo),
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Its backlog is full, so that not even a connection is made: a lost route. */
async function unreachable(): Promise<BlackHole> {
  const program =
    "const s = require('net').createServer().listen(0, '127.0.0.1', 1, () => console.log(s.address().port))";
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  child.kill('SIGSTOP');
  const port = Number(String(line));
  const sockets = Array.from({ length: 4 }, () => connect(port, '127.0.0.1').on('error', () => {}));
  await Promise.all(sockets.slice(0, 2).map((socket) => once(socket, 'connect')));
  return {
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

/** Answers its heartbeat, but never a transfer: a hung disk. */
async function answeringOnly(): Promise<BlackHole> {
  const listener = await grpcNetwork({ log: silentLogger }).listen('127.0.0.1:0', [
    handle(ControlRpc.getHostType, async () => NO_SERVER),
    handle(ProxyRpc.transferWlog, (_stream, { signal }) => once(signal, 'abort').then(() => {})),
  ]);
  return {
    address: listener.address,
    [Symbol.asyncDispose]: async () => listener.abort(),
  };
}

/** A storage with a volume that is Target; its first proxy is the black hole, its second one works. */
async function delivering(
  hole: BlackHole,
  work: (device: FakeDevice, proxies: FakeProxies, server: StorageServer) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'walb-hole-'));
  const network = grpcNetwork({ log: silentLogger, connectTimeout: CONNECT_TIMEOUT });
  const env = createRealEnv({ network, log: silentLogger });
  const proxies = new FakeProxies();
  const spare = await network.listen('127.0.0.1:0', proxies.bindings('spare'));
  const device = new FakeDevice();
  const records = { done: { lsid: 0n, gid: 0n, isMergeable: false, timestamp: 1 }, queue: [] };
  const files = new VolumeFiles(env, `${folder}/${VOLUME}`);
  await files.create({ devicePath: DEVICE, state: 'Target', records, uuid: device.uuid });
  const hostType = HostType.STORAGE;
  const core = new ServerCore(env, { hostType, nodeId: 's0', maxForegroundTasks: 1, pid: 1 });
  const config = {
    ...CONFIG,
    baseDirectory: folder,
    proxies: [hole.address, spare.address],
    maxWlogSend: 64 * KIB,
    snapshotInterval: 1,
  };
  const settings = {
    baseDirectory: folder,
    listenAddress: '',
    maxConnections: 10,
    maxBackgroundTasks: 1,
    socketTimeoutSec: 1,
    version: 'test',
    connections: () => 0,
    memoryBytes: () => 0,
  };
  const server = new StorageServer(core, config, settings, { open: async () => device });
  device.write([3]);
  try {
    await server.load();
    await work(device, proxies, server);
  } finally {
    core.requestShutdown('force');
    await server.stopWork();
    spare.abort();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function until(fact: () => boolean): Promise<number> {
  const began = performance.now();
  while (!fact()) {
    if (performance.now() - began > PATIENCE) throw new Error(`waited in vain for ${fact}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return performance.now() - began;
}

it.each([
  ['takes connections and says nothing', silent],
  ['takes no connection', unreachable],
] as const)(
  'a proxy that %s does not keep log from the spare',
  { timeout: 2 * PATIENCE },
  async (_, dig) => {
    await using hole = await dig();
    await delivering(hole, async (device, proxies, server) => {
      await until(() => proxies.deliveries.length === 1);
      expect(proxies.ranges[0]).toMatch(/^spare 0-/);
      // Once its heartbeat was missed, nobody waits for it any more.
      await until(() => server.proxies.available().length === 1);
      expect(server.proxies.links()[0]).toMatchObject({
        address: hole.address,
        isAvailable: false,
      });
      const delivered = proxies.deliveries.length;
      device.write([4]);
      expect(await until(() => proxies.deliveries.length > delivered)).toBeLessThan(
        CONNECT_TIMEOUT + 900,
      );
    });
  },
);

it('a proxy that answers its heartbeat, but no transfer, holds up log once', {
  timeout: 2 * PATIENCE,
}, async () => {
  await using hole = await answeringOnly();
  await delivering(hole, async (device, proxies) => {
    await until(() => proxies.deliveries.length === 1);
    device.write([4]);
    expect(await until(() => proxies.deliveries.length === 2)).toBeLessThan(8000);
  });
});
