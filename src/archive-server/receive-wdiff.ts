/**
 * Receiving a diff from a proxy or another archive.
 *
 * The acknowledgement is sent when the diff is on stable storage under its name: then the sender may
 * delete its copy. What can not be used is answered by kind, so that the sender knows whether to wait,
 * to give up, or to throw the diff away.
 *
 * Source: semantics.md D.5, C.4; systems.md W4, W7.
 */
import { discardTemporary } from '../core/durable.ts';
import {
  type BidiStream,
  type CallContext,
  checkVolumeId,
  equalBytes,
  type Lb,
  lbToBytes,
  UUID_BYTES,
  WalbError,
} from '../core/index.ts';
import {
  type ByteChunk,
  diffFromMessage,
  diffToMessage,
  HostType,
  snapshotToMessage,
  TaskKind,
  type WdiffAnswer,
  type WdiffDown,
  type WdiffHello,
  type WdiffUp,
} from '../rpc/index.ts';
import { cancelWhen } from '../server/cancel-when.ts';
import { receiveDiff } from '../server/diff-receiver.ts';
import { expectMessage, unexpectedMessage } from '../server/expect-message.ts';
import type { ServerCore } from '../server/server-core.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import { type Diff, formatSpan, relation } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import { type ArchiveVolume, WDIFF_RECEIVED } from './volume.ts';

export interface ReceiverHost {
  readonly core: ServerCore;
  readonly config: ArchiveConfig;
  find(volume: string): ArchiveVolume | undefined;
  /** Why there is no such volume. */
  missing(volume: string): WdiffRefusal;
}

type Stream = BidiStream<WdiffDown, WdiffUp>;

export interface WdiffRefusal {
  readonly answer: WdiffAnswer;
  readonly text: string;
}

/** Serves one call of Archive.TransferWdiff. */
export async function receiveWdiff(
  host: ReceiverHost,
  call: Stream,
  context: CallContext,
): Promise<void> {
  // Meanwhile no other proxy is served for the volume, and a foreground task is taken.
  const stream = withStallLimit(call, host.core.clock, 'the sender');
  const hello = await expectMessage(stream, 'hello');
  const diff = checkHello(hello);
  const volume = host.find(hello.volume);
  const refusal = volume === undefined ? host.missing(hello.volume) : judgeState(volume);
  if (refusal !== undefined) return await refuse(host, stream, volume, refusal, context);
  const known = volume as ArchiveVolume;
  // From here on nobody else changes what the remaining questions are about.
  using _foreground = host.core.foreground.acquire(`wdiff of ${known.id}`);
  using change = known.machine.begin('wdiff-recv');
  const refused = await judge(host, known, hello, diff);
  if (refused !== undefined) {
    if (refused.answer === 'too-new-diff') noteGap(known, diff, context);
    change.commit();
    return await refuse(host, stream, known, refused, context);
  }
  using _force = cancelWhen(known.forceSignal, stream, 'wdiff transfer');
  await stream.send({
    message: {
      $case: 'answer',
      value: {
        answer: 'accept',
        text: '',
        latest: snapshotToMessage(known.latest()),
        server: host.core.identity,
      },
    },
  });
  try {
    await store(host, known, hello, diff, stream, context);
  } catch (error) {
    known.failed(error, context.clientId);
    throw error;
  }
  change.commit();
  await stream.send({ message: { $case: 'ack', value: {} } });
}

function checkHello(hello: WdiffHello): Diff {
  checkVolumeId(hello.volume);
  if (hello.hostType !== HostType.PROXY && hello.hostType !== HostType.ARCHIVE) {
    throw new WalbError(
      'invalid-argument',
      `diffs come from a proxy or archive, not ${hello.hostType}`,
    );
  }
  if (hello.uuid.length !== UUID_BYTES) {
    throw new WalbError('invalid-argument', 'uuid must be 16 bytes');
  }
  return diffFromMessage(hello.diff);
}

/** Undefined when the diff is wanted. The order of the questions, the state before them, is that of D.5. */
async function judge(
  host: ReceiverHost,
  volume: ArchiveVolume,
  hello: WdiffHello,
  diff: Diff,
): Promise<WdiffRefusal | undefined> {
  return (
    judgeHistory(volume, hello) ??
    (await judgeSize(host, volume, hello)) ??
    judgeRelation(volume, diff)
  );
}

function judgeState(volume: ArchiveVolume): WdiffRefusal | undefined {
  const { state } = volume;
  if (state === 'Stopped' || state === 'Start')
    return { answer: 'stopped', text: `state ${state}` };
  if (state === 'FullSync' || state === 'HashSync')
    return { answer: 'syncing', text: `state ${state}` };
  if (state === 'WdiffRecv') return { answer: 'wdiff-recv', text: 'another diff is coming in' };
  const refusal = volume.refusal('wdiff-transfer');
  return refusal === undefined ? undefined : { answer: 'other', text: refusal.message };
}

function judgeHistory(volume: ArchiveVolume, hello: WdiffHello): WdiffRefusal | undefined {
  if (hello.hostType !== HostType.PROXY) return undefined;
  if (equalBytes(hello.uuid, volume.catalogue.uuid)) return undefined;
  return { answer: 'different-uuid', text: 'the diff belongs to another log history' };
}

async function judgeSize(
  { config }: ReceiverHost,
  volume: ArchiveVolume,
  { sizeLb }: WdiffHello,
): Promise<WdiffRefusal | undefined> {
  const current = volume.sizeLb ?? 0;
  if (sizeLb <= current) return undefined;
  if (config.autoResize) {
    await volume.images.growBase(lbToBytes(sizeLb));
    volume.touch('size');
    return undefined;
  }
  const text = `the volume has ${sizeLb} blocks, the base image ${current}: run resize_archive`;
  return { answer: 'smaller-lv-size', text };
}

function judgeRelation(volume: ArchiveVolume, diff: Diff): WdiffRefusal | undefined {
  const latest = volume.latest();
  const how = relation(latest, diff);
  if (how === 'applicable') return undefined;
  const text = `latest snapshot is |${latest.b},${latest.e}|`;
  if (how === 'too-old') return { answer: 'too-old-diff', text };
  if (how === 'too-new') return { answer: 'too-new-diff', text };
  return { answer: 'other', text: `not applicable: ${text}` };
}

/** A diff that is too new means that one before it is lost, or still on its way (W7). */
function noteGap(volume: ArchiveVolume, diff: Diff, { clientId }: CallContext): void {
  const expected = snapshotToMessage(volume.latest());
  volume.noteGap({ expected, found: diffToMessage(diff), peer: clientId });
}

async function refuse(
  host: ReceiverHost,
  stream: Stream,
  volume: ArchiveVolume | undefined,
  refusal: WdiffRefusal,
  { clientId }: CallContext,
): Promise<void> {
  const latest =
    volume?.catalogue.hasBase() === true ? snapshotToMessage(volume.latest()) : undefined;
  const { answer, text } = refusal;
  (volume?.log ?? host.core.log).info({ peer: clientId, answer }, `wdiff refused: ${text}`);
  await stream.send({
    message: { $case: 'answer', value: { answer, text, latest, server: host.core.identity } },
  });
}

async function store(
  host: ReceiverHost,
  volume: ArchiveVolume,
  hello: WdiffHello,
  diff: Diff,
  stream: Stream,
  { clientId }: CallContext,
): Promise<void> {
  using progress = volume.tasks.track(TaskKind.WDIFF_RECEIVE, {
    inBytes: true,
    total: diff.dataSize,
    peer: clientId,
  });
  const handle = volume.catalogue.createTemporary();
  try {
    const { end } = await receiveDiff(handle, packsOf(stream), {
      uuid: hello.uuid,
      fsyncInterval: host.config.fsyncInterval,
      onChunk: (bytes) => {
        volume.requireRunning('wdiff transfer');
        progress.advance(bytes);
      },
    });
    requireInside(volume, diff, end);
    using _lock = await volume.lock.lock();
    await volume.catalogue.add(handle, diff);
  } catch (error) {
    discardTemporary(host.core.env.files, handle);
    throw error;
  }
  volume.remember(WDIFF_RECEIVED, clientId);
  volume.succeeded();
  volume.clearGap();
  volume.touch('diff', 'restorable');
  volume.log.info({ peer: clientId, gid: diff.E.b, diff: formatSpan(diff) }, 'wdiff received');
}

/** What lies beyond the end would be left out of every restore, without a word. */
function requireInside(volume: ArchiveVolume, diff: Diff, end: Lb): void {
  const size = volume.sizeLb ?? 0;
  if (end <= size) return;
  throw new WalbError(
    'invalid-argument',
    `diff ${formatSpan(diff)} of volume ${volume.id} reaches to block ${end}, the base image to ${size}: its sender named too small a size`,
    { details: { volume: volume.id, end, size } },
  );
}

/** The packs up to the end message. */
async function* packsOf(stream: Stream): AsyncGenerator<ByteChunk> {
  for (;;) {
    const message = (await stream.receive())?.message;
    if (message?.$case === 'end') return;
    if (message === undefined) throw new WalbError('unavailable', 'the sender went away');
    if (message.$case !== 'packs') throw unexpectedMessage(message.$case, 'packs');
    yield message.value;
  }
}
