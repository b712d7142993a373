/**
 * What the maintenance worker does next, decided from facts about one archive. Pure: whoever gathers
 * the facts and runs the task is elsewhere, so `--dry-run` prints exactly what would be done, and why.
 *
 * Source: worker.md 4. The first step that finds something wins.
 */
import type { Gid, UnixSeconds } from '../../core/index.ts';
import type { Diff } from '../../wdiff/algebra/index.ts';
import type { ReplServerConfig, WorkerConfig } from './config.ts';
import { bestMergeRange } from './merge-range.ts';

export interface RestorableFact {
  readonly gid: Gid;
  readonly timestamp: UnixSeconds;
}

/** One volume that may get a task: active at the archive, nothing running on it. */
export interface VolumeFacts {
  readonly volume: string;
  /** Gid an interrupted apply was going to; undefined when the base is not applying. */
  readonly applyingTo: Gid | undefined;
  /** When the action last began; undefined when never since the archive started. */
  readonly lastApply: UnixSeconds | undefined;
  readonly lastMerge: UnixSeconds | undefined;
  /** `restorable all`, ascending. */
  readonly restorable: readonly RestorableFact[];
  /** The applicable chain. */
  readonly diffs: readonly Diff[];
  readonly numDiff: number;
  /** Latest gids of replication destinations: they must not vanish in a merge. */
  readonly keepGids: readonly Gid[];
  readonly latestGid: Gid | undefined;
}

/** What is known of one volume at one replication destination. */
export interface DestinationFacts {
  readonly server: ReplServerConfig;
  readonly volume: string;
  readonly isActive: boolean;
  readonly latestGid: Gid | undefined;
  /** When this worker last started a replication there. */
  readonly lastReplicated: UnixSeconds | undefined;
}

export interface Facts {
  readonly now: UnixSeconds;
  readonly volumes: readonly VolumeFacts[];
  readonly destinations: readonly DestinationFacts[];
}

export type WorkerTask =
  | { readonly kind: 'apply'; readonly volume: string; readonly gid: Gid; readonly why: string }
  | {
      readonly kind: 'merge';
      readonly volume: string;
      readonly gidB: Gid;
      readonly gidE: Gid;
      readonly why: string;
    }
  | {
      readonly kind: 'replicate';
      readonly volume: string;
      readonly server: ReplServerConfig;
      /** Undefined = up to the latest explicit snapshot. */
      readonly gid: Gid | undefined;
      readonly why: string;
    };

type Step = (facts: Facts, config: WorkerConfig) => WorkerTask | undefined;

export const STEPS: readonly { readonly name: string; readonly select: Step }[] = [
  { name: 'finish interrupted apply', select: finishApply },
  { name: 'apply old snapshots', select: applyOld },
  { name: 'urgent merge', select: urgentMerge },
  { name: 'replicate', select: replicate },
  { name: 'periodic merge', select: periodicMerge },
];

/** The next task; undefined when there is nothing to do. `only` limits the choice to one step (1-5). */
export function selectTask(
  facts: Facts,
  config: WorkerConfig,
  only?: number,
): WorkerTask | undefined {
  for (const [index, { select }] of STEPS.entries()) {
    if (only !== undefined && only !== index + 1) continue;
    const task = select(facts, config);
    if (task !== undefined) return task;
  }
  return undefined;
}

function finishApply({ volumes }: Facts): WorkerTask | undefined {
  const found = volumes.find(({ applyingTo }) => applyingTo !== undefined);
  if (found?.applyingTo === undefined) return undefined;
  const why = `an apply to gid ${found.applyingTo} was interrupted`;
  return { kind: 'apply', volume: found.volume, gid: found.applyingTo, why };
}

/** The volume whose old snapshots take the most space. */
function applyOld({ volumes, now }: Facts, { apply }: WorkerConfig): WorkerTask | undefined {
  let best: { volume: string; gid: Gid; size: number } | undefined;
  for (const facts of volumes) {
    if (isRecent(facts.lastApply, apply.interval, now)) continue;
    const gid = lastOld(facts.restorable, now - apply.keepPeriod);
    if (gid === undefined) continue;
    const size = facts.diffs
      .filter((diff) => diff.B.b < gid)
      .reduce((sum, { dataSize }) => sum + dataSize, 0);
    if (best === undefined || size > best.size) best = { volume: facts.volume, gid, size };
  }
  if (best === undefined) return undefined;
  const { volume, gid, size } = best;
  const why = `snapshots up to gid ${gid} are older than the keep period and take ${size} bytes`;
  return { kind: 'apply', volume, gid, why };
}

function isRecent(last: UnixSeconds | undefined, interval: number, now: UnixSeconds): boolean {
  return interval > 0 && last !== undefined && now - last < interval;
}

/** The last of the leading snapshots (the base itself left out) that are old enough. */
function lastOld(restorable: readonly RestorableFact[], limit: UnixSeconds): Gid | undefined {
  let gid: Gid | undefined;
  for (const item of restorable.slice(1)) {
    if (item.timestamp > limit) break;
    gid = item.gid;
  }
  return gid;
}

function urgentMerge({ volumes }: Facts, config: WorkerConfig): WorkerTask | undefined {
  const crowded = volumes.filter(({ numDiff }) => numDiff >= config.merge.thresholdNr);
  const why = `has the most diffs, and at least merge.threshold_nr ${config.merge.thresholdNr}`;
  return mergeLargest(crowded, config, why);
}

function periodicMerge({ volumes, now }: Facts, config: WorkerConfig): WorkerTask | undefined {
  const due = volumes.filter(({ lastMerge }) => !isRecent(lastMerge, config.merge.interval, now));
  return mergeLargest(due, config, 'has the most diffs among those due for a merge');
}

/** Only the volume with the most diffs is looked at. */
function mergeLargest(
  volumes: readonly VolumeFacts[],
  { merge }: WorkerConfig,
  why: string,
): WorkerTask | undefined {
  const [largest] = [...volumes].sort((a, b) => b.numDiff - a.numDiff);
  if (largest === undefined) return undefined;
  const range = bestMergeRange(largest.diffs, merge, largest.keepGids);
  if (range === undefined) return undefined;
  const { gidB, gidE } = range;
  return {
    kind: 'merge',
    volume: largest.volume,
    gidB,
    gidE,
    why: `volume ${largest.volume} ${why}`,
  };
}

/** The (volume, server) that was served least recently. */
function replicate(facts: Facts, config: WorkerConfig): WorkerTask | undefined {
  const candidates = facts.destinations.filter((destination) => isDue(destination, facts, config));
  const [oldest] = candidates.sort((a, b) => (a.lastReplicated ?? -1) - (b.lastReplicated ?? -1));
  if (oldest === undefined) return undefined;
  const { server, volume } = oldest;
  const source = facts.volumes.find((item) => item.volume === volume) as VolumeFacts;
  const gid = targetGid(source.diffs, oldest.latestGid ?? 0n, server.maxSendSize);
  const why = `${server.name} is at gid ${oldest.latestGid}, this archive at ${source.latestGid}`;
  return { kind: 'replicate', volume, server, gid, why };
}

function isDue(destination: DestinationFacts, facts: Facts, config: WorkerConfig): boolean {
  const { server, volume, isActive, latestGid, lastReplicated } = destination;
  const source = facts.volumes.find((item) => item.volume === volume);
  return (
    source !== undefined &&
    server.enabled &&
    isActive &&
    !config.repl.disabledVolumes.includes(volume) &&
    !isRecent(lastReplicated, server.interval, facts.now) &&
    source.latestGid !== latestGid
  );
}

/**
 * Where a replication of roughly `maxSendSize` bytes ends: the diff that passes the limit still goes,
 * and at least one beyond where the destination is. Undefined = no limit.
 */
export function targetGid(
  diffs: readonly Diff[],
  destination: Gid,
  maxSendSize: number,
): Gid | undefined {
  if (maxSendSize === 0 || diffs.length < 2) return undefined;
  const first = diffs.findIndex((_, index) => {
    const next = diffs[index + 1];
    return next !== undefined && next.B.b > destination;
  });
  if (first < 0) return undefined;
  let size = 0;
  for (let index = first; index < diffs.length; index += 1) {
    size += (diffs[index] as Diff).dataSize;
    if (size > maxSendSize && index > first) return (diffs[index] as Diff).E.b;
  }
  return (diffs.at(-1) as Diff).E.b;
}
