/**
 * Carries a retention plan out at an archive, in the order in which each step by itself removes only
 * what is dropped: make explicit, apply, make implicit, merge.
 */
import { type UnixSeconds, WalbError } from '../../core/index.ts';
import type { ApplyMergeMethods } from '../controller/apply-merge.ts';
import type { ServerParam } from '../servers.ts';
import type { RetentionFacts } from './candidates.ts';
import { gatherRetentionFacts } from './gather.ts';
import { isSettled, planRetention, type RetentionPlan } from './plan.ts';
import type { RetentionPolicy } from './policy.ts';

/** An unfinished apply, the policy, what was too much for one merge, and again for what came meanwhile. */
const MAX_ROUNDS = 5;

export interface RetentionTarget {
  readonly controller: ApplyMergeMethods;
  readonly archive: ServerParam;
  readonly volume: string;
  readonly policy: RetentionPolicy;
  /** Bytes of what is merged at once; no limit when absent. */
  readonly maxMergeSize?: number | undefined;
  /** Unix time. */
  readonly now: () => UnixSeconds;
}

export async function previewRetention(target: RetentionTarget): Promise<RetentionPlan> {
  const { controller, archive, volume, policy, maxMergeSize, now } = target;
  const facts: RetentionFacts = {
    ...(await gatherRetentionFacts(controller, archive, volume)),
    ...(maxMergeSize === undefined ? {} : { maxMergeSize }),
  };
  return planRetention(facts, policy, now());
}

/**
 * Plans and acts until nothing is left to do. `onPlan` gets each plan before it is carried out. Throws
 * what a step fails with; what was done until then is harmless (plan.ts).
 */
export async function carryRetentionOut(
  target: RetentionTarget,
  onPlan: (plan: RetentionPlan) => void,
): Promise<void> {
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    const plan = await previewRetention(target);
    if (round === 0 || !isSettled(plan)) onPlan(plan);
    if (isSettled(plan)) return;
    await carryOut(target, plan);
  }
  if (isSettled(await previewRetention(target))) return;
  throw new WalbError(
    'conflict',
    `volume ${target.volume} at ${target.archive.name} changes faster than it is pruned: after ${MAX_ROUNDS} rounds there is still something to do; run it again`,
  );
}

async function carryOut(
  { controller, archive, volume }: RetentionTarget,
  { pin, apply, disable, merge }: RetentionPlan,
): Promise<void> {
  if (pin.length > 0) await controller.enable_snapshot(archive, volume, pin);
  if (apply !== undefined) await controller.apply(archive, volume, apply);
  if (disable.length > 0) await controller.disable_snapshot(archive, volume, disable);
  for (const { gidB, gidE } of merge) await controller.merge(archive, volume, gidB, gidE);
}
