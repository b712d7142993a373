/**
 * W2: log was overwritten before it was delivered, so the volume is not backed up any more. Finds such
 * volumes and brings each back with a hash backup; volumes that are well are not touched.
 */
import { Steps } from './steps.js';

const steps = new Steps('usage: walbc run w2-overflow.ts [--dry-run] [STORAGE...]', {
  min: 0,
  max: 100,
});
const storages =
  steps.words.length === 0
    ? sLayout.storageL
    : steps.words.map((name) => steps.server(name, 'storage'));

for (const sx of storages) {
  for (const vol of walbc.get_vol_list(sx).filter((name) => walbc.is_overflow(sx, name))) {
    if (!step(`${vol} at ${sx.name}`)) continue;
    const state = walbc.get_state(sx, vol);
    print(`${vol} at ${sx.name}: overflow, ${state}`);
    if (state === 'Target' || state === 'Stopped') {
      walbc.stop(sx, vol);
      const gid = walbc.hash_backup(sx, vol);
      if (gid !== undefined) print(`${vol}: gid ${gid} can be restored`);
      steps.prove(sx, vol);
    } else if (state === 'Standby') {
      // Nobody needs the log of a replica: it begins anew.
      walbc.stop(sx, vol);
      walbc.go_standby(sx, vol);
    } else {
      steps.trouble(`${vol} at ${sx.name}: ${state}; run this again when that has ended`);
    }
  }
}
steps.end();
