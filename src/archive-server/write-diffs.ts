/**
 * Writes consecutive diffs into an image, merged into one: a pass of an apply or of a restore.
 *
 * Source: semantics.md D.6, D.7.
 */
import { type FileHandle, WalbError } from '../core/index.ts';
import type { TaskHandle } from '../server/task-log.ts';
import { type Diff, mergeFiles, type RedoReport, redo } from '../wdiff/index.ts';
import type { ArchiveConfig } from './config.ts';
import type { Pacer } from './pacer.ts';
import type { ArchiveVolume } from './volume.ts';

/**
 * All of `diffs`, oldest first; some is synced on the way, the rest is left to the caller. Throws
 * `conflict` when they reach beyond the end of the image, `cancelled` on a force stop.
 */
export async function writeDiffs(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  image: FileHandle,
  diffs: readonly Diff[],
  { task, pacer }: { readonly task: TaskHandle; readonly pacer: Pacer },
): Promise<void> {
  using open = new DisposableStack();
  const handles = diffs.map((diff) => open.adopt(volume.catalogue.open(diff), (h) => h.close()));
  let synced = 0;
  const report = await redo(mergeFiles(handles), image, {
    discard: config.discard,
    signal: volume.forceSignal,
    afterBatch: async ({ position, written }) => {
      task.set(position);
      if (written - synced >= config.fsyncInterval) {
        await image.sync();
        synced = written;
      }
      await pacer.pause();
    },
  });
  requireComplete(volume, image, report);
}

/** An image without the end of its volume would pass for a whole one. */
function requireComplete(volume: ArchiveVolume, image: FileHandle, report: RedoReport): void {
  const { skipped, firstSkipped } = report;
  if (firstSkipped === undefined) return;
  const end = firstSkipped.address + firstSkipped.blocks;
  throw new WalbError(
    'conflict',
    `${skipped} records of the diffs of volume ${volume.id} reach beyond the end of ${image.path}, the first one to block ${end}: run resize_archive, then repeat`,
    { details: { volume: volume.id, skipped, block: end, size: image.size() } },
  );
}
