/**
 * An archive server on any Env, and what a storage, a proxy and an operator do to it, for tests.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ArchiveConfig } from '../../src/archive-server/config.ts';
import type { ExportServing } from '../../src/archive-server/exports.ts';
import { type ImageParts, imageParts } from '../../src/archive-server/image-parts.ts';
import { ArchiveServer } from '../../src/archive-server/server.ts';
import type { ArchiveVolume } from '../../src/archive-server/volume.ts';
import {
  type Channel,
  type Clock,
  type Env,
  KIB,
  LB_SIZE,
  type Listener,
  MIB,
  silentLogger,
  WalbError,
} from '../../src/core/index.ts';
import { createRealEnv } from '../../src/core/real-env.ts';
import { checksum, murmur3x64_128 } from '../../src/kernels/index.ts';
import {
  type Accepted,
  ArchiveRpc,
  CompressionKind,
  ControlRpc,
  diffToMessage,
  fromErrorInfo,
  HostType,
  MemoryNetwork,
  PROTOCOL_VERSION,
  type TaskResult,
  type VolumeView,
  type WdiffReply,
} from '../../src/rpc/index.ts';
import { toChunks } from '../../src/server/byte-chunks.ts';
import { controlBindings } from '../../src/server/control.ts';
import { ServerCore } from '../../src/server/server-core.ts';
import {
  blobOfData,
  type Diff,
  type DiffFields,
  type DiffIo,
  diffOf,
  SortedDiffEncoder,
  snapshot,
} from '../../src/wdiff/index.ts';
import { changed } from '../sim/group-flaws.ts';

export const VOLUME = 'vol';
export const ARCHIVE_CONFIG: Omit<ArchiveConfig, 'baseDirectory'> = {
  maxWdiffFiles: 1000,
  discard: 'zero',
  fsyncInterval: 64 * KIB,
  autoResize: false,
  maxOpenDiffs: 0,
  maxOpenDiffsVirtual: 0,
  applySleepPercent: 0,
  syncCompression: { kind: 'snappy', level: 0, nrCpu: 1 },
};

export interface ArchiveOptions {
  readonly directory: string;
  readonly address: string;
  readonly config?: Partial<ArchiveConfig>;
  readonly foreground?: number;
  readonly serveExport?: ExportServing;
  /** Images as files, unless told otherwise. */
  readonly parts?: (env: Env) => ImageParts;
}

export interface RunningArchive {
  readonly server: ArchiveServer;
  readonly core: ServerCore;
  readonly listener: Listener;
  stop(): Promise<void>;
}

const noExports: ExportServing = () =>
  Promise.reject(new WalbError('unsupported', 'no exports here'));

export async function startArchive(env: Env, options: ArchiveOptions): Promise<RunningArchive> {
  const { directory, address, foreground = 8 } = options;
  const core = new ServerCore(env, {
    hostType: HostType.ARCHIVE,
    nodeId: 'a0',
    maxForegroundTasks: foreground,
    pid: 1,
  });
  const config = { ...ARCHIVE_CONFIG, ...options.config, baseDirectory: directory };
  const settings = {
    baseDirectory: directory,
    listenAddress: address,
    maxConnections: 10,
    maxBackgroundTasks: 1,
    socketTimeoutSec: 10,
    version: 'test',
    connections: () => 0,
    memoryBytes: () => 0,
  };
  const server = new ArchiveServer(core, config, settings, {
    ...(options.parts?.(env) ?? imageParts(env, {})),
    serveExport: options.serveExport ?? noExports,
  });
  await server.load();
  const version = {
    version: 'test',
    buildDate: '',
    logVersion: 2,
    commit: '',
    protocolVersion: PROTOCOL_VERSION,
    nodeVersion: '',
  };
  const control = controlBindings(core, server, {
    version,
    handlerStat: () => ({ counts: [], latencies: [], since: 0 }),
    exec: { allowed: [], spawn: async function* () {} },
  });
  const listener = await env.network.listen(address, [...control, ...server.bindings()]);
  return {
    server,
    core,
    listener,
    stop: async () => {
      core.requestShutdown('force');
      listener.abort();
      await server.stopWork();
    },
  };
}

/** An archive on real files in a temporary directory, reached through the in-memory network. */
export interface TestArchive extends AsyncDisposable {
  readonly directory: string;
  readonly env: Env;
  readonly network: MemoryNetwork;
  readonly channel: Channel;
  readonly archive: RunningArchive;
  readonly volume: ArchiveVolume;
  /** Ends the server, by force, and starts it again on the same files. */
  restart(options?: Partial<ArchiveOptions>): Promise<void>;
}

/** The Env with a clock whose timers fire this much sooner, for tests of long time-outs. */
export function hurried(env: Env, times: number): Env {
  const { clock } = env;
  const after: Clock['after'] = (delay, fn) => clock.after(delay / times, fn);
  return { ...env, clock: changed(clock, { after }) };
}

export async function testArchive(
  options: Partial<ArchiveOptions> = {},
  adapt: (env: Env) => Env = (env) => env,
): Promise<TestArchive> {
  const directory = mkdtempSync(join(tmpdir(), 'walb-archive-'));
  const network = new MemoryNetwork();
  const env = adapt(createRealEnv({ network: network.host('a0'), log: silentLogger }));
  const start = (more: Partial<ArchiveOptions> = {}) =>
    startArchive(env, { directory, address: 'a0:1', ...options, ...more });
  let archive = await start();
  const channel = network.host('client').connect('a0:1', { clientId: 'client' });
  return {
    directory,
    env,
    network,
    channel,
    get archive() {
      return archive;
    },
    get volume() {
      return archive.server.find(VOLUME) as ArchiveVolume;
    },
    restart: async (more) => {
      await archive.stop();
      archive = await start(more);
    },
    [Symbol.asyncDispose]: async () => {
      channel.close();
      await archive.stop();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

// ---- operator

/** Waits for the task and throws its error, if it had one. */
export async function finished(channel: Channel, { taskId }: Accepted): Promise<TaskResult> {
  const view = await viewWhere(channel, ({ tasks }) => tasks.some((t) => t.taskId === taskId));
  const result = view.tasks.find((t) => t.taskId === taskId) as TaskResult;
  if (result.error !== undefined) throw fromErrorInfo(result.error);
  return result;
}

export async function viewWhere(
  channel: Channel,
  predicate: (view: VolumeView) => boolean,
  volume = VOLUME,
): Promise<VolumeView> {
  const abort = new AbortController();
  try {
    const events = channel.serverStream(
      ControlRpc.watch,
      { volumes: [volume] },
      { signal: abort.signal, timeout: 60_000 },
    );
    for await (const { event } of events) {
      if (event?.$case === 'volume' && predicate(event.value)) return event.value;
    }
  } finally {
    abort.abort();
  }
  throw new WalbError('unavailable', 'the server ended the watch');
}

export async function restorable(channel: Channel, all = true): Promise<bigint[]> {
  const { items } = await channel.unary(ArchiveRpc.getRestorable, { volume: VOLUME, all });
  return items.map(({ gid }) => gid);
}

/** The whole image of a snapshot through a virtual full scan. */
export async function scanned(channel: Channel, gid: bigint, bulkBytes = 4096): Promise<Buffer> {
  const request = {
    volume: VOLUME,
    gid,
    bulkBytes,
    scanLb: 0,
    sleepPct: 0,
    compression: { kind: CompressionKind.NONE, level: 0, cpus: 1 },
  };
  let image: Buffer | undefined;
  let isWhole = false;
  for await (const { event } of channel.serverStream(ArchiveRpc.virtualFullScan, request)) {
    if (event?.$case === 'begin') image = Buffer.alloc(event.value.sizeLb * LB_SIZE);
    if (event?.$case === 'end') isWhole = true;
    if (event?.$case !== 'chunk') continue;
    let at = event.value.offsetLb * LB_SIZE;
    for (const { blocks, data } of event.value.bulks) {
      if (data.length > 0) image?.set(data, at);
      at += blocks * LB_SIZE;
    }
  }
  if (image === undefined || !isWhole) throw new WalbError('corrupt', 'the scan was not whole');
  return image;
}

// ---- storage and proxy

export interface FullBackup {
  readonly image: Uint8Array;
  readonly uuid: Uint8Array;
  readonly gidB?: bigint;
  readonly gidE?: bigint;
  readonly bulkLb?: number;
  readonly timestamp?: number;
}

/** A full backup as the storage sends it: base <|gidB,gidE|>. */
export async function fullBackup(channel: Channel, backup: FullBackup): Promise<void> {
  const { image, uuid, gidB = 0n, gidE = 1n, bulkLb = 8, timestamp = 1_700_000_000 } = backup;
  const stream = channel.bidi(ArchiveRpc.fullSync, { timeout: 60_000 });
  const expect = async (name: string): Promise<void> => {
    const message = (await stream.receive())?.message;
    if (message?.$case !== name) throw new Error(`${message?.$case} came instead of ${name}`);
  };
  const sizeLb = image.length / LB_SIZE;
  const hello = {
    volume: VOLUME,
    hostType: HostType.STORAGE,
    sizeLb,
    timestamp,
    bulkLb,
    compression: undefined,
  };
  await stream.send({ message: { $case: 'hello', value: hello } });
  await expect('accept');
  await stream.send({ message: { $case: 'start', value: { uuid, gidB } } });
  await expect('started');
  for (let at = 0; at < sizeLb; at += bulkLb) {
    const blocks = Math.min(bulkLb, sizeLb - at);
    const data = image.slice(at * LB_SIZE, (at + blocks) * LB_SIZE);
    const bulk = { blocks, compression: CompressionKind.NONE, checksum: checksum(data, 0), data };
    await stream.send({ message: { $case: 'chunk', value: { offsetLb: at, bulks: [bulk] } } });
  }
  await stream.send({ message: { $case: 'scanEnd', value: {} } });
  await expect('scanSynced');
  await stream.send({ message: { $case: 'end', value: { gidB, gidE } } });
  await expect('ack');
}

export interface HashBackup {
  readonly image: Uint8Array;
  readonly uuid: Uint8Array;
  /** Gids after the archive's latest that the backup spans. */
  readonly span?: bigint;
  readonly bulkLb?: number;
  readonly timestamp?: number;
  /** Called for each message of hashes; may end the backup by throwing. */
  readonly onHashes?: () => void;
}

/** A hash backup as the storage makes it; gives the dirty snapshot it ended with and the bulks sent. */
export async function hashBackup(
  channel: Channel,
  backup: HashBackup,
): Promise<{ gidB: bigint; gidE: bigint; sent: number }> {
  const { image, uuid, span = 1n, bulkLb = 8, timestamp = 1_700_001_000, onHashes } = backup;
  const stream = channel.bidi(ArchiveRpc.hashSync, { timeout: 60_000 });
  const sizeLb = image.length / LB_SIZE;
  const hello = {
    volume: VOLUME,
    hostType: HostType.STORAGE,
    sizeLb,
    timestamp,
    bulkLb,
    compression: undefined,
  };
  await stream.send({ message: { $case: 'hello', value: hello } });
  const accept = (await stream.receive())?.message;
  if (accept?.$case !== 'accept') throw new Error(`${accept?.$case} came instead of accept`);
  const gidB = (accept.value.latest?.gidE ?? 0n) + 1n;
  await stream.send({ message: { $case: 'start', value: { uuid, gidB } } });
  const ios: DiffIo[] = [];
  let bulk = 0;
  for (;;) {
    const message = (await stream.receive())?.message;
    if (message?.$case === 'started') continue;
    if (message?.$case === 'hashesEnd') break;
    if (message?.$case !== 'hashes') throw new Error(`${message?.$case} came instead of hashes`);
    onHashes?.();
    const { hashes } = message.value;
    for (let at = 0; at < hashes.length; at += 16, bulk += 1) {
      const data = image.slice(bulk * bulkLb * LB_SIZE, (bulk + 1) * bulkLb * LB_SIZE);
      const own = murmur3x64_128(data, timestamp >>> 0);
      const isSame = Buffer.compare(own, hashes.subarray(at, at + 16)) === 0;
      if (!isSame) ios.push(dataIo(bulk * bulkLb, data));
    }
  }
  for await (const value of toChunks([packsOf(ios, uuid)], MIB)) {
    await stream.send({ message: { $case: 'packs', value } });
  }
  const gidE = gidB + span;
  await stream.send({ message: { $case: 'end', value: { gidB, gidE } } });
  const ack = (await stream.receive())?.message;
  if (ack?.$case !== 'ack') throw new Error(`${ack?.$case} came instead of ack`);
  return { gidB, gidE, sent: ios.length };
}

export interface SentDiff {
  readonly volume?: string;
  readonly uuid: Uint8Array;
  readonly diff: Diff;
  readonly ios: readonly DiffIo[];
  readonly sizeLb: number;
  readonly hostType?: HostType;
}

/** Sends a diff as a proxy does; the answer is `accept` only when it was acknowledged too. */
export async function sendDiff(channel: Channel, sent: SentDiff): Promise<WdiffReply> {
  const { uuid, diff, ios, sizeLb, hostType = HostType.PROXY, volume = VOLUME } = sent;
  const stream = channel.bidi(ArchiveRpc.transferWdiff, { timeout: 60_000 });
  const hello = { volume, hostType, uuid, sizeLb, diff: diffToMessage(diff) };
  await stream.send({ message: { $case: 'hello', value: hello } });
  const answer = (await stream.receive())?.message;
  if (answer?.$case !== 'answer') throw new Error(`${answer?.$case} came instead of answer`);
  if (answer.value.answer !== 'accept') return answer.value;
  for await (const value of toChunks([packsOf(ios, uuid)], MIB)) {
    await stream.send({ message: { $case: 'packs', value } });
  }
  await stream.send({ message: { $case: 'end', value: {} } });
  const ack = (await stream.receive())?.message;
  if (ack?.$case !== 'ack') throw new Error(`${ack?.$case} came instead of ack`);
  return answer.value;
}

/** Packs of a sorted diff without the file header, as they travel. */
export function packsOf(ios: readonly DiffIo[], uuid: Uint8Array): Uint8Array[] {
  const encoder = new SortedDiffEncoder({
    uuid,
    compression: { kind: 'snappy', level: 0 },
    packLimit: 'stored',
  });
  encoder.begin();
  return [...ios.flatMap((io) => encoder.add(io)), ...encoder.end()];
}

/** Clean |from|-->|to|. */
export function cleanDiff(from: bigint, to: bigint, fields: DiffFields = {}): Diff {
  return diffOf(snapshot(from), snapshot(to), fields);
}

export function dataIo(address: number, data: Uint8Array): DiffIo {
  const blocks = data.length / LB_SIZE;
  return { address, blocks, kind: 'normal', blob: blobOfData(data), blobOffset: 0 };
}
