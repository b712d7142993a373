/**
 * Applies a diff to an image (formats.md 7; semantics.md D.6, D.7): a file or a block device.
 */
import type { Bytes, FileHandle, Lb } from '../core/index.ts';
import { KIB, LB_SIZE, MIB, WalbError } from '../core/index.ts';
import { BufferArena } from './buffers.ts';
import { type DataIo, type DiffIo, type DiffStream, ioData } from './diff-io.ts';

/**
 * What a DISCARD record does to the image: `ignore` leaves what is there, `zero` writes zeros,
 * `passdown` gives the space back (the range reads as zeros).
 */
export type DiscardMode = 'ignore' | 'zero' | 'passdown';

export interface RedoOptions {
  readonly discard: DiscardMode;
  readonly signal?: AbortSignal;
  /**
   * Called after every batch (at most a few hundred records) and awaited: the place to let others
   * run, to throttle and to show progress.
   */
  readonly afterBatch?: (report: RedoReport) => void | Promise<void>;
}

export interface RedoReport {
  /** Records applied, by kind; ignored discards count as discards. */
  readonly normal: number;
  readonly zero: number;
  readonly discard: number;
  /** Records skipped as a whole because they end beyond the image. */
  readonly skipped: number;
  readonly skippedBlocks: Lb;
  /** The first of them. */
  readonly firstSkipped: { readonly address: Lb; readonly blocks: Lb } | undefined;
  /** Data written, in bytes, zeros not counted. */
  readonly written: Bytes;
  /** Where the last record ended. */
  readonly position: Lb;
}

/** Longer zero ranges are punched, which costs about as much as writing this many bytes. */
const PUNCH_FROM: Bytes = 256 * KIB;
const ZEROS = new Uint8Array(PUNCH_FROM);

/** Neighbouring records are written together until they are this long. */
const GATHER_BYTES: Bytes = MIB;
/** Buffers per writev; the smallest limit of common systems is 1024. */
const GATHER_PARTS = 256;

/**
 * Writes all pieces to `image`. Records that end beyond the image are skipped whole and reported.
 * Nothing is synced. Throws what the pieces or the image throw, `cancelled` on abort.
 */
export async function redo(
  pieces: DiffStream,
  image: FileHandle,
  options: RedoOptions,
): Promise<RedoReport> {
  const writer = new ImageWriter(image, options.discard);
  for await (const batch of pieces) {
    if (options.signal?.aborted === true) {
      throw new WalbError('cancelled', `${image.path}: redo stopped on request`);
    }
    for (const io of batch) writer.apply(io);
    writer.flush();
    await options.afterBatch?.(writer.report());
  }
  return writer.report();
}

type Counts = { -readonly [K in keyof RedoReport]: RedoReport[K] };

class ImageWriter {
  readonly #image: FileHandle;
  readonly #discard: DiscardMode;
  readonly #size: Bytes;
  readonly #counts: Counts = {
    normal: 0,
    zero: 0,
    discard: 0,
    skipped: 0,
    skippedBlocks: 0,
    firstSkipped: undefined,
    written: 0,
    position: 0,
  };
  /** Data that follows on itself, not yet written. */
  #parts: Uint8Array[] = [];
  #start: Bytes = 0;
  #end: Bytes = 0;
  readonly #arena = new BufferArena();
  /** A range to be zeroed that may still grow. */
  #zeroStart: Bytes = 0;
  #zeroEnd: Bytes = 0;

  constructor(image: FileHandle, discard: DiscardMode) {
    this.#image = image;
    this.#discard = discard;
    this.#size = image.size();
  }

  report(): RedoReport {
    return { ...this.#counts };
  }

  apply(io: DiffIo): void {
    const counts = this.#counts;
    const start = io.address * LB_SIZE;
    const end = start + io.blocks * LB_SIZE;
    counts.position = io.address + io.blocks;
    if (end > this.#size) {
      counts.skipped++;
      counts.skippedBlocks += io.blocks;
      counts.firstSkipped ??= { address: io.address, blocks: io.blocks };
      return;
    }
    counts[io.kind]++;
    if (io.kind === 'normal') this.#write(io, start);
    else if (io.kind === 'zero' || this.#discard !== 'ignore') this.#zero(start, end);
  }

  flush(): void {
    this.#flushData();
    this.#flushZeros();
  }

  #write(io: DataIo, start: Bytes): void {
    const joins = start === this.#end && this.#parts.length < GATHER_PARTS;
    if (!joins || this.#end - this.#start >= GATHER_BYTES) {
      this.#flushData();
      this.#start = start;
    }
    const data = ioData(io, this.#arena.take);
    this.#parts.push(data);
    this.#end = start + data.length;
    this.#counts.written += data.length;
  }

  #flushData(): void {
    if (this.#parts.length === 1) this.#image.write(this.#parts[0]!, this.#start);
    else if (this.#parts.length > 1) this.#image.writev(this.#parts, this.#start);
    this.#parts = [];
    this.#arena.reset();
    this.#start = this.#end;
  }

  #zero(start: Bytes, end: Bytes): void {
    if (start !== this.#zeroEnd) {
      this.#flushZeros();
      this.#zeroStart = start;
    }
    this.#zeroEnd = end;
  }

  #flushZeros(): void {
    const length = this.#zeroEnd - this.#zeroStart;
    if (length === 0) return;
    const punches = this.#discard === 'passdown' || length >= PUNCH_FROM;
    if (punches) this.#image.punch(this.#zeroStart, length);
    else this.#image.write(ZEROS.subarray(0, length), this.#zeroStart);
    this.#zeroStart = this.#zeroEnd;
  }
}
