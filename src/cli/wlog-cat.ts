/** `walb wlog cat` and `walb ldev cat`: a wlog out of a log device. */
import type { Command } from 'commander';
import { catRing, openRingLog } from '../wlog/index.ts';
import { parseLsid, reportRingEnd, warn, withFile, withOutput } from './wlog-io.ts';

interface Options {
  readonly output: string;
  readonly begin?: bigint;
  readonly end?: bigint;
}

export function register(program: Command): void {
  program
    .command('cat')
    .description('write the log of a log device as a wlog')
    .argument('<ldev>', 'log device')
    .option('-o, --output <file>', 'wlog file, - for standard output', '-')
    .option('-b, --begin <lsid>', 'begin at this pack (default: the oldest)', parseLsid)
    .option('-e, --end <lsid>', 'leave out packs from this lsid on', parseLsid)
    .action(cat);
}

async function cat(ldev: string, options: Options): Promise<void> {
  await withFile(ldev, 'read', async (file) => {
    const log = openRingLog(file);
    const { begin, end: endLsid } = options;
    const range = {
      ...(begin === undefined ? {} : { begin }),
      ...(endLsid === undefined ? {} : { end: endLsid }),
    };
    const end = await withOutput(options.output, (sink) => catRing(log, sink, range));
    reportRingEnd(ldev, end);
    if (begin !== undefined && begin > log.superSector.oldestLsid && end.lsid === begin) {
      warn(`${ldev}: no pack begins at lsid ${begin}; the wlog is empty`);
    }
  });
}
