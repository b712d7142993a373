/** Whether the base image is large enough for what comes (semantics.md D.10, autoresize). */
import { type Lb, lbToBytes, WalbError } from '../core/index.ts';
import type { ArchiveConfig } from './config.ts';
import type { ArchiveVolume } from './volume.ts';

/** Grows the base image with `-autoresize`; otherwise throws `conflict` when it is too small. */
export async function requireFit(
  config: ArchiveConfig,
  volume: ArchiveVolume,
  sizeLb: Lb,
): Promise<void> {
  const current = volume.requireSize();
  const wanted = lbToBytes(sizeLb);
  if (wanted < 1) throw new WalbError('invalid-argument', 'a volume has at least one block');
  if (wanted <= current) {
    if (wanted < current)
      volume.log.warn({ current, wanted }, 'the base image is larger than that of the sender');
    return;
  }
  if (!config.autoResize) {
    throw new WalbError(
      'conflict',
      `the base image of volume ${volume.id} has ${current} bytes, the sender's volume ${wanted}: run resize_archive here first, or start this archive with -autoresize`,
      { details: { volume: volume.id, current, wanted } },
    );
  }
  await volume.images.growBase(wanted);
  volume.touch('size');
}
