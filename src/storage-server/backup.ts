/**
 * Full and hash backup, the storage's side: agree with the archive, begin a new log history or go on
 * with that of an interrupted full backup, scan the device while the workload goes on writing (the log
 * of what it writes is delivered meanwhile), end with a snapshot.
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
  type Lb,
  type Millis,
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
  HostType,
  TaskKind,
} from '../rpc/index.ts';
import { atPeer } from '../server/peer-error.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import type { BackupHost, Run } from './backup-scan.ts';
import { openFull } from './full-backup.ts';
import { openHash } from './hash-backup.ts';
import { BACKUP, type StorageVolume } from './volume.ts';

/** The archive checks and answers within this, or the backup is not begun. */
const ACCEPT_TIMEOUT_MS: Millis = 60_000;

export type BackupKind = 'full' | 'hash';

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
    const run = await openSession(host, volume, kind, hello, request.fromStart === true, held);
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
    // Only now: a crash before leaves SyncReady, and a full backup that can be repeated.
    await volume.endBackup();
    target.commit();
  } catch (error) {
    volume.stopMonitoring();
    volume.failed(error, host.config.archive);
    throw error;
  }
  volume.remember(BACKUP, host.config.archive);
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

/** Connects and gets the archive's consent; gives what is to be run then. */
async function openSession(
  host: BackupHost,
  volume: StorageVolume,
  kind: BackupKind,
  hello: BackupHello,
  isFromStart: boolean,
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
  const work = { host, volume, bulkLb, compression, signal, timestamp };
  const limited = <Out, In>(stream: BidiStream<Out, In>): BidiStream<Out, In> =>
    withStallLimit(stream, clock, 'the archive');
  try {
    if (kind === 'hash') {
      return await openHash(limited(channel.bidi(ArchiveRpc.hashSync, { signal })), hello, work);
    }
    const stream = limited(channel.bidi(ArchiveRpc.fullSync, { signal }));
    return await openFull(stream, hello, work, isFromStart);
  } catch (error) {
    throw atPeer(archive, error);
  } finally {
    cancelTimer();
  }
}

/** 0 = the default. */
function bulkOf(bytes: Bytes): Lb {
  return bytesToLb(checkBulkSize(bytes === 0 ? DEFAULT_BULK_SIZE : bytes));
}
