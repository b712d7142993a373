/**
 * W1: a storage server was killed or its machine rebooted, and runs again. It resumes by itself; this
 * looks whether it did, volume by volume, and proves it with a snapshot.
 */
import { Steps } from './steps.js';

const steps = new Steps('usage: walbc run w1-storage-restarted.ts [--dry-run] STORAGE', {
  min: 1,
  max: 1,
});
const sx = steps.server(steps.words[0]!, 'storage');

walbc.kick_all([sx]);
for (const vol of walbc.get_vol_list(sx)) {
  const state = walbc.get_state(sx, vol);
  print(`${vol}: ${state}`);
  if (walbc.is_overflow(sx, vol)) {
    steps.trouble(`${vol}: its log overflowed while ${sx.name} was down: run w2-overflow.ts`);
  } else if (state === 'Target') {
    steps.prove(sx, vol);
  } else if (state === 'Stopped') {
    steps.trouble(`${vol}: somebody had stopped it: walbc.start(${sx.name}, '${vol}')`);
  } else if (state === 'SyncReady') {
    steps.trouble(`${vol}: a backup was broken off: walbc.hash_backup(${sx.name}, '${vol}')`);
  }
}
steps.end();
