/**
 * Full backup, the storage's side. One that was broken off goes on behind what the archive has of it:
 * the log history goes on too, so that every write since the first attempt began is in a diff behind
 * the gid where it began. What was read before a power cut counts only as far as it was in permanent
 * log by then; the archive is told (`settled`).
 *
 * Source: semantics.md B.6; docs/protocol.md.
 */
import { type BidiStream, type Gid, type Lb, type Lsid, WalbError } from '../core/index.ts';
import type { BackupHello, FullSyncDown, FullSyncUp, ImageChunk } from '../rpc/index.ts';
import { endAfterAck, expectMessage } from '../server/expect-message.ts';
import { imageChunks } from '../server/image-chunks.ts';
import {
  type BackupWork,
  endHistory,
  type Run,
  requireNotForced,
  type Scan,
  scanOf,
} from './backup-scan.ts';
import { whatIsLost } from './delivered.ts';
import { deviceBulks } from './device-scan.ts';
import type { StorageVolume } from './volume.ts';

type FullStream = BidiStream<FullSyncUp, FullSyncDown>;

/** What a full backup resets the log to (B.6.3). */
const FIRST_GID: Gid = 0n;

/** Resolves when the archive has accepted. `isFromStart`: an interrupted one is not gone on with. */
export async function openFull(
  stream: FullStream,
  hello: BackupHello,
  work: BackupWork,
  isFromStart: boolean,
): Promise<Run> {
  await stream.send({ message: { $case: 'hello', value: hello } });
  const { nodeId } = await expectMessage(stream, 'accept');
  return async (task) => {
    requireNotForced(work);
    const resumed = isFromStart ? undefined : await askToGoOn(stream, work, nodeId);
    const { gidB, startLb } = resumed ?? (await beginAnew(stream, work));
    task.set(startLb);
    work.host.monitor(work.volume);
    await sendImage(stream, scanOf(work, task), startLb);
    await expectMessage(stream, 'scanSynced');
    task.gid = await endHistory(work);
    const end = { gidB, gidE: task.gid };
    await stream.send({ message: { $case: 'end', value: end } });
    await expectMessage(stream, 'ack');
    await endAfterAck(stream);
  };
}

interface Begin {
  /** Where the log history of the image begins. */
  readonly gidB: Gid;
  readonly startLb: Lb;
}

/** Undefined when there is nothing to go on with, here or at the archive; the log says what is missing. */
async function askToGoOn(
  stream: FullStream,
  { host, volume, signal }: BackupWork,
  nodeId: string,
): Promise<Begin | undefined> {
  const { backup } = volume;
  if (backup === undefined) return undefined;
  const delivered = {
    volume: volume.id,
    archive: { nodeId, address: host.config.archive },
    from: backup.gid,
    to: volume.records.done.gid,
  };
  const reason =
    (await volume.whyBackupCanNotGoOn(backup)) ??
    (await whatIsLost(host.core, host.config.proxies, delivered, signal));
  if (reason !== undefined) return beginsAnew(volume, reason);
  const { uuid, gid: gidB } = backup;
  await stream.send({ message: { $case: 'start', value: { uuid, gidB, resume: true } } });
  const { startLb, refusal } = await expectMessage(stream, 'started');
  if (startLb === 0) return beginsAnew(volume, refusal ?? 'the archive has nothing of it');
  if (startLb > volume.info.sizeLb) {
    throw new WalbError(
      'invalid-argument',
      `the archive asks for block ${startLb} onwards of ${volume.info.sizeLb}`,
    );
  }
  volume.log.info({ startLb, gid: gidB }, 'an interrupted full backup goes on');
  return { gidB, startLb };
}

function beginsAnew(volume: StorageVolume, reason: string): undefined {
  volume.log.warn({}, `an interrupted full backup begins anew: ${reason}`);
}

async function beginAnew(stream: FullStream, { host, volume }: BackupWork): Promise<Begin> {
  const { uuid, gid: gidB } = await volume.beginBackup(FIRST_GID);
  volume.log.info({ gid: gidB, peer: host.config.archive }, 'full backup begins');
  await stream.send({ message: { $case: 'start', value: { uuid, gidB } } });
  const { startLb } = await expectMessage(stream, 'started');
  if (startLb === 0) return { gidB, startLb };
  throw new WalbError(
    'invalid-argument',
    `the archive leaves out the first ${startLb} blocks of a new full backup`,
  );
}

async function sendImage(stream: FullStream, scan: Scan, startLb: Lb): Promise<void> {
  const { volume, host, compression } = scan;
  const settling = new Settling(volume, startLb);
  for await (const chunk of imageChunks(deviceBulks(scan, startLb), compression, host.core.clock)) {
    await stream.send({ message: { $case: 'chunk', value: chunk } });
    const doneLb = await settling.after(endOf(chunk));
    if (doneLb !== undefined) {
      await stream.send({ message: { $case: 'settled', value: { doneLb } } });
    }
  }
  await volume.device.flush();
  const { sizeLb } = volume.info;
  await stream.send({ message: { $case: 'settled', value: { doneLb: sizeLb } } });
  await stream.send({ message: { $case: 'scanEnd', value: {} } });
}

function endOf({ offsetLb, bulks }: ImageChunk): Lb {
  return bulks.reduce((end, { blocks }) => end + blocks, offsetLb);
}

/**
 * Up to where everything that was read is in permanent log. A read sees writes that a power cut can
 * still take back; an image resumed behind them would hold what the volume does not.
 */
class Settling {
  readonly #volume: StorageVolume;
  /** Read up to `end` when the log ended at `latest`, which was not permanent then. */
  #mark: { readonly end: Lb; readonly latest: Lsid } | undefined;
  #settled: Lb;

  constructor(volume: StorageVolume, startLb: Lb) {
    this.#volume = volume;
    this.#settled = startLb;
  }

  /** After everything before `end` was read; the new place, if it has moved. */
  async after(end: Lb): Promise<Lb | undefined> {
    const { latest, permanent } = await this.#volume.lsids();
    const before = this.#settled;
    if (this.#mark !== undefined && permanent >= this.#mark.latest) {
      this.#settled = this.#mark.end;
      this.#mark = undefined;
    }
    if (permanent >= latest) this.#settled = end;
    else this.#mark ??= { end, latest };
    return this.#settled > before ? this.#settled : undefined;
  }
}
