/**
 * Replication, the destination's side of one round: a compared diff or a diff is received into a
 * temporary file, verified, and becomes part of the catalogue.
 *
 * Order: uuid, then the diff under its name, then removal of what it covers. A crash after the uuid
 * leaves a volume that refuses diffs of the history before, which is right: the other archive has left
 * it. A crash before the removal leaves covered diffs, which start-up removes.
 *
 * Source: semantics.md D.9.
 */
import { type FileHandle, LB_SIZE, type Lb, lbToBytes, WalbError } from '../core/index.ts';
import { diffFromMessage, type ReplicationDiff, type ReplicationHash } from '../rpc/index.ts';
import { receiveDiff } from '../server/diff-receiver.ts';
import { seedOf, sendHashes } from '../server/image-compare.ts';
import {
  type Diff,
  diffsWithin,
  equalSnapshots,
  formatSnapshot,
  formatSpan,
  planGc,
  relation,
  virtualScan,
} from '../wdiff/index.ts';
import { abortable, together } from './duplex.ts';
import { requireFit } from './image-fit.ts';
import { Pacer } from './pacer.ts';
import { historyOfUuid, ownData } from './replication-data.ts';
import {
  requireBulk,
  requireUuid,
  type ServerSession,
  showProgress,
} from './replication-session.ts';
import { packsOf } from './replication-stream.ts';
import { openSnapshot } from './snapshot-view.ts';
import { type ArchiveVolume, WDIFF_RECEIVED } from './volume.ts';

/** The client sends what differs between this latest snapshot and a later one of its own. */
export async function receiveHashRound(
  session: ServerSession,
  message: ReplicationHash,
): Promise<void> {
  const { host, volume, stream, progress } = session;
  const diff = diffFromMessage(message.diff);
  const uuid = requireUuid(message.uuid);
  const chunkSize = lbToBytes(requireBulk(message.bulkLb));
  requireComparison(volume, diff);
  await requireFit(host.config, volume, message.sizeLb);
  using view = openSnapshot(volume, diff.B.b, {
    maxDiffs: host.config.maxOpenDiffsVirtual,
    allowDirty: true,
    reader: 'a replication',
  });
  await stream.send({ message: { $case: 'go', value: {} } });
  progress.total = message.sizeLb;
  const seed = seedOf(diff.timestamp);
  const size = lbToBytes(message.sizeLb);
  const handle = volume.catalogue.createTemporary();
  try {
    await together([
      (signal) => {
        const scan = virtualScan(view.base, view.merged(), { size, chunkSize, signal });
        const pacer = new Pacer(volume.core.clock, signal);
        const pause = (): Promise<void> => pacer.pause();
        return sendHashes(scan, abortable(stream, signal), { seed, pause });
      },
      (signal) => receiveInto(session, handle, uuid, signal, message.sizeLb),
    ]);
    await store(volume, handle, diff, uuid);
  } finally {
    volume.catalogue.discard(handle);
  }
}

/** The client sends a diff of its own, or several merged into one. */
export async function receiveDiffRound(
  session: ServerSession,
  message: ReplicationDiff,
): Promise<void> {
  const { host, volume, stream, progress } = session;
  const diff = diffFromMessage(message.diff);
  const uuid = requireUuid(message.uuid);
  requireApplicable(volume, diff);
  await requireFit(host.config, volume, message.sizeLb);
  await stream.send({ message: { $case: 'go', value: {} } });
  progress.total = 0;
  const handle = volume.catalogue.createTemporary();
  try {
    const { signal } = new AbortController();
    await receiveInto(session, handle, uuid, signal, message.sizeLb);
    await store(volume, handle, diff, uuid);
  } finally {
    volume.catalogue.discard(handle);
  }
}

function requireComparison(volume: ArchiveVolume, diff: Diff): void {
  const latest = volume.latest();
  if (diff.isCompared && equalSnapshots(diff.B, latest)) return;
  throw new WalbError(
    'conflict',
    `${formatSpan(diff)} is no comparison with the latest snapshot ${formatSnapshot(latest)}`,
    { details: { volume: volume.id, diff: formatSpan(diff) } },
  );
}

function requireApplicable(volume: ArchiveVolume, diff: Diff): void {
  const latest = volume.latest();
  const how = relation(latest, diff);
  if (how === 'applicable') return;
  throw new WalbError(
    'conflict',
    `diff ${formatSpan(diff)} can not be applied to the latest snapshot ${formatSnapshot(latest)}: ${how}`,
    { details: { volume: volume.id, diff: formatSpan(diff), relation: how } },
  );
}

async function receiveInto(
  session: ServerSession,
  handle: FileHandle,
  uuid: Uint8Array,
  signal: AbortSignal,
  sizeLb: Lb,
): Promise<void> {
  const { host, volume, stream, progress } = session;
  const packs = packsOf(abortable(stream, signal), {
    signal,
    sizeLb,
    onProgress: (done) => showProgress(session, done),
  });
  await receiveDiff(handle, packs, {
    uuid,
    sizeLb,
    fsyncInterval: host.config.fsyncInterval,
    onChunk: (bytes) => {
      volume.requireRunning('replication');
      if (progress.total === 0) progress.advance(Math.ceil(bytes / LB_SIZE));
    },
  });
}

/** Durable and in the catalogue when it resolves. */
async function store(
  volume: ArchiveVolume,
  handle: FileHandle,
  diff: Diff,
  uuid: Uint8Array,
): Promise<void> {
  const { catalogue, log } = volume;
  using _lock = await volume.lock.lock();
  if (diff.isCompared) requireComparison(volume, diff);
  else requireApplicable(volume, diff);
  await catalogue.setUuid(uuid);
  await removeStrangers(volume, uuid);
  const added = await catalogue.add(handle, diff);
  await catalogue.remove(diffsWithin(catalogue.diffs, added.B.b, added.E.b));
  volume.remember(WDIFF_RECEIVED, volume.lastSender);
  volume.touch('diff', 'restorable');
  log.info({ diff: formatSpan(added) }, 'replicated diff stored');
}

/**
 * Diffs behind a gap that are of another history than what comes now: the gap will be closed, and they
 * would follow where they do not belong.
 */
async function removeStrangers(volume: ArchiveVolume, uuid: Uint8Array): Promise<void> {
  const { catalogue, log } = volume;
  const { unreachable } = planGc(catalogue.diffs, catalogue.base.base);
  const { historyOf } = ownData(volume);
  const strangers = unreachable.filter((d) => historyOf(d) !== historyOfUuid(uuid));
  if (strangers.length === 0) return;
  log.warn({ diffs: strangers.map(formatSpan) }, 'removing diffs of another log history');
  await catalogue.remove(strangers);
}
