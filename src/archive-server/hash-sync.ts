/**
 * Hash backup, the archive's side: hashes of the latest snapshot go to the storage, which sends only
 * the bulks that differ. The result is a diff from that snapshot to the dirty |gidB,gidE|.
 *
 * Source: semantics.md D.3.2.
 */
import { discardTemporary } from '../core/durable.ts';
import {
  type BidiStream,
  type CallContext,
  type FileHandle,
  type Lb,
  lbToBytes,
  UUID_BYTES,
  WalbError,
} from '../core/index.ts';
import {
  type BackupHello,
  type ByteChunk,
  type HashSyncDown,
  type HashSyncUp,
  snapshotFromMessage,
  snapshotToMessage,
  TaskKind,
} from '../rpc/index.ts';
import { cancelWhen } from '../server/cancel-when.ts';
import { receiveDiff } from '../server/diff-receiver.ts';
import { expectMessage, unexpectedMessage } from '../server/expect-message.ts';
import { progressCheck, seedOf, sendHashes } from '../server/image-compare.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import type { ProgressHandle } from '../server/task-log.ts';
import { diffOf, formatSpan, isDirty, planGc, type Snapshot, virtualScan } from '../wdiff/index.ts';
import { dropCold } from './cold.ts';
import { abortable, together } from './duplex.ts';
import { checkBackupHello, type SyncHost } from './full-sync.ts';
import { requireFit } from './image-fit.ts';
import { Pacer } from './pacer.ts';
import { openSnapshot, type SnapshotView } from './snapshot-view.ts';
import type { ArchiveVolume } from './volume.ts';

type Stream = BidiStream<HashSyncDown, HashSyncUp>;
type HalfStream = Pick<Stream, 'send' | 'receive'>;

/** Serves one call of Archive.HashSync. */
export async function serveHashSync(
  host: SyncHost,
  call: Stream,
  { clientId }: CallContext,
): Promise<void> {
  const stream = withStallLimit(call, host.core.clock, 'the storage');
  const hello = checkBackupHello(await expectMessage(stream, 'hello'));
  const volume = host.require(hello.volume, 'hash-backup');
  volume.admit('hash-backup');
  using _foreground = host.core.foreground.acquire(`hash backup of ${volume.id}`);
  using change = volume.machine.begin('hash-sync');
  using progress = volume.tasks.track(TaskKind.HASH_BACKUP, {
    total: hello.sizeLb,
    peer: clientId,
  });
  using _force = cancelWhen(volume.forceSignal, stream, 'hash backup');
  try {
    await requireFit(host.config, volume, hello.sizeLb);
    const latest = volume.latest();
    // Before the storage gives up its log: a snapshot that can not be read is refused now.
    using view = openSnapshot(volume, latest.b, {
      maxDiffs: host.config.maxOpenDiffsVirtual,
      allowDirty: true,
      reader: 'a hash backup',
    });
    const server = host.core.identity;
    await stream.send({
      message: { $case: 'accept', value: { server, latest: snapshotToMessage(latest) } },
    });
    const { uuid } = await expectMessage(stream, 'start');
    if (uuid.length !== UUID_BYTES)
      throw new WalbError('invalid-argument', 'uuid must be 16 bytes');
    await stream.send({ message: { $case: 'started', value: {} } });
    const end = await exchange(host, volume, hello, { latest, view, uuid }, stream, progress);
    volume.synced(clientId);
    change.commit();
    volume.touch('diff', 'restorable');
    volume.log.info({ peer: clientId, gid: end.e }, 'hash backup stored');
    await stream.send({ message: { $case: 'ack', value: {} } });
  } catch (error) {
    volume.failed(error, clientId);
    throw error;
  } finally {
    volume.progressLb = 0;
  }
}

interface Comparison {
  readonly latest: Snapshot;
  /** Of the latest snapshot. */
  readonly view: SnapshotView;
  /** Of the new log history. */
  readonly uuid: Uint8Array;
}

/** Hashes go down while differing bulks come up; both ends when the storage names its last snapshot. */
async function exchange(
  host: SyncHost,
  volume: ArchiveVolume,
  hello: BackupHello,
  { latest, view, uuid }: Comparison,
  stream: Stream,
  progress: ProgressHandle,
): Promise<Snapshot> {
  const handle = volume.catalogue.createTemporary();
  let end: Snapshot;
  try {
    let last: { gidB: bigint; gidE: bigint } | undefined;
    await together([
      (signal) => {
        const size = lbToBytes(hello.sizeLb);
        const chunkSize = lbToBytes(hello.bulkLb);
        const scan = virtualScan(view.base, view.merged(), { size, chunkSize, signal });
        const pacer = new Pacer(volume.core.clock, volume.forceSignal);
        const pause = (): Promise<void> => pacer.pause();
        const seed = seedOf(hello.timestamp);
        return sendHashes(scan, abortable(stream, signal), { seed, pause });
      },
      async (signal) => {
        const incoming = new IncomingDiff(
          volume,
          hello.sizeLb,
          abortable(stream, signal),
          progress,
        );
        const options = {
          uuid,
          sizeLb: hello.sizeLb,
          fsyncInterval: host.config.fsyncInterval,
          onChunk: () => volume.requireRunning('hash backup'),
        };
        await receiveDiff(handle, incoming.chunks(), options);
        last = incoming.end;
      },
    ]);
    end = snapshotFromMessage(last, 'end of the backup');
  } catch (error) {
    discardTemporary(host.core.env.files, handle);
    throw error;
  }
  await store(volume, handle, latest, end, hello, uuid);
  return end;
}

/**
 * The uuid first: with the diff there but the old uuid, diffs of the new history would be refused for
 * ever; with the new uuid but no diff they are refused as too new until the backup is repeated.
 *
 * What lies behind a gap goes: its gids will be given again by the new history, and a diff of the old
 * one, or a cold snapshot, would then fit where it must not.
 */
async function store(
  volume: ArchiveVolume,
  handle: FileHandle,
  latest: Snapshot,
  end: Snapshot,
  hello: BackupHello,
  uuid: Uint8Array,
): Promise<void> {
  using _lock = await volume.lock.lock();
  const { catalogue, log } = volume;
  const { uuid: before } = catalogue;
  try {
    const isMergeable = isDirty(latest);
    const diff = diffOf(latest, end, { isMergeable, timestamp: hello.timestamp });
    await catalogue.setUuid(uuid);
    const { unreachable } = planGc(catalogue.diffs, catalogue.base.base);
    if (unreachable.length > 0) {
      log.warn({ diffs: unreachable.map(formatSpan) }, 'removing diffs behind a gap');
      await catalogue.remove(unreachable);
    }
    await dropCold(volume, (gid) => gid > latest.b);
    await catalogue.add(handle, diff);
  } catch (error) {
    discardTemporary(volume.core.env.files, handle);
    await catalogue.setUuid(before);
    throw error;
  }
}

/** The packs of the differences, until the message that ends the backup. */
class IncomingDiff {
  readonly #volume: ArchiveVolume;
  readonly #stream: HalfStream;
  readonly #progress: ProgressHandle;
  readonly #checked: (doneLb: Lb) => Lb;
  end: { gidB: bigint; gidE: bigint } | undefined;

  constructor(volume: ArchiveVolume, sizeLb: Lb, stream: HalfStream, progress: ProgressHandle) {
    this.#volume = volume;
    this.#checked = progressCheck(sizeLb);
    this.#stream = stream;
    this.#progress = progress;
  }

  async *chunks(): AsyncGenerator<ByteChunk> {
    for (;;) {
      const message = (await this.#stream.receive())?.message;
      if (message === undefined) throw new WalbError('unavailable', 'the storage went away');
      if (message.$case === 'packs') yield message.value;
      else if (message.$case === 'progress') this.#show(this.#checked(message.value.doneLb));
      else if (message.$case === 'end') {
        this.end = message.value;
        return;
      } else throw unexpectedMessage(message.$case, 'packs, progress or end');
    }
  }

  #show(doneLb: number): void {
    this.#progress.set(doneLb);
    this.#volume.progressLb = doneLb;
  }
}
