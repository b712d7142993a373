/** W7: who asks for a snapshot behind a gap is told of the gap, also where its diffs were never taken in. */
import { expect, it } from 'vitest';
import { LB_SIZE } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc } from '../../src/rpc/index.ts';
import { cleanDiff, fullBackup, sendDiff, testArchive, VOLUME } from './support.ts';

const volume = VOLUME;
const SIZE_LB = 32;
const UUID = new Uint8Array(16).fill(1);

it('a restore behind a gap that a sender met names the missing diffs', async () => {
  await using host = await testArchive();
  const { channel } = host;
  await channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(channel, { image: new Uint8Array(SIZE_LB * LB_SIZE), uuid: UUID });
  const send = (from: bigint, to: bigint) =>
    sendDiff(channel, { uuid: UUID, diff: cleanDiff(from, to), ios: [], sizeLb: SIZE_LB });
  await send(0n, 1n);
  expect((await send(3n, 5n)).answer).toBe('too-new-diff');

  await expect(channel.unary(ArchiveRpc.restore, { volume, gid: 5n })).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringMatching(
      /no snapshot 5 .*diffs from gid 1 to 3 are missing.*hash_backup/,
    ),
  });

  // What was lost has come after all, from another proxy: nothing is missing now.
  await send(1n, 3n);
  const error = await channel.unary(ArchiveRpc.restore, { volume, gid: 5n }).catch(String);
  expect(error).toMatch(/no snapshot 5 /);
  expect(error).not.toMatch(/missing/);
});
