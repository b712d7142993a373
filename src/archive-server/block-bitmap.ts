/**
 * A set of logical blocks of an image, in pieces of 1 MiB of address space that exist only where
 * something was added: 256 bytes each.
 */
import { type Bytes, LB_SIZE, type Lb, MIB } from '../core/index.ts';

const PIECE_LB: Lb = MIB / LB_SIZE;
const PIECE_BYTES = PIECE_LB / 8;
const ALL = 0xff;

export class BlockBitmap {
  readonly #pieces = new Map<number, Uint8Array>();

  /** Memory held. */
  get bytes(): Bytes {
    return this.#pieces.size * PIECE_BYTES;
  }

  add(start: Lb, count: Lb): void {
    const end = start + count;
    for (let at = start; at < end; ) {
      const index = Math.floor(at / PIECE_LB);
      const stop = Math.min(end, (index + 1) * PIECE_LB);
      const origin = index * PIECE_LB;
      addBits(this.#piece(index), at - origin, stop - origin);
      at = stop;
    }
  }

  has(block: Lb): boolean {
    const piece = this.#pieces.get(Math.floor(block / PIECE_LB));
    return piece !== undefined && bit(piece, block % PIECE_LB);
  }

  /** Where the blocks from `start` on, all in the set or all not, end; at most `limit`. */
  runEnd(start: Lb, limit: Lb): Lb {
    const wanted = this.has(start);
    let at = start + 1;
    while (at < limit) {
      const index = Math.floor(at / PIECE_LB);
      const piece = this.#pieces.get(index);
      const within = at % PIECE_LB;
      if (piece === undefined) {
        if (wanted) return at;
        at = (index + 1) * PIECE_LB;
      } else if (within % 8 === 0 && piece[within >> 3] === (wanted ? ALL : 0)) {
        at += 8;
      } else {
        if (bit(piece, within) !== wanted) return at;
        at += 1;
      }
    }
    return limit;
  }

  #piece(index: number): Uint8Array {
    let piece = this.#pieces.get(index);
    if (piece === undefined) {
      piece = new Uint8Array(PIECE_BYTES);
      this.#pieces.set(index, piece);
    }
    return piece;
  }
}

function bit(piece: Uint8Array, at: number): boolean {
  return ((piece[at >> 3] as number) & (1 << (at & 7))) !== 0;
}

/** Sets bits `from` to `to` (exclusive), whole bytes at once. */
function addBits(piece: Uint8Array, from: number, to: number): void {
  let at = from;
  while (at < to) {
    if (at % 8 === 0 && to - at >= 8) {
      const whole = (to - at) >> 3;
      piece.fill(ALL, at >> 3, (at >> 3) + whole);
      at += whole * 8;
    } else {
      piece[at >> 3] = (piece[at >> 3] as number) | (1 << (at & 7));
      at += 1;
    }
  }
}
