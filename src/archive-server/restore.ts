/**
 * Restoring a clean snapshot as a standalone image: a copy of the base (shared where the store can)
 * with the diffs up to the snapshot applied, in passes of at most `-maxopen` diffs.
 *
 * The image is listed only when it is whole and on stable storage.
 *
 * Source: semantics.md D.6.
 */
import { type FileHandle, type Gid, type Millis, WalbError } from '../core/index.ts';
import { type Accepted, TaskKind } from '../rpc/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { type Diff, mergeFiles, planRestore, redo } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import type { ArchiveVolume } from './volume.ts';

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
  const { diffs, base } = volume.catalogue;
  const plan = planRestore(diffs, base, gid, config.maxOpenDiffs);
  const foreground = volume.core.foreground.acquire(`restore of ${volume.id}`);
  return volume.tasks.start(
    TaskKind.RESTORE,
    async (task) => {
      using _foreground = foreground;
      await volume.during('Restore', () => restore(config, volume, gid, plan.passes, task));
      volume.touch('restored');
    },
    { gid, total: volume.sizeLb ?? 0 },
  );
}

async function restore(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  gid: Gid,
  passes: readonly (readonly Diff[])[],
  task: TaskHandle,
): Promise<void> {
  let handle: FileHandle | undefined;
  try {
    handle = await volume.images.beginRestore(gid, volume.forceSignal);
    for (const diffs of passes) await writePass(config, volume, handle, diffs, task);
    const { path } = await volume.images.commitRestore(gid, handle);
    volume.log.info({ gid, path }, 'snapshot restored');
  } catch (error) {
    await volume.images.abandonRestore(gid, handle);
    throw error;
  }
}

/** Applies some consecutive diffs, merged into one, to an image. Nothing is synced. */
async function writePass(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  image: FileHandle,
  diffs: readonly Diff[],
  task: TaskHandle,
): Promise<void> {
  const { clock } = volume.core;
  const handles: FileHandle[] = [];
  let lastYield: Millis = clock.monotonic();
  try {
    for (const diff of diffs) handles.push(volume.catalogue.open(diff));
    const merged = mergeFiles(handles);
    const report = await redo(merged, image, {
      discard: config.discard,
      signal: volume.forceSignal,
      afterBatch: async ({ position }) => {
        task.set(position);
        if (clock.monotonic() - lastYield < YIELD_AFTER_MS) return;
        await clock.yield();
        lastYield = clock.monotonic();
      },
    });
    if (report.skipped > 0) {
      volume.log.warn(
        { records: report.skipped, blocks: report.skippedBlocks },
        'diff records beyond the end of the image were left out',
      );
    }
  } finally {
    for (const handle of handles) handle.close();
  }
}

/** Others wait no longer than this for their turn. */
const YIELD_AFTER_MS: Millis = 10;
