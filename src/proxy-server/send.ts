/**
 * Sending the diffs of one volume to one archive: take what may be merged from the front of the queue,
 * offer it, react to the answer (send-reaction.ts), stream it, drop it once it is acknowledged.
 *
 * A crash between the acknowledgement and the drop sends the diff again; the archive answers
 * `too-old-diff`, and it is dropped then.
 *
 * Source: semantics.md C.4; systems.md W4, W7.
 */
import {
  type BidiStream,
  type Bytes,
  type FileHandle,
  hasCode,
  nextDelay,
  WalbError,
} from '../core/index.ts';
import {
  ArchiveRpc,
  diffToMessage,
  HostType,
  TaskKind,
  type WdiffDown,
  type WdiffReply,
  type WdiffUp,
} from '../rpc/index.ts';
import { chunkSize, toChunks, withoutFileHeader } from '../server/byte-chunks.ts';
import type { ServerCore } from '../server/server-core.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import {
  type Diff,
  type DiffFile,
  DiffSet,
  equalDiffs,
  formatSpan,
  limitChain,
  mergeAll,
  mergeableChain,
  mergeDiffs,
  openDiff,
  sortedDiffParts,
} from '../wdiff/index.ts';
import type { ArchiveInfo } from './archive-info.ts';
import type { ProxyConfig } from './config.ts';
import { setAsideDamaged } from './damaged.ts';
import { isRetryOver, reactionTo } from './send-reaction.ts';
import type { SpooledDiff } from './spool.ts';
import type { ProxyVolume } from './volume.ts';

/** After a failure that is not an answer (archive down, stream broken): try again soon, for ever. */
const RECONNECT_DELAY_MS = 1000;
/** Connecting and the archive's answer; data then flow without a bound but the peer's progress. */
const ANSWER_TIMEOUT_MS = 60_000;

/** What to do next with this queue. */
export type SendOutcome =
  | { readonly next: 'again' }
  | { readonly next: 'idle' }
  | { readonly next: 'retry'; readonly delay: number };

interface Offer {
  readonly parts: readonly SpooledDiff[];
  readonly files: readonly DiffFile[];
  readonly diff: Diff;
  readonly uuid: Uint8Array;
}

/** One attempt. Never throws for what a retry may mend: it is recorded at the queue. */
export async function sendNext(
  core: ServerCore,
  config: ProxyConfig,
  volume: ProxyVolume,
  archive: string,
): Promise<SendOutcome> {
  const info = volume.spool.archive(archive);
  if (info === undefined || volume.queue(archive).sendError) return { next: 'idle' };
  const chosen = chooseParts(volume.spool.queue(archive), config);
  if (chosen.length === 0) return { next: 'idle' };
  const handles: FileHandle[] = [];
  try {
    const offer = openOffer(volume, archive, chosen, handles);
    return await exchange(core, config, volume, archive, info, offer);
  } catch (thrown) {
    const error = WalbError.from(thrown);
    const mayBeDamaged = hasCode(error, 'corrupt');
    if (mayBeDamaged && (await setAsideDamaged(core.clock, volume, archive, chosen))) {
      return { next: 'again' };
    }
    volume.sendFailed(archive, error);
    volume.queue(archive).silentSince ??= volume.now();
    const level = hasCode(error, 'cancelled') ? 'info' : 'warn';
    volume.log[level]({ peer: archive, err: error }, 'wdiff send failed');
    return { next: 'retry', delay: RECONNECT_DELAY_MS };
  } finally {
    for (const handle of handles) handle.close();
  }
}

/** The mergeable chain from the smallest gid, within `-wd` and `-wn` (at least one). */
export function chooseParts(
  queue: readonly SpooledDiff[],
  limits: Pick<ProxyConfig, 'maxWdiffSend' | 'maxWdiffFiles'>,
): SpooledDiff[] {
  const unique: SpooledDiff[] = [];
  for (const spooled of queue) {
    if (!unique.some(({ diff }) => equalDiffs(diff, spooled.diff))) unique.push(spooled);
  }
  const set = DiffSet.of(unique.map(({ diff }) => diff));
  const chain = limitChain(mergeableChain(set), {
    maxSize: limits.maxWdiffSend,
    maxCount: limits.maxWdiffFiles,
  });
  return chain.map((diff) => unique.find((spooled) => spooled.diff === diff) as SpooledDiff);
}

/** Opens the files; the chain is cut where the uuid changes, since that is another log history. */
function openOffer(
  volume: ProxyVolume,
  archive: string,
  chosen: readonly SpooledDiff[],
  handles: FileHandle[],
): Offer {
  const files: DiffFile[] = [];
  for (const spooled of chosen) {
    const handle = volume.spool.open(archive, spooled);
    handles.push(handle);
    const file = openDiff(handle);
    const first = files[0];
    if (first !== undefined && !Buffer.from(first.uuid).equals(file.uuid)) break;
    files.push(file);
  }
  const parts = chosen.slice(0, files.length);
  const { uuid } = files[0] as DiffFile;
  return { parts, files, uuid, diff: mergeAll(parts.map(({ diff }) => diff)) };
}

async function exchange(
  core: ServerCore,
  config: ProxyConfig,
  volume: ProxyVolume,
  archive: string,
  info: ArchiveInfo,
  offer: Offer,
): Promise<SendOutcome> {
  const { network } = core.env;
  const channel = network.connect(info.address, { clientId: core.identity.nodeId });
  const abort = new AbortController();
  const signal = AbortSignal.any([volume.forceSignal, abort.signal]);
  const stopTimer = core.env.clock.after(ANSWER_TIMEOUT_MS, () =>
    abort.abort(
      new WalbError(
        'timeout',
        `archive ${archive} did not answer within ${ANSWER_TIMEOUT_MS / 1000} s`,
      ),
    ),
  );
  try {
    const call = channel.bidi(ArchiveRpc.transferWdiff, { signal });
    const stream = withStallLimit(call, core.env.clock, `archive ${archive}`);
    const reply = await offerDiff(volume, stream, offer);
    stopTimer();
    const outcome = await react(config, volume, archive, offer, reply);
    if (outcome !== undefined) return outcome;
    await streamDiff(volume, archive, info, stream, offer);
    await volume.spool.remove(archive, offer.parts);
    volume.sendSucceeded(archive);
    volume.log.info(
      { peer: archive, gid: offer.diff.E.b, diff: formatSpan(offer.diff) },
      'wdiff sent',
    );
    return { next: 'again' };
  } finally {
    stopTimer();
    channel.close();
  }
}

async function offerDiff(
  volume: ProxyVolume,
  stream: BidiStream<WdiffUp, WdiffDown>,
  { diff, uuid }: Offer,
): Promise<WdiffReply> {
  const { sizeLb } = volume.spool;
  await stream.send({
    message: {
      $case: 'hello',
      value: {
        volume: volume.id,
        hostType: HostType.PROXY,
        uuid,
        sizeLb,
        diff: diffToMessage(diff),
      },
    },
  });
  const reply = (await stream.receive())?.message;
  if (reply?.$case === 'answer') return reply.value;
  throw new WalbError('unavailable', 'the archive closed the stream without an answer');
}

/** Undefined when the diff is wanted. */
async function react(
  config: ProxyConfig,
  volume: ProxyVolume,
  archive: string,
  offer: Offer,
  reply: WdiffReply,
): Promise<SendOutcome | undefined> {
  const reaction = reactionTo(reply.answer);
  volume.queue(archive).silentSince = undefined;
  if (reaction === 'send') return undefined;
  const state = volume.queue(archive);
  const span = formatSpan(offer.diff);
  const text = `archive ${archive} answered ${reply.answer} to diff ${span}${reply.text === '' ? '' : `: ${reply.text}`}`;
  volume.log.warn({ peer: archive, answer: reply.answer, diff: span, reaction }, text);
  if (reaction === 'discard') {
    await volume.spool.remove(archive, offer.parts);
    state.discarded += offer.parts.length;
    state.gap = undefined;
    volume.touch('diff');
    return { next: 'again' };
  }
  volume.sendFailed(
    archive,
    new WalbError('conflict', text, { details: { answer: reply.answer } }),
  );
  state.gap =
    reaction === 'report-gap' ? gapOf(volume, archive, offer, reply, state.gap) : undefined;
  const over =
    reaction === 'retry-for-a-while' &&
    isRetryOver(volume.lastReceived, volume.now(), config.retryTimeout);
  if (reaction === 'give-up' || over) {
    state.sendError = true;
    volume.changed.notify();
    return { next: 'idle' };
  }
  state.delay = nextDelay({ min: config.minDelay, max: config.maxDelay }, state.delay);
  return { next: 'retry', delay: state.delay };
}

function gapOf(
  volume: ProxyVolume,
  archive: string,
  offer: Offer,
  reply: WdiffReply,
  known: ReturnType<ProxyVolume['queue']>['gap'],
): NonNullable<ReturnType<ProxyVolume['queue']>['gap']> {
  return {
    expected: reply.latest,
    found: diffToMessage(offer.diff),
    since: known?.since ?? volume.now(),
    peer: archive,
    advice: `diffs before gid ${offer.diff.B.b} have not arrived; unless another proxy still holds them they are lost: run hash_backup(storage, '${volume.id}'), or replicate the volume to ${archive}`,
  };
}

async function streamDiff(
  volume: ProxyVolume,
  archive: string,
  info: ArchiveInfo,
  stream: BidiStream<WdiffUp, WdiffDown>,
  offer: Offer,
): Promise<void> {
  const total = offer.parts.reduce<Bytes>((sum, { diff }) => sum + diff.dataSize, 0);
  using progress = volume.tasks.track(TaskKind.WDIFF_SEND, { inBytes: true, total, peer: archive });
  const merged = mergeDiffs(offer.files.map((file) => file.batches()));
  const parts = sortedDiffParts(merged, {
    uuid: offer.uuid,
    compression: info.compression,
    packLimit: 'uncompressed',
  });
  for await (const chunk of toChunks(withoutFileHeader(parts))) {
    volume.requireRunning('wdiff transfer');
    await stream.send({ message: { $case: 'packs', value: chunk } });
    progress.advance(chunkSize(chunk));
  }
  await stream.send({ message: { $case: 'end', value: {} } });
  await stream.end();
  const ack = (await stream.receive())?.message;
  if (ack?.$case !== 'ack') {
    throw new WalbError('unavailable', 'the archive closed the stream without an acknowledgement');
  }
}
