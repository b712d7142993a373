/**
 * Writing the chunks of a whole image to the base image, one after another without a gap, and
 * recording durably how far it is.
 *
 * The record never claims more than what is synced, nor more than the sender calls settled.
 */
import {
  type Bytes,
  type FileHandle,
  type Lb,
  lbToBytes,
  throwIfAborted,
  WalbError,
} from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { CompressionKind, type ImageBulk, type ImageChunk } from '../rpc/index.ts';
import { decompress } from '../wdiff/index.ts';
import { punchInSteps } from './punch-in-steps.ts';
import type { ImageCopy, ResumePoint } from './resume-point.ts';
import type { ArchiveVolume } from './volume.ts';

export interface ImageWriterOptions {
  readonly volume: ArchiveVolume;
  readonly copy: ImageCopy;
  readonly resume: ResumePoint;
  readonly startLb: Lb;
  /** Image bytes from one sync to the next (`-fi`). */
  readonly fsyncInterval: Bytes;
  /** The sender will say what is settled; otherwise all that it sends is. */
  readonly awaitsSettled: boolean;
  readonly onProgress: (done: Lb) => void;
}

export class ImageWriter {
  readonly #options: ImageWriterOptions;
  readonly #image: FileHandle;
  readonly #signal: AbortSignal;
  #next: Lb;
  #synced: Lb;
  #settled: Lb;
  #saved: Lb;

  /** The image is there and has the size of the copy. From `startLb` on it reads as zeros, or all is written. */
  constructor(options: ImageWriterOptions) {
    const { volume, startLb, awaitsSettled } = options;
    this.#options = options;
    this.#image = volume.images.openBase('update');
    this.#signal = volume.forceSignal;
    this.#next = startLb;
    this.#synced = startLb;
    this.#saved = startLb;
    this.#settled = awaitsSettled ? startLb : Number.POSITIVE_INFINITY;
    options.onProgress(startLb);
  }

  /** Throws `invalid-argument` or `corrupt` for a chunk that is not the next one, or damaged. */
  async write({ offsetLb, bulks }: ImageChunk): Promise<void> {
    throwIfAborted(this.#signal, 'receiving an image');
    if (offsetLb !== this.#next) {
      throw new WalbError(
        'invalid-argument',
        `image data came for block ${offsetLb}, not ${this.#next}`,
      );
    }
    if (bulks.length === 0)
      throw new WalbError('invalid-argument', 'image data without bulks came');
    for (const bulk of bulks) this.#writeBulk(bulk);
    this.#options.onProgress(this.#next);
    if (lbToBytes(this.#next - this.#synced) >= this.#options.fsyncInterval) await this.#save();
  }

  /** Nothing before this block can be taken back at the sender. Throws `invalid-argument` for one not sent. */
  settled(doneLb: Lb): void {
    if (doneLb > this.#next || doneLb < this.#settled) {
      throw new WalbError(
        'invalid-argument',
        `block ${doneLb} is called settled, between ${this.#settled} and ${this.#next} may be`,
      );
    }
    this.#settled = doneLb;
  }

  /** The whole image is on stable storage. Throws `corrupt` when its end has not come. */
  async finish(): Promise<void> {
    const { sizeLb } = this.#options.copy;
    if (this.#next !== sizeLb) {
      throw new WalbError('corrupt', `the image ended at block ${this.#next} of ${sizeLb}`);
    }
    await this.#save();
  }

  /** After a failure: the repetition begins here. What can not be recorded is copied again. */
  async saveLast(): Promise<void> {
    try {
      if (Math.min(this.#next, this.#settled) > this.#saved) await this.#save();
    } catch (error) {
      const err = WalbError.from(error);
      this.#options.volume.log.warn({ err }, 'how far the image has come was not recorded');
    }
  }

  close(): void {
    this.#image.close();
  }

  async #save(): Promise<void> {
    const { resume, copy } = this.#options;
    const next = this.#next;
    if (next > this.#synced) await this.#image.sync();
    this.#synced = next;
    const done = Math.min(next, this.#settled);
    if (done <= this.#saved) return;
    await resume.save(copy, done);
    this.#saved = done;
  }

  #writeBulk(bulk: ImageBulk): void {
    const { volume, copy } = this.#options;
    const size = lbToBytes(bulk.blocks);
    const end = this.#next + bulk.blocks;
    if (bulk.blocks < 1 || end > copy.sizeLb) {
      throw new WalbError(
        'invalid-argument',
        `a bulk of ${bulk.blocks} blocks at ${this.#next} does not fit`,
      );
    }
    if (bulk.data.length > 0) {
      this.#image.write(dataOf(bulk, size, this.#next), lbToBytes(this.#next));
    } else if (!volume.images.newBaseIsZero) {
      this.#image.punch(lbToBytes(this.#next), size);
    }
    this.#next = end;
  }
}

/**
 * Makes the image ready to be resumed at `startLb`: what was written beyond goes, since zeros are not
 * written where a new image has them. Throws `cancelled` on a force stop.
 */
export async function clearFrom(volume: ArchiveVolume, startLb: Lb): Promise<void> {
  const { images, core } = volume;
  if (!images.newBaseIsZero) return;
  using open = new DisposableStack();
  const image = open.adopt(images.openBase('update'), (handle) => handle.close());
  await punchInSteps(image, lbToBytes(startLb), image.size(), () => {
    volume.requireRunning('clearing an image');
    return core.clock.yield();
  });
}

/** The bulk's data, verified. Throws `corrupt`. */
function dataOf({ compression, checksum: sum, data }: ImageBulk, size: Bytes, at: Lb): Uint8Array {
  if (checksum(data, 0) !== sum) {
    throw new WalbError('corrupt', `the image data of block ${at} were damaged on the way`, {
      details: { block: at, field: 'checksum' },
    });
  }
  if (compression === CompressionKind.UNSPECIFIED || compression === CompressionKind.UNRECOGNIZED) {
    throw new WalbError('invalid-argument', 'compression kind of image data is missing');
  }
  if (compression !== CompressionKind.NONE) return decompress(compression, data, size);
  if (data.length === size) return data;
  throw new WalbError('corrupt', `block ${at}: ${data.length} bytes came for ${size}`);
}
