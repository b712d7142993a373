/**
 * Resync, the destination's side: the data of another history are replaced in place, writing only the
 * bulks that differ.
 *
 * Archived -> Stop -> Stopped -> ResetVol -> SyncReady -> Resync -> Archived, of which the disk sees
 * Archived, SyncReady, Archived. Diffs and restored images belong to the data that go; from SyncReady on
 * the image alone is left, and nothing can be restored until the resync has ended. Interrupted, the
 * state stays SyncReady: repeated with doResync it is a resync again, without it a full replication.
 *
 * Source: semantics.md D.9 (resync).
 */
import {
  bytesToLb,
  type FileHandle,
  INVALID_GID,
  type Lb,
  lbToBytes,
  WalbError,
} from '../core/index.ts';
import { type ReplicationResync, stateFromMessage } from '../rpc/index.ts';
import { expectMessage } from '../server/expect-message.ts';
import { seedOf, sendHashes } from '../server/image-compare.ts';
import {
  encodeFileHeader,
  isApplying,
  type MetaState,
  readSortedStream,
  redo,
  virtualScan,
} from '../wdiff/index.ts';
import { streamSource } from '../wlog/index.ts';
import { abortable, together } from './duplex.ts';
import { requireFit } from './image-fit.ts';
import { backupPoint } from './interrupted-backup.ts';
import { replicationPoint } from './interrupted-replication.ts';
import { Pacer } from './pacer.ts';
import { punchInSteps } from './punch-in-steps.ts';
import {
  type Change,
  type ReplicationHost,
  requireBulk,
  requireUuid,
  type ServerSession,
  showProgress,
} from './replication-session.ts';
import { packsOf } from './replication-stream.ts';
import type { ArchiveVolume } from './volume.ts';

/**
 * `begun`: the transition from SyncReady, or none for an archived volume. The result is the next one,
 * ReplSyncAsServer, entered in the turn in which this one ends.
 */
export async function receiveResync(
  session: ServerSession,
  begun: Change | undefined,
): Promise<Change> {
  const { host, volume, stream, progress } = session;
  const message = await expectMessage(stream, 'resync');
  const base = checkResync(session, message);
  await requireFit(host.config, volume, message.sizeLb);
  using change = begun ?? (await dropData(host, volume));
  // Nothing of before is left that could be taken for a part of what comes.
  await volume.catalogue.forget();
  await replicationPoint(volume).clear();
  await backupPoint(volume).clear();
  await stream.send({ message: { $case: 'go', value: {} } });
  progress.total = message.sizeLb;
  await overwrite(session, message, base);
  const { catalogue } = volume;
  await catalogue.setBase(base);
  await catalogue.setUuid(message.uuid);
  await catalogue.setArchiveUuid(message.archiveUuid);
  await catalogue.setState('Archived');
  change.commit();
  const rounds = volume.machine.begin('repl-sync');
  volume.touch('restorable', 'restored', 'cold', 'diff', 'size');
  return rounds;
}

function checkResync({ hello }: ServerSession, message: ReplicationResync): MetaState {
  requireBulk(message.bulkLb);
  requireUuid(message.uuid);
  if (!Buffer.from(message.archiveUuid).equals(hello.archiveUuid)) {
    throw new WalbError('invalid-argument', 'the archive uuid changed since the hello');
  }
  const base = stateFromMessage(message.base);
  if (!isApplying(base)) return base;
  throw new WalbError('invalid-argument', 'an image in the middle of an apply can not be copied');
}

/** Archived to Resync by way of SyncReady, keeping the base image. */
async function dropData(host: ReplicationHost, volume: ArchiveVolume): Promise<Change> {
  await host.exports.closeAll(volume.id);
  requireUnused(volume);
  {
    using stop = volume.machine.begin('stop');
    for (const { gid } of volume.images.restored()) await volume.images.deleteRestored(gid);
    stop.commit();
  }
  using reset = volume.machine.begin('reset-vol');
  // Only now on disk, and before any data goes: a crash earlier leaves an archived volume that can be
  // replicated to again, one later a volume whose left-over diffs nobody uses.
  await volume.catalogue.setState('SyncReady');
  reset.commit();
  return volume.machine.begin('resync');
}

/** Time has passed since the volume was admitted, and an archived one may be used meanwhile. */
function requireUnused({ id, actions, readers }: ArchiveVolume): void {
  readers.requireNoneBefore(INVALID_GID);
  const running = actions.running();
  if (running.length === 0) return;
  throw new WalbError('busy', `volume ${id} runs ${running.join(', ')}: repeat later`, {
    details: { volume: id },
  });
}

async function overwrite(
  session: ServerSession,
  message: ReplicationResync,
  base: MetaState,
): Promise<void> {
  const { volume, stream } = session;
  const size = lbToBytes(message.sizeLb);
  const chunkSize = lbToBytes(message.bulkLb);
  const image = volume.images.openBase('update');
  try {
    await together([
      (signal) => {
        const scan = virtualScan(image, [], { size, chunkSize, signal });
        const pacer = new Pacer(volume.core.clock, signal);
        const seed = seedOf(base.timestamp);
        const pause = (): Promise<void> => pacer.pause();
        return sendHashes(scan, abortable(stream, signal), { seed, pause });
      },
      (signal) => writeDifferences(session, image, message, signal),
    ]);
    // The client knows nothing of what lies behind its end.
    await punchInSteps(image, size, image.size(), () => {
      volume.requireRunning('resync');
      return volume.core.clock.yield();
    });
    await image.sync();
  } finally {
    image.close();
  }
}

/** Packs are verified as a whole before any of their records is written. */
async function writeDifferences(
  session: ServerSession,
  image: FileHandle,
  { uuid, sizeLb }: ReplicationResync,
  signal: AbortSignal,
): Promise<void> {
  const { host, volume, stream } = session;
  const packs = packsOf(abortable(stream, signal), {
    signal,
    sizeLb,
    onProgress: (done) => showProgress(session, done),
  });
  const header = encodeFileHeader({ format: 'sorted', uuid });
  const bytes = async function* (): AsyncGenerator<Uint8Array> {
    yield header;
    for await (const { pieces } of packs) yield* pieces;
  };
  const { batches } = await readSortedStream(streamSource(bytes(), 'differences'));
  let synced = 0;
  const report = await redo(batches, image, {
    discard: 'zero',
    signal: AbortSignal.any([signal, volume.forceSignal]),
    afterBatch: async ({ written }) => {
      if (written - synced < host.config.fsyncInterval) return;
      synced = written;
      await image.sync();
    },
  });
  requireInside(report, image, sizeLb);
}

function requireInside(
  { skipped, position }: Awaited<ReturnType<typeof redo>>,
  image: FileHandle,
  sizeLb: Lb,
): void {
  if (skipped === 0 && position <= sizeLb) return;
  throw new WalbError(
    'invalid-argument',
    `the differences reach to block ${position} of ${bytesToLb(image.size())}`,
  );
}
