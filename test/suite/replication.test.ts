/**
 * W8, n7-n10, n14, e14-e16, r3 in the small: a whole group with two archives over gRPC, replication
 * through a network that is cut, and proxies that then feed both.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Channel, INVALID_GID, LB_SIZE, MIB } from '../../src/core/index.ts';
import {
  type Accepted,
  ArchiveRpc,
  ControlRpc,
  fromErrorInfo,
  ProxyRpc,
  type ReplicateRequest,
  StorageRpc,
  type TaskResult,
  type VolumeView,
} from '../../src/rpc/index.ts';
import { type Group, type GroupServer, startGroup } from './in-process-group.ts';
import { startRelay } from './tcp-relay.ts';

const VOLUME = 'vol';
const SIZE_LB = (24 * MIB) / LB_SIZE;

async function until(
  channel: Channel,
  predicate: (view: VolumeView) => boolean,
): Promise<VolumeView> {
  const abort = new AbortController();
  const options = { signal: abort.signal, timeout: 30_000 };
  let last: VolumeView | undefined;
  try {
    for await (const { event } of channel.serverStream(
      ControlRpc.watch,
      { volumes: [VOLUME] },
      options,
    )) {
      if (event?.$case !== 'volume') continue;
      last = event.value;
      if (predicate(last)) return last;
    }
  } catch (error) {
    throw new Error(`waited in vain; state ${last?.state}`, { cause: error });
  } finally {
    abort.abort();
  }
  throw new Error('the watch ended');
}

async function finished({ channel }: GroupServer, { taskId }: Accepted): Promise<TaskResult> {
  const view = await until(channel, ({ tasks }) => tasks.some((task) => task.taskId === taskId));
  const result = view.tasks.find((task) => task.taskId === taskId) as TaskResult;
  if (result.error !== undefined) throw fromErrorInfo(result.error);
  return result;
}

/** A group with a volume that is backed up to a0; a1 knows the volume, and nothing more. */
class Backup {
  readonly group: Group;
  readonly content = new Uint8Array(SIZE_LB * LB_SIZE);
  #write: (offset: number, data: Uint8Array) => Promise<void> = async () => {};
  #turn = 1;

  constructor(group: Group) {
    this.group = group;
  }

  async begin(): Promise<void> {
    const { storage, proxy, archive, secondary } = this.group;
    const { path, device } = await this.group.device('d0', SIZE_LB);
    this.#write = async (offset, data) => {
      await device.submit([{ kind: 'write', offset, data }]);
    };
    await this.fill(0, SIZE_LB / 2);
    await storage.channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: path });
    for (const { channel } of [archive, secondary]) {
      await channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
    }
    await this.attach('a0', archive.address);
    await this.#startProxy(proxy.channel);
    const request = { volume: VOLUME, bulkBytes: 0, compression: undefined };
    await finished(storage, await storage.channel.unary(StorageRpc.fullBackup, request));
    await this.snapshot();
  }

  /** A proxy sends to one more archive. */
  async attach(name: string, address: string): Promise<void> {
    const info = { name, address, compression: undefined, wdiffSendDelaySec: 0 };
    await this.group.proxy.channel.unary(ProxyRpc.addArchiveInfo, { volume: VOLUME, info });
  }

  async attachWhileRunning(name: string, address: string): Promise<void> {
    const { proxy } = this.group;
    const stop = await proxy.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' });
    await finished(proxy, stop);
    await this.attach(name, address);
    await this.#startProxy(proxy.channel);
  }

  async #startProxy(channel: Channel): Promise<void> {
    await channel.unary(ControlRpc.start, { volume: VOLUME, role: 'unspecified' });
  }

  /** Data that does not compress. */
  async fill(offset: number, blocks: number): Promise<void> {
    for (let done = 0; done < blocks; done += 2048) {
      const count = Math.min(2048, blocks - done);
      const data = Buffer.alloc(count * LB_SIZE);
      for (let i = 0; i < data.length; i += 32) {
        data.set(createHash('sha256').update(`${this.#turn} ${offset} ${done} ${i}`).digest(), i);
      }
      await this.#write(offset + done, data);
      this.content.set(data, (offset + done) * LB_SIZE);
    }
    this.#turn += 1;
  }

  /** Takes one and waits until the archives have it. */
  async snapshot(...archives: GroupServer[]): Promise<bigint> {
    const { storage, archive } = this.group;
    const { gid } = await storage.channel.unary(StorageRpc.snapshot, { volume: VOLUME });
    for (const { channel } of archives.length > 0 ? archives : [archive]) {
      await until(channel, (view) => (view.newestRestorableGid ?? 0n) >= gid);
    }
    return gid;
  }

  async replicate(address: string, wish: Partial<ReplicateRequest> = {}): Promise<TaskResult> {
    const { archive } = this.group;
    const request: ReplicateRequest = {
      volume: VOLUME,
      until: { $case: 'sizeMb', value: 0 },
      address,
      doResync: false,
      dontMerge: false,
      compression: undefined,
      maxMergeBytes: 0,
      bulkBytes: 0,
      ...wish,
    };
    return finished(archive, await archive.channel.unary(ArchiveRpc.replicate, request));
  }

  /** sha256 of the restored snapshot on each archive is that of the device. */
  async expectRestored(gid: bigint, ...archives: GroupServer[]): Promise<void> {
    const wanted = createHash('sha256').update(this.content).digest('hex');
    for (const archive of archives) {
      const { channel } = archive;
      await finished(archive, await channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid }));
      const { images } = await channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
      const path = images.find((image) => image.gid === gid)?.path ?? '';
      expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(wanted);
      await channel.unary(ArchiveRpc.delRestored, { volume: VOLUME, gid });
    }
  }
}

it('replicates through a network that is cut, resumes, and both archives go on', async () => {
  await using group = await startGroup({ archive: ['-fi', '1M'] });
  const { archive, secondary, storage } = group;
  await using relay = await startRelay(secondary.address);
  const backup = new Backup(group);
  await backup.begin();

  // e14: cut in the middle of the full copy, then resumed.
  relay.cutAfter(6 * MIB);
  await expect(backup.replicate(relay.address)).rejects.toMatchObject({ code: 'unavailable' });
  await until(secondary.channel, ({ state }) => state === 'SyncReady');
  await until(archive.channel, ({ actions }) => actions.every(({ running }) => running === 0));
  const before = relay.sent;
  relay.mend();
  await backup.replicate(relay.address);
  expect(relay.sent - before).toBeLessThan(9 * MIB);
  let gid = await backup.snapshot();
  await backup.replicate(relay.address);
  await backup.expectRestored(gid, archive, secondary);

  // e16: cut in the middle of a diff.
  await backup.fill(SIZE_LB / 2, SIZE_LB / 4);
  gid = await backup.snapshot();
  relay.cutAfter(2 * MIB);
  await expect(backup.replicate(relay.address)).rejects.toMatchObject({ code: 'unavailable' });
  await until(secondary.channel, ({ state }) => state === 'Archived');
  relay.mend();
  await backup.replicate(relay.address, { until: { $case: 'gid', value: gid } });
  await backup.expectRestored(gid, archive, secondary);

  // e15, n9: the primary's base is beyond what the other has; the comparison is cut, then repeated.
  await backup.fill(100, SIZE_LB / 4);
  gid = await backup.snapshot();
  const applied = await archive.channel.unary(ArchiveRpc.apply, { volume: VOLUME, gid });
  await finished(archive, applied);
  relay.cutAfter(2 * MIB);
  await expect(backup.replicate(relay.address)).rejects.toMatchObject({ code: 'unavailable' });
  await until(secondary.channel, ({ state }) => state === 'Archived');
  relay.mend();
  await backup.replicate(relay.address);
  await backup.expectRestored(gid, archive, secondary);

  // n10: from now on a proxy feeds both; what came between is replicated once more.
  await backup.attachWhileRunning('a1', secondary.address);
  await backup.replicate(secondary.address);
  await backup.fill(5000, 300);
  gid = await backup.snapshot(archive, secondary);
  await backup.expectRestored(gid, archive, secondary);

  // n14: another full backup at the primary makes the other archive's data another's.
  for (const server of [storage, archive]) {
    const stop = await server.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' });
    await finished(server, stop);
    await server.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
  }
  await backup.fill(9000, 100);
  const request = { volume: VOLUME, bulkBytes: 0, compression: undefined };
  await finished(storage, await storage.channel.unary(StorageRpc.fullBackup, request));
  gid = await backup.snapshot();
  await expect(backup.replicate(secondary.address)).rejects.toMatchObject({ code: 'conflict' });
  // The images are compared, so that little travels where they are nearly the same.
  const latest = await secondary.channel.unary(ArchiveRpc.getMetaSnap, {
    volume: VOLUME,
    gid: INVALID_GID,
  });
  const catchUp = { volume: VOLUME, gid: latest.gidB };
  await finished(secondary, await secondary.channel.unary(ArchiveRpc.apply, catchUp));
  const compared = relay.sent;
  await backup.replicate(relay.address, { doResync: true });
  expect(relay.sent - compared).toBeLessThan(2 * MIB);
  await backup.expectRestored(gid, archive, secondary);
}, 60_000);
