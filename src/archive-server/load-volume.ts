/**
 * What a starting server does with the directory of one volume: interrupted work is undone or left
 * where its command goes on, and what can not be trusted is refused rather than repaired by guess.
 *
 * | found | left by | done |
 * | --- | --- | --- |
 * | no state file, no data | init-vol or clear-vol | directory removed |
 * | temporary files | a transfer or merge | removed |
 * | restored-GID.tmp | restore | removed |
 * | exports/ | exports, which end with the process | removed |
 * | diffs that others have overtaken | merge, apply | removed (Archived volumes) |
 * | base <B-->E> | apply | kept: snapshots from E on are exact, the next apply goes on |
 * | SyncReady with a base image | full backup, resync, reset-vol | kept: the next backup or resync goes on with it, or overwrites it |
 * | SyncReady with other images | reset-vol | removed |
 * | no base image, but one on its way | apply (cold.ts) | finished |
 * | GID.cold without image, or the reverse | restore, del-cold | removed |
 *
 * Source: semantics.md D.1, A.7.
 */
import { corrupt } from '../core/index.ts';
import { formatSpanOf, hasDiffSuffix, isApplying } from '../wdiff/index.ts';
import { recoverPromotion, tidyCold } from './cold.ts';
import { collectGarbage } from './snapshots.ts';
import type { ArchiveState } from './states.ts';
import type { ArchiveVolume } from './volume.ts';

/**
 * The volume in its directory; undefined when there was only what an interrupted init or clear left.
 * Throws when a file can not be used, naming it; nothing is changed then.
 */
export async function loadVolume(
  make: (state: ArchiveState) => ArchiveVolume,
  listNames: (directory: string) => string[],
): Promise<ArchiveVolume | undefined> {
  const probe = make('Clear');
  const { catalogue, images, log } = probe;
  if (!catalogue.isComplete()) {
    requireNoData(probe, listNames(catalogue.directory));
    log.warn({}, 'removing what an interrupted init-vol or clear-vol left');
    await catalogue.destroy();
    return undefined;
  }
  await catalogue.settle();
  const state = catalogue.load();
  // A cold snapshot that was about to become the base image: for a moment there is none.
  if (state !== 'SyncReady') await recoverPromotion(probe);
  if (state !== 'SyncReady' && images.baseSize() === undefined) {
    throw corrupt(
      `${catalogue.directory}: the state is ${state}, but the base image is missing: put it back, or delete the directory and make the volume anew`,
      { file: catalogue.directory, state },
    );
  }
  const volume = make(state);
  volume.catalogue.load();
  await tidy(volume);
  report(volume);
  return volume;
}

/** A lost state file must not cost the data. */
function requireNoData({ catalogue, images }: ArchiveVolume, names: readonly string[]): void {
  const hasDiffs = names.some(hasDiffSuffix);
  if (!hasDiffs && images.baseSize() === undefined) return;
  throw corrupt(
    `${catalogue.directory}: the file 'state' is missing, but there are ${hasDiffs ? 'diffs' : 'images'}: put it back, or delete the directory`,
    { file: `${catalogue.directory}/state` },
  );
}

async function tidy(volume: ArchiveVolume): Promise<void> {
  await volume.images.cleanTemporary();
  volume.catalogue.cleanTemporary();
  if (volume.state === 'SyncReady') await volume.dropSnapshotImages();
  else await tidyCold(volume);
  if (volume.state === 'Archived') await collectGarbage(volume);
}

function report(volume: ArchiveVolume): void {
  const { base } = volume.catalogue;
  if (isApplying(base)) {
    const fields = { base: formatSpanOf(base) };
    volume.log.warn(fields, 'an apply was interrupted; the next apply goes on with it');
  }
  for (const { advice } of volume.gaps()) volume.log.warn({}, `gap: ${advice}`);
}
