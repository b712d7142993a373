/** Scenario e17: a diff arrives twice, as after an acknowledgement that was lost. */
import { expect, test } from 'vitest';
import { LB_SIZE, parseUuid } from '../../../src/core/index.ts';
import { grpcNetwork, WdiffAnswer } from '../../../src/rpc/index.ts';
import { cleanDiff, dataIo, sendDiff } from '../../archive-server/support.ts';
import { Cluster, SIZE, SOON, VOLUME } from './support/cluster.ts';

test('e17: an archive takes a diff once', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, a0 } = cluster;
  const gid = await cluster.backUp();
  const uuid = await walbc.get_uuid(s0, VOLUME);
  expect(await walbc.get_uuid(a0, VOLUME)).toBe(uuid);
  const sent = {
    volume: VOLUME,
    uuid: parseUuid(uuid),
    sizeLb: SIZE / LB_SIZE,
    diff: cleanDiff(gid, gid + 1n),
    ios: [dataIo(0, new Uint8Array(LB_SIZE).fill(17))],
  };
  const channel = grpcNetwork().connect(a0.get_host_port(), { clientId: 'p-dummy' });
  try {
    expect((await sendDiff(channel, sent)).answer).toBe(WdiffAnswer.ACCEPT);
    expect((await sendDiff(channel, sent)).answer).toBe(WdiffAnswer.TOO_OLD_DIFF);
  } finally {
    channel.close();
  }
  expect(await walbc.get_latest_clean_snapshot(a0, VOLUME)).toBe(gid + 1n);
  // The archive holds now what the volume never did; a hash backup makes them equal again.
  expect(await cluster.restoredHash(a0, gid + 1n)).not.toBe(await cluster.disk().hash());
  await walbc.go_standby(s0, VOLUME);
  const mended = (await walbc.hash_backup(s0, VOLUME, SOON)) as bigint;
  expect(await cluster.restoredHash(a0, mended)).toBe(await cluster.disk().hash());
});
