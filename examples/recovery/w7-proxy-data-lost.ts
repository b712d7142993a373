/**
 * W7: what a proxy knew and held is lost. Registers the archives again, then looks for volumes of which
 * diffs were lost: only those get a hash backup.
 */
import { Steps } from './steps.js';

/** Seconds after which a snapshot that has not arrived is looked into. */
const LOOK_SEC = 10;
/** Looks at a snapshot that neither arrives nor is reported missing: an hour. */
const MAX_LOOKS = 360;

const steps = new Steps('usage: walbc run w7-proxy-data-lost.ts [--dry-run] [VOLUME...]', {
  min: 0,
  max: 10_000,
});
const primary = sLayout.get_primary_archive();
const volumes = steps.words.length === 0 ? walbc.get_vol_list(primary) : steps.words;

for (const vol of volumes) {
  step(vol);
  // Proxies that are well know who followed; with none of them only the primary archive is certain.
  const known = steps.followers(vol);
  const followers = known.some(({ name }) => name === primary.name) ? known : [primary, ...known];
  for (const ax of followers) walbc.start_synchronizing(ax, vol);

  const sx = sLayout.storageL.find((one) => walbc.get_state(one, vol) === 'Target');
  if (sx === undefined) {
    steps.trouble(`${vol}: no storage backs it up`);
    continue;
  }
  if (dry_run) {
    print(`${vol}: a snapshot would show whether diffs were lost`);
    continue;
  }
  const fate = fateOfSnapshot(sx, vol, primary);
  print(`${vol}: ${fate}`);
  if (fate === 'nothing was lost') continue;
  if (fate === 'nothing arrives') {
    steps.trouble(`${vol}: no diff reaches ${primary.name}: walbc.status() shows why`);
    continue;
  }
  walbc.stop(sx, vol);
  walbc.hash_backup(sx, vol);
  steps.prove(sx, vol);
  for (const ax of followers.slice(1)) walbc.replicate(primary, vol, ax, true);
}
steps.end();

/** A gap is reported by the proxies; a queue that is only long is waited for. */
function fateOfSnapshot(sx: Server, vol: string, ax: Server): string {
  const gid = walbc.snapshot_nbk(sx, vol);
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    try {
      walbc.wait_for_restorable(ax, vol, gid, LOOK_SEC);
      return 'nothing was lost';
    } catch (error) {
      if ((error as { code?: string }).code !== 'timeout') throw error;
      if (walbc.get_gaps(ax, vol).length > 0) return 'diffs were lost';
      print(`${vol}: gid ${gid} is still on its way`);
    }
  }
  return 'nothing arrives';
}
