/** The recovery runbooks W3, W4, W7, W8: proxies and archives, really broken and repaired. */
import { expect, test } from 'vitest';
import { Cluster, SOON, VOLUME } from './scenarios/support/cluster.ts';
import { callsOf, dryThenReal, runBook } from './scenarios/support/run-book.ts';
import { viewWhere } from './scenarios/support/views.ts';

async function expectBackedUp(cluster: Cluster): Promise<void> {
  const primary = cluster.walbc.sLayout.get_primary_archive();
  const gid = await cluster.writeAndSnapshot([primary]);
  expect(await cluster.restoredHash(primary, gid)).toBe(await cluster.disk().hash());
}

test('W3: log that waited for a proxy is delivered at once', async () => {
  await using cluster = await Cluster.start({ storage: ['-delay', '60', '-maxdelay', '60'] });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.kill('p0');
  await cluster.disk().write(1 << 20);
  const gid = await walbc.snapshot_nbk(s0, VOLUME);
  await viewWhere(s0, 'a failed transfer', ({ lastError }) => lastError !== undefined);
  const down = await runBook(cluster, 'w3-proxy-restarted');
  expect(down.code).toBe(1);
  expect(down.lines.find((line) => line.startsWith(`s0 ${VOLUME}:`))).toMatch(/usage/);
  expect(down.lines).toContain('TROUBLE: p0 does not answer');
  await cluster.start('p0');
  const lines = await dryThenReal(cluster, 'w3-proxy-restarted');
  expect(callsOf(lines)[0]).toBe('walbc.kick_all([s0])');
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toContain(gid);
  await expectBackedUp(cluster);
});

test('W4: diffs that waited for an archive are delivered at once', async () => {
  await using cluster = await Cluster.start({ proxy: ['-rto', '1'] });
  const { walbc, s0, p0, a0 } = cluster;
  await cluster.backUp();
  // An archive that refuses is given up in the end; one that is dead is tried again.
  await walbc.stop(a0, VOLUME);
  await cluster.disk().write(1 << 20);
  const gid = await walbc.snapshot_nbk(s0, VOLUME);
  const isFlagged = (): Promise<boolean> => walbc.is_wdiff_send_error(p0, VOLUME, a0);
  await walbc._wait_for_state_cond(p0, VOLUME, isFlagged, 'is_wdiff_send_error', SOON);
  await cluster.kill('a0');
  await cluster.start('a0');
  const lines = await dryThenReal(cluster, 'w4-archive-restarted', 'a0');
  expect(lines).toContain(`p0 ${VOLUME}: has given up`);
  expect(callsOf(lines).slice(0, 2)).toEqual([
    `walbc.start(a0, '${VOLUME}')`,
    'walbc.kick_all([p0])',
  ]);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toContain(gid);
  expect(await walbc.is_wdiff_send_error(p0, VOLUME, a0)).toBe(false);
  await expectBackedUp(cluster);
});

test('W7: after the loss of a proxy only volumes with lost diffs get a hash backup', async () => {
  await using cluster = await Cluster.start({ moreDisks: ['quiet'] });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await walbc.init_storage(s0, 'quiet', cluster.disk('quiet').path);
  await walbc.full_backup(s0, 'quiet', SOON);
  const quietUuid = await walbc.get_uuid(s0, 'quiet');
  await walbc.stop(a0, VOLUME, 'force');
  await cluster.disk().write();
  const lost = await walbc.snapshot_nbk(s0, VOLUME);
  await viewWhere(s0, `delivery of gid ${lost}`, ({ doneGid }) => (doneGid ?? 0n) >= lost);
  await cluster.kill('p0');
  cluster.loseData('p0');
  await walbc.start(a0, VOLUME);
  await cluster.start('p0');
  const lines = await dryThenReal(cluster, 'w7-proxy-data-lost');
  expect(callsOf(lines)).toEqual([
    "walbc.start_synchronizing(a0, 'quiet')",
    "walbc.snapshot_nbk(s0, 'quiet')",
    `walbc.start_synchronizing(a0, '${VOLUME}')`,
    `walbc.snapshot_nbk(s0, '${VOLUME}')`,
    `walbc.stop(s0, '${VOLUME}')`,
    `walbc.hash_backup(s0, '${VOLUME}')`,
    `walbc.snapshot(s0, '${VOLUME}', [a0], 600)`,
  ]);
  expect(lines).toContain('quiet: nothing was lost');
  expect(await walbc.get_uuid(s0, 'quiet')).toBe(quietUuid);
  await expectBackedUp(cluster);
});

test('W8, case 1: a secondary archive that lost everything is filled again', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, s0, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate(a0, VOLUME, a1, true, SOON);
  await cluster.kill('a1');
  cluster.loseData('a1');
  await cluster.start('a1');
  await cluster.writeAndSnapshot();
  const lines = await dryThenReal(cluster, 'w8-secondary-archive-lost', 'a1');
  expect(callsOf(lines)).toEqual([
    `walbc.stop_synchronizing(a1, '${VOLUME}')`,
    `walbc.replicate(a0, '${VOLUME}', a1, True)`,
  ]);
  await cluster.disk().write();
  const gid = await walbc.snapshot(s0, VOLUME, [a0, a1], SOON);
  expect(await cluster.restoredHash(a1, gid)).toBe(await cluster.disk().hash());
});

test('W8, case 2: the archive that follows becomes the primary one', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate(a0, VOLUME, a1, true, SOON);
  const uuid = await walbc.get_uuid(a1, VOLUME);
  await cluster.kill('a0');
  cluster.loseData('a0');
  await cluster.disk().write();
  const lines = await dryThenReal(cluster, 'w8-primary-archive-failover', 'a0', 'a1');
  expect(callsOf(lines)).toEqual([`walbc.stop_synchronizing(a0, '${VOLUME}')`]);
  cluster.setLayout('s0', 'p0', 'a1', 'a0');
  await cluster.restart('s0');
  await dryThenReal(cluster, 'w8-primary-archive-failover', '--restarted', 'a0', 'a1');
  cluster.setLayout('s0', 'p0', 'a1');
  await expectBackedUp(cluster);
  // No backup was needed: it is the log history that it was.
  expect(await walbc.get_uuid(a1, VOLUME)).toBe(uuid);
});

test('W8, case 3: a new primary archive gets full backups, others keep what they have', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, a0, a1 } = cluster;
  await cluster.backUp();
  await walbc.replicate(a0, VOLUME, a1, false, SOON);
  const old = await walbc.get_latest_clean_snapshot(a1, VOLUME);
  const oldHash = await cluster.restoredHash(a1, old);
  await cluster.kill('a0');
  cluster.loseData('a0');
  await cluster.start('a0');
  await cluster.disk().write();
  const calls = [
    `walbc.stop(s0, '${VOLUME}')`,
    `walbc.full_backup(s0, '${VOLUME}')`,
    `walbc.snapshot(s0, '${VOLUME}', [a0], 600)`,
  ];
  const lines = await dryThenReal(cluster, 'w8-primary-archive-lost');
  expect(callsOf(lines)).toEqual(calls);
  await expectBackedUp(cluster);
  expect(await cluster.restoredHash(a1, old)).toBe(oldHash);
  // Lost again; this time nobody wants the old snapshots.
  await cluster.kill('a0');
  cluster.loseData('a0');
  await cluster.start('a0');
  const resynced = await runBook(cluster, 'w8-primary-archive-lost', '--resync');
  const resync = `walbc.replicate_once(a0, '${VOLUME}', a1, 86400, True)`;
  expect(callsOf(resynced.lines)).toEqual(calls.toSpliced(2, 0, resync));
  expect(await walbc.get_archive_uuid(a1, VOLUME)).toBe(await walbc.get_archive_uuid(a0, VOLUME));
  await expectBackedUp(cluster);
});
