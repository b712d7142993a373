/**
 * Applying diffs to the base image, so that they need not be kept: in passes of at most `-maxopen`
 * diffs, each of which is safe against a crash at any moment.
 *
 *   1. base file := <B-->E>     from here on the image may be anything between B and E
 *   2. diffs into the image, synced
 *   3. base file := <E>
 *   4. diffs that end at or before E removed
 *
 * A crash before 3 leaves <B-->E>: snapshots from E on are still exact, because the diffs of the pass
 * lie over whatever the image holds, and the next apply does the pass again. A crash after 3 leaves
 * diffs that are of no use; start-up and gc-diff remove them.
 *
 * Where there is a cold snapshot on the way, it becomes the base image first (cold.ts).
 *
 * Source: semantics.md A.7, D.7.
 */
import { type Gid, WalbError } from '../core/index.ts';
import { type Accepted, TaskKind } from '../rpc/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { type ApplyPlan, diffsUpTo, formatSpanOf, planApply } from '../wdiff/index.ts';
import { dropCold, promoteCold } from './cold.ts';
import type { ArchiveConfig } from './config.ts';
import { Pacer } from './pacer.ts';
import { APPLY, type ArchiveVolume } from './volume.ts';
import { writeDiffs } from './write-diffs.ts';

/** Checks and starts the apply; it goes on after the reply. `gid` need not be a snapshot. */
export function startApply(config: ArchiveConfig, volume: ArchiveVolume, gid: Gid): Accepted {
  volume.admit('apply');
  volume.readers.requireNoneBefore(targetOf(volume, gid));
  const foreground = volume.core.foreground.acquire(`apply of ${volume.id}`);
  return volume.tasks.start(
    TaskKind.APPLY,
    async (task) => {
      using _foreground = foreground;
      await volume.during('Apply', () => applyUpTo(config, volume, gid, task));
      volume.remember(APPLY);
    },
    { total: volume.sizeLb ?? 0 },
  );
}

/** Where the base image will be at the end. Throws `not-found` when there is nothing to apply. */
function targetOf(volume: ArchiveVolume, gid: Gid): Gid {
  const { diffs, base } = volume.catalogue;
  const whole = planApply(diffs, base, gid);
  if (whole !== undefined) return whole.after.base.b;
  throw new WalbError(
    'not-found',
    `there is nothing to apply to volume ${volume.id} up to gid ${gid}: the base image is at ${formatSpanOf(base)}`,
    { details: { volume: volume.id, gid, base: formatSpanOf(base) } },
  );
}

async function applyUpTo(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  gid: Gid,
  task: TaskHandle,
): Promise<void> {
  const pacer = new Pacer(volume.core.clock, volume.forceSignal, config.applySleepPercent);
  const cold = await promoteCold(volume, gid);
  if (cold !== undefined) {
    await dropApplied(volume, cold);
    task.gid = cold;
  }
  for (;;) {
    const { diffs, base } = volume.catalogue;
    const plan = planApply(diffs, base, gid, config.maxOpenDiffs);
    if (plan === undefined) return;
    await applyPass(config, volume, plan, task, pacer);
    task.gid = plan.after.base.b;
    volume.log.info(
      { gid: plan.after.base.b, diffs: plan.diffs.length },
      'diffs applied to the base image',
    );
  }
}

async function applyPass(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  plan: ApplyPlan,
  task: TaskHandle,
  pacer: Pacer,
): Promise<void> {
  const { catalogue, images } = volume;
  using _change = volume.readers.change(plan.after.base.b);
  using image = new DisposableStack();
  const handle = image.adopt(images.openBase('update'), (open) => open.close());
  await catalogue.setBase(plan.during);
  volume.touch('restorable');
  await writeDiffs(config, volume, handle, plan.diffs, { task, pacer });
  await handle.sync();
  await catalogue.setBase(plan.after);
  await dropApplied(volume, plan.after.base.b);
}

/** What the base image has made superfluous: diffs and cold snapshots up to `gid`. */
async function dropApplied(volume: ArchiveVolume, gid: Gid): Promise<void> {
  const { catalogue } = volume;
  using _lock = await volume.lock.lock();
  await catalogue.remove(diffsUpTo(catalogue.diffs, gid));
  await dropCold(volume, (cold) => cold <= gid);
  volume.touch('restorable', 'diff');
}
