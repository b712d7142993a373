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
  lbToBytes,
  UUID_BYTES,
  WalbError,
} from '../core/index.ts';
import { murmur3x64_128 } from '../kernels/index.ts';
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
import type { ProgressHandle } from '../server/task-log.ts';
import { diffOf, formatSpan, isDirty, planGc, type Snapshot, virtualScan } from '../wdiff/index.ts';
import { dropCold } from './cold.ts';
import { abortable, together } from './duplex.ts';
import { checkBackupHello, type SyncHost } from './full-sync.ts';
import { openSnapshot, type SnapshotView } from './snapshot-view.ts';
import type { ArchiveVolume } from './volume.ts';

type Stream = BidiStream<HashSyncDown, HashSyncUp>;
type HalfStream = Pick<Stream, 'send' | 'receive'>;

/** Hashes per message: 64 Ki of them are 1 MiB, and 16 GiB of image at the default bulk size. */
const HASHES_PER_MESSAGE = 1024;

/** Serves one call of Archive.HashSync. */
export async function serveHashSync(
  host: SyncHost,
  stream: Stream,
  { clientId }: CallContext,
): Promise<void> {
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
    await requireFit(host, volume, hello);
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

async function requireFit(
  host: SyncHost,
  volume: ArchiveVolume,
  { sizeLb }: BackupHello,
): Promise<void> {
  const current = volume.requireSize();
  const wanted = lbToBytes(sizeLb);
  if (wanted <= current) return;
  if (!host.config.autoResize) {
    throw new WalbError(
      'conflict',
      `the base image has ${current} bytes, the volume ${wanted}: run resize_archive first`,
      { details: { volume: volume.id, current, wanted } },
    );
  }
  await volume.images.growBase(wanted);
  volume.touch('size');
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
    let received = 0;
    let last: { gidB: bigint; gidE: bigint } | undefined;
    await together([
      (signal) => sendHashes(volume, hello, view, abortable(stream, signal)),
      async (signal) => {
        const incoming = new IncomingDiff(volume, abortable(stream, signal), progress);
        const options = {
          uuid,
          fsyncInterval: host.config.fsyncInterval,
          onChunk: () => volume.requireRunning('hash backup'),
        };
        received = (await receiveDiff(handle, incoming.chunks(), options)).end;
        last = incoming.end;
      },
    ]);
    if (received > hello.sizeLb) {
      throw new WalbError('invalid-argument', 'the differences reach beyond the end of the volume');
    }
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

async function sendHashes(
  volume: ArchiveVolume,
  hello: BackupHello,
  view: SnapshotView,
  stream: HalfStream,
): Promise<void> {
  const chunkSize = lbToBytes(hello.bulkLb);
  const seed = hello.timestamp >>> 0;
  let hashes: Uint8Array[] = [];
  let bulk = 0;
  const flush = async (): Promise<void> => {
    if (hashes.length === 0) return;
    const value = { firstBulk: bulk - hashes.length, hashes: Buffer.concat(hashes) };
    hashes = [];
    await stream.send({ message: { $case: 'hashes', value } });
  };
  const size = lbToBytes(hello.sizeLb);
  for await (const { data } of virtualScan(view.base, view.merged(), { size, chunkSize })) {
    volume.requireRunning('hash backup');
    hashes.push(murmur3x64_128(data, seed));
    bulk += 1;
    if (hashes.length === HASHES_PER_MESSAGE) await flush();
    else await volume.core.clock.yield();
  }
  await flush();
  await stream.send({ message: { $case: 'hashesEnd', value: {} } });
}

/** The packs of the differences, until the message that ends the backup. */
class IncomingDiff {
  readonly #volume: ArchiveVolume;
  readonly #stream: HalfStream;
  readonly #progress: ProgressHandle;
  end: { gidB: bigint; gidE: bigint } | undefined;

  constructor(volume: ArchiveVolume, stream: HalfStream, progress: ProgressHandle) {
    this.#volume = volume;
    this.#stream = stream;
    this.#progress = progress;
  }

  async *chunks(): AsyncGenerator<ByteChunk> {
    for (;;) {
      const message = (await this.#stream.receive())?.message;
      if (message === undefined) throw new WalbError('unavailable', 'the storage went away');
      if (message.$case === 'packs') yield message.value;
      else if (message.$case === 'progress') this.#show(message.value.doneLb);
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
