/**
 * The diffs of one volume, ordered by where they begin. A value: every change gives a new set, so a
 * plan that was made from a set stays true to it while diffs come and go.
 *
 * Source: semantics.md A.4, cli.md 1.5 (`get diff`). What to choose from a set is in chain.ts.
 */
import { type Bytes, type Gid, U64_MAX, WalbError } from '../../core/index.ts';
import { checkDiff, type Diff, equalDiffs, formatSpan } from './diff.ts';

export class DiffSet implements Iterable<Diff> {
  static readonly empty = new DiffSet([]);

  /** Ordered by B.b; those that begin together, in the order they were added. */
  readonly diffs: readonly Diff[];

  private constructor(diffs: readonly Diff[]) {
    this.diffs = diffs;
  }

  /** Throws `already-exists` when two are equal, `invalid-argument` when one is malformed. */
  static of(diffs: Iterable<Diff>): DiffSet {
    const ordered = [...diffs].sort((d, f) => (d.B.b < f.B.b ? -1 : d.B.b > f.B.b ? 1 : 0));
    ordered.forEach((d, index) => {
      checkDiff(d);
      for (let i = index - 1; ordered[i]?.B.b === d.B.b; i -= 1) {
        if (equalDiffs(ordered[i] as Diff, d)) throw duplicate(d);
      }
    });
    return new DiffSet(ordered);
  }

  get size(): number {
    return this.diffs.length;
  }

  [Symbol.iterator](): IterableIterator<Diff> {
    return this.diffs[Symbol.iterator]();
  }

  /** Index of the first diff with B.b >= gid. */
  lowerBound(gid: Gid): number {
    let low = 0;
    let high = this.diffs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.diffs[middle] as Diff).B.b < gid) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The diff between the same two snapshots, with its real flags and size. */
  find(wanted: Pick<Diff, 'B' | 'E'>): Diff | undefined {
    return this.startingAt(wanted.B.b).find((d) => equalDiffs(d, wanted as Diff));
  }

  has(wanted: Pick<Diff, 'B' | 'E'>): boolean {
    return this.find(wanted) !== undefined;
  }

  /** Diffs with B.b == gid. */
  startingAt(gid: Gid): readonly Diff[] {
    const end = gid === U64_MAX ? this.diffs.length : this.lowerBound(gid + 1n);
    return this.diffs.slice(this.lowerBound(gid), end);
  }

  /** Diffs with from <= B.b < to, overlapped ones included (`get diff`). */
  between(from: Gid = 0n, to: Gid = U64_MAX): readonly Diff[] {
    return this.diffs.slice(this.lowerBound(from), this.lowerBound(to));
  }

  /** Throws `already-exists` when an equal diff is there, whatever its flags. */
  add(added: Diff): DiffSet {
    checkDiff(added);
    if (this.has(added)) throw duplicate(added);
    const index = added.B.b === U64_MAX ? this.size : this.lowerBound(added.B.b + 1n);
    return new DiffSet(this.diffs.toSpliced(index, 0, added));
  }

  /** Without these diffs; those that are not there do not matter. */
  remove(removed: Iterable<Pick<Diff, 'B' | 'E'>>): DiffSet {
    const keys = new Set([...removed].map(formatSpan));
    return new DiffSet(this.diffs.filter((d) => !keys.has(formatSpan(d))));
  }

  /** Puts `to` where `from` is, for a change of flags. Throws `not-found` without `from`. */
  replace(from: Pick<Diff, 'B' | 'E'>, to: Diff): DiffSet {
    const present = this.find(from);
    if (present === undefined) {
      throw new WalbError('not-found', `no diff ${formatSpan(from)} to replace`);
    }
    if (!equalDiffs(present, to)) return this.remove([from]).add(to);
    return new DiffSet(this.diffs.map((d) => (d === present ? to : d)));
  }
}

export function totalSize(diffs: Iterable<Diff>): Bytes {
  let sum = 0;
  for (const d of diffs) sum += d.dataSize;
  return sum;
}

function duplicate(d: Diff): WalbError {
  return new WalbError('already-exists', `diff ${formatSpan(d)} is in the set already`, {
    details: { diff: formatSpan(d) },
  });
}
