/**
 * One round of delivering a volume's log: free what is delivered, choose the next piece, give it to
 * the first proxy that takes it, remember that it is done.
 *
 * Log leaves the machine only once it is permanent here, and is freed only once a proxy has
 * acknowledged it durably *and* a checkpoint covers it. If the acknowledgement is lost the same range
 * is sent again; archives drop what they have already.
 *
 * Source: semantics.md B.3 (waiting), B.4; systems.md W1, W3.
 */
import {
  type BidiStream,
  type Bytes,
  hasCode,
  type Lsid,
  type Millis,
  throwIfAborted,
  WalbError,
} from '../core/index.ts';
import {
  CHUNK_SIZE,
  diffToMessage,
  ProxyRpc,
  TaskKind,
  type WlogDown,
  type WlogUp,
} from '../rpc/index.ts';
import type { ServerCore } from '../server/server-core.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import type { ProgressHandle } from '../server/task-log.ts';
import type { Lsids, RawLogpack } from '../wdev/volume-device.ts';
import { formatSpan } from '../wdiff/index.ts';
import type { StorageConfig } from './config.ts';
import type { ProxyPool } from './proxies.ts';
import { needsSnapshot, planDone, planSend, type SendPlan } from './records.ts';
import type { StorageVolume } from './volume.ts';

/** What the scheduler does next with this volume. */
export type SendResult =
  | { readonly next: 'idle' }
  | { readonly next: 'now' }
  | { readonly next: 'later'; readonly delay: Millis };

/** Bounds of the wait for log to become permanent (B.3). */
const MIN_WAIT_MS: Millis = 100;
const MAX_WAIT_MS: Millis = 1000;
/** A proxy that does not answer the hello holds up the next one no longer than this. */
const ACCEPT_TIMEOUT_MS: Millis = 10_000;
/**
 * A proxy that took the transfer and then does nothing (its disk hangs) must not keep the log from the
 * spare for ever; on a slow disk the sync of one diff may take a while.
 */
const STALL_TIMEOUT_MS: Millis = 120_000;

export interface SenderHost {
  readonly core: ServerCore;
  readonly config: StorageConfig;
  readonly proxies: ProxyPool;
}

/** Throws what kept the log from being delivered; the scheduler retries with backoff. */
export async function sendLog(host: SenderHost, volume: StorageVolume): Promise<SendResult> {
  volume.requireOwnLog();
  const signal = volume.sendSignal;
  await volume.dropDelivered();
  const lsids = await volume.lsids();
  await freeDelivered(volume, lsids);
  const { done, queue } = volume.records;
  if (done.lsid >= lsids.permanent && queue.length === 0) {
    return done.lsid < lsids.latest ? waitForLog(host.config, volume, lsids) : { next: 'idle' };
  }
  const plan = await chooseRange(host.config, volume, lsids);
  if (plan === undefined) return waitForLog(host.config, volume, lsids);
  await deliver(host, volume, plan, signal);
  return { next: 'now' };
}

/** Frees the ring up to what is delivered and checkpointed. */
async function freeDelivered(volume: StorageVolume, lsids: Lsids): Promise<void> {
  const { done } = volume.records;
  const free = done.lsid < lsids.prevWritten ? done.lsid : lsids.prevWritten;
  if (free > lsids.oldest) await volume.device.setOldestLsid(free);
}

async function chooseRange(
  config: StorageConfig,
  volume: StorageVolume,
  { permanent }: Lsids,
): Promise<SendPlan | undefined> {
  if (needsSnapshot(volume.records, permanent, volume.now(), config.snapshotInterval)) {
    await volume.takeImplicitSnapshot();
  }
  return planSend(volume.records, permanent, volume.maxPb, volume.partSent);
}

/** The more log is on its way to the disk, the sooner it is looked at again. */
export function waitForLog(
  config: Pick<StorageConfig, 'maxWlogSend'>,
  { info }: Pick<StorageVolume, 'info'>,
  { latest, permanent }: Pick<Lsids, 'latest' | 'permanent'>,
): SendResult {
  const waiting = Number(latest - permanent) * info.pbs;
  const full = config.maxWlogSend;
  if (2 * waiting >= full) return { next: 'later', delay: MIN_WAIT_MS };
  if (10 * waiting <= full) return { next: 'later', delay: MAX_WAIT_MS };
  const fraction = (full / 2 - waiting) / (full / 2 - full / 10);
  return { next: 'later', delay: MIN_WAIT_MS + fraction * (MAX_WAIT_MS - MIN_WAIT_MS) };
}

/** Tries the available proxies in order; the first that accepts gets the log. */
async function deliver(
  host: SenderHost,
  volume: StorageVolume,
  plan: SendPlan,
  signal: AbortSignal,
): Promise<void> {
  const refusals: string[] = [];
  for (const address of host.proxies.available()) {
    throwIfAborted(signal, 'wlog transfer');
    const sent = await sendTo(host, volume, plan, signal, address, refusals);
    if (sent) return;
  }
  const why = refusals.length === 0 ? 'none answers its heartbeat' : refusals.join('; ');
  throw new WalbError('unavailable', `no available proxy for volume ${volume.id}: ${why}`, {
    details: { volume: volume.id },
  });
}

/** False when this proxy refused or could not be reached, so that the next one is to be tried. */
async function sendTo(
  host: SenderHost,
  volume: StorageVolume,
  plan: SendPlan,
  giveUp: AbortSignal,
  address: string,
  refusals: string[],
): Promise<boolean> {
  const { core } = host;
  const channel = core.env.network.connect(address, { clientId: core.identity.nodeId });
  const abort = new AbortController();
  const signal = AbortSignal.any([giveUp, abort.signal]);
  const cancelTimer = core.clock.after(ACCEPT_TIMEOUT_MS, () =>
    abort.abort(new WalbError('timeout', `proxy ${address} did not answer`)),
  );
  let isAccepted = false;
  try {
    const call = channel.bidi(ProxyRpc.transferWlog, { signal });
    const stream = withStallLimit(call, core.clock, `proxy ${address}`, STALL_TIMEOUT_MS);
    await openTransfer(volume, plan, stream);
    isAccepted = true;
    cancelTimer();
    await transfer(volume, plan, stream, signal, address);
    host.proxies.transferred(address);
    return true;
  } catch (thrown) {
    const error = WalbError.from(thrown);
    throwIfAborted(giveUp, 'wlog transfer');
    // The next attempt, or the next proxy, should not have to wait for this one as well.
    if (hasCode(error, 'timeout')) host.proxies.unanswered(address);
    // Damaged log is the same at every proxy, and a transfer that broke off is tried again from the top.
    if (isAccepted) throw error;
    volume.log.warn({ peer: address, err: error }, 'proxy did not take the log');
    refusals.push(`${address}: ${error.message}`);
    return false;
  } finally {
    cancelTimer();
    channel.close();
  }
}

async function openTransfer(
  volume: StorageVolume,
  { begin, limit }: SendPlan,
  stream: BidiStream<WlogUp, WlogDown>,
): Promise<void> {
  const { pbs, salt, sizeLb } = volume.info;
  await stream.send({
    message: {
      $case: 'hello',
      value: {
        volume: volume.id,
        uuid: volume.uuid,
        pbs,
        salt,
        sizeLb,
        maxLogSizePb: Number(limit - begin.lsid),
        beginLsid: begin.lsid,
        gidB: begin.gid,
      },
    },
  });
  const answer = (await stream.receive())?.message;
  if (answer?.$case !== 'accept') throw new WalbError('unavailable', 'the proxy closed the stream');
}

async function transfer(
  volume: StorageVolume,
  plan: SendPlan,
  stream: BidiStream<WlogUp, WlogDown>,
  signal: AbortSignal,
  address: string,
): Promise<void> {
  const { begin, target } = plan;
  const total = Number(plan.limit - begin.lsid) * volume.info.pbs;
  using progress = volume.tasks.track(TaskKind.WLOG_SEND, { inBytes: true, total, peer: address });
  const end = await sendPacks(volume, plan, stream, signal, progress);
  // From the end message on a proxy may have the diff, whether its acknowledgement arrives or not.
  if (end !== target.lsid) await volume.willSendPart({ begin, end });
  const { diff, done } = planDone(plan, end);
  await stream.send({
    message: { $case: 'end', value: { diff: diffToMessage(diff), endLsid: end } },
  });
  await stream.end();
  const answer = (await stream.receive())?.message;
  if (answer?.$case !== 'ack') {
    throw new WalbError('unavailable', `proxy ${address} closed the stream without acknowledging`);
  }
  await volume.delivered(begin, done, address);
  volume.log.info(
    { peer: address, gid: done.gid, lsid: end, diff: formatSpan(diff), bytes: total },
    'log delivered',
  );
}

/** Sends whole packs up to the limit; returns where they ended. */
async function sendPacks(
  volume: StorageVolume,
  { begin, limit }: SendPlan,
  stream: BidiStream<WlogUp, WlogDown>,
  signal: AbortSignal,
  progress: ProgressHandle,
): Promise<Lsid> {
  const { pbs } = volume.info;
  const batch = new PackBatch(Number(limit - begin.lsid) * pbs, async (pieces) => {
    await stream.send({ message: { $case: 'packs', value: { pieces: [pieces] } } });
    progress.advance(pieces.length);
  });
  let lsid = begin.lsid;
  if (lsid < limit) {
    for await (const pack of volume.device.readLog(lsid, signal)) {
      const next = pack.lsid + 1n + BigInt(pack.data.length / pbs);
      if (next > limit) {
        if (lsid === begin.lsid) throw packTooLong(volume, pack, limit);
        break;
      }
      await batch.add(pack.header);
      await batch.add(pack.data);
      lsid = next;
      if (lsid === limit) break;
    }
  }
  await batch.flush();
  return lsid;
}

function packTooLong(volume: StorageVolume, pack: RawLogpack, limit: Lsid): WalbError {
  return new WalbError(
    'limit-exceeded',
    `the logpack at lsid ${pack.lsid} of volume ${volume.id} goes beyond the most that is sent at once (lsid ${limit}); start the server with a larger -wl`,
    { details: { volume: volume.id, lsid: pack.lsid, limit } },
  );
}

/** Gathers packs, whose buffers are valid only until the next pack, into messages. */
class PackBatch {
  readonly #send: (bytes: Uint8Array) => Promise<void>;
  /** Bytes that may still come. */
  #left: Bytes;
  #buffer: Uint8Array = new Uint8Array(0);
  #used: Bytes = 0;

  constructor(total: Bytes, send: (bytes: Uint8Array) => Promise<void>) {
    this.#left = total;
    this.#send = send;
  }

  async add(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#used === this.#buffer.length) await this.#renew();
      const piece = bytes.subarray(at, at + this.#buffer.length - this.#used);
      this.#buffer.set(piece, this.#used);
      this.#used += piece.length;
      at += piece.length;
    }
  }

  async flush(): Promise<void> {
    if (this.#used === 0) return;
    const full = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#send(full);
  }

  /** A new buffer each time: the transport may still hold the old one when `send` has resolved. */
  async #renew(): Promise<void> {
    await this.flush();
    this.#buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, this.#left));
    this.#left -= this.#buffer.length;
  }
}
