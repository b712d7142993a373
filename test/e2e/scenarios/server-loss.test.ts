/** Scenarios e1-e8: servers die, and servers lose what they know. */
import { expect, test } from 'vitest';
import { Cluster, SOON, VOLUME } from './support/cluster.ts';
import { viewWhere } from './support/views.ts';

test('e1: with its proxy down a storage goes on with the next one', async () => {
  await using cluster = await Cluster.start({ proxies: 2 });
  const { walbc, s0, p0, p1, a0 } = cluster;
  await cluster.backUp();
  await cluster.shutdown('p0');
  await cluster.disk().writeOverLog('draining');
  expect(await walbc.is_overflow(s0, VOLUME)).toBe(false);
  await cluster.start('p0');
  await walbc.kick_all([s0]);
  const gid = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
  for (const p of [p0, p1]) expect(await walbc.get_state(p, VOLUME)).toBe('Started');
});

test('e2: with its archive down a proxy keeps the diffs', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, p0, a0 } = cluster;
  await cluster.backUp();
  await cluster.shutdown('a0');
  await cluster.disk().writeOverLog('draining');
  expect(await walbc.is_overflow(s0, VOLUME)).toBe(false);
  const gid = await walbc.snapshot_nbk(s0, VOLUME);
  await walbc.verify_not_restorable(a0, VOLUME, gid, 1, 'e2');
  await cluster.start('a0');
  await walbc.kick_all([p0]);
  await walbc.wait_for_restorable(a0, VOLUME, gid, SOON);
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('e3: what is written while a storage server is down arrives later', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.shutdown('s0');
  await cluster.disk().write();
  await cluster.start('s0');
  const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('e4: a storage server down for too long overflows; a hash backup recovers', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.shutdown('s0');
  await cluster.disk().writeOverLog('overflowing');
  await cluster.start('s0');
  expect(await walbc.is_overflow(s0, VOLUME)).toBe(true);
  await walbc.stop(s0, VOLUME);
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
  expect(await walbc.is_overflow(s0, VOLUME)).toBe(false);
});

test('e5: diffs lost with a proxy show as a gap; a hash backup closes it', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, p0, a0 } = cluster;
  await cluster.backUp();
  await walbc.stop(a0, VOLUME, 'force');
  await cluster.disk().write();
  const lost = await walbc.snapshot_nbk(s0, VOLUME);
  await viewWhere(s0, `delivery of gid ${lost}`, ({ doneGid }) => (doneGid ?? 0n) >= lost);
  await cluster.shutdown('p0');
  cluster.loseData('p0');
  await walbc.start(a0, VOLUME);
  await cluster.start('p0');
  await walbc.start_synchronizing(a0, VOLUME);
  await cluster.disk().write();
  const gid0 = await walbc.snapshot_nbk(s0, VOLUME);
  const { gaps } = await viewWhere(p0, 'a gap', (view) => view.gaps.length > 0);
  const { expected, found, advice } = gaps[0] as (typeof gaps)[number];
  expect(expected?.gidB).toBeLessThan(found?.snapB?.gidB as bigint);
  expect(advice).toContain('hash_backup');
  expect(await walbc.get_restorable_gid(a0, VOLUME)).not.toContain(gid0);
  await walbc.stop(s0, VOLUME);
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
  await viewWhere(p0, 'no gap', (view) => view.gaps.length === 0);
});

test('e6: a primary archive that lost everything gets a full backup', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, s0, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate(a0, VOLUME, a1, false, SOON);
  await cluster.shutdown('a0');
  cluster.loseData('a0');
  await cluster.start('a0');
  await walbc._init(a0, VOLUME);
  await cluster.disk().write();
  const lost = await walbc.snapshot_nbk(s0, VOLUME);
  await walbc.verify_not_restorable(a0, VOLUME, lost, 1, 'e6');
  await walbc.stop(s0, VOLUME);
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  const hash = await cluster.disk().hash();
  expect(await cluster.restoredHash(a0, gid)).toBe(hash);
  // The secondary has data of another history: only a resync makes it follow.
  await walbc.replicate_once(a0, VOLUME, a1, SOON, true);
  expect(await cluster.restoredHash(a1, gid)).toBe(hash);
  expect(await walbc.get_archive_uuid(a1, VOLUME)).toBe(await walbc.get_archive_uuid(a0, VOLUME));
});

test('e7: a secondary archive that lost everything is replicated to again', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, s0, p0, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate(a0, VOLUME, a1, true, SOON);
  await cluster.shutdown('a1');
  cluster.loseData('a1');
  await cluster.start('a1');
  const missed = await cluster.writeAndSnapshot();
  const isFlagged = (): Promise<boolean> => walbc.is_wdiff_send_error(p0, VOLUME, a1);
  await walbc._wait_for_state_cond(p0, VOLUME, isFlagged, 'is_wdiff_send_error', SOON);
  expect(await walbc.get_restorable_gid(a1, VOLUME)).not.toContain(missed);
  await walbc.stop_synchronizing(a1, VOLUME);
  await walbc.replicate(a0, VOLUME, a1, true, SOON);
  await cluster.disk().write();
  const gid = await walbc.snapshot(s0, VOLUME, [a0, a1], SOON);
  const hash = await cluster.disk().hash();
  for (const ax of [a0, a1]) expect(await cluster.restoredHash(ax, gid)).toBe(hash);
  await walbc.stop_synchronizing(a1, VOLUME);
});

test('e8: a storage server that lost its metadata starts again with a hash backup', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.disk().write();
  await cluster.shutdown('s0');
  cluster.loseData('s0');
  await cluster.start('s0');
  await cluster.disk().write();
  await walbc._init(s0, VOLUME, cluster.disk().path);
  expect(await walbc.get_state(s0, VOLUME)).toBe('SyncReady');
  await cluster.disk().write();
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});
