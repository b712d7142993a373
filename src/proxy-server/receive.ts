/**
 * Receiving log from a storage server: packs come in, an indexed diff goes to the spool.
 *
 * The acknowledgement is sent when the diff is on stable storage under its name and linked into the
 * queue of every archive: from then on the storage may free its ring.
 *
 * Source: semantics.md C.3, B.4; systems.md W1, W3, W4.
 */
import { discardTemporary } from '../core/durable.ts';
import {
  type BidiStream,
  type Bytes,
  type CallContext,
  checkVolumeId,
  type FileHandle,
  formatSize,
  LB_SIZE,
  type Lsid,
  MIB,
  U64_MAX,
  UUID_BYTES,
  WalbError,
} from '../core/index.ts';
import {
  diffFromMessage,
  TaskKind,
  type WlogDown,
  type WlogHello,
  type WlogUp,
} from '../rpc/index.ts';
import { chunkSize } from '../server/byte-chunks.ts';
import { cancelWhen } from '../server/cancel-when.ts';
import type { ServerCore } from '../server/server-core.ts';
import { withStallLimit } from '../server/stall-limit.ts';
import type { ProgressHandle } from '../server/task-log.ts';
import { convertToIndexed, type Diff, isCleanDiff, logIosOf, writeChunks } from '../wdiff/index.ts';
import { encodeWlogHeader, readWlog, streamSource, type WlogItem } from '../wlog/index.ts';
import type { ProxyConfig } from './config.ts';
import type { ProxyVolume } from './volume.ts';

export interface ReceiverHost {
  readonly core: ServerCore;
  readonly config: ProxyConfig;
  /** Throws `wrong-state` for a volume that is Clear. */
  requireVolume(id: string, command: 'wlog-transfer'): ProxyVolume;
  /** Bytes of diffs in all spools. */
  spoolUsed(): number;
  /** Room that the last transfer had to be refused for; 0 when it found enough. */
  roomMissed: Bytes;
  /** New diffs are there: queue the sends. */
  diffsArrived(volume: ProxyVolume): void;
}

/** Serves one call of Proxy.TransferWlog. */
export async function receiveWlog(
  host: ReceiverHost,
  call: BidiStream<WlogDown, WlogUp>,
  context: CallContext,
): Promise<void> {
  // Meanwhile no other storage is served for the volume, and a foreground task is taken.
  const stream = withStallLimit(call, host.core.clock, 'the storage');
  const hello = await receiveHello(stream);
  const volume = host.requireVolume(hello.volume, 'wlog-transfer');
  volume.admit('wlog-transfer');
  using _foreground = host.core.foreground.acquire(`log of ${volume.id}`);
  requireRoom(host, hello);
  using change = volume.machine.begin('wlog-recv');
  await stream.send({ message: { $case: 'accept', value: host.core.identity } });

  // A storage that says nothing more must not hold up a stop by force.
  using _cancelled = cancelWhen(volume.forceSignal, stream, 'wlog transfer');
  using progress = volume.tasks.track(TaskKind.WLOG_RECEIVE, {
    inBytes: true,
    total: hello.maxLogSizePb * hello.pbs,
    peer: context.clientId,
  });
  try {
    await convertAndPublish(host.core, hello, stream, volume, progress);
  } catch (error) {
    volume.failed(error, context.clientId);
    // A diff that got its name before something failed is in the spool, and will be sent.
    host.diffsArrived(volume);
    throw error;
  }
  volume.received(context.clientId);
  // Before the acknowledgement, so that a storage that sends on at once is not refused.
  change.commit();
  host.diffsArrived(volume);
  await stream.send({ message: { $case: 'ack', value: {} } });
}

async function receiveHello(stream: BidiStream<WlogDown, WlogUp>): Promise<WlogHello> {
  const first = (await stream.receive())?.message;
  if (first?.$case !== 'hello') throw protocolError('the first message must be hello');
  const hello = first.value;
  checkVolumeId(hello.volume);
  if (hello.pbs < LB_SIZE || hello.pbs % LB_SIZE !== 0 || hello.pbs > 4096) {
    throw protocolError(`pbs ${hello.pbs} is not a multiple of ${LB_SIZE} up to 4096`);
  }
  if (hello.uuid.length !== UUID_BYTES) throw protocolError('uuid must be 16 bytes');
  return hello;
}

/** Refuses while the disk, or the configured limit, has no room for what may come (W4). */
function requireRoom(host: ReceiverHost, hello: WlogHello): void {
  const wanted = hello.maxLogSizePb * hello.pbs + MIB;
  const error = shortage(host, wanted);
  host.roomMissed = error === undefined ? 0 : wanted;
  if (error !== undefined) throw error;
}

/** Why `wanted` more bytes can not be taken now; undefined when they can. */
export function shortage(
  host: Pick<ReceiverHost, 'core' | 'config' | 'spoolUsed'>,
  wanted: Bytes,
): WalbError | undefined {
  const { core, config } = host;
  const free = core.env.files.freeBytes(config.baseDirectory);
  if (free < wanted) {
    return new WalbError(
      'no-space',
      `the spool's disk has ${formatSize(free)} bytes free, ${formatSize(wanted)} are needed; the log stays at the storage until archives have taken diffs`,
      { details: { free, wanted, directory: config.baseDirectory } },
    );
  }
  const used = host.spoolUsed();
  if (config.spoolLimit === 0 || used + wanted <= config.spoolLimit) return undefined;
  return new WalbError(
    'no-space',
    `the spool holds ${used} of ${config.spoolLimit} bytes (-spool-limit); the log stays at the storage until archives have taken diffs`,
    { details: { used, wanted, limit: config.spoolLimit } },
  );
}

async function convertAndPublish(
  core: ServerCore,
  hello: WlogHello,
  stream: BidiStream<WlogDown, WlogUp>,
  volume: ProxyVolume,
  progress: ProgressHandle,
): Promise<void> {
  const handle = volume.spool.createTemporary();
  let diff: Diff;
  try {
    diff = await convertInto(handle, hello, stream, volume, progress);
  } catch (error) {
    discardTemporary(core.env.files, handle);
    throw error;
  }
  // First: a diff must never be offered with a size that does not hold all its blocks.
  if (hello.sizeLb > volume.spool.sizeLb) await volume.spool.setSize(hello.sizeLb);
  await volume.spool.publish(handle, diff);
}

/** Writes the indexed diff of the log that comes in and returns what the storage says it is. */
async function convertInto(
  handle: FileHandle,
  hello: WlogHello,
  stream: BidiStream<WlogDown, WlogUp>,
  volume: ProxyVolume,
  progress: ProgressHandle,
): Promise<Diff> {
  const incoming = new IncomingLog(hello, stream, volume, progress);
  const items = checkedEnd(
    readWlog(streamSource(incoming.chunks(), `log of ${volume.id}`)),
    incoming,
  );
  const compression = { kind: 'snappy', level: 0 } as const;
  await writeChunks(handle, convertToIndexed(logIosOf(items), { uuid: hello.uuid, compression }));
  return incoming.requireDiff();
}

/** Passes log items on; a log that ends anywhere but where the storage says is an error. */
async function* checkedEnd(
  items: AsyncIterable<WlogItem>,
  incoming: IncomingLog,
): AsyncGenerator<WlogItem> {
  for await (const item of items) {
    if (item.kind === 'end') incoming.requireEnd(item.lsid, item.reason);
    yield item;
  }
}

/** The messages of one transfer as the bytes of a wlog. */
class IncomingLog {
  readonly #hello: WlogHello;
  readonly #stream: BidiStream<WlogDown, WlogUp>;
  readonly #volume: ProxyVolume;
  readonly #progress: ProgressHandle;
  #end: { readonly diff: Diff; readonly lsid: Lsid } | undefined;

  constructor(
    hello: WlogHello,
    stream: BidiStream<WlogDown, WlogUp>,
    volume: ProxyVolume,
    progress: ProgressHandle,
  ) {
    this.#hello = hello;
    this.#stream = stream;
    this.#volume = volume;
    this.#progress = progress;
  }

  /** A wlog file header made of the hello, then the packs as they come. */
  async *chunks(): AsyncGenerator<Uint8Array> {
    const { pbs, salt, uuid, beginLsid } = this.#hello;
    yield encodeWlogHeader({ pbs, salt, uuid, beginLsid, endLsid: U64_MAX });
    const limit = this.#hello.maxLogSizePb * pbs;
    let received = 0;
    for (;;) {
      this.#volume.requireRunning('wlog transfer');
      const message = (await this.#stream.receive())?.message;
      if (message === undefined) throw protocolError('the stream ended without an end message');
      if (message.$case === 'end') {
        this.#end = { diff: diffFromMessage(message.value.diff), lsid: message.value.endLsid };
        return;
      }
      if (message.$case !== 'packs') throw protocolError(`${message.$case} is not expected here`);
      received += chunkSize(message.value);
      if (received > limit) throw protocolError(`more log than the announced ${limit} bytes`);
      yield* message.value.pieces;
      this.#progress.set(received);
    }
  }

  /** Throws `corrupt` unless the log ends, whole, at the lsid the storage named. */
  requireEnd(lsid: Lsid, reason: string): void {
    if (reason === 'end-of-file' && lsid === this.#end?.lsid) return;
    throw new WalbError(
      'corrupt',
      `the received log breaks off at lsid ${lsid} (${reason}), ${this.#end?.lsid ?? 'its end'} was announced; it will be sent again`,
      { details: { volume: this.#volume.id, lsid, reason } },
    );
  }

  requireDiff(): Diff {
    const diff = this.#end?.diff;
    if (diff === undefined) throw protocolError('the diff of the log is missing');
    if (isCleanDiff(diff) && !diff.isCompared) return diff;
    throw protocolError('the diff of a log must be clean');
  }
}

function protocolError(problem: string): WalbError {
  return new WalbError('invalid-argument', `wlog transfer: ${problem}`);
}
