/**
 * Restoring a clean snapshot as a standalone image: a copy of the base (shared where the store can)
 * with the diffs up to the snapshot applied, in passes of at most `-maxopen` diffs.
 *
 * Where there is a cold snapshot nearer than the base, the copy is of that (cold.ts).
 *
 * The image is listed only when it is whole and on stable storage.
 *
 * Source: semantics.md D.6.
 */
import { type FileHandle, type Gid, type UnixSeconds, WalbError } from '../core/index.ts';
import { type Accepted, TaskKind } from '../rpc/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { applyAll, type Diff, type MetaState, metaState, planRestore } from '../wdiff/index.ts';
import { dropCold, nearestCold } from './cold.ts';
import type { ArchiveConfig } from './config.ts';
import { Pacer } from './pacer.ts';
import type { ArchiveVolume } from './volume.ts';
import { writeDiffs } from './write-diffs.ts';

/** Checks and starts the restore; it goes on after the reply. */
export function startRestore(config: ArchiveConfig, volume: ArchiveVolume, gid: Gid): Accepted {
  volume.admit('restore');
  if (volume.images.restored().some((image) => image.gid === gid)) {
    throw new WalbError(
      'already-exists',
      `snapshot ${gid} of volume ${volume.id} is restored already; del_restored(archive, '${volume.id}', ${gid}) removes it`,
      { details: { volume: volume.id, gid } },
    );
  }
  plan(config, volume, volume.catalogue.base, gid);
  const foreground = volume.core.foreground.acquire(`restore of ${volume.id}`);
  return volume.tasks.start(
    TaskKind.RESTORE,
    async (task) => {
      using _foreground = foreground;
      await volume.during('Restore', () => restore(config, volume, gid, task));
      volume.touch('restored');
    },
    { gid, total: volume.sizeLb ?? 0 },
  );
}

function plan(config: ArchiveConfig, volume: ArchiveVolume, from: MetaState, gid: Gid) {
  const { diffs } = volume.catalogue;
  return volume.explained(gid, () => planRestore(diffs, from, gid, config.maxOpenDiffs));
}

async function restore(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  gid: Gid,
  task: TaskHandle,
): Promise<void> {
  // A merge, which may run beside, must not swallow where the passes lead to.
  volume.wanted.add(gid);
  let handle: FileHandle | undefined;
  try {
    const cold = nearestCold(volume, gid);
    const from = cold ?? volume.catalogue.base;
    handle = await volume.images.beginRestore(gid, volume.forceSignal, cold?.base.b);
    const { timestamp } = await writePasses(config, volume, handle, from, gid, task);
    await keepCold(config, volume, gid, timestamp, handle);
    const { path } = await volume.images.commitRestore(gid, handle);
    volume.log.info({ gid, path }, 'snapshot restored');
  } catch (error) {
    await volume.images.abandonRestore(gid, handle);
    throw error;
  } finally {
    volume.wanted.delete(gid);
  }
}

/** Each pass is planned anew from where the last one ended: diffs may have been merged meanwhile. */
async function writePasses(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  image: FileHandle,
  from: MetaState,
  gid: Gid,
  task: TaskHandle,
): Promise<MetaState> {
  const pacer = new Pacer(volume.core.clock, volume.forceSignal);
  let state = from;
  for (;;) {
    const [diffs] = plan(config, volume, state, gid).passes;
    if (diffs === undefined) return state;
    await writeDiffs(config, volume, image, diffs, { task, pacer });
    state = advance(state, diffs);
  }
}

/** Of a copy of a half-applied base, which is no snapshot before it has passed where that led to. */
function advance(state: MetaState, diffs: readonly Diff[]): MetaState {
  const reached = applyAll(state.base, diffs);
  const { applyingTo } = state;
  const { timestamp } = diffs.at(-1) ?? state;
  const isWhole = applyingTo === undefined || applyingTo.b <= reached.b;
  return metaState(reached, timestamp, isWhole ? undefined : applyingTo);
}

/** By-product of a restore, where the store can share blocks (A.8). The base itself needs none. */
async function keepCold(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  gid: Gid,
  timestamp: UnixSeconds,
  handle: FileHandle,
): Promise<void> {
  const { images, catalogue } = volume;
  if (images.coldImages === undefined || gid <= catalogue.base.base.b) return;
  await images.coldImages.keep(gid, handle);
  await catalogue.setColdTime(gid, timestamp);
  if (config.keepOneColdSnapshot === true) await dropCold(volume, (cold) => cold < newest(volume));
  volume.touch('cold');
}

function newest({ images }: ArchiveVolume): Gid {
  return images.cold().at(-1)?.gid ?? 0n;
}
