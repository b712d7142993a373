/** Scenarios n1-n3, n12, m1, m2: backing up and following a volume, exchange of storages. */
import { expect, test } from 'vitest';
import { Cluster, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

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

test('n12: the target is exchanged between two storages, and back', async () => {
  await using cluster = await Cluster.start({ storages: 2 });
  const { walbc, s0, s1, a0 } = cluster;
  await cluster.backUp();
  for (const [from, to, name] of [
    [s0, s1, 's1'],
    [s1, s0, 's0'],
  ] as const) {
    await using writers = new AsyncDisposableStack();
    const written = ['s0', 's1'].map((disk) => new RandomWriter(cluster.disk(disk)));
    for (const writer of written) writers.use(writer);
    await walbc.go_standby(from, VOLUME);
    await walbc.hash_backup(to, VOLUME, SOON);
    await Promise.all(written.map((writer) => writer.more(10)));
    for (const writer of written) await writer.stop();
    const gid = await walbc.snapshot(to, VOLUME, [a0], SOON);
    expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk(name).hash());
    expect(await walbc.get_state(from, VOLUME)).toBe('Standby');
    expect(await walbc.get_state(to, VOLUME)).toBe('Target');
  }
});

test('m1: a full backup of a target is refused and changes nothing', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.disk().write();
  await walbc.stop_synchronizing(a0, VOLUME);
  await expect(walbc.full_backup(s0, VOLUME, 10)).rejects.toMatchObject({ code: 'wrong-state' });
  await walbc.start_synchronizing(a0, VOLUME);
  const gid = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('m2: a hash backup without a base image is refused; a full backup recovers', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await walbc.stop_synchronizing(a0, VOLUME);
  await walbc.stop(a0, VOLUME);
  await walbc.reset(a0, VOLUME);
  await cluster.disk().write();
  await expect(walbc.hash_backup(s0, VOLUME, 10)).rejects.toMatchObject({ code: 'wrong-state' });
  // The archive refuses as well, when the storage would do it.
  await walbc.go_standby(s0, VOLUME);
  await expect(walbc.hash_backup(s0, VOLUME, 10)).rejects.toMatchObject({ code: 'wrong-state' });
  expect(await walbc.get_state(a0, VOLUME)).toBe('SyncReady');
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});
