/**
 * Diffs of the spool that a failing disk has damaged. Such a diff can never be sent, and would keep
 * everything behind it waiting for ever; so it is set aside under another name, and the archive, which
 * misses it then, reports the gap (systems.md W7).
 */
import { type Clock, hasCode, WalbError } from '../core/index.ts';
import { mergeDiffs, openDiff, sortedDiffParts } from '../wdiff/index.ts';
import type { SpooledDiff } from './spool.ts';
import type { ProxyVolume } from './volume.ts';

/**
 * After a transfer failed with `corrupt`: reads the diffs it was made of, and sets aside those that are
 * really damaged here; the link or the archive may have been to blame. True when there were some.
 */
export async function setAsideDamaged(
  clock: Clock,
  volume: ProxyVolume,
  archive: string,
  parts: readonly SpooledDiff[],
): Promise<boolean> {
  let found = 0;
  for (const spooled of parts) {
    const damage = await damageOf(clock, volume, archive, spooled);
    if (damage === undefined) continue;
    const path = await volume.spool.setAside(archive, spooled);
    found += 1;
    const error = new WalbError(
      'corrupt',
      `a diff for ${archive} was damaged in the spool and can not be sent; it is kept as ${path}: check the disk, then run hash_backup(storage, '${volume.id}'), or replicate the volume to ${archive} (${damage.message})`,
      { details: { volume: volume.id, archive, file: path }, cause: damage },
    );
    volume.log.error({ peer: archive, err: error }, 'damaged diff set aside');
    volume.failed(error, archive);
  }
  if (found === 0) return false;
  volume.queue(archive).discarded += found;
  volume.touch('diff');
  return true;
}

/** Reads it as a transfer does. Undefined when it is sound, or can not be told: a disk may recover. */
async function damageOf(
  clock: Clock,
  volume: ProxyVolume,
  archive: string,
  spooled: SpooledDiff,
): Promise<WalbError | undefined> {
  try {
    using open = new DisposableStack();
    const file = openDiff(open.adopt(volume.spool.open(archive, spooled), (h) => h.close()));
    const compression = { kind: 'snappy', level: 0 } as const;
    const options = { uuid: file.uuid, compression, packLimit: 'uncompressed' } as const;
    for await (const _ of sortedDiffParts(mergeDiffs([file.batches()]), options)) {
      volume.requireRunning('check of a diff');
      await clock.yield();
    }
    return undefined;
  } catch (error) {
    return hasCode(error, 'corrupt') ? WalbError.from(error) : undefined;
  }
}
