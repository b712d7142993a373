/**
 * Comparing two images over the wire: the server (destination) streams the hash of each bulk of its
 * image, the client sends the bulks of its own that differ, as the packs of a sorted diff. Both
 * directions run at the same time; memory is some messages and one pack.
 *
 * Source: semantics.md D.3.2, D.9.
 */
import { type Bytes, bytesToLb, type Lb, lbToBytes, WalbError } from '../core/index.ts';
import { isAllZero, murmur3x64_128 } from '../kernels/index.ts';
import type { HashChunk, ReplicationDown, ReplicationUp } from '../rpc/index.ts';
import { toChunks } from '../server/byte-chunks.ts';
import {
  blobOfData,
  type Compression,
  type DiffIo,
  type ScanChunk,
  SortedDiffEncoder,
  virtualScan,
} from '../wdiff/index.ts';
import type { Pacer } from './pacer.ts';
import type { SnapshotView } from './snapshot-view.ts';

const HASH_BYTES = 16;
/** Hashes per message: 1024 of them are 256 MiB of image at the default bulk size. */
const HASHES_PER_MESSAGE = 1024;

export interface Comparison {
  readonly sizeLb: Lb;
  readonly bulkLb: Lb;
  /** Low 32 bits of the timestamp of what the comparison leads to. */
  readonly seed: number;
}

/** The seed both sides agree on. */
export function seedOf(timestamp: number): number {
  return timestamp >>> 0;
}

interface DownSender {
  send(message: ReplicationDown): Promise<void>;
}

/** Hashes of the whole image, bulk by bulk, then `hashes_end`. */
export async function sendHashes(
  scan: AsyncIterable<ScanChunk>,
  stream: DownSender,
  { seed }: Pick<Comparison, 'seed'>,
  pacer: Pacer,
): Promise<void> {
  let hashes: Uint8Array[] = [];
  let bulk = 0;
  const flush = async (): Promise<void> => {
    if (hashes.length === 0) return;
    const value: HashChunk = { firstBulk: bulk - hashes.length, hashes: Buffer.concat(hashes) };
    hashes = [];
    await stream.send({ message: { $case: 'hashes', value } });
  };
  for await (const { data } of scan) {
    hashes.push(murmur3x64_128(data, seed));
    bulk += 1;
    if (hashes.length === HASHES_PER_MESSAGE) await flush();
    await pacer.pause();
  }
  await flush();
  await stream.send({ message: { $case: 'hashesEnd', value: {} } });
}

interface ClientStream {
  send(message: ReplicationUp): Promise<void>;
  receive(): Promise<ReplicationDown | undefined>;
}

export interface ClientComparison extends Comparison {
  readonly view: SnapshotView;
  readonly uuid: Uint8Array;
  readonly compression: Compression;
  readonly signal: AbortSignal;
  readonly pacer: Pacer;
  readonly onDone: (done: Lb) => void;
}

/** Answers hashes with the bulks that differ, up to `data_end`. */
export async function sendDifferences(
  comparison: ClientComparison,
  stream: ClientStream,
): Promise<void> {
  const { view, sizeLb, bulkLb, signal } = comparison;
  const size = lbToBytes(sizeLb);
  const options = { size, chunkSize: lbToBytes(bulkLb), signal };
  const own = virtualScan(view.base, view.merged(), options);
  const sender = new DifferenceSender(comparison, stream);
  try {
    let at: Bytes = 0;
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message?.$case === 'hashesEnd') break;
      if (message?.$case !== 'hashes') {
        throw new WalbError(
          'unavailable',
          `the destination sent ${message?.$case ?? 'the end'} in place of hashes`,
        );
      }
      requireNext(message.value, at / options.chunkSize);
      at = await compare(comparison, own, message.value.hashes, sender);
      const doneLb = bytesToLb(at);
      comparison.onDone(doneLb);
      await stream.send({ message: { $case: 'progress', value: { doneLb } } });
    }
    if (at < size) {
      throw new WalbError('corrupt', `the destination's hashes end at byte ${at} of ${size}`);
    }
    await sender.end();
  } finally {
    await own.return(undefined);
  }
}

function requireNext({ firstBulk, hashes }: HashChunk, expected: number): void {
  if (firstBulk === expected && hashes.length % HASH_BYTES === 0 && hashes.length > 0) return;
  throw new WalbError('corrupt', `hashes of bulk ${firstBulk} came where ${expected} was expected`);
}

/** Compares the next bulks; returns where it ended. */
async function compare(
  { seed, pacer }: ClientComparison,
  own: AsyncGenerator<ScanChunk>,
  hashes: Uint8Array,
  sender: DifferenceSender,
): Promise<Bytes> {
  let end: Bytes = 0;
  for (let at = 0; at < hashes.length; at += HASH_BYTES) {
    const { done, value } = await own.next();
    if (done === true) {
      throw new WalbError('corrupt', 'the destination sent more hashes than there are bulks');
    }
    const { offset, data } = value;
    const theirs = hashes.subarray(at, at + HASH_BYTES);
    if (Buffer.compare(murmur3x64_128(data, seed), theirs) !== 0) await sender.add(offset, data);
    end = offset + data.length;
    await pacer.pause();
  }
  return end;
}

class DifferenceSender {
  readonly #stream: ClientStream;
  readonly #encoder: SortedDiffEncoder;

  constructor({ uuid, compression }: ClientComparison, stream: ClientStream) {
    this.#stream = stream;
    const { kind, level } = compression;
    const name = 'differences of two images';
    this.#encoder = new SortedDiffEncoder({
      uuid,
      compression: { kind, level },
      packLimit: 'stored',
      name,
    });
    // The file header is not sent: its uuid went in the message before.
    this.#encoder.begin();
  }

  async add(offset: Bytes, data: Uint8Array): Promise<void> {
    const place = { address: bytesToLb(offset), blocks: bytesToLb(data.length) };
    const io: DiffIo = isAllZero(data)
      ? { ...place, kind: 'zero' }
      : { ...place, kind: 'normal', blob: blobOfData(data), blobOffset: 0 };
    await this.#send(this.#encoder.add(io));
  }

  async end(): Promise<void> {
    await this.#send(this.#encoder.end());
    await this.#stream.send({ message: { $case: 'dataEnd', value: {} } });
  }

  async #send(parts: readonly Uint8Array[]): Promise<void> {
    for await (const chunk of toChunks([parts])) {
      await this.#stream.send({ message: { $case: 'packs', value: chunk } });
    }
  }
}
