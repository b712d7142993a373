/**
 * A whole backup group in this process, over gRPC on loopback with real files: for tests of what the
 * servers do together. (test/e2e has real processes, test/sim the simulator.)
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ARCHIVE_OPTIONS, archiveConfig } from '../../src/archive-server/config.ts';
import { exportServing } from '../../src/archive-server/export-socket.ts';
import { FileImageStore } from '../../src/archive-server/file-image-store.ts';
import { ArchiveServer } from '../../src/archive-server/server.ts';
import {
  type Channel,
  type Env,
  type Listener,
  type Logger,
  silentLogger,
} from '../../src/core/index.ts';
import { type OptionSpec, parseOriginal } from '../../src/core/original-options.ts';
import { createRealEnv } from '../../src/core/real-env.ts';
import { createRealLogger } from '../../src/core/real-logger.ts';
import { PROXY_OPTIONS, proxyConfig } from '../../src/proxy-server/config.ts';
import { ProxyServer } from '../../src/proxy-server/server.ts';
import { grpcNetwork, HostType } from '../../src/rpc/index.ts';
import { OptionValues } from '../../src/server/common-options.ts';
import { controlBindings } from '../../src/server/control.ts';
import type { RunningServer } from '../../src/server/program.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import type { CommonSettings } from '../../src/server/status.ts';
import { STORAGE_OPTIONS, storageConfig } from '../../src/storage-server/config.ts';
import { StorageServer } from '../../src/storage-server/server.ts';
import type { WalbDevice } from '../../src/wdev/engine/index.ts';
import { formatDevice, openDevice } from '../../src/wdev/engine/index.ts';

export interface GroupServer {
  readonly address: string;
  readonly channel: Channel;
  readonly core: ServerCore;
  stop(): Promise<void>;
}

export interface Group extends AsyncDisposable {
  readonly env: Env;
  readonly directory: string;
  readonly storage: GroupServer;
  readonly proxy: GroupServer;
  readonly archive: GroupServer;
  /** A second one, a1, that nobody sends to by itself. */
  readonly secondary: GroupServer;
  /** Makes and opens a device; its path is what init-vol takes. */
  device(name: string, sizeLb: number): Promise<{ path: string; device: WalbDevice }>;
}

export interface GroupOptions {
  readonly storage?: readonly string[];
  readonly proxy?: readonly string[];
  /** Of both archives. */
  readonly archive?: readonly string[];
}

export async function startGroup(options: GroupOptions = {}): Promise<Group> {
  const directory = mkdtempSync(join(tmpdir(), 'walb-group-'));
  const env = createRealEnv({ network: grpcNetwork(), log: testLogger() });
  const devices = new Map<string, WalbDevice>();
  const startArchive = (id: string): Promise<GroupServer> =>
    startServer(env, HostType.ARCHIVE, id, (core, settings) => {
      const words = ['-b', `${directory}/${id}`, ...(options.archive ?? [])];
      const config = archiveConfig(optionsOf(ARCHIVE_OPTIONS, words));
      return new ArchiveServer(core, config, settings(`${directory}/${id}`), {
        images: (_volume, path) => new FileImageStore(env.files, path),
        serveExport: exportServing(env),
      });
    });
  const archive = await startArchive('a0');
  const secondary = await startArchive('a1');
  const proxy = await startServer(env, HostType.PROXY, 'p0', (core, settings) => {
    const values = optionsOf(PROXY_OPTIONS, ['-b', `${directory}/p0`, ...(options.proxy ?? [])]);
    return new ProxyServer(core, proxyConfig(values), settings(`${directory}/p0`));
  });
  const storage = await startServer(env, HostType.STORAGE, 's0', (core, settings) => {
    const fixed = ['-b', `${directory}/s0`, '-archive', archive.address, '-proxy', proxy.address];
    const values = optionsOf(STORAGE_OPTIONS, [...fixed, ...(options.storage ?? [])]);
    return new StorageServer(core, storageConfig(values), settings(`${directory}/s0`), {
      open: async (path) => {
        const device = devices.get(path);
        if (device === undefined) throw new Error(`no device ${path}`);
        return device;
      },
    });
  });
  return {
    env,
    directory,
    storage,
    proxy,
    archive,
    secondary,
    device: async (name, sizeLb) => {
      const path = `${directory}/${name}`;
      const files = { log: `${path}.log`, data: `${path}.data` };
      await formatDevice(env, { ...files, name, sizeLb, pbs: 512, logBytes: 16 * 1024 * 1024 });
      const device = await openDevice(env, files);
      devices.set(path, device);
      return { path, device };
    },
    [Symbol.asyncDispose]: async () => {
      for (const server of [storage, proxy, archive, secondary]) await server.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function startServer(
  env: Env,
  hostType: HostType,
  nodeId: string,
  create: (core: ServerCore, settings: (base: string) => CommonSettings) => RunningServer,
): Promise<GroupServer> {
  const core = new ServerCore(env, { hostType, nodeId, maxForegroundTasks: 4, pid: process.pid });
  const server = create(core, (baseDirectory) => ({
    baseDirectory,
    listenAddress: '',
    maxConnections: 10,
    maxBackgroundTasks: 1,
    socketTimeoutSec: 10,
    version: 'test',
    connections: () => 0,
    memoryBytes: () => 0,
  }));
  await server.load();
  const control = controlBindings(core, server, {
    version: {
      version: 'test',
      buildDate: '',
      logVersion: 2,
      commit: '',
      protocolVersion: 1,
      nodeVersion: process.version,
    },
    handlerStat: () => ({ counts: [], latencies: [], since: 0 }),
    exec: { allowed: [], spawn: () => (async function* () {})() },
  });
  const bindings = [...control, ...server.bindings()];
  const listener: Listener = await env.network.listen('127.0.0.1:0', bindings);
  const channel = env.network.connect(listener.address, { clientId: 'test' });
  return {
    address: listener.address,
    channel,
    core,
    stop: async () => {
      core.requestShutdown('force');
      channel.close();
      await server.stopWork();
      listener.abort();
    },
  };
}

function optionsOf(specs: readonly OptionSpec[], words: readonly string[]): OptionValues {
  const parsed = parseOriginal({ program: 'test', about: '', options: specs }, words);
  return new OptionValues(specs, parsed);
}

/** WALB_TEST_LOG=debug shows what the servers do. */
function testLogger(): Logger {
  const level = process.env['WALB_TEST_LOG'];
  return level === 'debug' || level === 'info' ? createRealLogger({ level }) : silentLogger;
}
