/**
 * Making snapshots explicit or free to vanish, and removing diffs nobody needs.
 *
 * Source: semantics.md A.5 (disable-snapshot, enable-snapshot), D.10 (gc-diff).
 */
import { type Gid, WalbError } from '../core/index.ts';
import { type SnapshotFailure, toErrorInfo } from '../rpc/index.ts';
import { planGc, planSnapshotFlags } from '../wdiff/index.ts';
import type { ArchiveVolume } from './volume.ts';

/** One bad gid does not keep the others from being done; it is reported. */
export async function setSnapshots(
  volume: ArchiveVolume,
  gids: readonly Gid[],
  isExplicit: boolean,
): Promise<SnapshotFailure[]> {
  if (gids.length === 0) throw new WalbError('invalid-argument', 'at least one gid is needed');
  const command = isExplicit ? 'enable-snapshot' : 'disable-snapshot';
  volume.admit(command);
  using _lock = await volume.lock.lock();
  // Once more: a merge that began while this waited has chosen its diffs by the flags as they were.
  volume.admit(command);
  const plan = planSnapshotFlags(volume.catalogue.diffs, gids, isExplicit);
  for (const { from, to } of plan.changes) await volume.catalogue.rename(from, to);
  volume.touch('restorable', 'diff');
  return plan.failed.map((gid) => ({ gid, error: toErrorInfo(noSuchSnapshot(volume, gid)) }));
}

function noSuchSnapshot(volume: ArchiveVolume, gid: Gid): WalbError {
  return new WalbError(
    'not-found',
    `no diff of volume ${volume.id} starts at gid ${gid}: it is unknown, or the latest snapshot`,
    { details: { volume: volume.id, gid } },
  );
}

/** Removes diffs that the chain has overtaken. Those behind a gap are kept. */
export async function collectGarbage(volume: ArchiveVolume): Promise<number> {
  using _lock = await volume.lock.lock();
  const { garbage } = planGc(volume.catalogue.diffs, volume.catalogue.base.base);
  await volume.catalogue.remove(garbage);
  if (garbage.length > 0) volume.touch('diff');
  return garbage.length;
}
