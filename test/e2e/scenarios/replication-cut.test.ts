/** Scenarios e14-e16: the network between two archives breaks while one is brought up to the other. */
import { expect, test } from 'vitest';
import { MIB } from '../../../src/core/index.ts';
import { Cluster, SIZE, SOON, VOLUME } from './support/cluster.ts';

/** A copy of the whole volume takes about six seconds at this rate. */
const SLOW = (2 * SIZE) / 12;

/** s0, p0, a0 and, behind a link, a1; the volume is full of random bytes and backed up at a0. */
async function start(): Promise<Cluster> {
  const cluster = await Cluster.start({ archives: 2, linked: ['a1'] });
  try {
    await cluster.disk().write(SIZE, 0);
    await cluster.backUp();
    return cluster;
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts a replication of the newest snapshot and cuts it off after a while. */
async function replicateAndCut(cluster: Cluster, bytes: number, a1State: string): Promise<bigint> {
  const { walbc, a0 } = cluster;
  const link = cluster.link('a1');
  const a1 = cluster.original('a1');
  link.bytesPerSec = SLOW;
  const gid = await walbc.replicate_once_nbk(a0, VOLUME, cluster.a1);
  await link.passed(bytes);
  link.cut();
  await walbc._wait_for_no_action(a0, VOLUME, 'ReplSyncAsClient', SOON);
  const during = ['FullSync', 'Resync', 'ReplSyncAsServer'];
  await walbc._wait_for_state_change(a1, VOLUME, during, [a1State], SOON);
  link.mend();
  link.bytesPerSec = undefined;
  return gid;
}

async function expectEqual(cluster: Cluster, gid: bigint): Promise<void> {
  const [a0, a1] = [cluster.a0, cluster.original('a1')];
  expect(await cluster.restoredHash(a1, gid)).toBe(await cluster.restoredHash(a0, gid));
}

test('e14: a full replication that is cut off goes on later', async () => {
  await using cluster = await start();
  const { walbc, a0, a1 } = cluster;
  await walbc._init(a1, VOLUME);
  await replicateAndCut(cluster, 4 * MIB, 'SyncReady');
  const gid = await walbc.replicate_once(a0, VOLUME, a1, SOON);
  await expectEqual(cluster, gid);
});

test('e15: a hash replication that is cut off is done again', async () => {
  await using cluster = await start();
  const { walbc, a0, a1 } = cluster;
  await walbc.replicate_once(a0, VOLUME, a1, SOON);
  const old = await walbc.get_latest_clean_snapshot(a1, VOLUME);
  await cluster.disk().write(SIZE / 3, 0);
  // What a1 lacks is in the base image of a0 now, so both are compared.
  await walbc.apply(a0, VOLUME, await cluster.writeAndSnapshot(), SOON);
  const gid1 = await cluster.writeAndSnapshot();
  await replicateAndCut(cluster, MIB, 'Archived');
  expect(await walbc.get_latest_clean_snapshot(a1, VOLUME)).toBe(old);
  expect(await walbc.replicate_once(a0, VOLUME, a1, SOON)).toBe(gid1);
  await expectEqual(cluster, gid1);
});

test('e16: a diff replication that is cut off is done again', async () => {
  await using cluster = await start();
  const { walbc, a0, a1 } = cluster;
  await walbc.replicate_once(a0, VOLUME, a1, SOON);
  await cluster.disk().write(SIZE / 3, 0);
  const gid0 = await cluster.writeAndSnapshot();
  await replicateAndCut(cluster, MIB, 'Archived');
  expect(await walbc.get_latest_clean_snapshot(a1, VOLUME)).not.toBe(gid0);
  expect(await walbc.replicate_once(a0, VOLUME, a1, SOON)).toBe(gid0);
  await expectEqual(cluster, gid0);
});
