/** Scenarios r1-r4: servers are replaced by others while the volume stays under backup, and back. */
import { expect, test } from 'vitest';
import { Cluster, type ServerName, SOON, VOLUME } from './support/cluster.ts';

test('r1: a storage is replaced, and back', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  const s2 = await cluster.add('s2');
  await walbc.init_storage(s2, VOLUME, cluster.disk('s2').path);
  await walbc.go_standby(s0, VOLUME);
  await cluster.disk('s2').write();
  cluster.setLayout('s2', 'p0', 'a0');
  const gid = (await walbc.hash_backup(s2, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk('s2').hash());
  await walbc.clear(s0, VOLUME);
  expect(await walbc.get_state(s0, VOLUME)).toBe('Clear');

  cluster.setLayout('s0', 's2', 'p0', 'a0');
  await walbc.init_storage(s0, VOLUME, cluster.disk('s0').path);
  await walbc.go_standby(s2, VOLUME);
  await cluster.disk('s0').write();
  const back = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, back)).toBe(await cluster.disk('s0').hash());
  await walbc.clear(s2, VOLUME);
  await cluster.shutdown('s2', 'graceful');
});

test('r2: a proxy is replaced without a new backup, and back', async () => {
  await using cluster = await Cluster.start({ proxies: 2 });
  await cluster.backUp();
  await cluster.add('p2');
  await replaceProxy(cluster, 'p0', 'p2');
  await cluster.start('p0');
  await replaceProxy(cluster, 'p2', 'p0');
});

async function replaceProxy(cluster: Cluster, from: ServerName, to: ServerName): Promise<void> {
  const { walbc, a0 } = cluster;
  const [old, next] = [cluster.server(from), cluster.server(to)];
  await walbc.copy_archive_info(old, VOLUME, next);
  await walbc.stop(old, VOLUME, 'empty');
  await walbc.clear(old, VOLUME);
  await cluster.shutdown(from, 'graceful');
  cluster.setLayout('s0', to, 'p1', 'a0');
  await cluster.restart('s0');
  const gid = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
  expect(await walbc.is_synchronizing(a0, VOLUME)).toBe(true);
}

test('r3: the primary archive is replaced without a new backup, and back', async () => {
  await using cluster = await Cluster.start();
  await cluster.backUp();
  await cluster.add('a2');
  await replacePrimary(cluster, 'a0', 'a2');
  await cluster.start('a0');
  await replacePrimary(cluster, 'a2', 'a0');
});

async function replacePrimary(cluster: Cluster, from: ServerName, to: ServerName): Promise<void> {
  const { walbc } = cluster;
  const [old, next] = [cluster.server(from), cluster.server(to)];
  await walbc.replicate(old, VOLUME, next, true, SOON);
  await walbc.stop_synchronizing(old, VOLUME);
  await walbc.clear(old, VOLUME);
  await cluster.shutdown(from, 'graceful');
  cluster.setLayout('s0', 'p0', to);
  await cluster.restart('s0');
  const gid = await cluster.writeAndSnapshot([next]);
  expect(await cluster.restoredHash(next, gid)).toBe(await cluster.disk().hash());
}

test('r4: a secondary archive is replaced, and back', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, a0, a1 } = cluster;
  await cluster.backUp();
  await cluster.writeAndSnapshot();
  await walbc.replicate(a0, VOLUME, a1, false, SOON);
  const gid = await walbc.get_latest_clean_snapshot(a1, VOLUME);
  const hash = await cluster.restoredHash(a1, gid);
  await cluster.add('a2');
  await replaceSecondary(cluster, 'a1', 'a2', hash);
  await cluster.start('a1');
  await replaceSecondary(cluster, 'a2', 'a1', hash);
});

async function replaceSecondary(
  cluster: Cluster,
  from: ServerName,
  to: ServerName,
  hash: string,
): Promise<void> {
  const { walbc } = cluster;
  const [old, next] = [cluster.server(from), cluster.server(to)];
  await walbc.replicate(old, VOLUME, next, false, SOON);
  await walbc.clear(old, VOLUME);
  await cluster.shutdown(from, 'graceful');
  cluster.setLayout('s0', 'p0', 'a0', to);
  const gid = await walbc.get_latest_clean_snapshot(next, VOLUME);
  expect(await cluster.restoredHash(next, gid)).toBe(hash);
}
