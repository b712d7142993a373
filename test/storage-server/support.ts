/** A storage server in a simulated world, with a device that does as it is told. */
import type { Binding, CancelTimer, Lsid } from '../../src/core/index.ts';
import { KIB, WalbError } from '../../src/core/index.ts';
import { ControlRpc, handle, ProxyRpc, type WlogEnd, type WlogHello } from '../../src/rpc/index.ts';
import type { StorageConfig } from '../../src/storage-server/config.ts';
import type { Records } from '../../src/storage-server/records.ts';
import { StorageServer } from '../../src/storage-server/server.ts';
import { VolumeFiles } from '../../src/storage-server/volume-files.ts';
import type { DeviceInfo, Lsids, RawLogpack, VolumeDevice } from '../../src/wdev/volume-device.ts';
import { HostType, PORT, type ServerWorld, type StartedServer } from '../server/server-world.ts';

export const VOLUME = 'vol';
export const DEVICE = '/dev/walb/vol';
const PBS = 512;
const NO_IDENTITY = { hostType: HostType.PROXY, nodeId: 'p', instance: '' };

export class FakeDevice implements VolumeDevice {
  uuid = new Uint8Array(16).fill(1);
  sizeLb = 64;
  overflow = false;
  /** Ends of packs; each is a header and zeros. */
  packEnds: Lsid[] = [0n];
  permanent: Lsid = 0n;
  prevWritten: Lsid = 0n;
  oldest: Lsid = 0n;
  flushes = 0;
  #listeners = new Set<() => void>();

  /** Logs packs of so many physical blocks each, permanent at once unless told otherwise. */
  write(packs: readonly number[], isPermanent = true): void {
    for (const pb of packs) this.packEnds.push(this.latest + BigInt(pb));
    if (isPermanent) this.permanent = this.latest;
    this.announce();
  }

  announce(): void {
    for (const listener of this.#listeners) listener();
  }

  get watchers(): number {
    return this.#listeners.size;
  }

  get latest(): Lsid {
    return this.packEnds.at(-1) as Lsid;
  }

  async info(): Promise<DeviceInfo> {
    const { uuid, sizeLb } = this;
    return { name: 'v', path: DEVICE, sizeLb, pbs: PBS, ringPb: 1000, uuid, salt: 0 };
  }

  async lsids(): Promise<Lsids> {
    const { latest, permanent, prevWritten, oldest } = this;
    const same = { submitted: latest, completed: latest, flush: permanent, written: prevWritten };
    return { latest, permanent, prevWritten, oldest, ...same };
  }

  async isOverflow(): Promise<boolean> {
    return this.overflow;
  }

  watch(listener: () => void): CancelTimer {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async *readLog(begin: Lsid): AsyncGenerator<RawLogpack> {
    let at = begin;
    for (const end of this.packEnds) {
      if (end <= begin || end > this.permanent) continue;
      const data = new Uint8Array(Number(end - at - 1n) * PBS);
      yield { lsid: at, header: new Uint8Array(PBS), data };
      at = end;
    }
  }

  async readBlocks(_offset: number, into: Uint8Array): Promise<void> {
    into.fill(0);
  }

  async flush(): Promise<void> {
    this.flushes += 1;
    this.permanent = this.latest;
  }

  async takeCheckpoint(): Promise<void> {
    this.prevWritten = this.permanent;
  }

  async setOldestLsid(lsid: Lsid): Promise<void> {
    this.oldest = lsid;
  }

  async resetLog(): Promise<DeviceInfo> {
    this.uuid = this.uuid.map((byte) => byte + 1);
    this.packEnds = [0n];
    this.permanent = this.prevWritten = this.oldest = 0n;
    this.overflow = false;
    return await this.info();
  }

  async resize(sizeLb: number): Promise<void> {
    this.sizeLb = sizeLb;
  }

  async close(): Promise<void> {}
}

export const CONFIG: StorageConfig = {
  baseDirectory: '/s0',
  archive: `a0:${PORT}`,
  proxies: [`p0:${PORT}`, `p1:${PORT}`],
  maxBackgroundTasks: 2,
  maxWlogSend: 64 * KIB,
  snapshotInterval: 5,
  minDelay: 1000,
  maxDelay: 8000,
  fullScanLbPerSec: 0,
  tsDeltaInterval: 60,
  syncCompression: { kind: 'snappy', level: 0, nrCpu: 1 },
};

export type Stored = 'SyncReady' | 'Stopped' | 'Target' | 'Standby';

/** Puts the files of a volume on the storage's disk, as an earlier run would have left them. */
export async function store(
  world: ServerWorld,
  state: Stored,
  device: FakeDevice,
  records: Records = {
    done: { lsid: 0n, gid: 0n, isMergeable: false, timestamp: 1 },
    queue: [],
  },
): Promise<void> {
  const env = await world.envOn('s0');
  const files = new VolumeFiles(env, `/s0/${VOLUME}`);
  await files.create({ devicePath: DEVICE, state, records, uuid: device.uuid });
}

export function startStorage(
  world: ServerWorld,
  device: FakeDevice,
  config: Partial<StorageConfig> = {},
  maxForegroundTasks = 4,
): Promise<StartedServer<StorageServer>> {
  const open = async (path: string): Promise<VolumeDevice> => {
    if (path !== DEVICE) throw new WalbError('not-found', `no device ${path}`);
    return device;
  };
  return world.start(
    's0',
    HostType.STORAGE,
    (core, settings) => new StorageServer(core, { ...CONFIG, ...config }, settings, { open }),
    maxForegroundTasks,
  );
}

export interface Delivery {
  readonly proxy: string;
  readonly hello: WlogHello;
  readonly end: WlogEnd;
  readonly bytes: number;
}

/** Proxies that take everything and remember it; `refuse` and `beforeAck` may throw. */
export class FakeProxies {
  readonly deliveries: Delivery[] = [];
  refuse: (proxy: string) => void = () => {};
  beforeAck: (delivery: Delivery) => void | Promise<void> = () => {};
  heartbeats = 0;

  bindings(proxy: string): Binding[] {
    return [
      handle(ControlRpc.getHostType, async () => {
        this.heartbeats += 1;
        return NO_IDENTITY;
      }),
      handle(ProxyRpc.transferWlog, async (stream) => {
        const hello = (await stream.receive())?.message;
        if (hello?.$case !== 'hello') throw new Error('hello expected');
        this.refuse(proxy);
        await stream.send({ message: { $case: 'accept', value: NO_IDENTITY } });
        let bytes = 0;
        for (;;) {
          const message = (await stream.receive())?.message;
          if (message === undefined) throw new Error('end expected');
          if (message.$case === 'packs') {
            bytes += message.value.pieces.reduce((sum, piece) => sum + piece.length, 0);
          }
          if (message.$case !== 'end') continue;
          const delivery = { proxy, hello: hello.value, end: message.value, bytes };
          this.deliveries.push(delivery);
          await this.beforeAck(delivery);
          await stream.send({ message: { $case: 'ack', value: {} } });
          return;
        }
      }),
    ];
  }

  get ranges(): string[] {
    return this.deliveries.map(({ proxy, end: { diff } }) => {
      return `${proxy} ${diff?.snapB?.gidB}-${diff?.snapE?.gidB}`;
    });
  }
}
