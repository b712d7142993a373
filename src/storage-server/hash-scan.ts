/**
 * The storage's half of a hash backup: the archive streams the hash of each bulk of what it has, and
 * only bulks of the device that differ are sent, as the packs of a sorted diff.
 *
 * Source: semantics.md D.3.2.
 */
import {
  type BidiStream,
  bytesToLb,
  type Lb,
  lbToBytes,
  throwIfAborted,
  WalbError,
} from '../core/index.ts';
import { isAllZero, murmur3x64_128 } from '../kernels/index.ts';
import type { HashChunk, HashSyncDown, HashSyncUp } from '../rpc/index.ts';
import { toChunks } from '../server/byte-chunks.ts';
import { blobOfData, type DiffIo, FILE_HEADER_SIZE, SortedDiffEncoder } from '../wdiff/index.ts';
import type { Scan } from './scan.ts';

const HASH_BYTES = 16;
export async function scanDifferences(
  scan: Scan,
  stream: BidiStream<HashSyncUp, HashSyncDown>,
): Promise<void> {
  const { sizeLb } = scan.volume.info;
  const sender = new DifferenceSender(scan, stream);
  let offset: Lb = 0;
  for (;;) {
    const message = (await stream.receive())?.message;
    if (message?.$case === 'hashesEnd') break;
    if (message?.$case !== 'hashes') {
      throw new WalbError(
        'unavailable',
        `the archive sent ${message?.$case ?? 'the end'} in place of hashes`,
      );
    }
    requireNext(message.value, offset / scan.bulkLb);
    offset = await compare(scan, message.value.hashes, offset, sender);
    await stream.send({ message: { $case: 'progress', value: { doneLb: offset } } });
  }
  if (offset < sizeLb) {
    throw new WalbError('corrupt', `the archive's hashes end at block ${offset} of ${sizeLb}`);
  }
  await sender.end();
}

function requireNext({ firstBulk, hashes }: HashChunk, expected: number): void {
  if (firstBulk === expected && hashes.length % HASH_BYTES === 0 && hashes.length > 0) return;
  throw new WalbError('corrupt', `hashes of bulk ${firstBulk} came where ${expected} was expected`);
}

/** Compares the bulks that `hashes` are of; returns where it ended. */
async function compare(
  scan: Scan,
  hashes: Uint8Array,
  start: Lb,
  sender: DifferenceSender,
): Promise<Lb> {
  const { device, info } = scan.volume;
  // The low 32 bits of the time, as both sides have agreed on in the hello.
  const seed = scan.timestamp >>> 0;
  let offset = start;
  for (let at = 0; at < hashes.length; at += HASH_BYTES) {
    throwIfAborted(scan.signal, 'hash backup');
    const blocks = Math.min(scan.bulkLb, info.sizeLb - offset);
    if (blocks <= 0)
      throw new WalbError('corrupt', 'the archive sent more hashes than there are bulks');
    const data = Buffer.allocUnsafeSlow(lbToBytes(blocks));
    await device.readBlocks(offset, data);
    const same =
      Buffer.compare(murmur3x64_128(data, seed), hashes.subarray(at, at + HASH_BYTES)) === 0;
    if (!same) await sender.add(offset, data);
    offset += blocks;
    scan.task.advance(blocks);
    await scan.throttle.after(blocks, scan.signal);
  }
  return offset;
}

class DifferenceSender {
  readonly #stream: BidiStream<HashSyncUp, HashSyncDown>;
  readonly #encoder: SortedDiffEncoder;

  constructor(scan: Scan, stream: BidiStream<HashSyncUp, HashSyncDown>) {
    this.#stream = stream;
    const { kind, level } = scan.compression;
    this.#encoder = new SortedDiffEncoder({
      uuid: scan.volume.uuid,
      compression: { kind, level },
      packLimit: 'stored',
      name: `differences of ${scan.volume.id}`,
    });
    // The wire form has no file header: the uuid went with `start`.
    const header = this.#encoder.begin().reduce((sum, part) => sum + part.length, 0);
    if (header !== FILE_HEADER_SIZE)
      throw new WalbError('internal', 'unexpected wdiff file header');
  }

  async add(address: Lb, data: Uint8Array): Promise<void> {
    const blocks = bytesToLb(data.length);
    const io: DiffIo = isAllZero(data)
      ? { address, blocks, kind: 'zero' }
      : { address, blocks, kind: 'normal', blob: blobOfData(data), blobOffset: 0 };
    await this.#send(this.#encoder.add(io));
  }

  async end(): Promise<void> {
    await this.#send(this.#encoder.end());
  }

  async #send(parts: readonly Uint8Array[]): Promise<void> {
    for await (const chunk of toChunks([parts])) {
      await this.#stream.send({ message: { $case: 'packs', value: chunk } });
    }
  }
}
