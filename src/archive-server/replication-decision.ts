/**
 * What a replication does next: pure functions over what both archives have.
 *
 * The server (destination) chooses the kind by its own state. Then, round by round, it tells its latest
 * snapshot, and the client decides: one more diff, a comparison of images, or enough.
 *
 * gids alone do not name a snapshot. A hash backup begins a new log history at the gid after the
 * latest one of the primary archive; another archive that was ahead of it has snapshots of the same gids
 * but of the old history. A diff that fits by its gids would then be written onto an image it was not
 * made for. So a diff is sent only where the server's snapshot is known to lie on the client's line:
 *
 *   same      the diff is of the history the server's snapshot is of (then it carries every write of
 *             that history up to its end), or the client has the very same snapshot on its chain
 *   unknown   nothing says so and nothing contradicts: the images are compared instead
 *   diverged  the client's line at this gid is of another history: only a resync helps
 *
 * Source: semantics.md D.9, A.2-A.5; docs/differences.md.
 */
import { type Bytes, type Gid, WalbError } from '../core/index.ts';
import {
  applicableAndMergeableChain,
  applicableChain,
  apply,
  type Diff,
  type DiffSet,
  diffOf,
  equalSnapshots,
  formatSnapshot,
  formatSpan,
  latestSnapshot,
  limitChain,
  type MetaState,
  mergeAll,
  type Restorable,
  restorableSnapshots,
  type Snapshot,
  snapshot,
  totalSize,
} from '../wdiff/index.ts';

/** Hex uuid of a log history; undefined = not known. */
export type History = string | undefined;

export type KindOfReplication = 'full' | 'resync' | 'hash-or-diff';

export interface ServerSituation {
  readonly state: 'SyncReady' | 'Archived';
  readonly hasImage: boolean;
  /** Both archives keep the same data (archive_uuid). */
  readonly isSameArchive: boolean;
  readonly doResync: boolean;
}

/** The table of D.9. Throws `conflict` where only a resync is possible and none was asked for. */
export function chooseKind(server: ServerSituation): KindOfReplication {
  if (server.state === 'SyncReady') return server.doResync && server.hasImage ? 'resync' : 'full';
  if (server.doResync) return 'resync';
  if (server.isSameArchive) return 'hash-or-diff';
  throw new WalbError(
    'conflict',
    'resync is required but not allowed: the archive uuids differ, the destination holds data of another full backup; repeat with doResync to replace them',
    { details: { reason: 'archive-uuid' } },
  );
}

/** What the client has. */
export interface OwnData {
  readonly base: MetaState;
  readonly diffs: DiffSet;
  /** The volume's present one. */
  readonly history: History;
  /** Of the end of a diff. */
  readonly historyOf: (diff: Diff) => History;
}

/** Where the server is. */
export interface ServerPoint {
  readonly latest: Snapshot;
  readonly history: History;
}

export type Until =
  | { readonly kind: 'gid'; readonly gid: Gid }
  | { readonly kind: 'size'; readonly bytes: Bytes };

export interface RoundLimits {
  readonly until: Until;
  readonly dontMerge: boolean;
  readonly maxMerge: Bytes;
  /** `-wn`. */
  readonly maxFiles: number;
}

export type Round =
  | { readonly kind: 'finish' }
  | { readonly kind: 'hash'; readonly diff: Diff; readonly history: History }
  | {
      readonly kind: 'diff';
      /** Oldest first; more than one are merged. */
      readonly parts: readonly Diff[];
      readonly diff: Diff;
      readonly history: History;
    };

type Relationship = 'same' | 'unknown' | 'diverged';

/**
 * One round. Throws `conflict` when the histories have diverged or no valid diff can be made,
 * `not-found` when diffs of the client's own chain are missing.
 */
export function decideRound(own: OwnData, server: ServerPoint, limits: RoundLimits): Round {
  const end = latestSnapshot(own.diffs, own.base);
  if (server.latest.b >= end.b) return finishAt(own, server, end);
  if (server.latest.b < own.base.base.b) return compareFrom(own, server);
  const chain = applicableChain(own.diffs, server.latest);
  const first = chain[0];
  if (first === undefined) throw brokenChain(server, end);
  const how = relationship(own, server, first);
  if (how === 'diverged') throw diverged(own, server, own.historyOf(first));
  if (isReached(limits.until, server.latest, chain)) return { kind: 'finish' };
  return how === 'unknown' ? compareFrom(own, server) : sendFrom(own, server, first, limits);
}

/** Whether `next`, the first diff the client would send, was made for the server's image. */
function relationship(own: OwnData, server: ServerPoint, next: Diff): Relationship {
  const of = own.historyOf(next);
  const { history } = server;
  // A log diff has every write of its history up to its end, wherever in it the server is. A compared
  // diff has only what differs from one image.
  if (history !== undefined && !next.isCompared && (of ?? own.history) === history) return 'same';
  const point = pointsOf(own).find(({ at }) => equalSnapshots(at, server.latest));
  if (history !== undefined && point?.history !== undefined) {
    return point.history === history ? 'same' : 'diverged';
  }
  if (history === undefined || point !== undefined || of === undefined) return 'unknown';
  return of === history ? 'unknown' : 'diverged';
}

interface Point {
  readonly at: Snapshot;
  readonly history: History;
}

/** The snapshots of the client's chain. What the base is of is told by nothing on disk. */
function pointsOf(own: OwnData): Point[] {
  const chain = applicableChain(own.diffs, own.base.base);
  const points: Point[] = [
    { at: own.base.base, history: chain.length === 0 ? own.history : undefined },
  ];
  let at = own.base.base;
  for (const d of chain) {
    at = apply(at, d);
    points.push({ at, history: own.historyOf(d) });
  }
  return points;
}

/** History of the client's latest snapshot. */
function historyOfLatest(own: OwnData): History {
  return pointsOf(own).at(-1)?.history ?? own.history;
}

/**
 * What to call the history of a base image that is copied as it is: that of the diff that follows,
 * since it is sent next. A compared diff tells nothing of where it starts.
 */
export function historyOfBase(own: OwnData, at: Snapshot): History {
  const next = applicableChain(own.diffs, at)[0];
  if (next === undefined) return own.history;
  return next.isCompared ? undefined : (own.historyOf(next) ?? own.history);
}

function finishAt(own: OwnData, server: ServerPoint, end: Snapshot): Round {
  const mine = historyOfLatest(own);
  if (mine === undefined || server.history === undefined || mine === server.history) {
    return { kind: 'finish' };
  }
  if (server.latest.b === end.b) throw diverged(own, server, mine);
  throw new WalbError(
    'conflict',
    `the destination is ahead (${formatSnapshot(server.latest)}, here the latest is ${formatSnapshot(end)}) and of another log history: either a hash backup went to it, then it is this archive that is behind; or one went to this archive, then replicate with doResync`,
    {
      details: {
        reason: 'diverged',
        server: formatSnapshot(server.latest),
        serverHistory: server.history,
        ownHistory: mine,
      },
    },
  );
}

function isReached(until: Until, latest: Snapshot, chain: readonly Diff[]): boolean {
  if (until.kind === 'gid') return until.gid <= latest.b;
  return until.bytes > 0 && totalSize(chain) <= until.bytes;
}

function sendFrom(
  own: OwnData,
  { latest }: ServerPoint,
  first: Diff,
  { dontMerge, maxMerge, maxFiles }: RoundLimits,
): Round {
  const history = own.historyOf(first);
  if (dontMerge) {
    return { kind: 'diff', parts: [first], diff: first, history: history ?? own.history };
  }
  const mergeable = applicableAndMergeableChain(own.diffs, latest);
  // Not across histories, so that every diff is of one.
  const cut = mergeable.findIndex((d) => own.historyOf(d) !== history);
  const parts = limitChain(cut < 0 ? mergeable : mergeable.slice(0, cut), {
    maxSize: maxMerge,
    maxCount: maxFiles,
  });
  return { kind: 'diff', parts, diff: mergeAll(parts), history: history ?? own.history };
}

/**
 * A comparison with the oldest clean snapshot that a valid diff can lead to: beyond the server's begin,
 * and not before its end, since a diff must not leave the image dirtier than its own end says.
 */
function compareFrom(own: OwnData, server: ServerPoint): Round {
  const { latest } = server;
  const clean = restorableSnapshots(own.diffs, own.base, { all: true });
  const target = clean.find(({ gid }) => gid > latest.b && gid >= latest.e);
  if (target === undefined) throw nothingToCompare(server, clean);
  const diff = diffOf(latest, snapshot(target.gid), {
    isMergeable: true,
    isCompared: true,
    timestamp: target.timestamp,
  });
  return { kind: 'hash', diff, history: historyAt(own, diff.E) };
}

function historyAt(own: OwnData, at: Snapshot): History {
  const point = pointsOf(own).find((p) => p.at.b === at.b);
  return point?.history ?? historyOfBase(own, at) ?? own.history;
}

function nothingToCompare({ latest }: ServerPoint, clean: readonly Restorable[]): WalbError {
  const newest = clean.at(-1)?.gid;
  const have = newest === undefined ? 'has no clean snapshot' : `has none after gid ${newest}`;
  return new WalbError(
    'conflict',
    `the destination is at ${formatSnapshot(latest)} and needs a clean snapshot from gid ${latest.e} on, but this archive ${have}: wait until the next snapshot has arrived here and repeat, or replicate with doResync`,
    { details: { server: formatSnapshot(latest), newest, reason: 'no-clean-snapshot' } },
  );
}

function diverged(own: OwnData, { latest, history }: ServerPoint, mine: History): WalbError {
  return new WalbError(
    'conflict',
    `the histories have diverged: the destination's snapshot ${formatSnapshot(latest)} is of log history ${history}, here that gid is of ${mine ?? own.history}; the destination was ahead when a hash backup began anew. Replicate with doResync to replace its data`,
    {
      details: {
        reason: 'diverged',
        server: formatSnapshot(latest),
        serverHistory: history,
        ownHistory: mine ?? own.history,
      },
    },
  );
}

function brokenChain({ latest }: ServerPoint, end: Snapshot): WalbError {
  return new WalbError(
    'not-found',
    `no diff here leads on from ${formatSnapshot(latest)} to ${formatSnapshot(end)}: it was merged or applied just now; repeat the replication`,
    { details: { server: formatSnapshot(latest), latest: formatSnapshot(end) } },
  );
}

/** For logs. */
export function describeRound(round: Round): string {
  return round.kind === 'finish' ? 'finish' : `${round.kind} ${formatSpan(round.diff)}`;
}
