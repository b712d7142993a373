/**
 * W6: what a storage server knew of its volumes is lost; the devices are there. Makes the volumes known
 * again, and backs those up by comparison that no other storage backs up.
 */
import { Steps } from './steps.js';

const steps = new Steps(
  'usage: walbc run w6-storage-metadata-lost.ts [--dry-run] STORAGE VOLUME=DEVICE...',
  { min: 2, max: 10_000 },
);
const [name, ...pairs] = steps.words as [string, ...string[]];
const sx = steps.server(name, 'storage');
const others = sLayout.storageL.filter((other) => other.name !== sx.name);

for (const pair of pairs) {
  const [vol, device] = pair.split('=');
  if (vol === undefined || device === undefined) {
    steps.trouble(`${pair} is not VOLUME=DEVICE, such as vol0=/dev/walb/0`);
    continue;
  }
  if (walbc.get_state(sx, vol) !== 'Clear') {
    print(`${vol}: ${sx.name} knows it`);
    continue;
  }
  step(`${vol}: make it known`);
  walbc.init_storage(sx, vol, device);
  const target = others.find((other) => walbc.get_state(other, vol) === 'Target');
  if (target !== undefined) {
    print(`${vol}: ${target.name} backs it up; it is a replica here`);
    continue;
  }
  step(`${vol}: back it up`);
  walbc.hash_backup(sx, vol);
  steps.prove(sx, vol);
}
steps.end();
