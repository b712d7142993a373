/** `walb wlog restore`: a wlog into a log device, replacing the log there. */
import type { Command } from 'commander';
import { WalbError } from '../core/index.ts';
import { openRingLog, readWlog, restoreRing } from '../wlog/index.ts';
import { parseLsid, reportEnd, withFile, withSource } from './wlog-io.ts';

interface Options {
  readonly lsidDiff?: bigint;
  readonly begin?: bigint;
  readonly end?: bigint;
}

export function register(program: Command): void {
  program
    .command('restore')
    .description('replace the log of a formatted log device by a wlog')
    .argument('<file>', 'wlog file, - for standard input')
    .argument('<ldev>', 'log device with the same physical block size')
    .option('-d, --lsid-diff <n>', 'add this to every lsid', parseDiff)
    .option('-b, --begin <lsid>', 'leave out packs before this lsid', parseLsid)
    .option('-e, --end <lsid>', 'leave out packs from this lsid on', parseLsid)
    .action(restore);
}

function parseDiff(text: string): bigint {
  if (/^-?[0-9]{1,20}$/.test(text)) return BigInt(text);
  throw new WalbError('invalid-argument', `lsid difference '${text}' is no whole number`);
}

async function restore(file: string, ldev: string, options: Options): Promise<void> {
  const result = await withSource(file, (source) =>
    withFile(ldev, 'update', (device) =>
      restoreRing(openRingLog(device), readWlog(source), options),
    ),
  );
  process.stderr.write(
    `restored ${result.packs} packs as lsids ${result.beginLsid} to ${result.endLsid}, ` +
      `${result.paddingPacks} padding packs added\n`,
  );
  reportEnd(file, result.end);
}
