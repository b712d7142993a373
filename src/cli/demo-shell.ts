/** The prompt at the end of the demo: the same shell as `walbc`, with the demo's group in it. */
import type { ServerLayout } from '../walbc/index.ts';
import { runShell } from '../walbc/shell/main.ts';
import { VOLUME } from './demo-story.ts';
import type { BackupGroup } from './group.ts';

function banner(group: BackupGroup): string {
  return `
The group goes on. s0 p0 a0 sLayout vol and walbc are defined; try:

  walbc.status([s0, p0, a0], vol)
  walbc.print_restorable(a0, vol)
  gid = walbc.snapshot(s0, vol, [a0])
  walbc.export_snapshot(a0, vol, gid)['uri']
  help(walbc.restore)

Any NBD client may use the volume meanwhile, for example in another terminal:

  qemu-io -f raw -c 'write -P 7 0 1M' '${group.nbdUri}'

exit, or Ctrl-D, ends the group and removes its files.`;
}

/** Returns when the operator leaves, with the exit code asked for. */
export async function demoShell(group: BackupGroup, layout: ServerLayout): Promise<number> {
  group.onDeath((name, how) => {
    process.stderr.write(`\n${name} ended (${how}); its log is ${group.logFile(name)}\n`);
  });
  return await runShell({ layout, globals: { vol: VOLUME }, banner: banner(group) });
}
