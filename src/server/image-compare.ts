/**
 * Comparing two images over the wire: the receiver of the data (an archive) streams the hash of each
 * bulk of its image, the sender answers with the bulks of its own that differ, as the packs of a sorted
 * diff. Both directions run at the same time; memory is some messages and one pack.
 *
 * Hash backup, and the hash and resync kinds of replication. Source: semantics.md D.3.2, D.9.
 */
import { bytesToLb, type Clock, type Lb, type Millis, WalbError } from '../core/index.ts';
import { isAllZero, murmur3x64_128 } from '../kernels/index.ts';
import type {
  ByteChunk,
  CompareProgress,
  HashChunk,
  HashSyncDown,
  ReplicationDown,
} from '../rpc/index.ts';
import {
  blobOfData,
  type CompressOption,
  type DiffIo,
  type ScanChunk,
  SortedDiffEncoder,
} from '../wdiff/index.ts';
import { toChunks } from './byte-chunks.ts';

const HASH_BYTES = 16;
/** Hashes per message: 1024 of them are 256 MiB of image at the default bulk size. */
const HASHES_PER_MESSAGE = 1024;
/** A slow comparison says how far it is this often. */
const PROGRESS_MS: Millis = 1000;

/** The seed both sides agree on: the low 32 bits of the time of what the comparison leads to. */
export function seedOf(timestamp: number): number {
  return timestamp >>> 0;
}

// ---- the receiver of the data

export interface HashesOptions {
  readonly seed: number;
  /** After each bulk. */
  readonly pause: () => Promise<void>;
}

type HashMessage =
  | { readonly $case: 'hashes'; readonly value: HashChunk }
  | { readonly $case: 'hashesEnd'; readonly value: Record<string, never> };

/** Hashes of the whole image, bulk by bulk, then `hashes_end`. */
export async function sendHashes(
  scan: AsyncIterable<ScanChunk>,
  stream: { send(message: { message: HashMessage }): Promise<void> },
  { seed, pause }: HashesOptions,
): Promise<void> {
  let hashes: Uint8Array[] = [];
  let bulk = 0;
  const flush = async (): Promise<void> => {
    if (hashes.length === 0) return;
    const value = { firstBulk: bulk - hashes.length, hashes: Buffer.concat(hashes) };
    hashes = [];
    await stream.send({ message: { $case: 'hashes', value } });
  };
  for await (const { data } of scan) {
    hashes.push(murmur3x64_128(data, seed));
    bulk += 1;
    if (hashes.length === HASHES_PER_MESSAGE) await flush();
    await pause();
  }
  await flush();
  await stream.send({ message: { $case: 'hashesEnd', value: {} } });
}

/**
 * Checks what the sender says of its progress: it goes on, and not beyond the end. Throws
 * `invalid-argument`, so that a stream of nothing but progress ends.
 */
export function progressCheck(sizeLb: Lb): (doneLb: Lb) => Lb {
  let before: Lb = 0;
  return (doneLb) => {
    if (doneLb <= before || doneLb > sizeLb) {
      throw new WalbError(
        'invalid-argument',
        `progress ${doneLb} of ${sizeLb} blocks came after ${before}`,
      );
    }
    before = doneLb;
    return doneLb;
  };
}

// ---- the sender of the data

export interface Comparison {
  /** The image of the sender, `sizeLb` long, in bulks of `bulkLb`. */
  readonly own: AsyncGenerator<ScanChunk>;
  readonly sizeLb: Lb;
  readonly bulkLb: Lb;
  readonly seed: number;
  /** Log history of what is sent. */
  readonly uuid: Uint8Array;
  readonly compression: Pick<CompressOption, 'kind' | 'level'>;
  readonly clock: Clock;
  readonly onDone: (done: Lb) => void;
}

type DifferenceMessage =
  | { readonly $case: 'packs'; readonly value: ByteChunk }
  | { readonly $case: 'progress'; readonly value: CompareProgress };

/** What a hash backup and a replication have in common of their streams. */
export interface DifferenceStream {
  send(message: { message: DifferenceMessage }): Promise<void>;
  receive(): Promise<HashSyncDown | ReplicationDown | undefined>;
}

/**
 * Answers hashes with the bulks that differ, the end pack included. Throws `corrupt` when the hashes
 * are not those of an image of this size, `unavailable` when they end.
 */
export async function sendDifferences(
  comparison: Comparison,
  stream: DifferenceStream,
): Promise<void> {
  const run = new DifferenceSender(comparison, stream);
  try {
    for (;;) {
      const message = (await stream.receive())?.message;
      if (message?.$case === 'hashesEnd') break;
      if (message?.$case !== 'hashes') {
        throw new WalbError(
          'unavailable',
          `the other side sent ${message?.$case ?? 'the end'} in place of hashes`,
        );
      }
      await run.compare(message.value);
    }
    await run.end();
  } finally {
    await comparison.own.return(undefined);
  }
}

class DifferenceSender {
  readonly #comparison: Comparison;
  readonly #stream: DifferenceStream;
  readonly #encoder: SortedDiffEncoder;
  /** Compared up to here. */
  #at: Lb = 0;
  #told: Lb = 0;
  #toldAt: Millis;

  constructor(comparison: Comparison, stream: DifferenceStream) {
    const { uuid, compression, clock } = comparison;
    this.#comparison = comparison;
    this.#stream = stream;
    this.#toldAt = clock.monotonic();
    const { kind, level } = compression;
    this.#encoder = new SortedDiffEncoder({
      uuid,
      compression: { kind, level },
      packLimit: 'stored',
      name: 'differences of two images',
    });
    // The file header is not sent: its uuid went in a message before.
    this.#encoder.begin();
  }

  async compare({ firstBulk, hashes }: HashChunk): Promise<void> {
    const { own, bulkLb, seed, clock } = this.#comparison;
    const expected = Math.ceil(this.#at / bulkLb);
    if (firstBulk !== expected || hashes.length % HASH_BYTES !== 0 || hashes.length === 0) {
      throw new WalbError(
        'corrupt',
        `${hashes.length} bytes of hashes from bulk ${firstBulk} on came where bulk ${expected} was expected`,
      );
    }
    for (let at = 0; at < hashes.length; at += HASH_BYTES) {
      const { done, value } = await own.next();
      if (done === true) {
        throw new WalbError('corrupt', 'the other side sent more hashes than there are bulks');
      }
      const theirs = hashes.subarray(at, at + HASH_BYTES);
      const isSame = Buffer.compare(murmur3x64_128(value.data, seed), theirs) === 0;
      if (!isSame) await this.#add(value);
      this.#at = bytesToLb(value.offset + value.data.length);
      if (clock.monotonic() - this.#toldAt >= PROGRESS_MS) await this.#tell();
    }
    await this.#tell();
  }

  async end(): Promise<void> {
    const { sizeLb } = this.#comparison;
    if (this.#at < sizeLb) {
      throw new WalbError(
        'corrupt',
        `the hashes of the other side end at block ${this.#at} of ${sizeLb}`,
      );
    }
    await this.#send(this.#encoder.end());
  }

  async #tell(): Promise<void> {
    const doneLb = this.#at;
    this.#toldAt = this.#comparison.clock.monotonic();
    if (doneLb === this.#told) return;
    this.#told = doneLb;
    this.#comparison.onDone(doneLb);
    await this.#stream.send({ message: { $case: 'progress', value: { doneLb } } });
  }

  async #add({ offset, data }: ScanChunk): Promise<void> {
    const place = { address: bytesToLb(offset), blocks: bytesToLb(data.length) };
    const io: DiffIo = isAllZero(data)
      ? { ...place, kind: 'zero' }
      : { ...place, kind: 'normal', blob: blobOfData(data), blobOffset: 0 };
    await this.#send(this.#encoder.add(io));
  }

  async #send(parts: readonly Uint8Array[]): Promise<void> {
    for await (const chunk of toChunks([parts])) {
      await this.#stream.send({ message: { $case: 'packs', value: chunk } });
    }
  }
}
