/**
 * The operator of a simulated group: brings the volume to synchronizing whatever state the servers are
 * in, takes snapshots, stops and starts and kicks things, and in the end waits for everything to be
 * delivered. A process of its own, with the ordinary calls.
 */
import {
  type Channel,
  type Env,
  type ErrorCode,
  hasCode,
  type Method,
  toHex,
} from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  type GapReport,
  ProxyRpc,
  StopMode,
  StorageRpc,
  type StorageVolumeStatus,
  type VolumeState,
} from '../../src/rpc/index.ts';
import { DEVICE_PATH, PORT, VOLUME } from './group-servers.ts';

/** What a call may end with while servers come and go; anything else is a finding. */
export const EXPECTED: readonly ErrorCode[] = [
  'unavailable',
  'timeout',
  'busy',
  'wrong-state',
  'limit-exceeded',
  'cancelled',
  'conflict',
  'overflow',
  'io',
  'no-space',
  'already-exists',
  'not-found',
];
const CALL_TIMEOUT = 20_000;
const COMPRESSION = { kind: 'snappy', level: 0, cpus: 1 } as const;

export interface TakenSnapshot {
  readonly uuid: string;
  readonly gid: bigint;
  /** The snapshot holds at least and at most so many writes. */
  readonly least: number;
  readonly most: number;
}

export class Operator {
  readonly #env: Env;
  readonly #proxies: readonly string[];
  readonly #channels = new Map<string, Channel>();

  constructor(env: Env, proxies: readonly string[]) {
    this.#env = env;
    this.#proxies = proxies;
  }

  /** Undefined when the call failed as calls may. */
  async try<Req, Res>(
    server: string,
    method: Method<Req, Res, 'unary'>,
    request: Req,
  ): Promise<Res | undefined> {
    let channel = this.#channels.get(server);
    if (channel === undefined) {
      channel = this.#env.network.connect(`${server}:${PORT}`, { clientId: 'op' });
      this.#channels.set(server, channel);
    }
    try {
      return await channel.unary(method, request, { timeout: CALL_TIMEOUT });
    } catch (error) {
      if (!hasCode(error, ...EXPECTED)) throw error;
      return undefined;
    }
  }

  async state(server: string): Promise<VolumeState | undefined> {
    return (await this.try(server, ControlRpc.getState, { volume: VOLUME }))?.state;
  }

  /** One step towards a volume that is synchronizing; true when it is. */
  async bringUp(): Promise<boolean> {
    const archive = await this.state('a0');
    if (archive === 'Clear')
      await this.try('a0', ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
    if (archive === 'Stopped') {
      await this.try('a0', ControlRpc.start, { volume: VOLUME, role: 'unspecified' });
    }
    let isUp = archive === 'Archived' || archive === 'WdiffRecv';
    for (const proxy of this.#proxies) isUp = (await this.#bringUpProxy(proxy)) && isUp;
    const storage = await this.state('s0');
    await this.#bringUpStorage(storage, archive);
    return isUp && storage === 'Target';
  }

  async #bringUpProxy(proxy: string): Promise<boolean> {
    const state = await this.state(proxy);
    if (state === 'Clear') {
      const info = { name: 'a0', address: `a0:${PORT}`, compression: COMPRESSION };
      await this.try(proxy, ProxyRpc.addArchiveInfo, {
        volume: VOLUME,
        info: { ...info, wdiffSendDelaySec: 0 },
      });
    }
    if (state === 'Stopped') {
      await this.try(proxy, ControlRpc.start, { volume: VOLUME, role: 'unspecified' });
    }
    return state === 'Started' || state === 'WlogRecv';
  }

  async #bringUpStorage(
    state: VolumeState | undefined,
    archive: VolumeState | undefined,
  ): Promise<void> {
    const request = { volume: VOLUME, bulkBytes: 4096, compression: undefined };
    if (state === 'Clear') {
      await this.try('s0', ControlRpc.initVolume, { volume: VOLUME, devicePath: DEVICE_PATH });
    } else if (state === 'SyncReady' && archive === 'SyncReady') {
      await this.try('s0', StorageRpc.fullBackup, request);
    } else if (state === 'SyncReady' && archive === 'Archived') {
      await this.try('s0', StorageRpc.hashBackup, request);
    } else if (state === 'Stopped') {
      const started = await this.try('s0', ControlRpc.start, { volume: VOLUME, role: 'target' });
      if (started === undefined) await this.resetStorage();
    } else if (state === 'Target' && archive === 'SyncReady') {
      await this.stopStorage();
      await this.resetStorage();
    }
  }

  async stopStorage(): Promise<void> {
    await this.try('s0', ControlRpc.stop, { volume: VOLUME, mode: StopMode.GRACEFUL });
    await this.#env.clock.sleep(2000);
  }

  async resetStorage(): Promise<void> {
    await this.try('s0', ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
  }

  /** `place` tells how many writes there are. */
  async snapshot(
    place: () => { acknowledged: number; begun: number },
  ): Promise<TakenSnapshot | undefined> {
    const before = await this.try('s0', StorageRpc.getUuid, { volume: VOLUME });
    const least = place().acknowledged;
    const reply = await this.try('s0', StorageRpc.snapshot, { volume: VOLUME });
    const most = place().begun;
    if (before === undefined || reply === undefined) return undefined;
    return { uuid: toHex(before.uuid), gid: reply.gid, least, most };
  }

  async kick(): Promise<void> {
    for (const server of ['s0', ...this.#proxies]) {
      await this.try(server, ControlRpc.kick, { volume: '', archive: '' });
    }
  }

  /** Stops something at random; `bringUp` starts it again. */
  async disturb(pick: (below: number) => number): Promise<void> {
    const server = ['s0', 'a0', ...this.#proxies][pick(2 + this.#proxies.length)] as string;
    const modes = [StopMode.GRACEFUL, StopMode.FORCE, StopMode.EMPTY];
    const mode = modes[pick(this.#proxies.includes(server) ? 3 : 2)] as StopMode;
    await this.try(server, ControlRpc.stop, { volume: VOLUME, mode });
  }

  async restorable(all: boolean, archive = 'a0'): Promise<bigint[] | undefined> {
    const reply = await this.try(archive, ArchiveRpc.getRestorable, { volume: VOLUME, all });
    return reply?.items.map(({ gid }) => gid);
  }

  async storageStatus(): Promise<StorageVolumeStatus | undefined> {
    const reply = await this.try('s0', ControlRpc.status, { volume: VOLUME });
    return reply?.status?.$case === 'storageVolume' ? reply.status.value : undefined;
  }

  /** Diffs that proxies still hold for the archive. */
  async spooled(archive = 'a0'): Promise<number> {
    let count = 0;
    for (const proxy of this.#proxies) {
      const request = { volume: VOLUME, archive };
      count += (await this.try(proxy, ProxyRpc.getProxyDiff, request))?.diffs.length ?? 1;
    }
    return count;
  }

  /** Gaps on the way to `a0` that proxies and the archive itself report. */
  async gaps(): Promise<GapReport[]> {
    const gaps: GapReport[] = [];
    for (const proxy of this.#proxies) {
      const reply = await this.try(proxy, ControlRpc.status, { volume: VOLUME });
      if (reply?.status?.$case !== 'proxyVolume') continue;
      for (const { archive, gap } of reply.status.value.archives) {
        if (archive === 'a0' && gap !== undefined) gaps.push(gap);
      }
    }
    const reply = await this.try('a0', ControlRpc.status, { volume: VOLUME });
    if (reply?.status?.$case === 'archiveVolume') gaps.push(...reply.status.value.gaps);
    return gaps;
  }

  /** The path of the restored image, or undefined when something came in between. */
  async restore(gid: bigint, archive = 'a0'): Promise<string | undefined> {
    await this.deleteRestored(gid, archive);
    if (!(await this.#beginRestore(gid, archive))) return undefined;
    for (let round = 0; round < 100; round++) {
      await this.#env.clock.sleep(50);
      const reply = await this.try(archive, ArchiveRpc.getRestored, { volume: VOLUME });
      const image = reply?.images.find((restored) => restored.gid === gid);
      if (image !== undefined) return image.path;
    }
    return undefined;
  }

  /** The restore before it may be listed and not be over yet. */
  async #beginRestore(gid: bigint, archive: string): Promise<boolean> {
    for (let round = 0; round < 10; round++) {
      const request = { volume: VOLUME, gid };
      if ((await this.try(archive, ArchiveRpc.restore, request)) !== undefined) return true;
      await this.#env.clock.sleep(100);
    }
    return false;
  }

  async deleteRestored(gid: bigint, archive = 'a0'): Promise<void> {
    await this.try(archive, ArchiveRpc.delRestored, { volume: VOLUME, gid });
  }

  /** Entries of the task queues, and of the lists a server keeps of what ran, where more than bounded. */
  async overgrown(archives: number): Promise<string[]> {
    const found: string[] = [];
    for (const server of ['s0', ...this.#proxies]) {
      const reply = await this.try(server, ControlRpc.status, { volume: '' });
      const status = reply?.status;
      if (status?.$case !== 'storage' && status?.$case !== 'proxy') continue;
      const queued = status.value.taskQueue.length;
      const bound = status.$case === 'storage' ? 1 : archives;
      if (queued > bound) found.push(`${server} has ${queued} tasks queued`);
    }
    return found;
  }
}
