/**
 * Full backup, the archive's side: the image of a live volume is written to a new base image, or to
 * that of an interrupted backup from where it ended. It is dirty |gidB,gidE| until the diffs that
 * follow make it clean.
 *
 * Order of the beginning, when nothing is resumed: catalogue emptied (archive_uuid zero), image
 * emptied, archive_uuid; only then can progress be recorded that counts. Order of the end: image
 * synced; then base, uuid, each durably; `state` last. A crash before that leaves SyncReady, and the
 * next full backup goes on with the image (interrupted-backup.ts) or overwrites it.
 *
 * Source: semantics.md D.3.1; docs/protocol.md.
 */
import {
  type BidiStream,
  type CallContext,
  checkVolumeId,
  lbToBytes,
  UUID_BYTES,
  WalbError,
} from '../core/index.ts';
import {
  type BackupHello,
  type FullSyncDown,
  type FullSyncUp,
  HostType,
  snapshotFromMessage,
  TaskKind,
} from '../rpc/index.ts';
import { cancelWhen } from '../server/cancel-when.ts';
import { expectMessage, unexpectedMessage } from '../server/expect-message.ts';
import type { ServerCore } from '../server/server-core.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import type { ProgressHandle } from '../server/task-log.ts';
import { metaState } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import { clearFrom, ImageWriter } from './image-writer.ts';
import { backupPoint, copyOf, type FullBackup, judgeResume } from './interrupted-backup.ts';
import { requireBulk } from './replication-session.ts';
import type { ArchiveVolume } from './volume.ts';

export interface SyncHost {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
  /** Throws `wrong-state` for a volume that is Clear. */
  require(volume: string, command: 'full-backup' | 'hash-backup'): ArchiveVolume;
}

type Stream = BidiStream<FullSyncDown, FullSyncUp>;

interface Session {
  readonly host: SyncHost;
  readonly volume: ArchiveVolume;
  readonly stream: Stream;
  readonly hello: BackupHello;
  readonly progress: ProgressHandle;
}

/** Serves one call of Archive.FullSync. */
export async function serveFullSync(
  host: SyncHost,
  call: Stream,
  { clientId }: CallContext,
): Promise<void> {
  const stream = withStallLimit(call, host.core.clock, 'the storage');
  const hello = checkBackupHello(await expectMessage(stream, 'hello'));
  const volume = host.require(hello.volume, 'full-backup');
  volume.admit('full-backup');
  requireFit(volume, hello);
  using _foreground = host.core.foreground.acquire(`full backup of ${volume.id}`);
  using change = volume.machine.begin('full-sync');
  using progress = volume.tasks.track(TaskKind.FULL_BACKUP, {
    total: hello.sizeLb,
    peer: clientId,
  });
  using _force = cancelWhen(volume.forceSignal, stream, 'full backup');
  try {
    const gidE = await receiveBackup({ host, volume, stream, hello, progress });
    volume.synced(clientId);
    change.commit();
    volume.touch('restorable', 'size');
    volume.log.info({ peer: clientId, gid: gidE }, 'full backup stored');
    await stream.send({ message: { $case: 'ack', value: {} } });
  } catch (error) {
    volume.failed(error, clientId);
    throw error;
  } finally {
    volume.progressLb = 0;
  }
}

/** Durable when it resolves, with the gid at its end; the acknowledgement is the caller's. */
async function receiveBackup(session: Session): Promise<bigint> {
  const { host, volume, stream, hello } = session;
  const { catalogue } = volume;
  await stream.send({ message: { $case: 'accept', value: host.core.identity } });
  const { backup, startLb } = await agreeOnStart(session);
  await stream.send({ message: { $case: 'started', value: { startLb } } });
  await receiveImage(session, backup, startLb);
  await stream.send({ message: { $case: 'scanSynced', value: {} } });
  const end = snapshotFromMessage(await expectMessage(stream, 'end'), 'end of the backup');
  if (end.b !== backup.gidB) {
    throw new WalbError('invalid-argument', `the backup began at gid ${backup.gidB}, not ${end.b}`);
  }
  await catalogue.setBase(metaState(end, hello.timestamp));
  await catalogue.setUuid(backup.uuid);
  await catalogue.setState('Archived');
  await backupPoint(volume).clear();
  return end.e;
}

/**
 * Makes the image ready for what the storage begins or goes on with. A resume that can not be changes
 * nothing: the storage resets its log and starts again.
 */
async function agreeOnStart(
  session: Session,
): Promise<{ readonly backup: FullBackup; readonly startLb: number }> {
  const { volume, stream, hello } = session;
  let start = await expectMessage(stream, 'start');
  const backupOf = ({ uuid, gidB }: { uuid: Uint8Array; gidB: bigint }): FullBackup => {
    if (uuid.length !== UUID_BYTES) {
      throw new WalbError('invalid-argument', 'uuid must be 16 bytes');
    }
    return { uuid, gidB, sizeLb: hello.sizeLb };
  };
  if (start.resume === true) {
    const backup = backupOf(start);
    const answer = judgeResume(volume, backup);
    if (answer.startLb > 0) {
      await clearFrom(volume, answer.startLb);
      volume.log.info({ startLb: answer.startLb }, 'an interrupted full backup goes on');
      return { backup, startLb: answer.startLb };
    }
    volume.log.info({}, `a full backup begins anew: ${answer.refusal}`);
    await stream.send({ message: { $case: 'started', value: answer } });
    start = await expectMessage(stream, 'start');
    if (start.resume === true) {
      throw new WalbError('invalid-argument', 'a resume was asked for again after its refusal');
    }
  }
  const backup = backupOf(start);
  // What an interrupted reset left of an earlier life would fit the gids of the new one.
  await volume.forgetData();
  await volume.images.createBase(lbToBytes(hello.sizeLb));
  await volume.catalogue.setArchiveUuid(session.host.core.env.random.bytes(UUID_BYTES));
  return { backup, startLb: 0 };
}

/** Before the storage gives up its log: there can be an image of this size, and none is larger (D.3.1). */
function requireFit(volume: ArchiveVolume, { sizeLb }: BackupHello): void {
  const present = volume.images.baseSize();
  const size = lbToBytes(sizeLb);
  volume.images.requireCreatable(size);
  if (present === undefined || present <= size) return;
  throw new WalbError(
    'conflict',
    `the base image of volume ${volume.id} has ${present} bytes, more than the ${size} of the volume: \`reset-vol\` at the archive removes it`,
    { details: { volume: volume.id, present, size } },
  );
}

export function checkBackupHello(hello: BackupHello): BackupHello {
  checkVolumeId(hello.volume);
  if (hello.hostType !== HostType.STORAGE) {
    throw new WalbError('invalid-argument', `backups come from a storage, not ${hello.hostType}`);
  }
  requireBulk(hello.bulkLb);
  if (hello.sizeLb < 1) {
    throw new WalbError('invalid-argument', 'a volume has at least one block');
  }
  return hello;
}

async function receiveImage(
  { host, volume, stream, progress }: Session,
  backup: FullBackup,
  startLb: number,
): Promise<void> {
  const writer = new ImageWriter({
    volume,
    copy: copyOf(volume, backup),
    resume: backupPoint(volume),
    startLb,
    fsyncInterval: host.config.fsyncInterval,
    awaitsSettled: true,
    onProgress: (done) => {
      progress.set(done);
      volume.progressLb = done;
    },
  });
  try {
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message?.$case === 'scanEnd') return await writer.finish();
      if (message === undefined) throw new WalbError('unavailable', 'the storage went away');
      if (message.$case === 'chunk') await writer.write(message.value);
      else if (message.$case === 'settled') writer.settled(message.value.doneLb);
      else throw unexpectedMessage(message.$case, 'chunk');
    }
  } catch (error) {
    await writer.saveLast();
    throw error;
  } finally {
    writer.close();
  }
}
