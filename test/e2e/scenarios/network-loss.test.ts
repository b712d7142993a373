/** Scenarios e9-e13, and W3: the network between servers breaks or hangs while they work. */
import { expect, test } from 'vitest';
import { MIB } from '../../../src/core/index.ts';
import { Cluster, SIZE, SOON, VOLUME } from './support/cluster.ts';
import { RandomWriter } from './support/random-writer.ts';

/** A copy of the whole volume takes about six seconds at this rate. */
const SLOW = (2 * SIZE) / 12;

test('e9: log waits at the storage while its proxy can not be reached', async () => {
  await using cluster = await Cluster.start({ linked: ['p0'] });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  cluster.link('p0').cut();
  await cluster.disk().write();
  const before = await cluster.disk().hash();
  const missed = await walbc.snapshot_nbk(s0, VOLUME);
  await walbc.verify_not_restorable(a0, VOLUME, missed, 2, 'e9');
  cluster.link('p0').mend();
  await walbc.kick_all([s0]);
  const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  expect(await cluster.restoredHash(a0, gid)).toBe(before);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toContain(missed);
});

test('e10: log that waits for too long overflows; a hash backup recovers', async () => {
  await using cluster = await Cluster.start({ linked: ['p0'] });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  cluster.link('p0').cut();
  await cluster.disk().writeOverLog('overflowing');
  expect(await walbc.is_overflow(s0, VOLUME)).toBe(true);
  cluster.link('p0').mend();
  await walbc.stop(s0, VOLUME);
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('e11: diffs wait at the proxy while its archive can not be reached', async () => {
  await using cluster = await Cluster.start({ linked: ['a0'] });
  const { walbc, s0, p0 } = cluster;
  const a0 = cluster.original('a0');
  await cluster.backUp();
  await using writer = new RandomWriter(cluster.disk());
  await writer.more(5);
  cluster.link('a0').cut();
  await writer.more(5);
  await writer.stop();
  const gid = await walbc.snapshot_nbk(s0, VOLUME);
  await walbc.verify_not_restorable(a0, VOLUME, gid, 2, 'e11');
  cluster.link('a0').mend();
  await walbc.kick_all([p0]);
  await walbc.wait_for_restorable(a0, VOLUME, gid, SOON);
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('e12: a full backup that is cut off leaves both ends ready for the next', async () => {
  await using cluster = await Cluster.start({ linked: ['a0'] });
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  await walbc.init_storage(s0, VOLUME, cluster.disk().path);
  await cluster.disk().write(SIZE, 0);
  const link = cluster.link('a0');
  link.bytesPerSec = SLOW;
  await walbc.full_backup(s0, VOLUME, SOON, false);
  await link.passed(4 * MIB);
  expect(await walbc.get_state(s0, VOLUME)).toBe('FullSync');
  link.cut();
  await walbc._wait_for_state_change(s0, VOLUME, ['FullSync'], ['SyncReady'], SOON);
  await walbc._wait_for_state_change(a0, VOLUME, ['FullSync'], ['SyncReady'], SOON);
  link.mend();
  link.bytesPerSec = undefined;
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('e13: a hash backup that is cut off takes nothing away', async () => {
  await using cluster = await Cluster.start({ linked: ['a0'] });
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  await cluster.backUp();
  const kept = await cluster.disk().hash();
  const keptGid = await walbc.get_latest_clean_snapshot(a0, VOLUME);
  await walbc.stop(s0, VOLUME);
  await walbc.reset(s0, VOLUME);
  await cluster.disk().write(SIZE / 3, 0);
  const before = await walbc.get_restorable(a0, VOLUME, 'all');
  const link = cluster.link('a0');
  link.bytesPerSec = SLOW;
  await walbc.hash_backup(s0, VOLUME, SOON, false);
  await link.passed(MIB);
  expect(await walbc.get_restorable(a0, VOLUME, 'all')).toEqual(before);
  expect(await walbc.get_state(s0, VOLUME)).toBe('HashSync');
  link.cut();
  await walbc._wait_for_state_change(s0, VOLUME, ['HashSync'], ['SyncReady'], SOON);
  await walbc._wait_for_state_change(a0, VOLUME, ['HashSync'], ['Archived'], SOON);
  expect(await walbc.get_restorable(a0, VOLUME, 'all')).toEqual(before);
  expect(await cluster.restoredHash(a0, keptGid)).toBe(kept);
  link.mend();
  link.bytesPerSec = undefined;
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('W3: a proxy that hangs does not keep the log from the next one', async () => {
  await using cluster = await Cluster.start({ proxies: 2, linked: ['p0'] });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  cluster.link('p0').freeze();
  await cluster.disk().write();
  const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
  cluster.link('p0').mend();
  await walbc.kick_all([s0]);
  // It is used again as soon as it answers: nothing reaches the archive but through it.
  await cluster.kill('p1');
  const through = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, through)).toBe(await cluster.disk().hash());
});
