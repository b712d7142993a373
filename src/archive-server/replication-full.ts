/**
 * Full replication, the destination's side: the image of the client's oldest state, from where an
 * interrupted copy of the same state ended.
 *
 * Order of the beginning, when nothing is resumed: catalogue emptied (archive_uuid zero), image
 * emptied, archive_uuid, resume point. Before the last two nothing can be resumed, so that no crash
 * leaves a resume point for an image that was emptied. Order of the end: image synced; base, uuid;
 * `state` last. A crash before leaves SyncReady, and the copy is resumed near its end.
 *
 * Source: semantics.md D.9 (full).
 */
import { type Lb, lbToBytes, WalbError } from '../core/index.ts';
import { type ReplicationFull, stateFromMessage } from '../rpc/index.ts';
import { expectMessage, unexpectedMessage } from '../server/expect-message.ts';
import { isApplying } from '../wdiff/index.ts';
import { clearFrom, ImageWriter } from './image-writer.ts';
import { type FullCopy, identityOf, replicationPoint } from './interrupted-replication.ts';
import { historyOfUuid } from './replication-data.ts';
import {
  type Change,
  requireBulk,
  requireUuid,
  type ServerSession,
  showProgress,
} from './replication-session.ts';
import type { ResumePoint } from './resume-point.ts';
import type { ArchiveVolume } from './volume.ts';

/**
 * Durable and Archived when it resolves; the acknowledgement is the caller's. ReplSyncAsServer is
 * entered in the same turn, so that nothing else begins between.
 */
export async function receiveFull(session: ServerSession, change: Change): Promise<Change> {
  const { volume, stream, progress } = session;
  const message = await expectMessage(stream, 'full');
  const copy = checkFull(session, message);
  progress.total = copy.sizeLb;
  const resume = replicationPoint(volume);
  const startLb = await prepare(volume, resume, copy);
  await stream.send({ message: { $case: 'fullFrom', value: { startLb } } });
  if (startLb > 0) volume.log.info({ startLb }, 'an interrupted replication is resumed');
  await receiveImage(session, resume, copy, startLb);
  const { catalogue } = volume;
  await catalogue.setBase(copy.base);
  await catalogue.setUuid(message.uuid);
  await catalogue.setState('Archived');
  await resume.clear();
  change.commit();
  const rounds = volume.machine.begin('repl-sync');
  volume.touch('restorable', 'size', 'diff');
  return rounds;
}

function checkFull({ hello, volume }: ServerSession, message: ReplicationFull): FullCopy {
  const { sizeLb, uuid, archiveUuid } = message;
  requireBulk(message.bulkLb);
  requireUuid(uuid);
  const base = stateFromMessage(message.base);
  if (isApplying(base)) {
    throw new WalbError('invalid-argument', 'an image in the middle of an apply can not be copied');
  }
  if (!Buffer.from(archiveUuid).equals(hello.archiveUuid)) {
    throw new WalbError('invalid-argument', 'the archive uuid changed since the hello');
  }
  const present = volume.images.baseSize();
  const size = lbToBytes(sizeLb);
  if (size < 1) throw new WalbError('invalid-argument', 'a volume has at least one block');
  volume.images.requireCreatable(size);
  if (present !== undefined && present > size) {
    throw new WalbError(
      'conflict',
      `the base image of volume ${volume.id} has ${present} bytes, more than the ${size} of the other archive: \`reset-vol\` here removes it`,
      { details: { volume: volume.id, present, size } },
    );
  }
  const identity = identityOf(base, sizeLb, historyOfUuid(uuid));
  return { sizeLb, base, identity, archiveUuid };
}

/** Makes the image ready; returns where the copy begins. */
async function prepare(volume: ArchiveVolume, resume: ResumePoint, copy: FullCopy): Promise<Lb> {
  const { catalogue, images } = volume;
  const done = resume.doneOf(copy);
  if (done > 0) {
    await clearFrom(volume, done);
    return done;
  }
  await volume.forgetData();
  await images.createBase(lbToBytes(copy.sizeLb));
  await catalogue.setArchiveUuid(copy.archiveUuid);
  await resume.save(copy, 0);
  return 0;
}

async function receiveImage(
  session: ServerSession,
  resume: ResumePoint,
  copy: FullCopy,
  startLb: Lb,
): Promise<void> {
  const { host, volume, stream } = session;
  const writer = new ImageWriter({
    volume,
    copy,
    resume,
    startLb,
    fsyncInterval: host.config.fsyncInterval,
    awaitsSettled: false,
    onProgress: (done) => showProgress(session, done),
  });
  try {
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message?.$case === 'dataEnd') break;
      if (message === undefined) throw new WalbError('unavailable', 'the other archive went away');
      if (message.$case !== 'chunk') throw unexpectedMessage(message.$case, 'chunk');
      await writer.write(message.value);
    }
    await writer.finish();
  } catch (error) {
    await writer.saveLast();
    throw error;
  } finally {
    writer.close();
  }
}
