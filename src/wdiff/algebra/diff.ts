/**
 * Diffs |B|-->|E| between snapshots: when one applies, what it results in, and what merging gives.
 *
 * Source: semantics.md A.1-A.3, formats.md 8. Everything here is a function of values; nothing looks
 * at the blocks themselves. Why the rules are right is shown by the block-array model of the tests.
 */
import {
  type Bytes,
  formatTimestamp,
  malformed,
  parseCount,
  parseTimestamp,
  type UnixSeconds,
  WalbError,
} from '../../core/index.ts';
import {
  checkSnapshot,
  equalSnapshots,
  formatSnapshot,
  isClean,
  maxGid,
  parseSnapshot,
  type Snapshot,
} from './snapshot.ts';

export interface Diff {
  readonly B: Snapshot;
  readonly E: Snapshot;
  /** The snapshot at the START of the diff may disappear: it may be merged onto its predecessor. */
  readonly isMergeable: boolean;
  /** Made by comparing two images (hash replication); merges with nothing. */
  readonly isCompared: boolean;
  /** Of the resulting snapshot. */
  readonly timestamp: UnixSeconds;
  /** Size of the wdiff file. */
  readonly dataSize: Bytes;
}

export type Relation = 'applicable' | 'too-new' | 'too-old' | 'not-applicable';

export interface DiffFields {
  readonly isMergeable?: boolean;
  readonly isCompared?: boolean;
  readonly timestamp?: UnixSeconds;
  readonly dataSize?: Bytes;
}

/** Builds a valid diff; flags default to false, numbers to 0. Throws `invalid-argument`. */
export function diffOf(B: Snapshot, E: Snapshot, fields: DiffFields = {}): Diff {
  const made: Diff = {
    B,
    E,
    isMergeable: fields.isMergeable ?? false,
    isCompared: fields.isCompared ?? false,
    timestamp: fields.timestamp ?? 0,
    dataSize: fields.dataSize ?? 0,
  };
  checkDiff(made);
  return made;
}

/** Throws `invalid-argument` unless both snapshots are valid, B.b < E.b and B.e <= E.e. */
export function checkDiff(d: Diff): void {
  checkSnapshot(d.B);
  checkSnapshot(d.E);
  if (d.B.b < d.E.b && d.B.e <= d.E.e) return;
  const message = `bad diff ${formatSpan(d)}: it must lead forward (B.b < E.b and B.e <= E.e)`;
  throw new WalbError('invalid-argument', message, { details: { diff: formatSpan(d) } });
}

export function isCleanDiff(d: Diff): boolean {
  return isClean(d.B) && isClean(d.E);
}

/** Two diffs are the same when both snapshots are, whatever their flags say (semantics.md A.1). */
export function equalDiffs(d: Diff, f: Diff): boolean {
  return equalSnapshots(d.B, f.B) && equalSnapshots(d.E, f.E);
}

/**
 * How the diff stands to a snapshot. Only the begin gids count: a dirty snapshot need not be matched
 * as a whole, and a diff that began earlier still applies when it leads further.
 */
export function relation(s: Snapshot, d: Diff): Relation {
  if (d.isCompared) return d.B.b === s.b ? 'applicable' : 'not-applicable';
  if (d.B.b > s.b) return 'too-new';
  return d.E.b <= s.b ? 'too-old' : 'applicable';
}

export function canApply(s: Snapshot, d: Diff): boolean {
  return relation(s, d) === 'applicable';
}

/** The snapshot after applying. Throws `conflict` when the diff is not applicable. */
export function apply(s: Snapshot, d: Diff): Snapshot {
  const how = relation(s, d);
  if (how !== 'applicable') throw notApplicable(formatSnapshot(s), d, how);
  return endOfDiff(s.e, d);
}

/** Applies from left to right. Throws `conflict` at the first inapplicable diff. */
export function applyAll(s: Snapshot, diffs: readonly Diff[]): Snapshot {
  return diffs.reduce(apply, s);
}

/** Whether `next` may be merged onto `prior`. `prior` itself need not be mergeable. */
export function canMerge(prior: Diff, next: Diff): boolean {
  return (
    next.isMergeable &&
    !prior.isCompared &&
    !next.isCompared &&
    prior.B.b <= next.B.b &&
    next.B.b <= prior.E.b &&
    prior.E.b < next.E.b
  );
}

/**
 * The diff that does what `prior` and then `next` do; on the blocks, `next` wins. Sizes are added
 * (an upper bound). Throws `conflict` when they must not be merged.
 */
export function merge(prior: Diff, next: Diff): Diff {
  if (!canMerge(prior, next)) {
    const message = `diff ${formatSpan(next)} can not be merged onto ${formatSpan(prior)}`;
    throw new WalbError('conflict', message, {
      details: { prior: formatSpan(prior), next: formatSpan(next), isMergeable: next.isMergeable },
    });
  }
  return {
    B: prior.B,
    E: endOfDiff(prior.E.e, next),
    isMergeable: prior.isMergeable,
    isCompared: false,
    timestamp: next.timestamp,
    dataSize: prior.dataSize + next.dataSize,
  };
}

/** Merges a whole list, which must not be empty. */
export function mergeAll(diffs: readonly Diff[]): Diff {
  const [first, ...rest] = diffs;
  if (first === undefined) throw new WalbError('invalid-argument', 'no diffs to merge');
  return rest.reduce(merge, first);
}

/** `inner` is of no use once `outer` exists. */
export function contains(outer: Diff, inner: Diff): boolean {
  return outer.B.b <= inner.B.b && inner.E.b <= outer.E.b;
}

/** A clean diff carries every write up to its end, so what was dirty before its end is not any more. */
function endOfDiff(dirtyUntil: bigint, d: Diff): Snapshot {
  return isCleanDiff(d) ? { b: d.E.b, e: maxGid(d.E.b, dirtyUntil) } : d.E;
}

/** Error of a diff that does not fit a snapshot or state (given as text). */
export function notApplicable(to: string, d: Diff, how: Relation): WalbError {
  const message = `diff ${formatSpan(d)} can not be applied to ${to}: ${how}`;
  return new WalbError('conflict', message, {
    details: { diff: formatSpan(d), to, relation: how },
  });
}

/** `|B|-->|E|`: the two snapshots only. */
export function formatSpan(d: Pick<Diff, 'B' | 'E'>): string {
  return `${formatSnapshot(d.B)}-->${formatSnapshot(d.E)}`;
}

/** `|B|-->|E| MC YYYY-MM-DDThh:mm:ss SIZE` (cli.md 1.5). */
export function formatDiff(d: Diff): string {
  const flags = (d.isMergeable ? 'M' : '-') + (d.isCompared ? 'C' : '-');
  return `${formatSpan(d)} ${flags} ${formatTimestamp(d.timestamp)} ${d.dataSize}`;
}

const DIFF = /^(\|[0-9,]+\|)-->(\|[0-9,]+\|) ([M-])([C-]) (\S+) ([0-9]+)$/;

/** Reverse of `formatDiff`. Throws `invalid-argument`. */
export function parseDiff(text: string): Diff {
  const match = DIFF.exec(text);
  if (match === null) throw malformed('diff', text, '|B|-->|E| MC YYYY-MM-DDThh:mm:ss SIZE');
  const [, B = '', E = '', m, c, time = '', size = ''] = match;
  return diffOf(parseSnapshot(B), parseSnapshot(E), {
    isMergeable: m === 'M',
    isCompared: c === 'C',
    timestamp: parseTimestamp(time),
    dataSize: parseCount(size, 'diff size'),
  });
}
