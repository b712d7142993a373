/**
 * Facts about the log IOs that pieces of a piece map refer to, as columns of typed arrays. An IO
 * whose last piece is gone is forgotten and its row used again, so the table grows with what is
 * alive, not with the length of the log.
 */
import type { Bytes, Lb } from '../core/index.ts';
import { type CompressionKind, compressionId, compressionKindOfId } from './codec/index.ts';
import type { PieceOwner } from './piece-map.ts';
import type { DiffKind } from './record.ts';

export interface IoFacts {
  readonly kind: DiffKind;
  /** Where its data is: in the output (indexed) or in the scratch store (sorted). */
  readonly position: Bytes;
  readonly storedSize: Bytes;
  /** Uncompressed size of the data; 0 when there is none. */
  readonly blocks: Lb;
  readonly compression: CompressionKind;
  readonly checksum: number;
}

const KINDS: readonly DiffKind[] = ['normal', 'zero', 'discard'];
const FIRST_CAPACITY = 1024;
const NO_ROW = 0xffff_ffff;

export class IoTable implements PieceOwner {
  #position = new Float64Array(FIRST_CAPACITY);
  #storedSize = new Uint32Array(FIRST_CAPACITY);
  #blocks = new Uint32Array(FIRST_CAPACITY);
  #checksum = new Uint32Array(FIRST_CAPACITY);
  /** Number of pieces; in a free row, the next free row. */
  #pieces = new Uint32Array(FIRST_CAPACITY);
  /** Index into KINDS times 16 + compression id. */
  #type = new Uint8Array(FIRST_CAPACITY);
  #used = 0;
  #free = NO_ROW;

  /** Rows ever needed at once. */
  get rows(): number {
    return this.#used;
  }

  /** Adds an IO without pieces and returns its reference. */
  add(io: IoFacts): number {
    const row = this.#takeRow();
    this.#position[row] = io.position;
    this.#storedSize[row] = io.storedSize;
    this.#blocks[row] = io.blocks;
    this.#checksum[row] = io.checksum;
    this.#type[row] = KINDS.indexOf(io.kind) * 16 + compressionId(io.compression);
    this.#pieces[row] = 0;
    return row;
  }

  get(row: number): IoFacts {
    const type = this.#type[row]!;
    return {
      kind: KINDS[type >> 4]!,
      position: this.#position[row]!,
      storedSize: this.#storedSize[row]!,
      blocks: this.#blocks[row]!,
      compression: compressionKindOfId(type & 15)!,
      checksum: this.#checksum[row]!,
    };
  }

  changeCount(row: number, change: number): void {
    const pieces = this.#pieces[row]! + change;
    this.#pieces[row] = pieces;
    if (pieces > 0) return;
    this.#pieces[row] = this.#free;
    this.#free = row;
  }

  #takeRow(): number {
    const row = this.#free;
    if (row !== NO_ROW) {
      this.#free = this.#pieces[row]!;
      return row;
    }
    if (this.#used === this.#position.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    const capacity = this.#position.length * 2;
    this.#position = grown(this.#position, new Float64Array(capacity));
    this.#storedSize = grown(this.#storedSize, new Uint32Array(capacity));
    this.#blocks = grown(this.#blocks, new Uint32Array(capacity));
    this.#checksum = grown(this.#checksum, new Uint32Array(capacity));
    this.#pieces = grown(this.#pieces, new Uint32Array(capacity));
    this.#type = grown(this.#type, new Uint8Array(capacity));
  }
}

function grown<T extends Float64Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
