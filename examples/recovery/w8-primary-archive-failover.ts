/**
 * W8, case 2: the primary archive is lost and another one follows: that becomes the primary archive,
 * without a full backup. In two parts, as the storage servers have to be restarted in between:
 *
 *     walbc run w8-primary-archive-failover.ts a0 a1
 *     (restart the storage servers with `-archive` of a1)
 *     walbc run w8-primary-archive-failover.ts --restarted a0 a1
 */
import { Steps } from './steps.js';

const steps = new Steps(
  'usage: walbc run w8-primary-archive-failover.ts [--dry-run] [--restarted] LOST NEXT',
  { min: 2, max: 2 },
  ['--restarted'],
);
const [lost, next] = steps.words.map((name) => steps.server(name, 'archive')) as [Server, Server];
// The proxies would forget the only archive there is.
if (lost.name === next.name) steps.misused(`LOST and NEXT are both ${lost.name}`);

for (const vol of walbc.get_vol_list(next)) {
  const followers = steps.followers(vol).map(({ name }) => name);
  if (!followers.includes(next.name)) {
    steps.trouble(`${vol}: ${next.name} does not follow: it needs a backup (W8, case 3)`);
    continue;
  }
  if (followers.includes(lost.name)) walbc.stop_synchronizing(lost, vol);
  if (!steps.has('--restarted')) continue;
  const sx = sLayout.storageL.find((one) => walbc.get_state(one, vol) === 'Target');
  if (sx !== undefined) steps.prove(sx, vol);
}
if (!steps.has('--restarted')) {
  const names = sLayout.storageL.map(({ name }) => name).join(', ');
  print(`now restart ${names} with -archive ${next.get_host_port()}, put ${next.name} first`);
  print('in the layout file, and run this again with --restarted');
}
steps.end();
