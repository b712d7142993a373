/** The recovery runbooks W1, W2, W5, W6: what breaks at a storage, really broken and repaired. */
import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { has } from '../support/tools.ts';
import { Cluster, SOON, VOLUME } from './scenarios/support/cluster.ts';
import { callsOf, dryThenReal, runBook } from './scenarios/support/run-book.ts';

async function expectBackedUp(cluster: Cluster): Promise<void> {
  const { walbc, s0, a0 } = cluster;
  expect(await walbc.get_state(s0, VOLUME)).toBe('Target');
  const gid = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
}

test('W1: a killed storage server resumes, and the runbook proves it', async () => {
  await using cluster = await Cluster.start();
  await cluster.backUp();
  await cluster.kill('s0');
  await cluster.disk().write(1 << 20);
  await cluster.start('s0');
  const lines = await dryThenReal(cluster, 'w1-storage-restarted', 's0');
  expect(callsOf(lines)).toEqual([
    'walbc.kick_all([s0])',
    `walbc.snapshot(s0, '${VOLUME}', [a0], 600)`,
  ]);
  await expectBackedUp(cluster);
});

test('W1: what does not resume by itself is named, and ends the runbook with exit code 1', async () => {
  await using cluster = await Cluster.start();
  await cluster.backUp();
  await cluster.walbc.stop(cluster.s0, VOLUME);
  await cluster.kill('s0');
  await cluster.start('s0');
  const { code, lines } = await runBook(cluster, 'w1-storage-restarted', 's0');
  expect(code).toBe(1);
  expect(lines).toContain(
    `TROUBLE: ${VOLUME}: somebody had stopped it: walbc.start(s0, '${VOLUME}')`,
  );
});

test('W2: overflowed volumes get a hash backup, others are not touched', async () => {
  await using cluster = await Cluster.start({ moreDisks: ['quiet'] });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await walbc.init_storage(s0, 'quiet', cluster.disk('quiet').path);
  const quietGid = (await walbc.full_backup(s0, 'quiet', SOON)) as bigint;
  const quietUuid = await walbc.get_uuid(s0, 'quiet');
  await cluster.kill('s0');
  await cluster.disk().writeOverLog('overflowing');
  await cluster.start('s0');
  expect(await walbc.is_overflow(s0, VOLUME)).toBe(true);
  const lines = await dryThenReal(cluster, 'w2-overflow');
  expect(callsOf(lines)).toEqual([
    `walbc.stop(s0, '${VOLUME}')`,
    `walbc.hash_backup(s0, '${VOLUME}')`,
    `walbc.snapshot(s0, '${VOLUME}', [a0], 600)`,
  ]);
  await expectBackedUp(cluster);
  // A hash backup would have given the log of the other volume a new identity.
  expect(await walbc.get_uuid(s0, 'quiet')).toBe(quietUuid);
  expect(await walbc.get_restorable_gid(a0, 'quiet')).toContain(quietGid);
});

test.skipIf(!has('nbdcopy'))('W5: a lost device is filled again from the archive', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.disk().write(4 << 20, 1 << 20);
  const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  const hash = await cluster.disk().hash();
  await cluster.disk().kill();
  rmSync(cluster.disk().dataFile);
  await expect(cluster.disk().startProcess()).rejects.toThrow(/restore the volume from an archive/);
  rmSync(cluster.disk().logFile);
  await cluster.disk().startProcess();
  expect(await cluster.disk().hash()).not.toBe(hash);
  const lines = await dryThenReal(
    cluster,
    'w5-device-data-lost',
    's0',
    VOLUME,
    cluster.disk().nbdUri,
  );
  expect(callsOf(lines)[1]).toBe(`walbc.export_snapshot(a0, '${VOLUME}', ${gid}, '', True)`);
  expect(await cluster.disk().hash()).toBe(hash);
  await expectBackedUp(cluster);
});

test('W6: volumes a storage server forgot are made known again', async () => {
  await using cluster = await Cluster.start({ storages: 2 });
  const { walbc, s1 } = cluster;
  await cluster.backUp();
  for (const name of ['s0', 's1'] as const) {
    await cluster.kill(name);
    cluster.loseData(name);
    await cluster.disk(name).write();
    await cluster.start(name);
  }
  const target = `${VOLUME}=${cluster.disk('s0').path}`;
  const lines = await dryThenReal(cluster, 'w6-storage-metadata-lost', 's0', target);
  expect(callsOf(lines)).toEqual([
    `walbc.init_storage(s0, '${VOLUME}', '${cluster.disk('s0').path}')`,
    `walbc.hash_backup(s0, '${VOLUME}')`,
    `walbc.snapshot(s0, '${VOLUME}', [a0], 600)`,
  ]);
  await expectBackedUp(cluster);
  // A replica needs no backup.
  const replica = `${VOLUME}=${cluster.disk('s1').path}`;
  const others = await dryThenReal(cluster, 'w6-storage-metadata-lost', 's1', replica);
  expect(callsOf(others)).toHaveLength(1);
  expect(await walbc.get_state(s1, VOLUME)).toBe('Standby');
});
