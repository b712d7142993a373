/** Scenarios n1-n3: backing up and following a volume. */
import { expect, test } from 'vitest';
import { Cluster, SOON, VOLUME } from './support/cluster.ts';

test('n1: a full backup restores to what the device held', async () => {
  await using cluster = await Cluster.start({ storages: 2 });
  const { walbc, s0, s1, a0 } = cluster;
  await walbc.init_storage(s0, VOLUME, cluster.disk('s0').path);
  await walbc.init_storage(s1, VOLUME, cluster.disk('s1').path);
  await cluster.disk().write();
  const before = await cluster.disk().hash();
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toContain(gid);
  expect(await cluster.restoredHash(a0, gid)).toBe(before);
  expect(await walbc.get_state(s0, VOLUME)).toBe('Target');
  expect(await walbc.get_state(s1, VOLUME)).toBe('Standby');
});

test('n2: a snapshot restores to what the device held', async () => {
  await using cluster = await Cluster.start();
  await cluster.backUp();
  await cluster.disk().write();
  const before = await cluster.disk().hash();
  const gid = await cluster.walbc.snapshot(cluster.s0, VOLUME, [cluster.a0], SOON);
  expect(await cluster.restoredHash(cluster.a0, gid)).toBe(before);
});

test('n3: a hash backup brings what was written while nobody followed', async () => {
  await using cluster = await Cluster.start({ storages: 2 });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await walbc.go_standby(s0, VOLUME);
  await cluster.disk().write();
  const before = await cluster.disk().hash();
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(before);
});
