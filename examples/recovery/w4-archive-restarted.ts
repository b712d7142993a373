/**
 * W4: an archive was down and runs again. The proxies have kept its diffs; this makes them deliver at
 * once, also those that had given up.
 */
import { Steps } from './steps.js';

const steps = new Steps('usage: walbc run w4-archive-restarted.ts [--dry-run] ARCHIVE', {
  min: 1,
  max: 1,
});
const ax = steps.server(steps.words[0]!, 'archive');

for (const px of sLayout.proxyL) {
  for (const vol of walbc.get_vol_list(px)) {
    if (!walbc.get_archive_info_list(px, vol).includes(ax.name)) continue;
    const gaveUp = walbc.is_wdiff_send_error(px, vol, ax);
    print(`${px.name} ${vol}: ${gaveUp ? 'has given up' : 'sends, or tries to'}`);
    const state = walbc.get_state(ax, vol);
    if (state === 'Stopped') walbc.start(ax, vol);
    if (state === 'Clear') steps.trouble(`${ax.name} knows nothing of ${vol}: see W8`);
  }
}
walbc.kick_all(sLayout.proxyL);
for (const sx of sLayout.storageL) {
  for (const vol of walbc.get_vol_list(sx)) {
    if (walbc.get_state(sx, vol) === 'Target') steps.prove(sx, vol);
  }
}
steps.end();
