/**
 * A snapshot as it can be read now: the base image and the diffs that lead to it, held open. Diffs that
 * an apply or merge removes meanwhile stay readable through their handles, and an apply does not take
 * the base image beyond the snapshot (base-readers.ts).
 *
 * The set of diffs and the files change in the same turn (catalogue.ts), so a plan made and opened in
 * one turn finds every file: nothing has to be tried again.
 *
 * Source: semantics.md D.4.
 */
import type { Bytes, FileHandle, Gid } from '../core/index.ts';
import { type DiffStream, mergeFiles, planScan } from '../wdiff/index.ts';
import { nearestCold } from './cold.ts';
import type { ArchiveVolume } from './volume.ts';

export interface SnapshotView extends Disposable {
  /** The base image, or a cold snapshot that is nearer; it may be smaller than `size`. */
  readonly base: FileHandle;
  /** Of the volume. */
  readonly size: Bytes;
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
  /** May begin at a cold snapshot: for readers that go by `size`. */
  readonly useCold?: boolean;
  /** Who reads, for an apply that has to wait; by default "a scan". */
  readonly reader?: string;
}

/** Throws `not-found` for a snapshot that can not be made, `limit-exceeded` beyond `maxDiffs`. */
export function openSnapshot(volume: ArchiveVolume, gid: Gid, options: ViewOptions): SnapshotView {
  const { catalogue } = volume;
  const cold = options.useCold === true ? nearestCold(volume, gid) : undefined;
  const plan = volume.explained(gid, () =>
    planScan(catalogue.diffs, cold ?? catalogue.base, gid, {
      maxCount: options.maxDiffs,
      allowDirty: options.allowDirty ?? false,
    }),
  );
  using held = new DisposableStack();
  const keep = (handle: FileHandle): FileHandle => {
    held.defer(() => handle.close());
    return handle;
  };
  held.use(volume.readers.read(gid, options.reader ?? 'a scan'));
  const size = volume.requireSize();
  const coldImage = cold && volume.images.coldImages?.open(cold.base.b);
  const base = keep(coldImage ?? volume.images.openBase('read'));
  const diffs = plan.diffs.map((diff) => keep(catalogue.open(diff)));
  const owned = held.move();
  return {
    base,
    size,
    diffs,
    timestamp: plan.result.timestamp,
    merged: () => mergeFiles(diffs),
    [Symbol.dispose]: () => owned.dispose(),
  };
}
