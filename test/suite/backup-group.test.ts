/** W1, W3, W4 in the small: a write reaches the archive and comes back. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { Channel } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  ProxyRpc,
  type StartRole,
  StorageRpc,
  type VolumeView,
} from '../../src/rpc/index.ts';
import { startGroup } from './in-process-group.ts';

const VOLUME = 'vol';
const SIZE_LB = 8 * 2048;

/** Waits until the view of the volume satisfies `predicate`. */
async function until(
  channel: Channel,
  predicate: (view: VolumeView) => boolean,
): Promise<VolumeView> {
  const abort = new AbortController();
  const seen: VolumeView[] = [];
  try {
    const events = channel.serverStream(
      ControlRpc.watch,
      { volumes: [VOLUME] },
      { signal: abort.signal, timeout: 20_000 },
    );
    for await (const { event } of events) {
      if (event?.$case !== 'volume') continue;
      seen.push(event.value);
      if (predicate(event.value)) return event.value;
    }
  } catch (error) {
    const last = seen.at(-1);
    const text = JSON.stringify(last, (_, v) => (typeof v === 'bigint' ? v.toString() : v));
    throw new Error(`waited in vain; last view: ${text}`, { cause: error });
  } finally {
    abort.abort();
  }
  throw new Error('the stream ended');
}

const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

it('backs up a volume while it is written, takes snapshots and restores them', async () => {
  await using group = await startGroup();
  const { storage, proxy, archive } = group;
  const { path, device } = await group.device('d0', SIZE_LB);
  const content = new Uint8Array(SIZE_LB * 512);
  const write = async (offset: number, blocks: number, value: number): Promise<void> => {
    const data = new Uint8Array(blocks * 512).fill(value);
    for (let i = 0; i < data.length; i += 7) data[i] = (value * i) & 0xff;
    await device.submit([{ kind: 'write', offset, data }]);
    content.set(data, offset * 512);
  };
  await write(0, 100, 1);
  await write(5000, 2000, 2);

  await storage.channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: path });
  await archive.channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
  const info = {
    name: 'a0',
    address: archive.address,
    compression: undefined,
    wdiffSendDelaySec: 0,
  };
  await proxy.channel.unary(ProxyRpc.addArchiveInfo, { volume: VOLUME, info });
  const role: StartRole = 'unspecified';
  await proxy.channel.unary(ControlRpc.start, { volume: VOLUME, role });

  const { taskId } = await storage.channel.unary(StorageRpc.fullBackup, {
    volume: VOLUME,
    bulkBytes: 0,
    compression: undefined,
  });
  await write(7000, 500, 3);
  const view = await until(storage.channel, ({ tasks }) => tasks.some((t) => t.taskId === taskId));
  expect(view.tasks[0]?.error).toBeUndefined();
  expect(view.state).toBe('Target');
  await until(archive.channel, ({ newestRestorableGid }) => newestRestorableGid !== undefined);

  const shas = new Map<bigint, string>();
  for (let round = 0; round < 3; round += 1) {
    await write(round * 100, 300, 10 + round);
    const { gid } = await storage.channel.unary(StorageRpc.snapshot, { volume: VOLUME });
    shas.set(gid, sha(content));
    await write(3000 + round, 50, 20 + round);
  }
  const last = [...shas.keys()].at(-1) as bigint;
  await until(archive.channel, ({ newestRestorableGid: gid }) => (gid ?? 0n) >= last);

  for (const [gid, wanted] of shas) {
    const task = await archive.channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid });
    const after = await until(archive.channel, ({ tasks }) =>
      tasks.some((t) => t.taskId === task.taskId),
    );
    expect(after.tasks.at(-1)?.error).toBeUndefined();
    const { images } = await archive.channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
    const image = images.find((i) => i.gid === gid);
    expect(sha(readFileSync(image?.path ?? ''))).toBe(wanted);
  }

  // The hash backup finds only what differs and ends as a clean snapshot too.
  const stop = await storage.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'graceful' });
  await until(storage.channel, ({ tasks }) => tasks.some((t) => t.taskId === stop.taskId));
  await storage.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
  await write(9000, 10, 77);
  const hash = await storage.channel.unary(StorageRpc.hashBackup, {
    volume: VOLUME,
    bulkBytes: 65536,
    compression: undefined,
  });
  const done = await until(storage.channel, ({ tasks }) =>
    tasks.some((t) => t.taskId === hash.taskId),
  );
  expect(done.tasks.at(-1)?.error).toBeUndefined();
  // Log that was on its way before the backup may have made a newer snapshot already: not that one.
  const newest = done.tasks.at(-1)?.gid as bigint;
  await until(archive.channel, ({ newestRestorableGid: gid }) => (gid ?? 0n) >= newest);
  const task = await archive.channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid: newest });
  const after = await until(archive.channel, ({ tasks }) =>
    tasks.some((t) => t.taskId === task.taskId),
  );
  expect(after.tasks.at(-1)?.error).toBeUndefined();
  const { images } = await archive.channel.unary(ArchiveRpc.getRestored, { volume: VOLUME });
  const image = images.find(({ gid }) => gid === newest);
  expect(sha(readFileSync(image?.path ?? ''))).toBe(sha(content));
});
