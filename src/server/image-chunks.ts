/**
 * An image as the chunks of transfer.proto: bulks that are entirely zero carry no data, others are
 * compressed and summed.
 */
import { type Bytes, bytesToLb, type Clock, type Millis } from '../core/index.ts';
import { checksum, isAllZero } from '../kernels/index.ts';
import { CHUNK_SIZE, CompressionKind, type ImageBulk, type ImageChunk } from '../rpc/index.ts';
import { type Compression, compress, type ScanChunk } from '../wdiff/index.ts';

/** Bulks of zeros cost nothing on the wire; a chunk of them must still come now and then. */
const MAX_BULKS_PER_CHUNK = 1024;
/** A slow scan sends what it has this often: the receiver sees that it lives, and records how far it is. */
const MAX_WAIT_MS: Millis = 1000;

/** One chunk of the scan is one bulk. Chunks follow on each other without a gap. */
export async function* imageChunks(
  scan: AsyncIterable<ScanChunk>,
  compression: Pick<Compression, 'kind' | 'level'>,
  clock: Clock,
): AsyncGenerator<ImageChunk> {
  let bulks: ImageBulk[] = [];
  let offsetLb = 0;
  let size: Bytes = 0;
  let sent = clock.monotonic();
  for await (const { offset, data, isHole } of scan) {
    if (bulks.length === 0) offsetLb = bytesToLb(offset);
    const bulk = isHole ? zeroBulk(data) : imageBulk(data, compression);
    bulks.push(bulk);
    size += bulk.data.length;
    const isFull = size >= CHUNK_SIZE || bulks.length >= MAX_BULKS_PER_CHUNK;
    if (!isFull && clock.monotonic() - sent < MAX_WAIT_MS) continue;
    yield { offsetLb, bulks };
    sent = clock.monotonic();
    bulks = [];
    size = 0;
  }
  if (bulks.length > 0) yield { offsetLb, bulks };
}

function imageBulk(
  data: Uint8Array,
  { kind, level }: Pick<Compression, 'kind' | 'level'>,
): ImageBulk {
  if (isAllZero(data)) return zeroBulk(data);
  const packed = compress(kind, level, data);
  const stored = packed ?? data;
  const compression = packed === undefined ? CompressionKind.NONE : kind;
  return {
    blocks: bytesToLb(data.length),
    compression,
    checksum: checksum(stored, 0),
    data: stored,
  };
}

function zeroBulk(data: Uint8Array): ImageBulk {
  const nothing = new Uint8Array(0);
  const compression = CompressionKind.UNSPECIFIED;
  return { blocks: bytesToLb(data.length), compression, checksum: 0, data: nothing };
}
