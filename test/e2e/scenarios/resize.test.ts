/** Scenarios n11, m3: volumes grow. */
import { expect, test } from 'vitest';
import { MIB } from '../../../src/core/index.ts';
import { Cluster, SIZE, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

const GROWN = SIZE + 4 * MIB;
const GROWN_MB = GROWN / MIB;

test('n11a: a volume grows everywhere under load', async () => {
  await using cluster = await Cluster.start({ storages: 2, archives: 2 });
  const { walbc, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate(a0, VOLUME, a1, true, SOON);
  const disks = [cluster.disk('s0'), cluster.disk('s1')];
  {
    await using writer = new RandomWriter(cluster.disk());
    await writer.more(5);
    await cluster.writeAndSnapshot();
    for (const disk of disks) disk.growImage(4 * MIB, 'zeros');
    await walbc.resize(VOLUME, GROWN_MB, true);
    await writer.more(5);
  }
  for (const disk of disks) expect(await disk.size()).toBe(GROWN);
  cluster.disk().reconnect();
  await cluster.disk().write(512, SIZE);
  const gid = await cluster.writeAndSnapshot([a0, a1]);
  const hash = await cluster.disk().hash();
  for (const ax of [a0, a1]) {
    expect(await walbc.get_vol_size_lb(ax, VOLUME)).toBe(GROWN / 512);
    expect(await cluster.restoredHash(ax, gid)).toBe(hash);
  }
});

test('n11b: what lay behind the end of a volume that grew comes by a hash backup', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.writeAndSnapshot();
  cluster.disk().growImage(4 * MIB, 'garbage');
  await walbc.resize(VOLUME, GROWN_MB, false);
  expect(await cluster.disk().size()).toBe(GROWN);
  cluster.disk().reconnect();
  await cluster.disk().write(512, SIZE);
  const gid = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, gid)).not.toBe(await cluster.disk().hash());
  await walbc.go_standby(s0, VOLUME);
  const mended = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, mended)).toBe(await cluster.disk().hash());
});

test('m3: diffs wait until the archive has grown as well', async () => {
  await using cluster = await Cluster.start({ storages: 2 });
  const { walbc, s0, s1, p0, a0 } = cluster;
  await cluster.backUp();
  await cluster.writeAndSnapshot();
  for (const name of ['s0', 's1']) cluster.disk(name).growImage(4 * MIB, 'zeros');
  for (const s of [s0, s1]) await walbc.resize_storage(s, VOLUME, GROWN_MB);
  cluster.disk().reconnect();
  await cluster.disk().write(512, SIZE);
  const gid1 = await walbc.snapshot_nbk(s0, VOLUME);
  const isFlagged = (): Promise<boolean> => walbc.is_wdiff_send_error(p0, VOLUME, a0);
  await walbc._wait_for_state_cond(p0, VOLUME, isFlagged, 'is_wdiff_send_error', SOON);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).not.toContain(gid1);
  await walbc.resize_archive(a0, VOLUME, GROWN_MB, true);
  await walbc.kick_storage_all();
  await walbc.kick_all([p0]);
  await walbc.wait_for_restorable(a0, VOLUME, gid1, SOON);
  expect(await walbc.is_wdiff_send_error(p0, VOLUME, a0)).toBe(false);
  expect(await cluster.restoredHash(a0, gid1)).toBe(await cluster.disk().hash());
});
