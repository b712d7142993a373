/**
 * Step 2 of the worker where `retention` says what is kept: carries the plan of each volume out, one
 * task at a time. Pure.
 *
 * First snapshots are made explicit that have to stay, then base images move up, then snapshots are
 * made implicit; the merges of the other steps take those away. Merges leave what is protected.
 *
 * Source: docs/worker.md; worker.md 4 (step 2, apply.interval).
 */
import type { UnixSeconds } from '../../core/index.ts';
import { planRetention, type RetentionPlan } from '../retention/plan.ts';
import { policyOf } from '../retention/policy.ts';
import type { WorkerConfig } from './config.ts';
import type { Facts, VolumeFacts, WorkerTask } from './model.ts';

/** In one request; the rest comes in the next round. */
const MAX_GIDS = 1000;

/** Undefined without a policy. */
export function retentionOf(
  { volume, base, diffs, keepGids }: VolumeFacts,
  { retention, merge }: WorkerConfig,
  now: UnixSeconds,
): RetentionPlan | undefined {
  if (retention === undefined) return undefined;
  const facts = { base, diffs, replicas: keepGids, maxMergeSize: merge.maxSize };
  return planRetention(facts, policyOf(retention, volume), now);
}

export function retain({ volumes, now }: Facts, config: WorkerConfig): WorkerTask | undefined {
  const planned = volumes.flatMap((facts) => {
    const plan = retentionOf(facts, config, now);
    return plan === undefined ? [] : [{ facts, plan }];
  });
  return pinTask(planned) ?? applyTask(planned, config, now) ?? disableTask(planned);
}

interface Planned {
  readonly facts: VolumeFacts;
  readonly plan: RetentionPlan;
}

function pinTask(planned: readonly Planned[]): WorkerTask | undefined {
  const found = planned.find(({ plan }) => plan.pin.length > 0);
  if (found === undefined) return undefined;
  const why = 'retention keeps them, and a merge could remove them';
  const gids = found.plan.pin.slice(0, MAX_GIDS);
  return { kind: 'enable-snapshot', volume: found.facts.volume, gids, why };
}

/** The volume where it frees the most. */
function applyTask(
  planned: readonly Planned[],
  { apply }: WorkerConfig,
  now: UnixSeconds,
): WorkerTask | undefined {
  const [largest] = planned
    .filter(({ plan }) => plan.apply !== undefined)
    .filter(({ facts }) => !isRecent(facts.lastApply, apply.interval, now))
    .sort((a, b) => b.plan.applyBytes - a.plan.applyBytes);
  if (largest?.plan.apply === undefined) return undefined;
  const { apply: gid, applyBytes } = largest.plan;
  const why = `gid ${gid} is the oldest snapshot that retention keeps; ${applyBytes} bytes of diffs are freed`;
  return { kind: 'apply', volume: largest.facts.volume, gid, why };
}

function disableTask(planned: readonly Planned[]): WorkerTask | undefined {
  const found = planned.find(({ plan }) => plan.disable.length > 0);
  if (found === undefined) return undefined;
  const why = 'retention does not keep them; they may vanish in a merge';
  const gids = found.plan.disable.slice(0, MAX_GIDS);
  return { kind: 'disable-snapshot', volume: found.facts.volume, gids, why };
}

/** Less than `interval` seconds ago; 0 is no minimum. */
export function isRecent(
  last: UnixSeconds | undefined,
  interval: number,
  now: UnixSeconds,
): boolean {
  return interval > 0 && last !== undefined && now - last < interval;
}
