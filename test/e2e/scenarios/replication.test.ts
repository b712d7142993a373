/** Scenarios n7-n10, n14: what one archive brings to another. */
import { expect, test } from 'vitest';
import { Cluster, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

async function expectEqual(cluster: Cluster): Promise<bigint> {
  const { walbc, a0, a1 } = cluster;
  const gid = await walbc.get_latest_clean_snapshot(a0, VOLUME);
  expect(await walbc.get_latest_clean_snapshot(a1, VOLUME)).toBe(gid);
  expect(await cluster.restoredHash(a1, gid)).toBe(await cluster.restoredHash(a0, gid));
  return gid;
}

/** Two archives that are equal after a full replication. */
async function twoArchives(): Promise<Cluster> {
  const cluster = await Cluster.start({ archives: 2 });
  try {
    await cluster.backUp();
    await cluster.writeAndSnapshot();
    await cluster.walbc.replicate(cluster.a0, VOLUME, cluster.a1, false, SOON);
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

async function expectSameSnapshots({ walbc, a0, a1 }: Cluster): Promise<void> {
  const [first, second] = [
    await walbc.get_restorable_gid(a0, VOLUME),
    await walbc.get_restorable_gid(a1, VOLUME),
  ];
  expect(second).toEqual(first);
}

test('n7: full replication makes an empty archive equal', async () => {
  await using cluster = await twoArchives();
  await expectSameSnapshots(cluster);
  await expectEqual(cluster);
});

test('n8: diff replication brings what is new', async () => {
  await using cluster = await twoArchives();
  const { walbc, a0, a1 } = cluster;
  const gid0 = await cluster.writeAndSnapshot();
  expect(await walbc.get_latest_clean_snapshot(a0, VOLUME)).toBe(gid0);
  expect(await walbc.get_latest_clean_snapshot(a1, VOLUME)).toBeLessThan(gid0);
  await walbc.replicate(a0, VOLUME, a1, false, SOON);
  await expectSameSnapshots(cluster);
  expect(await expectEqual(cluster)).toBe(gid0);
});

test('n9: hash replication helps an archive older than all the other holds', async () => {
  await using cluster = await twoArchives();
  const { walbc, a0, a1 } = cluster;
  await walbc.apply(a0, VOLUME, await cluster.writeAndSnapshot(), SOON);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toHaveLength(1);
  const gid1 = await cluster.writeAndSnapshot();
  await walbc.replicate(a0, VOLUME, a1, false, SOON);
  expect(await expectEqual(cluster)).toBe(gid1);
  const compared = (await walbc.get_diff_list(a1, VOLUME)).filter((diff) => diff.isCompDiff);
  expect(compared).toHaveLength(1);
});

test('n10: a synchronizing archive follows, and follows no more when it is stopped', async () => {
  await using cluster = await Cluster.start({ proxies: 2, archives: 2 });
  const { walbc, s0, a0, a1 } = cluster;
  await cluster.backUp();
  await using writer = new RandomWriter(cluster.disk());
  await writer.more(5);
  await cluster.writeAndSnapshot();
  await walbc.replicate(a0, VOLUME, a1, true, SOON);
  expect(await walbc.is_synchronizing(a1, VOLUME)).toBe(true);
  await writer.more(5);
  const gid = await walbc.snapshot_nbk(s0, VOLUME);
  for (const ax of [a0, a1]) await walbc.wait_for_restorable(ax, VOLUME, gid, SOON);
  expect(await cluster.restoredHash(a1, gid)).toBe(await cluster.restoredHash(a0, gid));
  await walbc.stop_synchronizing(a1, VOLUME);
  await writer.more(5);
  await writer.stop();
  const last = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  expect(await walbc.get_latest_clean_snapshot(a1, VOLUME)).toBeLessThan(last);
  expect(await cluster.restoredHash(a0, last)).toBe(await cluster.disk().hash());
});

test('n14: data of another history is replaced only when that is asked for', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, s0, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate_once(a0, VOLUME, a1, SOON);
  await walbc.stop(a0, VOLUME);
  await walbc.clear(a0, VOLUME);
  await walbc.stop(s0, VOLUME);
  await cluster.disk().write();
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  await expect(walbc.replicate_once(a0, VOLUME, a1, SOON)).rejects.toMatchObject({
    code: 'conflict',
  });
  await walbc.replicate_once(a0, VOLUME, a1, SOON, true);
  const hash = await cluster.disk().hash();
  for (const ax of [a0, a1]) expect(await cluster.restoredHash(ax, gid)).toBe(hash);
});
