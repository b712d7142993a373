/**
 * W8, case 1: an archive that is not the primary one lost everything and runs again, empty. Nothing
 * else is broken; this fills it again from the primary archive.
 */
import { Steps } from './steps.js';

const steps = new Steps('usage: walbc run w8-secondary-archive-lost.ts [--dry-run] ARCHIVE', {
  min: 1,
  max: 1,
});
const ax = steps.server(steps.words[0]!, 'archive');
const primary = sLayout.get_primary_archive();
if (ax.name === primary.name) {
  steps.trouble(`${ax.name} is the primary archive: see W8, cases 2 and 3`);
  steps.end();
}
for (const vol of walbc.get_vol_list(primary)) {
  const followed = steps.followers(vol).some(({ name }) => name === ax.name);
  if (!followed && walbc.get_state(ax, vol) !== 'Clear') continue;
  step(`${vol}: fill ${ax.name} again`);
  // The diffs that wait for it can not be applied to nothing.
  if (followed) walbc.stop_synchronizing(ax, vol);
  walbc.replicate(primary, vol, ax, followed);
}
steps.end();
