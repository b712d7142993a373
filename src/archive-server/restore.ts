/**
 * Restoring a clean snapshot as a standalone image: a copy of the base (shared where the store can)
 * with the diffs up to the snapshot applied, in passes of at most `-maxopen` diffs.
 *
 * Where there is a cold snapshot nearer than the base, the copy is of that (cold.ts).
 *
 * The image is listed only when it is whole, on stable storage, and the action has ended: what is listed
 * can be deleted at once.
 *
 * Source: semantics.md D.6.
 */
import {
  bytesToLb,
  type FileHandle,
  type Gid,
  hasCode,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import { type Accepted, TaskKind } from '../rpc/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import {
  applyAll,
  type Diff,
  equalMetaStates,
  type MetaState,
  metaState,
  planRestore,
} from '../wdiff/index.ts';
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
  using held = new DisposableStack();
  held.use(volume.readers.read(gid, `restore of ${gid}`));
  held.use(volume.core.foreground.acquire(`restore of ${volume.id}`));
  volume.wanted.add(gid);
  held.defer(() => volume.wanted.delete(gid));
  const owned = held.move();
  return volume.tasks.start(
    TaskKind.RESTORE,
    async (task) => {
      {
        using _owned = owned;
        await volume.during('Restore', () => restore(config, volume, gid, task));
      }
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
  while (!(await tryRestore(config, volume, gid, task))) {
    volume.log.info({ gid }, 'an apply moved the base image: the restore begins again');
  }
}

/**
 * False when an apply, which may run beside, moved the base image on while it was copied, or took diffs
 * that were still needed: what was copied is then no snapshot. It can not move beyond `gid`, which is
 * being read; so this comes to an end.
 */
async function tryRestore(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  gid: Gid,
  task: TaskHandle,
): Promise<boolean> {
  const { catalogue, images } = volume;
  const { base } = catalogue;
  const hasMoved = (): boolean => !equalMetaStates(base, catalogue.base);
  let handle: FileHandle | undefined;
  try {
    const cold = nearestCold(volume, gid);
    handle = await images.beginRestore(gid, volume.forceSignal, cold?.base.b, (position) =>
      task.set(bytesToLb(position)),
    );
    if (cold === undefined && hasMoved()) {
      await images.abandonRestore(gid, handle);
      return false;
    }
    // From the check to the diffs of the first pass being open there is no await.
    const { timestamp } = await writePasses(config, volume, handle, cold ?? base, gid, task);
    await keepCold(config, volume, gid, timestamp, handle);
    const { path } = await images.commitRestore(gid, handle);
    volume.log.info({ gid, path }, 'snapshot restored');
    return true;
  } catch (error) {
    await images.abandonRestore(gid, handle);
    if (hasCode(error, 'not-found') && hasMoved()) return false;
    throw error;
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
