/**
 * Carries a retention plan out at an archive, in the order in which each step by itself removes only
 * what is dropped: make explicit, apply, make implicit, merge.
 */
import { hasCode, type UnixSeconds, WalbError } from '../../core/index.ts';
import type { ApplyMergeMethods } from '../controller/apply-merge.ts';
import type { ServerParam } from '../servers.ts';
import type { RetentionFacts } from './candidates.ts';
import { gatherRetentionFacts } from './gather.ts';
import { isSettled, planRetention, type RetentionPlan } from './plan.ts';
import type { RetentionPolicy } from './policy.ts';

/** Rounds in a row after which there are no fewer snapshots than before: what was tried had no effect. */
const MAX_IDLE_ROUNDS = 3;

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
 * Plans and acts until nothing is left to do: an unfinished apply first, then the policy, then what was
 * too much for one merge. `onPlan` gets the first plan, and the one after the unfinished apply. Throws
 * what a step fails with; what was done until then is harmless (plan.ts).
 */
export async function carryRetentionOut(
  target: RetentionTarget,
  onPlan: (plan: RetentionPlan) => void,
): Promise<void> {
  let before: RetentionPlan | undefined;
  for (let idle = 0; idle < MAX_IDLE_ROUNDS; ) {
    const plan = await previewRetention(target);
    if (before === undefined || before.hold !== undefined) onPlan(plan);
    if (isSettled(plan)) return;
    const isFewer = before === undefined || plan.snapshots.length < before.snapshots.length;
    idle = isFewer ? 0 : idle + 1;
    before = plan;
    await carryOut(target, plan);
  }
  throw new WalbError(
    'conflict',
    `pruning volume ${target.volume} at ${target.archive.name}: ${MAX_IDLE_ROUNDS} rounds in a row had no effect, and there is still something to do; walb prune shows what`,
  );
}

async function carryOut(
  { controller, archive, volume }: RetentionTarget,
  { pin, apply, disable, merge }: RetentionPlan,
): Promise<void> {
  if (pin.length > 0) await controller.enable_snapshot(archive, volume, pin);
  if (apply !== undefined) await controller.apply(archive, volume, apply);
  if (disable.length > 0) await controller.disable_snapshot(archive, volume, disable);
  for (const { gidB, gidE } of merge) {
    try {
      await controller.merge(archive, volume, gidB, gidE);
    } catch (error) {
      // Not as far as planned, because the archive opens fewer diffs at once (-maxopen), or they have
      // changed meanwhile. The next round plans from what is there.
      if (!hasCode(error, 'conflict')) throw error;
    }
  }
}
