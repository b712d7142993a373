/**
 * W8, case 3: the primary archive is lost and no other one follows. The first archive of the layout is
 * a new, empty one, which the storage servers were started with: it gets a full backup of each volume.
 *
 * Other archives may hold the only old snapshots that are left. With --resync they are brought to the
 * new history, which deletes those.
 */
import { Steps } from './steps.js';

const steps = new Steps(
  'usage: walbc run w8-primary-archive-lost.ts [--dry-run] [--resync] [VOLUME...]',
  { min: 0, max: 10_000 },
  ['--resync'],
);
const primary = sLayout.get_primary_archive();

for (const sx of sLayout.storageL) {
  for (const vol of walbc.get_vol_list(sx)) {
    if (steps.words.length > 0 && !steps.words.includes(vol)) continue;
    const state = walbc.get_state(sx, vol);
    if (state !== 'Target' && state !== 'Stopped') continue;
    const kept = walbc.get_state(primary, vol);
    if (kept !== 'Clear' && kept !== 'SyncReady') {
      steps.trouble(`${primary.name} has ${vol} (${kept}): it is not lost there`);
      continue;
    }
    step(`${vol}: full backup from ${sx.name}`);
    walbc.stop(sx, vol);
    walbc.full_backup(sx, vol);
    for (const ax of sLayout.archiveL.slice(1)) {
      if (walbc.get_state(ax, vol) === 'Clear') continue;
      if (steps.has('--resync')) {
        walbc.replicate_once(primary, vol, ax, 86_400, true);
      } else {
        print(`${ax.name} keeps its snapshots of ${vol}; --resync replaces them`);
      }
    }
    steps.prove(sx, vol);
  }
}
steps.end();
