/** kill -9 of a server in the middle of long work: what was there before stays, the work can be redone. */
import { expect, test } from 'vitest';
import { MIB } from '../../../src/core/index.ts';
import { Cluster, type ServerName, SIZE, SOON, VOLUME } from './support/cluster.ts';

/** A scan of the whole volume takes about six seconds at this rate. */
const SLOW = String((2 * SIZE) / 12);

test.each<ServerName>(['s0', 'a0'])('%s is killed during a full backup', async (victim) => {
  await using cluster = await Cluster.start({ linked: ['a0'] });
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  await walbc.init_storage(s0, VOLUME, cluster.disk().path);
  await cluster.disk().write(SIZE, 0);
  await walbc.set_full_scan_bps(s0, SLOW);
  await walbc.full_backup(s0, VOLUME, SOON, false);
  await cluster.link('a0').passed(3 * MIB);
  await cluster.kill(victim);
  await cluster.start(victim);
  await walbc._wait_for_state_change(s0, VOLUME, ['FullSync'], ['SyncReady'], SOON);
  await walbc._wait_for_state_change(a0, VOLUME, ['FullSync'], ['SyncReady'], SOON);
  await walbc.set_full_scan_bps(s0, 0);
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test.each<ServerName>(['s0', 'a0'])('%s is killed during a hash backup', async (victim) => {
  await using cluster = await Cluster.start({ linked: ['a0'] });
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  const kept = await cluster.backUp();
  const hash = await cluster.disk().hash();
  await walbc.go_standby(s0, VOLUME);
  await cluster.disk().write(SIZE, 0);
  await walbc.set_full_scan_bps(s0, SLOW);
  await walbc.hash_backup(s0, VOLUME, SOON, false);
  await cluster.link('a0').passed(3 * MIB);
  await cluster.kill(victim);
  await cluster.start(victim);
  await walbc._wait_for_state_change(s0, VOLUME, ['HashSync'], ['SyncReady'], SOON);
  await walbc._wait_for_state_change(a0, VOLUME, ['HashSync'], ['Archived'], SOON);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toEqual([kept]);
  expect(await cluster.restoredHash(a0, kept)).toBe(hash);
  await walbc.set_full_scan_bps(s0, 0);
  const gid = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test.each<ServerName>(['a0', 'a1'])('%s is killed during a replication', async (victim) => {
  await using cluster = await Cluster.start({ archives: 2, linked: ['a1'] });
  const { walbc, a0 } = cluster;
  const a1 = cluster.original('a1');
  await cluster.disk().write(SIZE, 0);
  await cluster.backUp();
  await walbc.replicate_once(a0, VOLUME, cluster.a1, SOON);
  const kept = await walbc.get_latest_clean_snapshot(a1, VOLUME);
  const hash = await cluster.restoredHash(a1, kept);
  await cluster.disk().write(SIZE / 2, 0);
  const gid = await cluster.writeAndSnapshot();
  const link = cluster.link('a1');
  link.bytesPerSec = Number(SLOW);
  await walbc.replicate_once_nbk(a0, VOLUME, cluster.a1);
  await link.passed(2 * MIB);
  await cluster.kill(victim);
  await cluster.start(victim);
  await walbc._wait_for_no_action(a0, VOLUME, 'ReplSyncAsClient', SOON);
  await walbc._wait_for_state_change(a1, VOLUME, ['ReplSyncAsServer'], ['Archived'], SOON);
  expect(await walbc.get_latest_clean_snapshot(a1, VOLUME)).toBe(kept);
  expect(await cluster.restoredHash(a1, kept)).toBe(hash);
  link.bytesPerSec = undefined;
  expect(await walbc.replicate_once(a0, VOLUME, cluster.a1, SOON)).toBe(gid);
  expect(await cluster.restoredHash(a1, gid)).toBe(await cluster.disk().hash());
});
