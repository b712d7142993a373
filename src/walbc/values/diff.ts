/** `Diff`: what leads from one snapshot to a later one (controller-api.md 2.2). */
import { checkTimestamp, UNSET_TIMESTAMP, WalbError } from '../../core/index.ts';
import {
  checkDiff,
  type Diff as DiffValue,
  formatDiff,
  parseDiff,
} from '../../wdiff/algebra/index.ts';
import { formatDiffName } from '../../wdiff/name.ts';
import { nowDate, secondsOf } from './datetime.ts';
import { Snapshot } from './snapshot.ts';

/**
 * |B|-->|E|. `isMergeable`: the snapshot at its start may vanish, so it may be merged onto the diff
 * before it. `isCompDiff`: made by comparing two images. `ts`: when the snapshot E was taken (UTC).
 * `dataSize`: of its file, in bytes.
 */
export class Diff {
  B: Snapshot;
  E: Snapshot;
  isMergeable = false;
  isCompDiff = false;
  ts: Date;
  dataSize = 0;

  constructor(B: Snapshot | null = null, E: Snapshot | null = null) {
    this.B = B ?? new Snapshot();
    this.E = E ?? new Snapshot();
    this.ts = nowDate();
  }

  static of(value: DiffValue): Diff {
    const diff = new Diff();
    take(diff, value);
    return diff;
  }

  /** As the algebra takes it. */
  toValue(): DiffValue {
    return {
      B: { b: this.B.gidB, e: this.B.gidE },
      E: { b: this.E.gidB, e: this.E.gidE },
      isMergeable: this.isMergeable,
      isCompared: this.isCompDiff,
      timestamp: checkTimestamp(secondsOf(this.ts)),
      dataSize: this.dataSize,
    };
  }

  /** Throws unless it leads forward: B.gidB < E.gidB and B.gidE <= E.gidE. */
  verify(): void {
    checkDiff(this.toValue());
  }

  /** Takes everything from `|B|-->|E| MC YYYY-MM-DDThh:mm:ss SIZE`. */
  parse(s: string): void {
    if (s.includes(UNSET_TIMESTAMP)) {
      throw new WalbError('invalid-argument', `bad diff ${JSON.stringify(s)}: it has no time`);
    }
    take(this, parseDiff(s));
  }

  isDirty(): boolean {
    return this.B.isDirty() || this.E.isDirty();
  }

  /** All six fields are the same. */
  equals(other: unknown): boolean {
    return (
      other instanceof Diff &&
      this.B.equals(other.B) &&
      this.E.equals(other.E) &&
      this.isMergeable === other.isMergeable &&
      this.isCompDiff === other.isCompDiff &&
      this.ts.getTime() === other.ts.getTime() &&
      this.dataSize === other.dataSize
    );
  }

  /** `|B|-->|E| MC YYYY-MM-DDThh:mm:ss SIZE`. */
  toString(): string {
    return formatDiff(this.toValue());
  }

  /** The name of its file. */
  genFileName(): string {
    return formatDiffName(this.toValue());
  }
}

function take(diff: Diff, value: DiffValue): void {
  diff.B = Snapshot.of(value.B);
  diff.E = Snapshot.of(value.E);
  diff.isMergeable = value.isMergeable;
  diff.isCompDiff = value.isCompared;
  diff.ts = new Date(value.timestamp * 1000);
  diff.dataSize = value.dataSize;
}

export function create_diff_from_str(s: string): Diff {
  const diff = new Diff();
  diff.parse(s);
  return diff;
}
