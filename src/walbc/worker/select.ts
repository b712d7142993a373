/**
 * What the maintenance worker does next, decided from facts about one archive. Pure: whoever gathers
 * the facts and runs the task is elsewhere, so `--dry-run` prints exactly what would be done, and why.
 *
 * Source: worker.md 4. The first step that finds something wins.
 */
import type { Gid, UnixSeconds } from '../../core/index.ts';
import type { Diff } from '../../wdiff/algebra/index.ts';
import type { WorkerConfig } from './config.ts';
import { bestMergeRange } from './merge-range.ts';
import type { DestinationFacts, Facts, RestorableFact, VolumeFacts, WorkerTask } from './model.ts';
import { isRecent, retain, retentionOf } from './retain.ts';

type Step = (facts: Facts, config: WorkerConfig) => WorkerTask | undefined;

export const STEPS: readonly { readonly name: string; readonly select: Step }[] = [
  { name: 'finish interrupted apply', select: finishApply },
  { name: 'apply old snapshots', select: applyOld },
  { name: 'urgent merge', select: urgentMerge },
  { name: 'replicate', select: replicate },
  { name: 'periodic merge', select: periodicMerge },
];

/** A task with the step that chose it, as `2 apply old snapshots`. */
export type SelectedTask = WorkerTask & { readonly step: string };

/** The next task; undefined when there is nothing to do. `only` limits the choice to one step (1-5). */
export function selectTask(
  facts: Facts,
  config: WorkerConfig,
  only?: number,
): SelectedTask | undefined {
  for (const [index, { name, select }] of STEPS.entries()) {
    if (only !== undefined && only !== index + 1) continue;
    const task = select(facts, config);
    if (task !== undefined) return { ...task, step: `${index + 1} ${name}` };
  }
  return undefined;
}

function finishApply({ volumes }: Facts): WorkerTask | undefined {
  for (const { volume, base } of volumes) {
    const gid = base.applyingTo?.b;
    if (gid === undefined) continue;
    return { kind: 'apply', volume, gid, why: `an apply to gid ${gid} was interrupted` };
  }
  return undefined;
}

/** By the policy, or else the volume whose old snapshots take the most space. */
function applyOld(facts: Facts, config: WorkerConfig): WorkerTask | undefined {
  const { keepPeriod, interval } = config.apply;
  if (keepPeriod === undefined) return retain(facts, config);
  const { volumes, now } = facts;
  let best: { volume: string; gid: Gid; size: number } | undefined;
  for (const volume of volumes) {
    if (isRecent(volume.lastApply, interval, now)) continue;
    const gid = lastOld(volume.restorable, now - keepPeriod);
    if (gid === undefined) continue;
    const size = volume.diffs
      .filter((diff) => diff.B.b < gid)
      .reduce((sum, { dataSize }) => sum + dataSize, 0);
    if (best === undefined || size > best.size) best = { volume: volume.volume, gid, size };
  }
  if (best === undefined) return undefined;
  const { volume, gid, size } = best;
  const why = `snapshots up to gid ${gid} are older than the keep period and take ${size} bytes`;
  return { kind: 'apply', volume, gid, why };
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

function urgentMerge(facts: Facts, config: WorkerConfig): WorkerTask | undefined {
  const crowded = facts.volumes.filter(({ numDiff }) => numDiff >= config.merge.thresholdNr);
  const why = `has the most diffs, and at least merge.threshold_nr ${config.merge.thresholdNr}`;
  return mergeLargest(crowded, facts, config, why);
}

function periodicMerge(facts: Facts, config: WorkerConfig): WorkerTask | undefined {
  const { interval } = config.merge;
  const due = facts.volumes.filter(({ lastMerge }) => !isRecent(lastMerge, interval, facts.now));
  return mergeLargest(due, facts, config, 'has the most diffs among those due for a merge');
}

/**
 * The volume with the most diffs, of those that have something to merge. (One that consists of explicit
 * snapshots would otherwise keep all others from being merged for ever.)
 */
function mergeLargest(
  volumes: readonly VolumeFacts[],
  { now }: Facts,
  config: WorkerConfig,
  why: string,
): WorkerTask | undefined {
  for (const facts of [...volumes].sort((a, b) => b.numDiff - a.numDiff)) {
    const { volume, diffs } = facts;
    const protect = retentionOf(facts, config, now)?.protect ?? [];
    const range = bestMergeRange(diffs, config.merge, [...facts.keepGids, ...protect]);
    if (range === undefined) continue;
    const { gidB, gidE } = range;
    return { kind: 'merge', volume, gidB, gidE, why: `volume ${volume} ${why}` };
  }
  return undefined;
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
