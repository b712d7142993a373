/**
 * The virtual full image front to back (semantics.md D.4): base with the merged diffs on top, as a
 * stream of chunks. All-zero and discarded ranges read as zeros, whatever a restore would do.
 */
import type { Bytes, FileHandle } from '../core/index.ts';
import { LB_SIZE, MIB, WalbError } from '../core/index.ts';
import { type DataIo, type DiffIo, type DiffStream, ioData } from './diff-io.ts';

/** Bytes per chunk by default. */
export const SCAN_CHUNK: Bytes = MIB;

export interface VirtualScanOptions {
  /** Size of the image, by default that of the base. Beyond the base it reads as zeros. */
  readonly size?: Bytes;
  /** Where to start; a multiple of 512. */
  readonly start?: Bytes;
  /** Bytes per chunk, a multiple of 512; the last chunk may be shorter. */
  readonly chunkSize?: Bytes;
  readonly signal?: AbortSignal;
}

export interface ScanChunk {
  readonly offset: Bytes;
  /** A buffer of its own; the caller may keep it. */
  readonly data: Uint8Array;
  /** Neither the base nor a diff holds data here: certainly all zero. */
  readonly isHole: boolean;
}

/**
 * The image of `base` with `pieces` (one diff, or `mergeDiffs` of a chain) on top. What reaches
 * beyond the size is left out. Throws what base and pieces throw, `cancelled` on abort.
 */
export async function* virtualScan(
  base: FileHandle,
  pieces: DiffStream,
  options: VirtualScanOptions = {},
): AsyncGenerator<ScanChunk> {
  const { size = base.size(), start = 0, chunkSize = SCAN_CHUNK } = options;
  requireAligned({ start, chunkSize });
  const overlay = new Overlay(pieces);
  try {
    for (let offset = start; offset < size; offset += chunkSize) {
      if (options.signal?.aborted === true) throw new WalbError('cancelled', 'scan stopped');
      const data = Buffer.allocUnsafeSlow(Math.min(chunkSize, size - offset));
      const hasBase = readBase(base, data, offset);
      const hasDiff = await overlay.drawOn(data, offset);
      yield { offset, data, isHole: !hasBase && !hasDiff };
    }
  } finally {
    await overlay.close();
  }
}

function requireAligned(values: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(values)) {
    if (Number.isSafeInteger(value) && value >= 0 && value % LB_SIZE === 0) continue;
    throw new WalbError('invalid-argument', `${name} ${value} is not a multiple of ${LB_SIZE}`);
  }
}

/** Fills `into` from the base, zeros where it has a hole or ends; false when it is all hole. */
export function readBase(base: FileHandle, into: Uint8Array, offset: Bytes): boolean {
  const end = offset + into.length;
  let at = offset;
  let found = false;
  while (at < end) {
    const data = base.nextData(at);
    if (data === undefined || data.start >= end) break;
    const start = Math.max(at, data.start);
    into.fill(0, at - offset, start - offset);
    const stop = Math.min(end, data.end);
    const count = base.read(into.subarray(start - offset, stop - offset), start);
    found = true;
    at = start + count;
    if (count < stop - start) break;
  }
  into.fill(0, at - offset);
  return found;
}

/** Walks the pieces in step with the chunks. */
class Overlay {
  readonly #iterator: Iterator<readonly DiffIo[]> | AsyncIterator<readonly DiffIo[]>;
  #batch: readonly DiffIo[] = [];
  #index = 0;
  #done = false;

  constructor(pieces: DiffStream) {
    this.#iterator =
      Symbol.asyncIterator in pieces ? pieces[Symbol.asyncIterator]() : pieces[Symbol.iterator]();
  }

  /** Writes what the pieces have for `into` at `offset`; true when any of it was data. */
  async drawOn(into: Uint8Array, offset: Bytes): Promise<boolean> {
    const end = offset + into.length;
    let hasData = false;
    for (;;) {
      if (this.#index === this.#batch.length && !(await this.#nextBatch())) return hasData;
      const io = this.#batch[this.#index]!;
      if (io.address * LB_SIZE >= end) return hasData;
      hasData = drawPiece(io, into, offset) || hasData;
      if ((io.address + io.blocks) * LB_SIZE > end) return hasData;
      this.#index++;
    }
  }

  async #nextBatch(): Promise<boolean> {
    while (!this.#done) {
      const { done, value } = await this.#iterator.next();
      if (done === true) break;
      this.#batch = value;
      this.#index = 0;
      if (value.length > 0) return true;
    }
    this.#done = true;
    return false;
  }

  async close(): Promise<void> {
    await this.#iterator.return?.();
  }
}

/** Draws the part of `io` that lies in `into` at byte `offset`; true when it was data. */
export function drawPiece(io: DiffIo, into: Uint8Array, offset: Bytes): boolean {
  const pieceStart = io.address * LB_SIZE;
  const start = Math.max(pieceStart, offset);
  const end = Math.min(pieceStart + io.blocks * LB_SIZE, offset + into.length);
  if (end <= start) return false;
  if (io.kind !== 'normal') {
    into.fill(0, start - offset, end - offset);
    return false;
  }
  const target = into.subarray(start - offset, end - offset);
  if (end - start === io.blocks * LB_SIZE) {
    const data = ioData(io, () => target);
    if (data !== target) target.set(data);
  } else {
    target.set(pieceData(io).subarray(start - pieceStart, end - pieceStart));
  }
  return true;
}

/** Like `ioData`, kept in the cache: the rest of the piece is asked for next. */
function pieceData(io: DataIo): Uint8Array {
  const start = io.blobOffset * LB_SIZE;
  return io.blob.data().subarray(start, start + io.blocks * LB_SIZE);
}
