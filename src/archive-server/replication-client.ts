/**
 * `replicate`: brings another archive to what this one has.
 *
 * The action ReplSyncAsClient covers the whole run, from before the other archive is asked. It is
 * accepted when the other archive has accepted; how it ends is the result of a task. Whatever breaks it
 * leaves the destination in a state of the table, and repeating it goes on from there.
 *
 * Source: semantics.md D.9, E.3.
 */
import {
  bytesToLb,
  checkBulkSize,
  DEFAULT_BULK_SIZE,
  GIB,
  MIB,
  type Millis,
  WalbError,
} from '../core/index.ts';
import {
  type Accepted,
  ArchiveRpc,
  compressionFromMessage,
  HostType,
  type ReplicateRequest,
  ReplicationKind,
  type ServerIdentity,
  snapshotFromMessage,
  TaskKind,
} from '../rpc/index.ts';
import { endAfterAck, expectMessage } from '../server/expect-message.ts';
import { atPeer } from '../server/peer-error.ts';
import type { ServerCore } from '../server/server-core.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { type CompressOption, DEFAULT_COMPRESS_OPTION, stateUpTo } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import { historyOfUuid, ownData } from './replication-data.ts';
import {
  decideRound,
  describeRound,
  type RoundLimits,
  type ServerPoint,
  type Until,
} from './replication-decision.ts';
import {
  type ClientSession,
  sendDiff,
  sendFull,
  sendHash,
  sendResync,
} from './replication-send.ts';
import type { ArchiveVolume } from './volume.ts';

/** The destination checks and answers within this, or the replication is not begun. */
const ACCEPT_TIMEOUT_MS: Millis = 60_000;
/** MAX_MERGE of the command line. */
const DEFAULT_MAX_MERGE = GIB;

export interface ClientHost {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
}

interface Settings {
  readonly address: string;
  readonly doResync: boolean;
  readonly limits: RoundLimits;
  readonly compression: CompressOption;
  readonly bulkLb: number;
}

/** Resolves when the other archive has accepted; the rest is a task of kind REPLICATE. */
export async function startReplication(
  host: ClientHost,
  volume: ArchiveVolume,
  request: ReplicateRequest,
): Promise<Accepted> {
  const settings = settingsOf(host.config, request);
  volume.admit('replicate');
  const foreground = host.core.foreground.acquire(`replication of ${volume.id}`);
  const accepted = Promise.withResolvers<Accepted>();
  const run = volume.during(
    'ReplSyncAsClient',
    async () => {
      using _foreground = foreground;
      await replicate(host, volume, settings, (total) => beginTask(volume, total));
    },
    settings.address,
  );
  /** A task that ends as `run` does: when its result is seen, the action is over. */
  function beginTask(of: ArchiveVolume, total: number): Promise<TaskHandle> {
    const { promise, resolve } = Promise.withResolvers<TaskHandle>();
    const work = async (task: TaskHandle): Promise<void> => {
      resolve(task);
      await run;
    };
    const options = { total, peer: settings.address };
    accepted.resolve(of.tasks.start(TaskKind.REPLICATE, work, options));
    return promise;
  }
  run.catch((error: unknown) => accepted.reject(error));
  return accepted.promise;
}

/** Throws `invalid-argument`. */
function settingsOf(config: ArchiveConfig, request: ReplicateRequest): Settings {
  const { address, doResync, dontMerge, maxMergeBytes, bulkBytes, compression } = request;
  if (address === '') throw new WalbError('invalid-argument', 'replicate needs a destination');
  return {
    address,
    doResync,
    limits: {
      until: untilOf(request),
      dontMerge,
      maxMerge: maxMergeBytes === 0 ? DEFAULT_MAX_MERGE : maxMergeBytes,
      maxFiles: config.maxWdiffFiles,
    },
    compression:
      compression === undefined ? DEFAULT_COMPRESS_OPTION : compressionFromMessage(compression),
    bulkLb: bytesToLb(bulkSizeOf(bulkBytes)),
  };
}

/** 0 = the default. */
function bulkSizeOf(bytes: number): number {
  return checkBulkSize(bytes === 0 ? DEFAULT_BULK_SIZE : bytes);
}

function untilOf({ until }: ReplicateRequest): Until {
  if (until?.$case === 'gid') return { kind: 'gid', gid: until.value };
  if (until?.$case === 'sizeMb') return { kind: 'size', bytes: until.value * MIB };
  throw new WalbError('invalid-argument', 'replicate needs a limit: a gid or a size');
}

async function replicate(
  host: ClientHost,
  volume: ArchiveVolume,
  settings: Settings,
  begin: (total: number) => Promise<TaskHandle>,
): Promise<void> {
  const { clock, env, identity } = host.core;
  const channel = env.network.connect(settings.address, { clientId: identity.nodeId });
  const unanswered = new AbortController();
  const signal = AbortSignal.any([volume.forceSignal, unanswered.signal]);
  const stopTimer = clock.after(ACCEPT_TIMEOUT_MS, () =>
    unanswered.abort(
      new WalbError('timeout', `archive ${settings.address} did not answer to replicate`),
    ),
  );
  const stream = withStallLimit(
    channel.bidi(ArchiveRpc.serveReplication, { signal }),
    clock,
    'the other archive',
  );
  try {
    const server = await introduce(host, volume, settings, stream);
    stopTimer();
    const task = await begin(volume.sizeLb ?? 0);
    const { bulkLb, compression } = settings;
    const maxOpenDiffs = host.config.maxOpenDiffsVirtual;
    const session: ClientSession = { volume, stream, task, bulkLb, compression, maxOpenDiffs };
    await firstTransfer(session);
    const reached = await rounds(session, settings.limits, server);
    noteReached(volume, server, reached);
  } catch (error) {
    stream.cancel(WalbError.from(error));
    throw error;
  } finally {
    stopTimer();
    channel.close();
  }
}

async function introduce(
  { core }: ClientHost,
  volume: ArchiveVolume,
  { doResync, address }: Settings,
  stream: ClientSession['stream'],
): Promise<ServerIdentity> {
  const value = {
    volume: volume.id,
    hostType: HostType.ARCHIVE,
    archiveUuid: volume.catalogue.archiveUuid,
    doResync,
    client: core.identity,
  };
  await stream.send({ message: { $case: 'hello', value } });
  return answer(address, expectMessage(stream, 'accept'));
}

/** What the destination answers, or its refusal as such. */
async function answer<T>(peer: string, promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw atPeer(peer, error);
  }
}

/** What the destination has chosen by its own state. */
async function firstTransfer(session: ClientSession): Promise<void> {
  const kind = await answer(session.task.peer, expectMessage(session.stream, 'chosen'));
  session.volume.log.info({ peer: session.task.peer, kind }, 'replication begins');
  if (kind === ReplicationKind.FULL) await sendFull(session);
  else if (kind === ReplicationKind.RESYNC) await sendResync(session);
  else if (kind !== ReplicationKind.HASH_OR_DIFF) {
    throw new WalbError('unsupported', `the destination chose ${kind}, which is not known here`);
  }
}

/** Round by round until it is enough; the destination's latest snapshot then. */
async function rounds(
  session: ClientSession,
  limits: RoundLimits,
  server: ServerIdentity,
): Promise<ServerPoint> {
  const { volume, stream, task } = session;
  let before: ServerPoint | undefined;
  for (;;) {
    const latest = await expectMessage(stream, 'latest');
    requireNotStopping(volume);
    const point: ServerPoint = {
      latest: snapshotFromMessage(latest, 'latest snapshot'),
      history: historyOfUuid(latest.uuid),
    };
    requireAdvance(before, point);
    before = point;
    // From here to the files being open there is no await: what is decided is what is there.
    const round = decideRound(ownData(volume), point, limits);
    task.gid = round.kind === 'finish' ? point.latest.b : round.diff.E.b;
    volume.log.info({ peer: server.nodeId, round: describeRound(round) }, 'replication round');
    if (round.kind === 'hash') await sendHash(session, round);
    else if (round.kind === 'diff') await sendDiff(session, round, limits.dontMerge);
    else {
      await stream.send({ message: { $case: 'finish', value: {} } });
      await expectMessage(stream, 'finished');
      await endAfterAck(stream);
      return point;
    }
  }
}

/** What was acknowledged must show, or the same would be sent for ever. */
function requireAdvance(before: ServerPoint | undefined, { latest }: ServerPoint): void {
  if (before === undefined || latest.b > before.latest.b) return;
  throw new WalbError(
    'conflict',
    `the destination acknowledged what was sent, but its latest snapshot went from |${before.latest.b},${before.latest.e}| to |${latest.b},${latest.e}|`,
    { details: { before: before.latest.b, latest: latest.b } },
  );
}

/** A graceful stop lets the transfer under way finish, not all the rounds to come. */
function requireNotStopping({ id, stop, core }: ArchiveVolume): void {
  if (!stop.isStopping && !core.isShuttingDown) return;
  throw new WalbError(
    'cancelled',
    `volume ${id} is being stopped: the replication ended between two transfers; repeat it later`,
    { details: { volume: id } },
  );
}

function noteReached(volume: ArchiveVolume, server: ServerIdentity, { latest }: ServerPoint): void {
  const { diffs, base } = volume.catalogue;
  volume.replicas.note(server.nodeId, latest.b, stateUpTo(diffs, base, latest.b).timestamp);
  volume.log.info({ peer: server.nodeId, gid: latest.b }, 'replicated');
}
