/**
 * Replication, the client's transfers: the whole image, the differences of two images, or a diff.
 *
 * Files are opened in the same turn in which it is decided what to send: an apply or merge beside may
 * remove them afterwards, their handles stay readable.
 *
 * Source: semantics.md D.9; docs/protocol.md.
 */
import {
  type BidiStream,
  bytesToLb,
  type FileHandle,
  type Lb,
  lbToBytes,
  WalbError,
} from '../core/index.ts';
import {
  type ByteChunk,
  compressionToMessage,
  diffToMessage,
  type ReplicationDown,
  type ReplicationUp,
  stateToMessage,
} from '../rpc/index.ts';
import { chunkSize, toChunks, withoutFileHeader } from '../server/byte-chunks.ts';
import { expectMessage } from '../server/expect-message.ts';
import { imageChunks } from '../server/image-chunks.ts';
import { seedOf, sendDifferences } from '../server/image-compare.ts';
import type { TaskHandle } from '../server/task-log.ts';
import {
  type CompressOption,
  FILE_HEADER_SIZE,
  formatMetaState,
  mergeFiles,
  readDiffHeader,
  sortedDiffParts,
  virtualScan,
} from '../wdiff/index.ts';
import { Pacer } from './pacer.ts';
import { oldestState, ownData, uuidOfHistory } from './replication-data.ts';
import { historyOfBase, type Round } from './replication-decision.ts';
import { openSnapshot, type SnapshotView } from './snapshot-view.ts';
import type { ArchiveVolume } from './volume.ts';

export interface ClientSession {
  readonly volume: ArchiveVolume;
  readonly stream: BidiStream<ReplicationUp, ReplicationDown>;
  readonly task: TaskHandle;
  readonly bulkLb: Lb;
  readonly compression: CompressOption;
  /** `-maxopen-virt`. */
  readonly maxOpenDiffs: number;
}

/** The image as it can be read now: an interrupted apply is finished on the way. */
export async function sendFull(session: ClientSession): Promise<void> {
  const { volume, stream, task } = session;
  const { value, view } = openOldest(session);
  using _view = view;
  await stream.send({ message: { $case: 'full', value } });
  const { startLb } = await expectMessage(stream, 'fullFrom');
  if (startLb > value.sizeLb) {
    throw new WalbError('invalid-argument', `the destination asks for block ${startLb} onwards`);
  }
  task.total = value.sizeLb;
  task.set(startLb);
  volume.log.info(
    { base: formatMetaState(oldestState(volume)), startLb },
    'full replication begins',
  );
  const scan = virtualScan(view.base, view.merged(), {
    size: lbToBytes(value.sizeLb),
    start: lbToBytes(startLb),
    chunkSize: lbToBytes(session.bulkLb),
    signal: volume.forceSignal,
  });
  const pacer = pacerOf(session);
  for await (const chunk of imageChunks(scan, session.compression, volume.core.clock)) {
    await stream.send({ message: { $case: 'chunk', value: chunk } });
    task.set(chunk.offsetLb + chunk.bulks.reduce((sum, { blocks }) => sum + blocks, 0));
    await pacer.pause();
  }
  await stream.send({ message: { $case: 'dataEnd', value: {} } });
  await expectMessage(stream, 'ack');
}

/** Only what differs from the image that the destination has. */
export async function sendResync(session: ClientSession): Promise<void> {
  const { stream, volume } = session;
  const state = oldestState(volume);
  const { value, view } = openOldest(session);
  using _view = view;
  await stream.send({ message: { $case: 'resync', value } });
  volume.log.info({ base: formatMetaState(state) }, 'resync begins');
  await compareWith(session, view, value, state.timestamp);
}

/** A compared diff. */
export async function sendHash(
  session: ClientSession,
  { diff, history }: Extract<Round, { kind: 'hash' }>,
): Promise<void> {
  const { stream, volume, maxOpenDiffs } = session;
  using view = openSnapshot(volume, diff.E.b, { maxDiffs: maxOpenDiffs, reader: 'a replication' });
  const value = {
    sizeLb: volume.sizeLb as number,
    bulkLb: session.bulkLb,
    diff: diffToMessage(diff),
    uuid: uuidOfHistory(history),
    compression: compressionToMessage(session.compression),
  };
  await stream.send({ message: { $case: 'hash', value } });
  await compareWith(session, view, value, diff.timestamp);
}

/** One file as it is, or several merged into one. */
export async function sendDiff(
  session: ClientSession,
  { parts, diff, history }: Extract<Round, { kind: 'diff' }>,
  dontMerge: boolean,
): Promise<void> {
  const { stream, volume, task } = session;
  using open = new DisposableStack();
  const handles = parts.map((part) => open.adopt(volume.catalogue.open(part), (h) => h.close()));
  const uuid = uuidOfHistory(history);
  const compression = compressionToMessage(session.compression);
  const value = {
    sizeLb: volume.sizeLb as number,
    diff: diffToMessage(diff),
    uuid,
    compression,
  };
  await stream.send({ message: { $case: 'diff', value } });
  await expectMessage(stream, 'go');
  task.total = bytesToLb(diff.dataSize);
  const chunks = dontMerge
    ? asItIs(handles[0] as FileHandle, uuid)
    : merged(handles, session, uuid);
  let sent = 0;
  const pacer = pacerOf(session);
  for await (const chunk of chunks) {
    volume.requireRunning('replication');
    await stream.send({ message: { $case: 'packs', value: chunk } });
    sent += chunkSize(chunk);
    task.set(bytesToLb(sent));
    await pacer.pause();
  }
  await stream.send({ message: { $case: 'dataEnd', value: {} } });
  await expectMessage(stream, 'ack');
}

/** What full and resync begin with. */
function openOldest(session: ClientSession): {
  value: Extract<ReplicationUp['message'], { $case: 'full' }>['value'];
  view: SnapshotView;
} {
  const { volume, maxOpenDiffs } = session;
  volume.requireSize();
  const state = oldestState(volume);
  const view = openSnapshot(volume, state.base.b, {
    maxDiffs: maxOpenDiffs,
    allowDirty: true,
    reader: 'a replication',
  });
  const value = {
    sizeLb: volume.sizeLb as number,
    bulkLb: session.bulkLb,
    base: stateToMessage(state),
    uuid: uuidOfHistory(historyOfBase(ownData(volume), state.base)),
    archiveUuid: volume.catalogue.archiveUuid,
    compression: compressionToMessage(session.compression),
  };
  return { value, view };
}

async function compareWith(
  session: ClientSession,
  view: SnapshotView,
  { sizeLb, uuid }: { readonly sizeLb: Lb; readonly uuid: Uint8Array },
  timestamp: number,
): Promise<void> {
  const { stream, task, volume, bulkLb, compression } = session;
  await expectMessage(stream, 'go');
  task.total = sizeLb;
  const pacer = pacerOf(session);
  const scan = virtualScan(view.base, view.merged(), {
    size: lbToBytes(sizeLb),
    chunkSize: lbToBytes(bulkLb),
    signal: volume.forceSignal,
  });
  await sendDifferences(
    {
      own: paced(scan, pacer),
      sizeLb,
      bulkLb,
      seed: seedOf(timestamp),
      uuid,
      compression,
      clock: volume.core.clock,
      onDone: (done) => task.set(done),
    },
    stream,
  );
  await stream.send({ message: { $case: 'dataEnd', value: {} } });
  await expectMessage(stream, 'ack');
}

/** The packs of a sorted file byte by byte; an indexed file is packed anew. The receiver verifies. */
function asItIs(handle: FileHandle, uuid: Uint8Array): AsyncGenerator<ByteChunk> {
  if (readDiffHeader(handle).format === 'sorted') return toChunks(bytesAfterHeader(handle));
  const compression = { kind: 'snappy', level: 0 } as const;
  return toChunks(withoutFileHeader(partsOf([handle], { uuid, compression })));
}

function merged(
  handles: readonly FileHandle[],
  { compression }: ClientSession,
  uuid: Uint8Array,
): AsyncGenerator<ByteChunk> {
  return toChunks(withoutFileHeader(partsOf(handles, { uuid, compression })));
}

function partsOf(
  handles: readonly FileHandle[],
  options: {
    readonly uuid: Uint8Array;
    readonly compression: Parameters<typeof sortedDiffParts>[1]['compression'];
  },
): AsyncGenerator<readonly Uint8Array[]> {
  return sortedDiffParts(mergeFiles(handles), { ...options, packLimit: 'uncompressed' });
}

/** Read in pieces of this size. */
const PIECE = 256 * 1024;

function* bytesAfterHeader(handle: FileHandle): Generator<readonly Uint8Array[]> {
  let at = FILE_HEADER_SIZE;
  for (;;) {
    const piece = Buffer.allocUnsafeSlow(PIECE);
    const count = handle.read(piece, at);
    if (count === 0) return;
    at += count;
    yield [piece.subarray(0, count)];
  }
}

async function* paced<T>(items: AsyncIterable<T>, pacer: Pacer): AsyncGenerator<T> {
  for await (const item of items) {
    yield item;
    await pacer.pause();
  }
}

function pacerOf({ volume }: ClientSession): Pacer {
  return new Pacer(volume.core.clock, volume.forceSignal);
}
