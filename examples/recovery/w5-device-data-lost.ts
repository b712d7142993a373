/**
 * W5: the data of a volume are lost on the device itself. Copies a snapshot from the primary archive
 * onto a new device of the same size and name, then compares both with a hash backup, from which on
 * the volume is backed up again.
 *
 * DEVICE is where the new device takes writes: an NBD URI, or the path of a block device. Runs on the
 * primary archive's host, as the snapshot is served on a unix socket there.
 */
import { Steps } from './steps.js';

const steps = new Steps(
  'usage: walbc run w5-device-data-lost.ts [--dry-run] STORAGE VOLUME DEVICE [GID]',
  { min: 3, max: 4 },
);
const [name, vol, device, wanted] = steps.words as [string, string, string, string?];
const sx = steps.server(name, 'storage');
const primary = sLayout.get_primary_archive();

// The device must get one and the same snapshot, also when the run is resumed.
const gid = step('choose the snapshot', () =>
  wanted === undefined ? walbc.get_latest_clean_snapshot(primary, vol) : BigInt(wanted),
);
const state = step('stop the volume', () => {
  const found = walbc.get_state(sx, vol);
  print(`${vol} at ${sx.name}: ${found}; gid ${gid} of ${primary.name} goes to ${device}`);
  if (found !== 'Clear' && found !== 'Stopped') walbc.stop(sx, vol, 'force');
  return found;
});
step('copy the snapshot to the device', () => {
  const served = walbc.export_snapshot(primary, vol, gid, '', true);
  try {
    run_local_command(['/usr/bin/nbdcopy', served?.uri ?? '(the address of that)', device]);
  } finally {
    if (served !== undefined) walbc.close_export(primary, served.exportId, true);
  }
});
if (state === 'Clear') {
  steps.trouble(`${sx.name} does not know ${vol}: run w6-storage-metadata-lost.ts afterwards`);
} else {
  step('compare both, and back up again', () => {
    walbc.hash_backup(sx, vol);
    steps.prove(sx, vol);
  });
}
steps.end();
