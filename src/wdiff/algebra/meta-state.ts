/**
 * State of a base image: the snapshot it is at, or the step it is being moved through.
 *
 * Source: semantics.md A.1, A.2, A.7; controller-api.md 2.3. While diffs are written into the base
 * image its state file says <|B|-->|E|>: the image is neither; after a crash at least the diffs up to
 * E must be written again, which is harmless to repeat.
 */
import {
  formatTimestampDigits,
  malformed,
  parseTimestampDigits,
  type UnixSeconds,
  WalbError,
} from '../../core/index.ts';
import { applyAll, canApply, type Diff, notApplicable, relation } from './diff.ts';
import {
  checkSnapshot,
  equalSnapshots,
  formatSnapshot,
  parseSnapshot,
  type Snapshot,
} from './snapshot.ts';

export interface MetaState {
  /** What the image is, or was before the step that is under way. */
  readonly base: Snapshot;
  /** What the image becomes; absent when nothing is being applied. */
  readonly applyingTo?: Snapshot;
  /** Of the snapshot that it is or becomes. */
  readonly timestamp: UnixSeconds;
}

/** Builds a valid state. Throws `invalid-argument`. */
export function metaState(
  base: Snapshot,
  timestamp: UnixSeconds,
  applyingTo?: Snapshot,
): MetaState {
  const made = applyingTo === undefined ? { base, timestamp } : { base, applyingTo, timestamp };
  checkMetaState(made);
  return made;
}

/** Throws `invalid-argument` unless the snapshots are valid and base.b < applyingTo.b. */
export function checkMetaState(state: MetaState): void {
  checkSnapshot(state.base);
  if (state.applyingTo === undefined) return;
  checkSnapshot(state.applyingTo);
  if (state.base.b < state.applyingTo.b) return;
  const text = formatSpanOf(state);
  throw new WalbError('invalid-argument', `bad meta state ${text}: it must lead forward`, {
    details: { state: text },
  });
}

export function isApplying(state: MetaState): boolean {
  return state.applyingTo !== undefined;
}

/** Same snapshots; the timestamp does not count (semantics.md A.1). */
export function equalMetaStates(s: MetaState, t: MetaState): boolean {
  if (!equalSnapshots(s.base, t.base)) return false;
  if (s.applyingTo === undefined || t.applyingTo === undefined) {
    return s.applyingTo === t.applyingTo;
  }
  return equalSnapshots(s.applyingTo, t.applyingTo);
}

/** An applying state takes only a diff that leads at least to where the interrupted step led. */
export function canApplyToState(state: MetaState, d: Diff): boolean {
  const target = state.applyingTo;
  return canApply(state.base, d) && (target === undefined || target.b <= d.E.b);
}

/** Like `canApplyToState` for a list: each fits the one before, and the end reaches the target. */
export function canApplyAllToState(state: MetaState, diffs: readonly Diff[]): boolean {
  let at = state.base;
  for (const d of diffs) {
    if (!canApply(at, d)) return false;
    at = applyAll(at, [d]);
  }
  return state.applyingTo === undefined || at.b >= state.applyingTo.b;
}

/** The state to record before `diffs` are written into the image; `state` itself for no diffs. */
export function beginApplying(state: MetaState, diffs: readonly Diff[]): MetaState {
  const last = diffs.at(-1);
  if (last === undefined) return state;
  return metaState(state.base, last.timestamp, resultOf(state, diffs));
}

/** The state once all of `diffs` are in the image; `state` itself for no diffs. */
export function endApplying(state: MetaState, diffs: readonly Diff[]): MetaState {
  const last = diffs.at(-1);
  if (last === undefined) return state;
  return metaState(resultOf(state, diffs), last.timestamp);
}

function resultOf(state: MetaState, diffs: readonly Diff[]): Snapshot {
  const result = applyAll(state.base, diffs);
  const last = diffs.at(-1);
  if (last !== undefined && state.applyingTo !== undefined && result.b < state.applyingTo.b) {
    throw notApplicable(
      `${formatSpanOf(state)} (not far enough)`,
      last,
      relation(state.base, last),
    );
  }
  return result;
}

/** `<|b|>` or `<|b|-->|e|>`, without the timestamp. */
export function formatSpanOf({ base, applyingTo }: MetaState): string {
  const arrow = applyingTo === undefined ? '' : `-->${formatSnapshot(applyingTo)}`;
  return `<${formatSnapshot(base)}${arrow}>`;
}

/** `<|..|>-YYYYMMDDhhmmss` or `<|..|-->|..|>-YYYYMMDDhhmmss` (cli.md 1.5, UTC). */
export function formatMetaState(state: MetaState): string {
  return `${formatSpanOf(state)}-${formatTimestampDigits(state.timestamp)}`;
}

const META_STATE = /^<(\|[0-9,]+\|)(?:-->(\|[0-9,]+\|))?>(?:-([0-9]{14}))?$/;

/** Reverse of `formatMetaState`; a missing timestamp becomes `now`. Throws `invalid-argument`. */
export function parseMetaState(text: string, now: UnixSeconds): MetaState {
  const match = META_STATE.exec(text);
  if (match === null) {
    throw malformed('meta state', text, '<|..|>-YYYYMMDDhhmmss or <|..|-->|..|>-YYYYMMDDhhmmss');
  }
  const [, base = '', target, digits] = match;
  return metaState(
    parseSnapshot(base),
    digits === undefined ? now : parseTimestampDigits(digits),
    target === undefined ? undefined : parseSnapshot(target),
  );
}
