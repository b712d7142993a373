/** A full backup that is broken off goes on behind what the archive has, and sends only the rest. */
import { expect, test } from 'vitest';
import { KIB, MIB } from '../../../src/core/index.ts';
import { Cluster, SIZE, SOON, VOLUME } from './support/cluster.ts';

/** A scan of the whole volume takes about eight seconds at this rate. */
const SLOW = SIZE / 8;
/** What goes beside the image: log of the writes, calls, and what a cut lost on its way. */
const BESIDE = 2 * MIB;

type Break = (cluster: Cluster) => Promise<void>;

const breaks: readonly (readonly [string, Break])[] = [
  [
    'a cut link',
    async (cluster) => {
      cluster.link('a0').cut();
    },
  ],
  ['kill -9 of the storage', (cluster) => cluster.kill('s0')],
  ['kill -9 of the archive', (cluster) => cluster.kill('a0')],
  ['a forced shutdown of the storage', (cluster) => cluster.shutdown('s0')],
  ['a forced shutdown of the archive', (cluster) => cluster.shutdown('a0')],
];

async function startBackup(cluster: Cluster): Promise<void> {
  const { walbc, s0 } = cluster;
  await walbc.init_storage(s0, VOLUME, cluster.disk().path);
  await cluster.disk().write(SIZE, 0);
  await walbc.set_full_scan_bps(s0, SLOW);
  await walbc.full_backup(s0, VOLUME, SOON, false);
}

async function repair(cluster: Cluster): Promise<void> {
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  cluster.link('a0').mend();
  for (const name of ['s0', 'a0'] as const) if (!cluster.runs(name)) await cluster.start(name);
  await walbc._wait_for_state_change(s0, VOLUME, ['FullSync'], ['SyncReady'], SOON);
  await walbc._wait_for_state_change(a0, VOLUME, ['FullSync'], ['SyncReady'], SOON);
  await walbc.set_full_scan_bps(s0, 0);
}

test.each(breaks)('after %s', async (_what, breakOff) => {
  await using cluster = await Cluster.start({ linked: ['a0'], archive: ['-fi', String(MIB)] });
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  const disk = cluster.disk();
  const link = cluster.link('a0');
  await startBackup(cluster);
  await link.passed(2 * MIB);
  // Behind the scan and before it: what was read already changes.
  await disk.write(64 * KIB, 0);
  await link.passed(4 * MIB);
  await breakOff(cluster);
  await disk.write(64 * KIB, MIB);
  await repair(cluster);
  await disk.write(64 * KIB, 512 * KIB);

  const before = link.total;
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  expect(link.total - before).toBeLessThan(SIZE - 5 * MIB + BESIDE);
  expect(await cluster.restoredHash(a0, gid)).toBe(await disk.hash());
  const later = await cluster.writeAndSnapshot([a0]);
  expect(await cluster.restoredHash(a0, later)).toBe(await disk.hash());
});

test('but begins anew when the diffs of its writes are gone', async () => {
  await using cluster = await Cluster.start({ linked: ['a0'] });
  const { walbc, s0 } = cluster;
  const a0 = cluster.original('a0');
  const disk = cluster.disk();
  const link = cluster.link('a0');
  await startBackup(cluster);
  await link.passed(2 * MIB);
  await disk.write(64 * KIB, 0);
  await link.passed(4 * MIB);
  link.cut();
  await repair(cluster);
  // What the proxies had for it is dropped.
  await walbc.stop_synchronizing(cluster.a0, VOLUME);

  const before = link.total;
  const gid = (await walbc.full_backup(s0, VOLUME, SOON)) as bigint;
  expect(link.total - before).toBeGreaterThan(SIZE);
  expect(await cluster.restoredHash(a0, gid)).toBe(await disk.hash());
});
