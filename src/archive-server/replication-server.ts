/**
 * Replication, the destination's side: chooses the kind by its own state, receives the whole image or
 * the differences, then round by round tells its latest snapshot and takes what the client sends.
 *
 * One transition of the state machine covers each part: FullSync or Resync, then ReplSyncAsServer for
 * all rounds. Whatever breaks it leaves SyncReady (image not whole) or Archived (some rounds done), and
 * the replication can be repeated. No lock is held while the client decides.
 *
 * Source: semantics.md D.9, E.3; docs/protocol.md.
 */
import {
  type BidiStream,
  type CallContext,
  checkVolumeId,
  equalBytes,
  type Millis,
  WalbError,
} from '../core/index.ts';
import {
  HostType,
  type ReplicationDown,
  type ReplicationHello,
  ReplicationKind,
  type ReplicationUp,
  TaskKind,
} from '../rpc/index.ts';
import { cancelWhen } from '../server/cancel-when.ts';
import { expectMessage, unexpectedMessage } from '../server/expect-message.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import { untilWithin } from '../server/wait.ts';
import { latestPoint, uuidOfHistory } from './replication-data.ts';
import { chooseKind, type KindOfReplication } from './replication-decision.ts';
import { receiveFull } from './replication-full.ts';
import { receiveResync } from './replication-resync.ts';
import { receiveDiffRound, receiveHashRound } from './replication-rounds.ts';
import {
  type Change,
  type ReplicationHost,
  requireUuid,
  type ServerSession,
} from './replication-session.ts';
import type { ArchiveVolume } from './volume.ts';

/** Proxies feed an archive that is to be synchronized meanwhile; most diffs are received in less. */
const DIFF_WAIT_MS: Millis = 5_000;

/** Serves one call of Archive.ServeReplication. */
export async function serveReplication(
  host: ReplicationHost,
  call: BidiStream<ReplicationDown, ReplicationUp>,
  { clientId }: CallContext,
): Promise<void> {
  const stream = withStallLimit(call, host.core.clock, 'the other archive');
  const hello = checkHello(await expectMessage(stream, 'hello'));
  const volume = host.require(hello.volume, 'replication');
  await waitOutDiff(volume);
  volume.admit('replication');
  const kind = kindFor(volume, hello);
  using _foreground = host.core.foreground.acquire(`replication of ${volume.id}`);
  using progress = volume.tasks.track(TaskKind.REPLICATION_RECEIVE, { peer: clientId });
  using _force = cancelWhen(volume.forceSignal, stream, 'replication');
  const session: ServerSession = { host, volume, stream, hello, peer: clientId, progress };
  try {
    await serve(session, kind);
  } catch (error) {
    volume.failed(error, clientId);
    throw error;
  } finally {
    volume.progressLb = 0;
  }
}

/** A diff that is just coming in is no reason to refuse. */
async function waitOutDiff({ core, changed, machine }: ArchiveVolume): Promise<void> {
  await untilWithin(core.clock, changed, () => machine.state !== 'WdiffRecv', DIFF_WAIT_MS);
}

function checkHello(hello: ReplicationHello): ReplicationHello {
  checkVolumeId(hello.volume);
  if (hello.hostType !== HostType.ARCHIVE) {
    throw new WalbError('invalid-argument', `replicas come from an archive, not ${hello.hostType}`);
  }
  requireUuid(hello.archiveUuid);
  return hello;
}

function kindFor(volume: ArchiveVolume, hello: ReplicationHello): KindOfReplication {
  return chooseKind({
    // What the command rule admits.
    state: volume.state === 'SyncReady' ? 'SyncReady' : 'Archived',
    hasImage: volume.images.baseSize() !== undefined,
    isSameArchive: equalBytes(volume.catalogue.archiveUuid, hello.archiveUuid),
    doResync: hello.doResync,
  });
}

const KIND_MESSAGES = {
  full: ReplicationKind.FULL,
  resync: ReplicationKind.RESYNC,
  'hash-or-diff': ReplicationKind.HASH_OR_DIFF,
} as const;

async function serve(session: ServerSession, kind: KindOfReplication): Promise<void> {
  const { volume, peer } = session;
  // Entered in the turn of the checks, so that nothing else begins meanwhile. An archived volume stays
  // as it is until the client has shown what it will send.
  using first = firstChange(volume, kind);
  volume.log.info({ peer, kind }, 'replication begins');
  await answer(session, kind);
  using change = (await receiveImage(session, kind, first)) as Change;
  await serveRounds(session);
  volume.synced(peer);
  change.commit();
  await session.stream.send({ message: { $case: 'finished', value: {} } });
}

/** The whole image, where that was chosen; then ReplSyncAsServer, entered in the turn of its end. */
async function receiveImage(
  session: ServerSession,
  kind: KindOfReplication,
  first: Change | undefined,
): Promise<Change | undefined> {
  if (kind === 'hash-or-diff') return first;
  const rounds =
    kind === 'full'
      ? await receiveFull(session, first as Change)
      : await receiveResync(session, first);
  try {
    await session.stream.send({ message: { $case: 'ack', value: {} } });
    return rounds;
  } catch (error) {
    rounds.rollback(error);
    throw error;
  }
}

function firstChange(volume: ArchiveVolume, kind: KindOfReplication): Change | undefined {
  if (kind === 'full') return volume.machine.begin('full-sync');
  if (kind === 'hash-or-diff') return volume.machine.begin('repl-sync');
  return volume.state === 'SyncReady' ? volume.machine.begin('resync') : undefined;
}

async function answer({ host, stream }: ServerSession, kind: KindOfReplication): Promise<void> {
  await stream.send({ message: { $case: 'accept', value: host.core.identity } });
  await stream.send({ message: { $case: 'chosen', value: KIND_MESSAGES[kind] } });
}

async function serveRounds(session: ServerSession): Promise<void> {
  const { volume, stream } = session;
  for (;;) {
    const { latest, history } = latestPoint(volume);
    const value = { gidB: latest.b, gidE: latest.e, uuid: uuidOfHistory(history) };
    await stream.send({ message: { $case: 'latest', value } });
    const message = (await stream.receive())?.message;
    if (message === undefined) throw new WalbError('unavailable', 'the other archive went away');
    if (message.$case === 'finish') return;
    if (message.$case === 'hash') await receiveHashRound(session, message.value);
    else if (message.$case === 'diff') await receiveDiffRound(session, message.value);
    else throw unexpectedMessage(message.$case, 'hash, diff or finish');
    await stream.send({ message: { $case: 'ack', value: {} } });
  }
}
