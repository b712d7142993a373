/**
 * A writable view of a snapshot: what was written lies in a sparse file beside it, everything else is
 * read from base and diffs. Nothing the archive keeps is ever changed.
 *
 * Which blocks were written is a bitmap of logical blocks, kept in pieces of 1 MiB of address space that
 * exist only where something was written.
 *
 * Source: docs/architecture.md decision 9.
 */
import { type Bytes, type FileHandle, LB_SIZE, type Lb, MIB } from '../core/index.ts';
import type { BlockBackend, BlockChange, BlockSizes } from '../wdev/nbd/backend.ts';
import type { VirtualImage } from '../wdiff/index.ts';

const PIECE_LB: Lb = MIB / LB_SIZE;
const MAX_REQUEST: Bytes = 32 * MIB;

/** Set of logical blocks. */
export class BlockBitmap {
  readonly #pieces = new Map<number, Uint8Array>();

  add(start: Lb, count: Lb): void {
    for (let block = start; block < start + count; block += 1) {
      const piece = this.#piece(Math.floor(block / PIECE_LB));
      const at = block % PIECE_LB;
      piece[at >> 3] = (piece[at >> 3] as number) | (1 << (at & 7));
    }
  }

  has(block: Lb): boolean {
    const piece = this.#pieces.get(Math.floor(block / PIECE_LB));
    if (piece === undefined) return false;
    const at = block % PIECE_LB;
    return ((piece[at >> 3] as number) & (1 << (at & 7))) !== 0;
  }

  /** Whether nothing in the range is set; quick where nothing was written nearby. */
  isFree(start: Lb, count: Lb): boolean {
    const last = Math.floor((start + count - 1) / PIECE_LB);
    for (let index = Math.floor(start / PIECE_LB); index <= last; index += 1) {
      if (this.#pieces.has(index)) return false;
    }
    return true;
  }

  /** Memory held, in bytes. */
  get bytes(): Bytes {
    return this.#pieces.size * (PIECE_LB / 8);
  }

  #piece(index: number): Uint8Array {
    let piece = this.#pieces.get(index);
    if (piece === undefined) {
      piece = new Uint8Array(PIECE_LB / 8);
      this.#pieces.set(index, piece);
    }
    return piece;
  }
}

export class SnapshotOverlay implements BlockBackend {
  readonly blockSizes: BlockSizes = { minimum: LB_SIZE, preferred: 4096, maximum: MAX_REQUEST };
  readonly canFastZero = true;
  readonly readOnly: boolean;
  readonly #image: VirtualImage;
  /** Undefined when the view is read-only and not filled. */
  readonly #overlay: FileHandle | undefined;
  readonly #written = new BlockBitmap();

  constructor(image: VirtualImage, overlay: FileHandle | undefined, readOnly: boolean) {
    this.#image = image;
    this.#overlay = overlay;
    this.readOnly = readOnly;
    overlay?.truncate(image.size);
  }

  get size(): Bytes {
    return this.#image.size;
  }

  /** Memory of the bitmap. */
  get overheadBytes(): Bytes {
    return this.#written.bytes;
  }

  read(offset: Bytes, into: Uint8Array): undefined {
    const start = offset / LB_SIZE;
    const count = into.length / LB_SIZE;
    if (this.#written.isFree(start, count)) {
      this.#image.read(offset, into);
      return undefined;
    }
    for (const run of this.#runs(start, count)) {
      const target = into.subarray((run.start - start) * LB_SIZE, (run.end - start) * LB_SIZE);
      if (run.isWritten) this.#overlay?.read(target, run.start * LB_SIZE);
      else this.#image.read(run.start * LB_SIZE, target);
    }
    return undefined;
  }

  submit(changes: readonly BlockChange[]): undefined | Promise<void> {
    let needsSync = false;
    for (const change of changes) {
      this.#apply(change);
      needsSync ||= change.fua;
    }
    return needsSync ? this.flush() : undefined;
  }

  flush(): undefined | Promise<void> {
    return this.#overlay?.sync();
  }

  /** Copies what is not in the overlay yet, so that it stands alone. Gives the blocks copied. */
  fill(start: Lb, count: Lb, buffer: Uint8Array): Lb {
    let copied: Lb = 0;
    for (const run of this.#runs(start, count)) {
      if (run.isWritten) continue;
      const data = buffer.subarray(0, (run.end - run.start) * LB_SIZE);
      this.#image.read(run.start * LB_SIZE, data);
      this.#overlay?.write(data, run.start * LB_SIZE);
      this.#written.add(run.start, run.end - run.start);
      copied += run.end - run.start;
    }
    return copied;
  }

  #apply({ kind, offset, length, data }: BlockChange): void {
    if (kind === 'write') this.#overlay?.write(data, offset);
    else this.#overlay?.punch(offset, length);
    this.#written.add(offset / LB_SIZE, length / LB_SIZE);
  }

  *#runs(start: Lb, count: Lb): Generator<{ start: Lb; end: Lb; isWritten: boolean }> {
    const end = start + count;
    let at = start;
    while (at < end) {
      const isWritten = this.#written.has(at);
      let stop = at + 1;
      while (stop < end && this.#written.has(stop) === isWritten) stop += 1;
      yield { start: at, end: stop, isWritten };
      at = stop;
    }
  }
}
