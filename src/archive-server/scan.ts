/**
 * Reading a clean snapshot from one end to the other, without restoring it: its hash, and its image as
 * a stream. Neither changes anything; an apply beyond the snapshot waits for them.
 *
 * Source: semantics.md D.4; cli.md 1.4 `bhash`, `virt-full-scan`.
 */
import {
  type Bytes,
  bytesToLb,
  type CallContext,
  checkBulkSize,
  DEFAULT_BULK_SIZE,
  type Lb,
  lbToBytes,
  type Millis,
  WalbError,
} from '../core/index.ts';
import { murmur3x64_128 } from '../kernels/index.ts';
import {
  type BlockHashEvent,
  type BlockHashRequest,
  compressionFromMessage,
  type ScanEvent,
  type VirtualFullScanRequest,
} from '../rpc/index.ts';
import { imageChunks } from '../server/image-chunks.ts';
import { type ScanChunk, virtualScan } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import { checkSleepPercent, Pacer } from './pacer.ts';
import { openSnapshot, type SnapshotView } from './snapshot-view.ts';
import type { ArchiveVolume } from './volume.ts';

const HASH_BYTES = 16;
/** Keeps the stream alive and the caller informed. */
const PROGRESS_MS: Millis = 1000;

interface ScanRequest {
  readonly bulkBytes: Bytes;
  /** 0 = the whole volume. */
  readonly scanLb: Lb;
}

interface Scan {
  readonly volume: ArchiveVolume;
  readonly view: SnapshotView;
  readonly size: Bytes;
  readonly chunkSize: Bytes;
  readonly signal: AbortSignal;
  readonly pacer: Pacer;
}

/** Hash of each bulk, seeded with the number of the bulk, all XORed: depends on the bulk size. */
export async function* blockHash(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  request: BlockHashRequest,
  context: CallContext,
): AsyncGenerator<BlockHashEvent> {
  volume.admit('bhash');
  const { clock } = volume.core;
  using view = openSnapshot(volume, request.gid, viewOptions(config, 'a block hash'));
  const scan = scanOf(volume, view, request, context, 0);
  const hash = new Uint8Array(HASH_BYTES);
  let bulk = 0;
  let told = clock.monotonic();
  for await (const { data } of chunksOf(scan)) {
    const one = murmur3x64_128(data, bulk >>> 0);
    for (let i = 0; i < HASH_BYTES; i += 1) hash[i] = (hash[i] as number) ^ (one[i] as number);
    bulk += 1;
    if (clock.monotonic() - told < PROGRESS_MS) continue;
    told = clock.monotonic();
    const doneLb = bytesToLb(Math.min(bulk * scan.chunkSize, scan.size));
    yield { event: { $case: 'progress', value: { doneLb, totalLb: bytesToLb(scan.size) } } };
  }
  yield { event: { $case: 'hash', value: hash } };
}

export async function* virtualFullScan(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  request: VirtualFullScanRequest,
  context: CallContext,
): AsyncGenerator<ScanEvent> {
  volume.admit('virt-full-scan');
  const sleep = checkSleepPercent(request.sleepPct);
  const { compression: wanted } = request;
  const compression =
    wanted === undefined ? ({ kind: 'snappy', level: 0 } as const) : compressionFromMessage(wanted);
  using _foreground = volume.core.foreground.acquire(`virtual full scan of ${volume.id}`);
  using view = openSnapshot(volume, request.gid, viewOptions(config, 'a virtual full scan'));
  const scan = scanOf(volume, view, request, context, sleep);
  const sizeLb = bytesToLb(scan.size);
  yield { event: { $case: 'begin', value: { sizeLb, timestamp: view.timestamp } } };
  for await (const value of imageChunks(chunksOf(scan), compression, volume.core.clock)) {
    yield { event: { $case: 'chunk', value } };
  }
  yield { event: { $case: 'end', value: {} } };
}

function viewOptions(config: ArchiveConfig, reader: string) {
  return { maxDiffs: config.maxOpenDiffsVirtual, reader, useCold: true };
}

function scanOf(
  volume: ArchiveVolume,
  view: SnapshotView,
  { bulkBytes, scanLb }: ScanRequest,
  context: CallContext,
  sleepPercent: number,
): Scan {
  const chunkSize = bulkBytes === 0 ? DEFAULT_BULK_SIZE : checkBulkSize(bulkBytes);
  const whole = view.size;
  const size = scanLb === 0 ? whole : lbToBytes(scanLb);
  if (size > whole) {
    throw new WalbError(
      'invalid-argument',
      `${scanLb} blocks are to be scanned, the volume has ${bytesToLb(whole)}`,
      { details: { scanLb, sizeLb: bytesToLb(whole) } },
    );
  }
  const signal = AbortSignal.any([context.signal, volume.forceSignal]);
  const pacer = new Pacer(volume.core.clock, signal, sleepPercent);
  return { volume, view, size, chunkSize, signal, pacer };
}

async function* chunksOf(scan: Scan): AsyncGenerator<ScanChunk> {
  const { view, size, chunkSize, signal, pacer } = scan;
  for await (const chunk of virtualScan(view.base, view.merged(), { size, chunkSize, signal })) {
    yield chunk;
    await pacer.pause();
  }
}
