/**
 * Reads a device from one end to the other as the chunks of a full backup: bulks that are entirely
 * zero carry no data, others are compressed and summed.
 *
 * Source: semantics.md B.6.4.
 */
import { type Bytes, type Lb, lbToBytes, throwIfAborted } from '../core/index.ts';
import { checksum, isAllZero } from '../kernels/index.ts';
import { CHUNK_SIZE, CompressionKind, type ImageBulk, type ImageChunk } from '../rpc/index.ts';
import { compress } from '../wdiff/index.ts';
import type { Scan } from './scan.ts';

/** Bulks of zeros cost nothing on the wire; a chunk of them must still come now and then. */
const MAX_BULKS_PER_CHUNK = 1024;

/** Chunks from `startLb` to the end of the volume, without a gap. */
export async function* scanImage(scan: Scan, startLb: Lb): AsyncGenerator<ImageChunk> {
  const { device, info } = scan.volume;
  let chunk: ImageChunk = { offsetLb: startLb, bulks: [] };
  let size: Bytes = 0;
  for (let offset = startLb; offset < info.sizeLb; offset += scan.bulkLb) {
    throwIfAborted(scan.signal, 'full backup');
    const blocks = Math.min(scan.bulkLb, info.sizeLb - offset);
    const data = Buffer.allocUnsafeSlow(lbToBytes(blocks));
    await device.readBlocks(offset, data);
    const bulk = bulkOf(scan, blocks, data);
    chunk.bulks.push(bulk);
    size += bulk.data.length;
    scan.task.advance(blocks);
    await scan.throttle.after(blocks, scan.signal);
    if (size < CHUNK_SIZE && chunk.bulks.length < MAX_BULKS_PER_CHUNK) continue;
    yield chunk;
    chunk = { offsetLb: offset + blocks, bulks: [] };
    size = 0;
  }
  if (chunk.bulks.length > 0) yield chunk;
}

function bulkOf(scan: Scan, blocks: Lb, data: Uint8Array): ImageBulk {
  if (isAllZero(data)) {
    return {
      blocks,
      compression: CompressionKind.UNSPECIFIED,
      checksum: 0,
      data: new Uint8Array(0),
    };
  }
  const { kind, level } = scan.compression;
  const packed = compress(kind, level, data);
  const stored = packed ?? data;
  const compression = packed === undefined ? CompressionKind.NONE : kind;
  return { blocks, compression, checksum: checksum(stored, 0), data: stored };
}
