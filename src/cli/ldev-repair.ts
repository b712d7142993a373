/** `walb ldev repair`: cuts a damaged tail for good. */
import type { Command } from 'commander';
import { openRingLog, repairTail } from '../wlog/index.ts';
import { withFile } from './wlog-io.ts';

export function register(program: Command): void {
  program
    .command('repair')
    .description('cut the last pack before data that do not match their checksum')
    .argument('<ldev>', 'log device that is not in use')
    .option('--force', 'cut even before the written lsid, where the log was whole once')
    .action(repair);
}

async function repair(ldev: string, options: { readonly force?: boolean }): Promise<void> {
  await withFile(ldev, 'update', async (file) => {
    const end = await repairTail(openRingLog(file), options);
    const done = end.reason === 'bad-data' ? 'cut' : 'nothing to repair';
    process.stderr.write(`${ldev}: ${done}; the log ends at lsid ${end.lsid}\n`);
  });
}
