/**
 * The servers of a backup group as simulated processes. The storage's process holds the device too,
 * and the workload that writes to it.
 */
import type { ArchiveConfig } from '../../src/archive-server/config.ts';
import type { ServedExport } from '../../src/archive-server/exports.ts';
import { FileImageStore } from '../../src/archive-server/file-image-store.ts';
import { ArchiveServer } from '../../src/archive-server/server.ts';
import { type Env, hasCode, KIB, Mutex, toHex, WalbError } from '../../src/core/index.ts';
import { LB_SIZE } from '../../src/core/units.ts';
import type { ProxyConfig } from '../../src/proxy-server/config.ts';
import { ProxyServer } from '../../src/proxy-server/server.ts';
import { HostType, PROTOCOL_VERSION } from '../../src/rpc/index.ts';
import { controlBindings } from '../../src/server/control.ts';
import type { RunningServer } from '../../src/server/program.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import type { CommonSettings } from '../../src/server/status.ts';
import type { StorageConfig } from '../../src/storage-server/config.ts';
import { StorageServer } from '../../src/storage-server/server.ts';
import { openDevice, type WalbDevice, type WriteRequest } from '../../src/wdev/index.ts';
import type { BlockBackend } from '../../src/wdev/nbd/backend.ts';
import type { VolumeDevice } from '../../src/wdev/volume-device.ts';
import { randomRequest } from '../wdev/support/volume-model.ts';
import type { GroupFlaw } from './group-flaws.ts';
import { changed, flawedDevice, flawedEnv } from './group-flaws.ts';
import type { Positions, WriteHistory } from './group-model.ts';
import { spyOnLog } from './group-spy.ts';
import { sharingImageStore } from './sharing-image-store.ts';
import type { ProcessMain } from './sim-process.ts';

export const PORT = 1;
export const VOLUME = 'vol';
export const DEVICE_PATH = '/dev/walb/vol';
export const DEVICE_FILES = { log: '/dev/log', data: '/dev/data' };
/** Small, so that packs are small too. */
export const PENDING_BYTES = 64 * KIB;
const COMPRESSION = { kind: 'snappy', level: 0, nrCpu: 1 } as const;
/** Blocks of the longest write. */
const MAX_WRITE_LB = 16;

/** What outlives the processes and judges them. */
export interface GroupStory {
  readonly history: WriteHistory;
  readonly positions: Positions;
  readonly flaw: GroupFlaw | undefined;
  /** Limit of scans; none = unlimited. */
  readonly scanLbPerSec?: number;
  /** Of archives (`-fi`). */
  readonly fsyncInterval?: number;
  /** Archives keep cold snapshots, as image stores that share blocks do. */
  readonly keepsCold?: boolean;
  /** What archives export now, by uri. */
  readonly exports?: Map<string, BlockBackend>;
  /** The workload writes while this is true. */
  isWriting: boolean;
  /** Called when the storage has sent all of a range, which a proxy now may or may not acknowledge. */
  readonly afterEnd: () => void;
}

async function serve(
  env: Env,
  signal: AbortSignal,
  hostType: HostType,
  nodeId: string,
  create: (core: ServerCore, settings: CommonSettings) => RunningServer,
  beside: () => Promise<void> = () => new Promise(() => {}),
): Promise<void> {
  const core = new ServerCore(env, { hostType, nodeId, maxForegroundTasks: 4, pid: 1 });
  const server = create(core, settingsOf(`/${nodeId}`));
  await server.load();
  const version = {
    version: 'sim',
    buildDate: '',
    logVersion: 2,
    commit: '',
    protocolVersion: PROTOCOL_VERSION,
    nodeVersion: '',
  };
  const control = controlBindings(core, server, {
    version,
    handlerStat: () => ({ counts: [], latencies: [], since: 0 }),
    exec: { allowed: [], spawn: async function* () {} },
  });
  const bindings = [...control, ...server.bindings()];
  const listener = await env.network.listen(`${nodeId}:${PORT}`, bindings);
  const kind = env.random.u32() % 2 === 0 ? 'graceful' : 'force';
  signal.addEventListener('abort', () => core.requestShutdown(kind));
  await Promise.race([core.untilShutdown(), beside()]);
  if (kind === 'force') listener.abort();
  else void listener.close();
  await server.stopWork();
}

function settingsOf(baseDirectory: string): CommonSettings {
  return {
    baseDirectory,
    listenAddress: '',
    maxConnections: 10,
    maxBackgroundTasks: 2,
    socketTimeoutSec: 10,
    version: 'sim',
    connections: () => 0,
    memoryBytes: () => 0,
  };
}

export function archiveMain(nodeId: string, story: GroupStory): ProcessMain {
  return (env, signal) => {
    const config: ArchiveConfig = {
      baseDirectory: `/${nodeId}`,
      maxWdiffFiles: 1000,
      discard: 'zero',
      fsyncInterval: story.fsyncInterval ?? 64 * KIB,
      autoResize: true,
      maxOpenDiffs: env.random.u32() % 4,
      maxOpenDiffsVirtual: 0,
      applySleepPercent: 0,
      syncCompression: COMPRESSION,
    };
    const own = flawedEnv(env, story.flaw, 'archive');
    return serve(own, signal, HostType.ARCHIVE, nodeId, (core, settings) => {
      return new ArchiveServer(core, config, settings, {
        images: (_volume, directory) =>
          story.keepsCold === true
            ? sharingImageStore(own, directory)
            : new FileImageStore(own.files, directory),
        serveExport: (backend, name) => serveExport(story, backend, `${nodeId}/${name}`),
      });
    });
  };
}

/** Whoever knows the uri reads from the backend. */
async function serveExport(
  { exports }: GroupStory,
  backend: BlockBackend,
  uri: string,
): Promise<ServedExport> {
  if (exports === undefined) throw new WalbError('unsupported', 'no exports here');
  exports.set(uri, backend);
  const close = async () => void exports.delete(uri);
  return { address: uri, uri, connections: () => 0, close };
}

export function proxyMain(nodeId: string, story: GroupStory): ProcessMain {
  return (env, signal) => {
    const config: ProxyConfig = {
      baseDirectory: `/${nodeId}`,
      maxBackgroundTasks: 1 + (env.random.u32() % 2),
      maxWdiffSend: [1, 40 * KIB, 1024 * KIB][env.random.u32() % 3] as number,
      maxWdiffFiles: 1 + (env.random.u32() % 5),
      minDelay: 1000,
      maxDelay: 8000,
      retryTimeout: 1800,
      startStopped: false,
      spoolLimit: 0,
    };
    const own = flawedEnv(env, story.flaw, 'proxy');
    return serve(own, signal, HostType.PROXY, nodeId, (core, settings) => {
      return new ProxyServer(core, config, settings);
    });
  };
}

export function storageMain(
  nodeId: string,
  proxies: readonly string[],
  archive: string,
  story: GroupStory,
): ProcessMain {
  return async (env, signal) => {
    const device = await openDevice(env, {
      ...DEVICE_FILES,
      path: DEVICE_PATH,
      pendingBytes: PENDING_BYTES,
      checkpointInterval: 500 + (env.random.u32() % 3000),
    });
    await compareWithHistory(device, story);
    const config: StorageConfig = {
      baseDirectory: `/${nodeId}`,
      archive: `${archive}:${PORT}`,
      proxies: proxies.map((name) => `${name}:${PORT}`),
      maxBackgroundTasks: 1,
      maxWlogSend: [24, 40, 80][env.random.u32() % 3]! * KIB,
      snapshotInterval: 1 + (env.random.u32() % 4),
      minDelay: 1000,
      maxDelay: 8000,
      fullScanLbPerSec: story.scanLbPerSec ?? 0,
      tsDeltaInterval: 60,
      syncCompression: COMPRESSION,
    };
    const own = flawedEnv(spyOnLog(env, story), story.flaw, 'storage');
    const turn = new Mutex('workload');
    const volumeDevice = notingResets(flawedDevice(device, story.flaw), turn, story);
    const open = (path: string): Promise<VolumeDevice> =>
      path === DEVICE_PATH
        ? Promise.resolve(volumeDevice)
        : Promise.reject(new WalbError('not-found', `no device ${path}`));
    await serve(
      own,
      signal,
      HostType.STORAGE,
      nodeId,
      (core, settings) => new StorageServer(core, config, settings, { open }),
      () => workload(env, device, signal, turn, story),
    );
    await device.close();
  };
}

/** After a start the content is a place of the history, and the log ends there. */
async function compareWithHistory(device: WalbDevice, { history, positions }: GroupStory) {
  const actual = new Uint8Array(history.sizeLb * LB_SIZE);
  device.read(0, actual);
  const { latest } = await device.lsids();
  const uuid = toHex((await device.info()).uuid);
  const place = history.restarted(actual, positions.placeAt(uuid, latest));
  positions.forgetPlacesAfter(uuid, latest);
  positions.notePlace(uuid, latest, place);
}

/** A new history begins where the volume is; nobody writes meanwhile, so that this is known. */
function notingResets(
  device: VolumeDevice,
  turn: Mutex,
  { history, positions }: GroupStory,
): VolumeDevice {
  const resetLog = async () => {
    using _held = await turn.lock();
    const info = await device.resetLog();
    positions.notePlace(toHex(info.uuid), 0n, history.length);
    return info;
  };
  // The device outlives its use by the server, as one in a process of its own does.
  return changed(device, { resetLog, close: async () => {} });
}

/** Writes now and then until the process ends; a device that fails ends the process. */
async function workload(
  env: Env,
  device: WalbDevice,
  signal: AbortSignal,
  turn: Mutex,
  story: GroupStory,
) {
  const { history, positions } = story;
  const pick = (below: number): number => env.random.u32() % below;
  const note = async (): Promise<void> => {
    const { latest } = await device.lsids();
    positions.notePlace(toHex((await device.info()).uuid), latest, history.length);
  };
  while (!signal.aborted) {
    await env.clock.sleep(pick(10) === 0 ? pick(3000) : pick(120), signal).catch(() => {});
    if (signal.aborted) return;
    // As the operator would who sees it: a device whose disk failed is opened anew.
    if (device.status.condition === 'failed') throw device.status.reason;
    if (!story.isWriting) {
      await note();
      continue;
    }
    if (pick(12) === 0) {
      const count = history.length;
      await device.flush();
      history.flush(count);
      continue;
    }
    using _held = await turn.lock();
    // One at a time: each ends a pack, and where it ends is a place.
    const requests: WriteRequest[] = [randomRequest(pick, history.sizeLb, MAX_WRITE_LB)];
    history.begin(requests);
    try {
      await device.submit(requests);
    } catch (error) {
      if (!hasCode(error, 'wrong-state')) throw error;
      return;
    }
    history.acknowledge();
    await note();
  }
}
