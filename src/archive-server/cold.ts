/**
 * Cold snapshots: what a restore leaves behind where the image store can share blocks. They are nearer
 * starting points for later restores and scans, and an apply takes one as the new base image.
 *
 * A cold snapshot is an image in the store and its time in `<gid>.cold`. The image is made first and the
 * file removed first: one without a file is of no use and goes at start-up.
 *
 * Source: semantics.md A.8, D.6, D.7.
 */
import { type Gid, WalbError } from '../core/index.ts';
import { isApplying, type MetaState, metaState, snapshot } from '../wdiff/index.ts';
import type { ColdImages } from './image-store.ts';
import type { ArchiveVolume } from './volume.ts';

/** The nearest cold snapshot at or before `gid` that is newer than the base, as a state. */
export function nearestCold(volume: ArchiveVolume, gid: Gid): MetaState | undefined {
  const { catalogue, images } = volume;
  const usable = images
    .cold()
    .filter((cold) => cold.gid <= gid && cold.gid > catalogue.base.base.b);
  const found = usable.at(-1)?.gid;
  if (found === undefined || isApplying(catalogue.base)) return undefined;
  const timestamp = catalogue.coldTime(found);
  return timestamp === undefined ? undefined : metaState(snapshot(found), timestamp);
}

/** Throws `not-found`, or `busy` while somebody uses the image. */
export async function deleteCold(volume: ArchiveVolume, gid: Gid): Promise<void> {
  const { images, catalogue } = volume;
  if (!images.cold().some((cold) => cold.gid === gid)) {
    const have = images.cold().map((cold) => cold.gid);
    const why = images.coldImages === undefined ? ` (image store ${images.kind} keeps none)` : '';
    throw new WalbError(
      'not-found',
      `volume ${volume.id} has no cold snapshot ${gid}; there are: ${have.join(', ') || 'none'}${why}`,
      { details: { volume: volume.id, gid } },
    );
  }
  await catalogue.removeColdTime(gid);
  await coldImagesOf(volume).delete(gid);
  volume.touch('cold');
}

/** Those that `matches`; what is in use stays and is removed another time. */
export async function dropCold(
  volume: ArchiveVolume,
  matches: (gid: Gid) => boolean,
): Promise<void> {
  for (const { gid } of volume.images.cold()) {
    if (!matches(gid)) continue;
    try {
      await deleteCold(volume, gid);
    } catch (err) {
      volume.log.warn({ gid, err }, 'a cold snapshot of no more use could not be removed');
    }
  }
}

/** At start-up: images without a time were not finished, times without an image are left over. */
export async function tidyCold(volume: ArchiveVolume): Promise<void> {
  const { catalogue, images } = volume;
  const gids = images.cold().map(({ gid }) => gid);
  for (const gid of catalogue.coldGids()) {
    if (!gids.includes(gid)) await catalogue.removeColdTime(gid);
  }
  const outdated = (gid: Gid): boolean => gid <= catalogue.base.base.b;
  await dropCold(volume, (gid) => catalogue.coldTime(gid) === undefined || outdated(gid));
}

/**
 * The nearest cold snapshot before `gid` becomes the base image. Gives its gid, or undefined when there
 * is none. Until the old base is gone a failure is undone; then there is only the way forward, which
 * `recoverPromotion` takes at the next apply or start.
 */
export async function promoteCold(volume: ArchiveVolume, gid: Gid): Promise<Gid | undefined> {
  await recoverPromotion(volume);
  const state = nearestCold(volume, gid);
  if (state === undefined) return undefined;
  const cold = state.base.b;
  using _change = volume.readers.change(cold);
  try {
    await coldImagesOf(volume).beginPromotion(cold);
  } catch (error) {
    await recoverPromotion(volume);
    throw error;
  }
  await volume.catalogue.setBase(state);
  await coldImagesOf(volume).finishPromotion(cold);
  await volume.catalogue.removeColdTime(cold);
  volume.log.info({ gid: cold }, 'a cold snapshot has become the base image');
  return cold;
}

/** Ends what an interrupted `promoteCold` began, forward or back. */
export async function recoverPromotion(volume: ArchiveVolume): Promise<void> {
  const { images, catalogue } = volume;
  const gid = await images.coldImages?.recoverPromotion(catalogue.base.base.b);
  if (gid === undefined) return;
  await catalogue.setBase(metaState(snapshot(gid), catalogue.coldTime(gid) ?? volume.now()));
  await coldImagesOf(volume).finishPromotion(gid);
  await catalogue.removeColdTime(gid);
  volume.log.warn({ gid }, 'the interrupted change of the base image is done');
}

function coldImagesOf({ images }: ArchiveVolume): ColdImages {
  if (images.coldImages !== undefined) return images.coldImages;
  throw new WalbError('internal', `image store ${images.kind} keeps no cold snapshots`);
}
