/** Scenarios n5, n6, n13: what an archive does with its diffs. */
import { expect, test } from 'vitest';
import { Cluster, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

test('n5: a snapshot is the same after it has become the base image', async () => {
  await using cluster = await Cluster.start();
  const { walbc, a0 } = cluster;
  await cluster.backUp();
  await using writer = new RandomWriter(cluster.disk());
  await writer.more(10);
  const gid = await cluster.writeAndSnapshot();
  await writer.more(10);
  const before = await cluster.restoredHash(a0, gid);
  await walbc.apply(a0, VOLUME, gid, SOON);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toContain(gid);
  expect(await cluster.restoredHash(a0, gid)).toBe(before);
  expect((await walbc.get_base(a0, VOLUME)).B.gidB).toBe(gid);
});

test('n6: a snapshot is the same after the diffs up to it were merged', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, p0, a0 } = cluster;
  await cluster.backUp();
  await using writer = new RandomWriter(cluster.disk());
  const gidB = await cluster.writeAndSnapshot();
  await writer.more(20);
  await walbc.stop(s0, VOLUME);
  await walbc.stop(p0, VOLUME, 'empty');
  await walbc.start(s0, VOLUME);
  await walbc.start(p0, VOLUME);
  await writer.more(20);
  const gidE = await cluster.writeAndSnapshot();
  const before = await cluster.restoredHash(a0, gidE);
  expect(await walbc.get_num_diff(a0, VOLUME, gidB, gidE)).toBeGreaterThanOrEqual(2);
  await walbc.merge(a0, VOLUME, gidB, gidE, SOON);
  expect(await walbc.get_num_diff(a0, VOLUME, gidB, gidE)).toBe(1);
  expect(await cluster.restoredHash(a0, gidE)).toBe(before);
});

test('n13: disabled snapshots may vanish, enabled ones are kept', async () => {
  await using cluster = await Cluster.start();
  const { walbc, a0 } = cluster;
  await cluster.backUp();
  await walbc._apply_all(a0, VOLUME, SOON);
  const [base] = await walbc.get_restorable_gid(a0, VOLUME);
  const gids: bigint[] = [];
  for (let i = 0; i < 5; i++) gids.push(await cluster.writeAndSnapshot());
  const last = gids.at(-1) as bigint;
  await walbc.disable_snapshot(a0, VOLUME, gids.slice(0, 4));
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toEqual([base, last]);
  await walbc.enable_snapshot(a0, VOLUME, gids.slice(0, 4));
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toEqual([base, ...gids]);
});
