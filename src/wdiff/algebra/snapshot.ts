/**
 * Snapshots |b,e| of a volume and their text.
 *
 * Source: semantics.md A.1, controller-api.md 2.1. |b,e| with b < e is dirty: each block holds the
 * value it had at some time between gids b and e. Clean (b == e) is written |g|: an exact moment.
 */
import { type Gid, malformed, parseU64, U64_MAX, WalbError } from '../../core/index.ts';

export interface Snapshot {
  readonly b: Gid;
  readonly e: Gid;
}

const SNAPSHOT = /^\|([0-9]+)(?:,([0-9]+))?\|$/;

/** Builds a snapshot, clean when only one gid is given. Throws `invalid-argument`. */
export function snapshot(b: Gid, e: Gid = b): Snapshot {
  const made = { b, e };
  checkSnapshot(made);
  return made;
}

/** Throws `invalid-argument` unless 0 <= b <= e <= 2^64-1. */
export function checkSnapshot({ b, e }: Snapshot): void {
  if (b >= 0n && b <= e && e <= U64_MAX) return;
  throw new WalbError(
    'invalid-argument',
    `bad snapshot |${b},${e}|: needs 0 <= begin <= end < 2^64`,
    {
      details: { b, e },
    },
  );
}

export function isClean(s: Snapshot): boolean {
  return s.b === s.e;
}

export function isDirty(s: Snapshot): boolean {
  return s.b !== s.e;
}

export function equalSnapshots(s: Snapshot, t: Snapshot): boolean {
  return s.b === t.b && s.e === t.e;
}

/** `|g|` or `|b,e|`. */
export function formatSnapshot(s: Snapshot): string {
  return isClean(s) ? `|${s.b}|` : `|${s.b},${s.e}|`;
}

/** Reverse of `formatSnapshot`. Throws `invalid-argument`. */
export function parseSnapshot(text: string): Snapshot {
  const match = SNAPSHOT.exec(text);
  if (match === null) throw malformed('snapshot', text, '|GID| or |GID,GID|');
  const b = parseU64(match[1] ?? '', 'gid');
  return snapshot(b, match[2] === undefined ? b : parseU64(match[2], 'gid'));
}

export function maxGid(a: Gid, b: Gid): Gid {
  return a > b ? a : b;
}
