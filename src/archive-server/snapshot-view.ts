/**
 * A snapshot as it can be read now: the base image and the diffs that lead to it, held open. Diffs that
 * an apply or merge removes meanwhile stay readable through their handles.
 *
 * Source: semantics.md D.4.
 */
import { type FileHandle, type Gid, hasCode, type WalbError } from '../core/index.ts';
import { type DiffStream, mergeFiles, planScan } from '../wdiff/index.ts';
import type { ArchiveVolume } from './volume.ts';

/** Diffs that vanish while they are opened were merged or applied: the list is made anew so often. */
const MAX_TRIES = 10;

export interface SnapshotView extends Disposable {
  readonly base: FileHandle;
  /** Oldest first. */
  readonly diffs: readonly FileHandle[];
  /** The diffs as one. */
  merged(): DiffStream;
  readonly timestamp: number;
}

export interface ViewOptions {
  /** Most diffs open at once; 0 = unlimited. */
  readonly maxDiffs: number;
  readonly allowDirty?: boolean;
}

/** Throws `not-found` for a snapshot that can not be made, `limit-exceeded` beyond `maxDiffs`. */
export function openSnapshot(volume: ArchiveVolume, gid: Gid, options: ViewOptions): SnapshotView {
  for (let tries = 1; ; tries += 1) {
    try {
      return tryOpen(volume, gid, options);
    } catch (error) {
      const vanished =
        hasCode(error, 'not-found') && (error as WalbError).details['path'] !== undefined;
      if (!vanished || tries >= MAX_TRIES) throw error;
    }
  }
}

function tryOpen(volume: ArchiveVolume, gid: Gid, options: ViewOptions): SnapshotView {
  const { catalogue } = volume;
  const plan = planScan(catalogue.diffs, catalogue.base, gid, {
    maxCount: options.maxDiffs,
    allowDirty: options.allowDirty ?? false,
  });
  const held = new DisposableStack();
  try {
    const keep = (handle: FileHandle): FileHandle => {
      held.defer(() => handle.close());
      return handle;
    };
    const base = keep(volume.images.openBase('read'));
    const diffs = plan.diffs.map((diff) => keep(catalogue.open(diff)));
    const owned = held.move();
    return {
      base,
      diffs,
      timestamp: plan.result.timestamp,
      merged: () => mergeFiles(diffs),
      [Symbol.dispose]: () => owned.dispose(),
    };
  } finally {
    held.dispose();
  }
}
