/**
 * Hash backup, the storage's side: only bulks that differ from the archive's latest snapshot travel.
 *
 * Source: semantics.md B.6, D.3.2.
 */
import type { BidiStream, Gid } from '../core/index.ts';
import {
  type BackupHello,
  type HashSyncDown,
  type HashSyncUp,
  snapshotFromMessage,
} from '../rpc/index.ts';
import { endAfterAck, expectMessage } from '../server/expect-message.ts';
import { seedOf, sendDifferences } from '../server/image-compare.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { type BackupWork, endHistory, type Run, requireNotForced, scanOf } from './backup-scan.ts';
import { deviceBulks } from './device-scan.ts';

type HashStream = BidiStream<HashSyncUp, HashSyncDown>;

/** Resolves when the archive has accepted. */
export async function openHash(
  stream: HashStream,
  hello: BackupHello,
  work: BackupWork,
): Promise<Run> {
  await stream.send({ message: { $case: 'hello', value: hello } });
  const { latest } = await expectMessage(stream, 'accept');
  return async (task) => {
    const gidB = snapshotFromMessage(latest, 'latest snapshot').e + 1n;
    await beginHistory(work, gidB);
    await stream.send({ message: { $case: 'start', value: { uuid: work.volume.uuid, gidB } } });
    await expectMessage(stream, 'started');
    work.host.monitor(work.volume);
    await sendBulks(stream, work, task);
    task.gid = await endHistory(work);
    await stream.send({ message: { $case: 'end', value: { gidB, gidE: task.gid } } });
    await expectMessage(stream, 'ack');
    await endAfterAck(stream);
  };
}

/** The log begins anew at `gidB`: from here on every write is in a history the archive will know. */
async function beginHistory(work: BackupWork, gidB: Gid): Promise<void> {
  const { host, volume } = work;
  requireNotForced(work);
  await volume.resetLog(gidB);
  volume.log.info({ gid: gidB, peer: host.config.archive }, 'hash backup begins');
}

async function sendBulks(stream: HashStream, work: BackupWork, task: TaskHandle): Promise<void> {
  const { host, volume, bulkLb, compression, timestamp } = work;
  const comparison = {
    own: deviceBulks(scanOf(work, task), 0),
    sizeLb: volume.info.sizeLb,
    bulkLb,
    seed: seedOf(timestamp),
    uuid: volume.uuid,
    compression,
    clock: host.core.clock,
    // The scan shows it.
    onDone: () => {},
  };
  await sendDifferences(comparison, stream);
}
