/** `Snapshot`: a moment of a volume (controller-api.md 2.1). */
import { U64_MAX } from '../../core/index.ts';
import { formatSnapshot, parseSnapshot, snapshot } from '../../wdiff/algebra/index.ts';
import { type GidLike, toGid } from '../verify.ts';

/**
 * |gidB,gidE|. Clean, an exact moment, when both are equal; otherwise each block is as it was at some
 * time between the two.
 *
 *     Snapshot(5, 5).isDirty()   # False
 */
export class Snapshot {
  gidB: bigint;
  gidE: bigint;

  constructor(gidB: GidLike = 0n, gidE: GidLike = U64_MAX) {
    const { b, e } = snapshot(toGid(gidB, 'gidB'), toGid(gidE, 'gidE'));
    this.gidB = b;
    this.gidE = e;
  }

  static of({ b, e }: { readonly b: bigint; readonly e: bigint }): Snapshot {
    return new Snapshot(b, e);
  }

  /** Takes the gids from `|g|` or `|b,e|`. */
  parse(s: string): void {
    const { b, e } = parseSnapshot(s);
    this.gidB = b;
    this.gidE = e;
  }

  isDirty(): boolean {
    return this.gidB !== this.gidE;
  }

  equals(other: unknown): boolean {
    return other instanceof Snapshot && this.gidB === other.gidB && this.gidE === other.gidE;
  }

  /** `|g|` or `|b,e|`. */
  toString(): string {
    return formatSnapshot({ b: this.gidB, e: this.gidE });
  }
}

export function create_snapshot_from_str(s: string): Snapshot {
  return Snapshot.of(parseSnapshot(s));
}
