/**
 * `archive-info add` and `update` with an address that needs TLS at a proxy that has none: refused at
 * once, in the words of the storage's `-archive`, and not after hours in which nothing was sent.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Channel, silentLogger } from '../../src/core/index.ts';
import { createRealEnv } from '../../src/core/real-env.ts';
import { ProxyServer } from '../../src/proxy-server/server.ts';
import { grpcNetwork, HostType, ProxyRpc } from '../../src/rpc/index.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import { settingsOf } from '../server/server-world.ts';
import { CONFIG, VOLUME } from './support.ts';

const volume = VOLUME;
const LOCAL = '127.0.0.1:10201';
const BEYOND = '192.0.2.1:10201';

/** A proxy without TLS, over real connections. */
async function withProxy(test: (channel: Channel) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'walb-'));
  const env = createRealEnv({ network: grpcNetwork(), log: silentLogger });
  const options = { hostType: HostType.PROXY, nodeId: 'p0', maxForegroundTasks: 4, pid: 1 };
  const core = new ServerCore(env, options);
  const config = { ...CONFIG, baseDirectory: directory };
  const server = new ProxyServer(core, config, settingsOf(directory));
  await server.load();
  const listener = await env.network.listen(`unix:${directory}/socket`, server.bindings());
  const channel = env.network.connect(listener.address, { clientId: 'test' });
  try {
    await test(channel);
  } finally {
    channel.close();
    listener.abort();
    core.requestShutdown('force');
    await server.stopWork();
    rmSync(directory, { recursive: true });
  }
}

const infoAt = (address: string) => ({
  name: 'a0',
  address,
  compression: undefined,
  wdiffSendDelaySec: 0,
});
const REFUSAL = {
  code: 'permission-denied',
  message: expect.stringContaining(
    '192.0.2.1:10201 is beyond this machine and no TLS certificate is configured; give tls settings',
  ) as string,
};

it('refuses to add it, and knows no archive', async () => {
  await withProxy(async (channel) => {
    const add = (address: string) =>
      channel.unary(ProxyRpc.addArchiveInfo, { volume, info: infoAt(address) });
    await expect(add(BEYOND)).rejects.toMatchObject(REFUSAL);
    const list = () => channel.unary(ProxyRpc.listArchiveInfo, { volume });
    expect(await list()).toEqual({ names: [] });
    await add(LOCAL);
    expect(await list()).toEqual({ names: ['a0'] });
  });
});

it('refuses to change to it, and the address stays', async () => {
  await withProxy(async (channel) => {
    await channel.unary(ProxyRpc.addArchiveInfo, { volume, info: infoAt(LOCAL) });
    const update = channel.unary(ProxyRpc.updateArchiveInfo, { volume, info: infoAt(BEYOND) });
    await expect(update).rejects.toMatchObject(REFUSAL);
    const kept = await channel.unary(ProxyRpc.getArchiveInfo, { volume, archive: 'a0' });
    expect(kept.address).toBe(LOCAL);
  });
});
