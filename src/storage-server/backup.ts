/**
 * Full and hash backup, the storage's side: agree with the archive, begin a new log history, scan the
 * device while the workload goes on writing (the log of what it writes is delivered meanwhile), end
 * with a snapshot.
 *
 * The scanned image is dirty |gidB,gidE|: each block is from some moment between. It becomes the clean
 * |gidE| when the diff |gidB|-->|gidE| arrives through a proxy.
 *
 * Source: semantics.md B.6, D.3.
 */
import {
  type BidiStream,
  type Bytes,
  bytesToLb,
  checkBulkSize,
  DEFAULT_BULK_SIZE,
  type Gid,
  type Lb,
  type Millis,
  throwIfAborted,
  WalbError,
} from '../core/index.ts';
import {
  type Accepted,
  ArchiveRpc,
  type BackupHello,
  type BackupRequest,
  type CompressOption as CompressOptionMessage,
  compressionFromMessage,
  compressionToMessage,
  type FullSyncDown,
  type FullSyncUp,
  type HashSyncDown,
  type HashSyncUp,
  HostType,
  snapshotFromMessage,
  TaskKind,
} from '../rpc/index.ts';
import { expectMessage } from '../server/expect-message.ts';
import type { ServerCore } from '../server/server-core.ts';
import type { TaskHandle } from '../server/task-log.ts';
import type { StorageConfig } from './config.ts';
import { scanDifferences } from './hash-scan.ts';
import { scanImage } from './image-scan.ts';
import type { Scan } from './scan.ts';
import { ScanThrottle } from './scan-throttle.ts';
import type { StorageVolume } from './volume.ts';

/** The archive checks and answers within this, or the backup is not begun. */
const ACCEPT_TIMEOUT_MS: Millis = 60_000;

export type BackupKind = 'full' | 'hash';

export interface BackupHost {
  readonly core: ServerCore;
  readonly config: StorageConfig;
  /** Blocks per second of all scans; 0 = unlimited. */
  scanLimit(): Lb;
  /** Follows the log of the volume from now on. */
  monitor(volume: StorageVolume): void;
  /** Sends log now. */
  sendNow(volume: StorageVolume): void;
}

type FullStream = BidiStream<FullSyncUp, FullSyncDown>;
type HashStream = BidiStream<HashSyncUp, HashSyncDown>;

/** Resolves when the archive has accepted; the rest is a task of the volume. */
export async function startBackup(
  host: BackupHost,
  volume: StorageVolume,
  kind: BackupKind,
  request: BackupRequest,
): Promise<Accepted> {
  const hello = helloOf(host, volume, request);
  volume.admit(kind === 'full' ? 'full-bkp' : 'hash-bkp');
  const held = new DisposableStack();
  try {
    held.use(host.core.foreground.acquire(`${kind} backup of ${volume.id}`));
    const change = held.use(volume.machine.begin(kind === 'full' ? 'full-sync' : 'hash-sync'));
    const run = await openSession(host, volume, kind, hello, held);
    const owned = held.move();
    const options = { total: hello.sizeLb, peer: host.config.archive };
    return volume.tasks.start(
      kind === 'full' ? TaskKind.FULL_BACKUP : TaskKind.HASH_BACKUP,
      async (task) => {
        using _owned = owned;
        await finishBackup(host, volume, change, () => run(task));
      },
      options,
    );
  } catch (error) {
    held.dispose();
    throw error;
  }
}

/** Runs the scan, and makes the volume a target once the archive has everything. */
async function finishBackup(
  host: BackupHost,
  volume: StorageVolume,
  change: ReturnType<StorageVolume['machine']['begin']>,
  scan: () => Promise<void>,
): Promise<void> {
  try {
    await scan();
    using target = change.proceed();
    await volume.files.setState('Target');
    target.commit();
  } catch (error) {
    volume.stopMonitoring();
    volume.failed(error, host.config.archive);
    throw error;
  }
  volume.lastBackup = volume.now();
  volume.succeeded();
}

function helloOf(host: BackupHost, volume: StorageVolume, request: BackupRequest): BackupHello {
  const compression =
    request.compression === undefined
      ? host.config.syncCompression
      : compressionFromMessage(request.compression);
  return {
    volume: volume.id,
    hostType: HostType.STORAGE,
    sizeLb: volume.info.sizeLb,
    timestamp: volume.now(),
    bulkLb: bulkOf(request.bulkBytes),
    compression: compressionToMessage(compression),
  };
}

type Run = (task: TaskHandle) => Promise<void>;

/** Connects and gets the archive's consent; gives what is to be run then. */
async function openSession(
  host: BackupHost,
  volume: StorageVolume,
  kind: BackupKind,
  hello: BackupHello,
  held: DisposableStack,
): Promise<Run> {
  const { archive } = host.config;
  const { clock, identity, env } = host.core;
  const channel = env.network.connect(archive, { clientId: identity.nodeId });
  held.defer(() => channel.close());
  const accept = new AbortController();
  const cancelTimer = clock.after(ACCEPT_TIMEOUT_MS, () =>
    accept.abort(new WalbError('timeout', `archive ${archive} did not answer`)),
  );
  const signal = AbortSignal.any([volume.forceSignal, accept.signal]);
  const { bulkLb, timestamp } = hello;
  const compression = compressionFromMessage(hello.compression as CompressOptionMessage);
  const work = { volume, bulkLb, compression, signal, timestamp };
  try {
    return kind === 'full'
      ? await openFull(host, channel.bidi(ArchiveRpc.fullSync, { signal }), hello, work)
      : await openHash(host, channel.bidi(ArchiveRpc.hashSync, { signal }), hello, work);
  } finally {
    cancelTimer();
  }
}

/** 0 = the default. */
function bulkOf(bytes: Bytes): Lb {
  return bytesToLb(checkBulkSize(bytes === 0 ? DEFAULT_BULK_SIZE : bytes));
}

type ScanWork = Omit<Scan, 'throttle' | 'task'>;

async function openFull(
  host: BackupHost,
  stream: FullStream,
  hello: BackupHello,
  work: ScanWork,
): Promise<Run> {
  await stream.send({ message: { $case: 'hello', value: hello } });
  await expectMessage(stream, 'accept');
  return async (task) => {
    const gidB = 0n;
    await beginHistory(host, work.volume, gidB);
    await stream.send({ message: { $case: 'start', value: { uuid: work.volume.uuid, gidB } } });
    const { startLb } = await expectMessage(stream, 'started');
    host.monitor(work.volume);
    const scan = { ...work, throttle: throttleOf(host), task };
    for await (const chunk of scanImage(scan, startLb)) {
      await stream.send({ message: { $case: 'chunk', value: chunk } });
    }
    await stream.send({ message: { $case: 'scanEnd', value: {} } });
    await expectMessage(stream, 'scanSynced');
    task.gid = await endHistory(host, work.volume);
    const end = { gidB, gidE: task.gid };
    await stream.send({ message: { $case: 'end', value: end } });
    await expectMessage(stream, 'ack');
    await stream.end();
  };
}

async function openHash(
  host: BackupHost,
  stream: HashStream,
  hello: BackupHello,
  work: ScanWork,
): Promise<Run> {
  await stream.send({ message: { $case: 'hello', value: hello } });
  const { latest } = await expectMessage(stream, 'accept');
  return async (task) => {
    const gidB = snapshotFromMessage(latest, 'latest snapshot').e + 1n;
    await beginHistory(host, work.volume, gidB);
    await stream.send({ message: { $case: 'start', value: { uuid: work.volume.uuid, gidB } } });
    await expectMessage(stream, 'started');
    host.monitor(work.volume);
    await scanDifferences({ ...work, throttle: throttleOf(host), task }, stream);
    task.gid = await endHistory(host, work.volume);
    await stream.send({ message: { $case: 'end', value: { gidB, gidE: task.gid } } });
    await expectMessage(stream, 'ack');
    await stream.end();
  };
}

/** The log begins anew at `gidB`: from here on every write is in a history the archive will know. */
async function beginHistory(host: BackupHost, volume: StorageVolume, gidB: Gid): Promise<void> {
  throwIfAborted(volume.forceSignal, 'backup');
  await volume.resetLog(gidB);
  volume.log.info({ gid: gidB, peer: host.config.archive }, 'backup begins');
}

/** The snapshot that ends the backup; explicit, so that no merge swallows it. */
async function endHistory(host: BackupHost, volume: StorageVolume): Promise<Gid> {
  const { gid } = await volume.takeSnapshot();
  host.sendNow(volume);
  return gid;
}

function throttleOf(host: BackupHost): ScanThrottle {
  return new ScanThrottle(host.core.clock, () => host.scanLimit());
}
