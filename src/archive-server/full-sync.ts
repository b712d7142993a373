/**
 * Full backup, the archive's side: the image of a live volume is written to a new base image. It is
 * dirty |gidB,gidE| until the diff that follows makes it clean.
 *
 * Order of the end: image synced; then base, archive_uuid, uuid, each durably; `state` last. A crash
 * before that leaves SyncReady with an image of no meaning, which the next full backup overwrites.
 *
 * Source: semantics.md D.3.1.
 */
import {
  type BidiStream,
  type Bytes,
  type CallContext,
  checkVolumeId,
  type FileHandle,
  type Lb,
  lbToBytes,
  UUID_BYTES,
  WalbError,
} from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import {
  type BackupHello,
  CompressionKind,
  type FullSyncDown,
  type FullSyncUp,
  HostType,
  type ImageBulk,
  type ImageChunk,
  snapshotFromMessage,
  TaskKind,
} from '../rpc/index.ts';
import { cancelWhen } from '../server/cancel-when.ts';
import { expectMessage, unexpectedMessage } from '../server/expect-message.ts';
import type { ServerCore } from '../server/server-core.ts';
import { decompress, metaState } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import type { ArchiveVolume } from './volume.ts';

export interface SyncHost {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
  /** Throws `wrong-state` for a volume that is Clear. */
  require(volume: string, command: 'full-backup' | 'hash-backup'): ArchiveVolume;
}

type Stream = BidiStream<FullSyncDown, FullSyncUp>;

/** Serves one call of Archive.FullSync. */
export async function serveFullSync(
  host: SyncHost,
  stream: Stream,
  { clientId }: CallContext,
): Promise<void> {
  const hello = checkBackupHello(await expectMessage(stream, 'hello'));
  const volume = host.require(hello.volume, 'full-backup');
  volume.admit('full-backup');
  requireNotLarger(volume, hello);
  using _foreground = host.core.foreground.acquire(`full backup of ${volume.id}`);
  using change = volume.machine.begin('full-sync');
  using progress = volume.tasks.track(TaskKind.FULL_BACKUP, {
    total: hello.sizeLb,
    peer: clientId,
  });
  using _force = cancelWhen(volume.forceSignal, stream, 'full backup');
  try {
    await stream.send({ message: { $case: 'accept', value: host.core.identity } });
    const start = await expectMessage(stream, 'start');
    if (start.uuid.length !== UUID_BYTES) {
      throw new WalbError('invalid-argument', 'uuid must be 16 bytes');
    }
    // What an interrupted reset left of an earlier life would fit the gids of the new one.
    await volume.forgetData();
    await volume.images.createBase(lbToBytes(hello.sizeLb));
    await stream.send({ message: { $case: 'started', value: { startLb: 0 } } });
    const writer = new BaseWriter(volume, hello.sizeLb, host.config.fsyncInterval, (done) => {
      progress.set(done);
      volume.progressLb = done;
    });
    await receiveImage(stream, writer);
    await stream.send({ message: { $case: 'scanSynced', value: {} } });
    const end = snapshotFromMessage(await expectMessage(stream, 'end'), 'end of the backup');
    await volume.catalogue.setBase(metaState(end, hello.timestamp));
    await volume.catalogue.setArchiveUuid(host.core.env.random.bytes(UUID_BYTES));
    await volume.catalogue.setUuid(start.uuid);
    await volume.catalogue.setState('Archived');
    volume.synced(clientId);
    change.commit();
    volume.touch('restorable', 'size');
    volume.log.info({ peer: clientId, gid: end.e }, 'full backup stored');
    await stream.send({ message: { $case: 'ack', value: {} } });
  } catch (error) {
    volume.failed(error, clientId);
    throw error;
  } finally {
    volume.progressLb = 0;
  }
}

/** Before the storage gives up its log: an image that is there must not be larger (D.3.1). */
function requireNotLarger(volume: ArchiveVolume, { sizeLb }: BackupHello): void {
  const present = volume.images.baseSize();
  const size = lbToBytes(sizeLb);
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
  if (hello.bulkLb < 1 || hello.sizeLb < 1) {
    throw new WalbError('invalid-argument', 'bulk size and volume size must be at least one block');
  }
  return hello;
}

async function receiveImage(stream: Stream, writer: BaseWriter): Promise<void> {
  try {
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message?.$case === 'scanEnd') return await writer.finish();
      if (message === undefined) throw new WalbError('unavailable', 'the storage went away');
      if (message.$case !== 'chunk') throw unexpectedMessage(message.$case, 'chunk');
      await writer.write(message.value);
    }
  } finally {
    writer.close();
  }
}

/** Writes the chunks of an image one after another, without a gap. */
export class BaseWriter {
  readonly #volume: ArchiveVolume;
  readonly #handle: FileHandle;
  readonly #sizeLb: Lb;
  readonly #interval: Bytes;
  readonly #onProgress: (done: Lb) => void;
  #next: Lb;
  #unsynced: Bytes = 0;

  constructor(
    volume: ArchiveVolume,
    sizeLb: Lb,
    fsyncInterval: Bytes,
    onProgress: (done: Lb) => void,
    startLb: Lb = 0,
  ) {
    this.#volume = volume;
    this.#handle = volume.images.openBase('update');
    this.#sizeLb = sizeLb;
    this.#interval = fsyncInterval;
    this.#onProgress = onProgress;
    this.#next = startLb;
  }

  async write({ offsetLb, bulks }: ImageChunk): Promise<void> {
    this.#volume.requireRunning('full backup');
    if (offsetLb !== this.#next) {
      throw new WalbError(
        'invalid-argument',
        `image data came for block ${offsetLb}, not ${this.#next}`,
      );
    }
    for (const bulk of bulks) this.#writeBulk(bulk);
    this.#onProgress(this.#next);
    if (this.#unsynced < this.#interval) return;
    this.#unsynced = 0;
    await this.#handle.sync();
  }

  async finish(): Promise<void> {
    if (this.#next !== this.#sizeLb) {
      throw new WalbError('corrupt', `the image ended at block ${this.#next} of ${this.#sizeLb}`);
    }
    await this.#handle.sync();
  }

  close(): void {
    this.#handle.close();
  }

  #writeBulk(bulk: ImageBulk): void {
    const size = lbToBytes(bulk.blocks);
    const end = this.#next + bulk.blocks;
    if (bulk.blocks < 1 || end > this.#sizeLb) {
      throw new WalbError(
        'invalid-argument',
        `a bulk of ${bulk.blocks} blocks at ${this.#next} does not fit`,
      );
    }
    if (bulk.data.length > 0) {
      this.#handle.write(dataOf(bulk, size, this.#next), lbToBytes(this.#next));
      this.#unsynced += size;
    } else if (!this.#volume.images.newBaseIsZero) {
      this.#handle.punch(lbToBytes(this.#next), size);
      this.#unsynced += size;
    }
    this.#next = end;
  }
}

/** The bulk's data, verified. Throws `corrupt`. */
function dataOf({ compression, checksum: sum, data }: ImageBulk, size: Bytes, at: Lb): Uint8Array {
  if (checksum(data, 0) !== sum) {
    throw new WalbError('corrupt', `the image data of block ${at} were damaged on the way`, {
      details: { block: at, field: 'checksum' },
    });
  }
  if (compression === CompressionKind.UNSPECIFIED || compression === CompressionKind.UNRECOGNIZED) {
    throw new WalbError('invalid-argument', 'compression kind of image data is missing');
  }
  if (compression !== CompressionKind.NONE) return decompress(compression, data, size);
  if (data.length === size) return data;
  throw new WalbError('corrupt', `block ${at}: ${data.length} bytes came for ${size}`);
}
