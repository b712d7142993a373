/**
 * A device in another process of this machine, behind `VolumeDevice`: control by rpc, the log read
 * from the log file itself, the content over NBD.
 *
 * Source: volume-device.ts, device.proto, semantics.md B.4.
 */
import {
  type Bytes,
  type CancelTimer,
  type Channel,
  type Env,
  hasCode,
  LB_SIZE,
  type Lb,
  type Lsid,
  type Millis,
  WalbError,
} from '../../core/index.ts';
import { type DeviceInfoReply, DeviceRpc } from '../../rpc/index.ts';
import { openRingLog } from '../../wlog/index.ts';
import { lostLog, readPacks } from '../engine/log-reader.ts';
import { connectNbd, type NbdAddress, type NbdClient } from '../nbd/index.ts';
import type { DeviceInfo, Lsids, RawLogpack, VolumeDevice } from '../volume-device.ts';
import { MAX_READ_LB } from './device-service.ts';

/** A watcher whose device process is away looks for it again after this time. */
const WATCH_RETRY: Millis = 1_000;
/** Questions that touch no disk. Flushes, checkpoints and the like take as long as they take. */
const QUERY_TIMEOUT: Millis = 30_000;
const UNIX = 'unix:';

export interface RemoteDeviceOptions {
  /** `unix:/path` of the control service. */
  readonly control: string;
  /** Shown in the log of the device process. */
  readonly clientId: string;
}

/** Throws `unavailable` when the process does not run. */
export async function openRemoteDevice(
  env: Env,
  options: RemoteDeviceOptions,
): Promise<RemoteDevice> {
  const channel = env.network.connect(options.control, { clientId: options.clientId });
  try {
    const info = await channel.unary(DeviceRpc.getInfo, {}, { timeout: QUERY_TIMEOUT });
    return new RemoteDevice(env, channel, info);
  } catch (error) {
    channel.close();
    throw error;
  }
}

export class RemoteDevice implements VolumeDevice {
  readonly #env: Env;
  readonly #channel: Channel;
  readonly #closing = new AbortController();
  #info: DeviceInfoReply;
  #nbd: Promise<NbdClient> | undefined;

  /** Use `openRemoteDevice`. */
  constructor(env: Env, channel: Channel, info: DeviceInfoReply) {
    this.#env = env;
    this.#channel = channel;
    this.#info = info;
  }

  /** For the rest of wdevc's commands. */
  get channel(): Channel {
    return this.#channel;
  }

  async info(): Promise<DeviceInfo> {
    this.#info = await this.#channel.unary(DeviceRpc.getInfo, {}, { timeout: QUERY_TIMEOUT });
    return this.#info;
  }

  lsids(): Promise<Lsids> {
    return this.#channel.unary(DeviceRpc.getLsids, {}, { timeout: QUERY_TIMEOUT });
  }

  async isOverflow(): Promise<boolean> {
    const options = { timeout: QUERY_TIMEOUT };
    return (await this.#channel.unary(DeviceRpc.isOverflow, {}, options)).value;
  }

  watch(listener: () => void): CancelTimer {
    const stop = new AbortController();
    void this.#watch(AbortSignal.any([stop.signal, this.#closing.signal]), listener);
    return () => stop.abort();
  }

  /**
   * As `VolumeDevice.readLog`. The device process writes on meanwhile: a pack that does not verify is
   * damage only when its log is still supposed to be there.
   */
  async *readLog(begin: Lsid, signal?: AbortSignal): AsyncGenerator<RawLogpack, void, undefined> {
    const { logPath } = await this.#fresh();
    const { permanent } = await this.lsids();
    const file = this.#env.files.open(logPath, 'read');
    try {
      const ring = openRingLog(file);
      const { uuid } = ring.superSector;
      await this.#requireLog(begin, uuid);
      const window = { permanent, requirePresent: () => {} };
      try {
        yield* readPacks(ring, begin, () => window, signal);
      } catch (error) {
        const lsid = error instanceof WalbError ? error.details['lsid'] : undefined;
        if (hasCode(error, 'corrupt') && typeof lsid === 'bigint')
          await this.#requireLog(lsid, uuid);
        throw error;
      }
    } finally {
      file.close();
    }
  }

  async readBlocks(offset: Lb, into: Uint8Array): Promise<void> {
    const address = this.#nbdAddress();
    if (address === undefined) await this.#readByRpc(offset, into);
    else await this.#readByNbd(address, offset * LB_SIZE, into);
  }

  async flush(): Promise<void> {
    await this.#channel.unary(DeviceRpc.flush, {});
  }

  async takeCheckpoint(): Promise<void> {
    await this.#channel.unary(DeviceRpc.takeCheckpoint, {});
  }

  async setOldestLsid(lsid: Lsid): Promise<void> {
    await this.#channel.unary(DeviceRpc.setOldestLsid, { lsid });
  }

  async resetLog(): Promise<DeviceInfo> {
    this.#info = await this.#channel.unary(DeviceRpc.resetLog, {});
    return this.#info;
  }

  async resize(sizeLb: Lb): Promise<void> {
    this.#info = await this.#channel.unary(DeviceRpc.resizeDevice, { sizeLb });
  }

  /** Lets go of the connections; the device goes on in its process. */
  async close(): Promise<void> {
    this.#closing.abort();
    const nbd = this.#nbd;
    this.#nbd = undefined;
    const client = await nbd?.catch(() => undefined);
    await client?.close();
    this.#channel.close();
  }

  async #watch(signal: AbortSignal, listener: () => void): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const _state of this.#channel.serverStream(
          DeviceRpc.watchDevice,
          {},
          { signal },
        )) {
          if (!signal.aborted) listener();
        }
      } catch (err) {
        if (signal.aborted) return;
        this.#env.log.debug({ err, device: this.#info.path }, 'watching a device was interrupted');
      }
      await this.#env.clock.sleep(WATCH_RETRY, signal).catch(() => {});
    }
  }

  async #fresh(): Promise<DeviceInfoReply> {
    await this.info();
    return this.#info;
  }

  async #requireLog(lsid: Lsid, uuid: Uint8Array): Promise<void> {
    const [info, { oldest }, isOverflow] = await Promise.all([
      this.#fresh(),
      this.lsids(),
      this.isOverflow(),
    ]);
    if (!Buffer.from(info.uuid).equals(uuid)) {
      const details = { file: info.logPath, lsid };
      const message = `${info.path}: the log was reset while it was read`;
      throw new WalbError('conflict', message, { details });
    }
    if (isOverflow || lsid < oldest) throw lostLog(lsid, oldest, info.path, isOverflow);
  }

  #nbdAddress(): NbdAddress | undefined {
    const unix = this.#info.nbdAddresses.find((address) => address.startsWith(UNIX));
    return unix === undefined ? undefined : { kind: 'unix', path: unix.slice(UNIX.length) };
  }

  /** A connection from before a restart or a growth of the device is replaced once. */
  async #readByNbd(address: NbdAddress, offset: Bytes, into: Uint8Array): Promise<void> {
    const client = await this.#client(address);
    if (offset + into.length <= client.size) {
      try {
        return await client.read(offset, into);
      } catch (error) {
        if (!hasCode(error, 'unavailable')) throw error;
      }
    }
    if (this.#closing.signal.aborted) throw new WalbError('wrong-state', 'the device is closed');
    await this.#dropClient(client);
    await (await this.#client(address)).read(offset, into);
  }

  #client(address: NbdAddress): Promise<NbdClient> {
    const { clock } = this.#env;
    const connecting = (this.#nbd ??= connectNbd(address, { clock, exportName: this.#info.name }));
    connecting.catch(() => {
      if (this.#nbd === connecting) this.#nbd = undefined;
    });
    return connecting;
  }

  /** Other readers may have replaced it already. */
  async #dropClient(old: NbdClient): Promise<void> {
    const present = await this.#nbd?.catch(() => undefined);
    if (present === old) this.#nbd = undefined;
    // Reads of others on the old connection still end; nobody waits for its goodbye.
    old.close().catch(() => {});
  }

  async #readByRpc(offset: Lb, into: Uint8Array): Promise<void> {
    const total = into.length / LB_SIZE;
    for (let at = 0; at < total; at += MAX_READ_LB) {
      const request = { offsetLb: offset + at, blocks: Math.min(MAX_READ_LB, total - at) };
      const { data } = await this.#channel.unary(DeviceRpc.readBlocks, request);
      into.set(data, at * LB_SIZE);
    }
  }
}
