/**
 * A writable view of a snapshot: what was written lies in a sparse file beside it, everything else is
 * read from base and diffs. Nothing the archive keeps is ever changed.
 *
 * Source: docs/architecture.md decision 9.
 */
import { type Bytes, type FileHandle, LB_SIZE, type Lb, MIB, WalbError } from '../core/index.ts';
import { isAllZero } from '../kernels/index.ts';
import type { BlockBackend, BlockChange, BlockSizes, DataRange } from '../wdev/nbd/backend.ts';
import type { VirtualImage } from '../wdiff/index.ts';
import { BlockBitmap } from './block-bitmap.ts';

const MAX_REQUEST: Bytes = 32 * MIB;

export class SnapshotOverlay implements BlockBackend {
  readonly blockSizes: BlockSizes = { minimum: LB_SIZE, preferred: 4096, maximum: MAX_REQUEST };
  readonly canFastZero = true;
  readonly readOnly: boolean;
  readonly #image: VirtualImage;
  /** Undefined for a read-only view. */
  readonly #overlay: FileHandle | undefined;
  readonly #written = new BlockBitmap();

  constructor(image: VirtualImage, overlay: FileHandle | undefined) {
    this.#image = image;
    this.#overlay = overlay;
    this.readOnly = overlay === undefined;
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
    for (const run of this.#runs(start, into.length / LB_SIZE)) {
      const target = into.subarray((run.start - start) * LB_SIZE, (run.end - start) * LB_SIZE);
      if (run.isWritten) readOverlay(this.#writable, target, run.start * LB_SIZE);
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

  nextData(offset: Bytes): DataRange | undefined {
    const limit = this.size / LB_SIZE;
    for (let at = Math.floor(offset / LB_SIZE); at < limit; ) {
      const isWritten = this.#written.has(at);
      const source = isWritten ? this.#writable : this.#image;
      const data = source.nextData(at * LB_SIZE);
      const stop = Math.min(limit, data === undefined ? limit : Math.ceil(data.end / LB_SIZE));
      const run = this.#written.runEnd(at, stop);
      if (data !== undefined && data.start < run * LB_SIZE) {
        return { start: data.start, end: Math.min(data.end, run * LB_SIZE) };
      }
      at = run;
    }
    return undefined;
  }

  /** Copies what is not in the overlay yet, so that it stands alone; zeros stay holes. */
  fill(start: Lb, count: Lb, buffer: Uint8Array): void {
    for (const run of this.#runs(start, count)) {
      if (run.isWritten) continue;
      const data = buffer.subarray(0, (run.end - run.start) * LB_SIZE);
      this.#image.read(run.start * LB_SIZE, data);
      if (!isAllZero(data)) this.#writable.write(data, run.start * LB_SIZE);
      this.#written.add(run.start, run.end - run.start);
    }
  }

  get #writable(): FileHandle {
    if (this.#overlay !== undefined) return this.#overlay;
    throw new WalbError('internal', 'a read-only snapshot has nothing written');
  }

  #apply({ kind, offset, length, data }: BlockChange): void {
    if (kind === 'write') this.#writable.write(data, offset);
    else this.#writable.punch(offset, length);
    this.#written.add(offset / LB_SIZE, length / LB_SIZE);
  }

  *#runs(start: Lb, count: Lb): Generator<{ start: Lb; end: Lb; isWritten: boolean }> {
    const limit = start + count;
    for (let at = start; at < limit; ) {
      const end = this.#written.runEnd(at, limit);
      yield { start: at, end, isWritten: this.#written.has(at) };
      at = end;
    }
  }
}

function readOverlay(handle: FileHandle, into: Uint8Array, position: Bytes): void {
  const count = handle.read(into, position);
  if (count === into.length) return;
  throw new WalbError(
    'io',
    `${handle.path} ends at ${position + count}: the overlay was cut short`,
    {
      details: { file: handle.path, position },
    },
  );
}
