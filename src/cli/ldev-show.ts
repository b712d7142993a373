/** `walb ldev show`: the log in a log device, one line per pack and record. */
import type { Command } from 'commander';
import { type EndItem, openRingLog, readRing } from '../wlog/index.ts';
import { formatOf, parseLsid, printLines, reportRingEnd, withFile } from './wlog-io.ts';
import { showLines } from './wlog-text.ts';

interface Options {
  readonly format?: string;
  readonly json?: boolean;
  readonly verify?: boolean;
  readonly begin?: bigint;
}

export function register(program: Command): void {
  program
    .command('show')
    .description('print the packs and records of a log device')
    .argument('<ldev>', 'log device')
    .option('-b, --begin <lsid>', 'begin at this pack (default: the oldest)', parseLsid)
    .option('--verify', 'read the data too and check its checksums')
    .option('--format <name>', 'text, json (one object per line) or original', 'text')
    .option('--json', 'short for --format json')
    .action(show);
}

async function show(ldev: string, options: Options): Promise<void> {
  const format = formatOf(options);
  let end: EndItem | undefined;
  const onEnd = (item: EndItem) => {
    end = item;
  };
  await withFile(ldev, 'read', (file) => {
    const log = openRingLog(file);
    const begin = options.begin ?? log.superSector.oldestLsid;
    const items = readRing(log, { begin, data: options.verify === true ? 'verify' : 'skip' });
    return printLines(showLines(items, format, { begin, pbs: log.geometry.pbs, onEnd }));
  });
  reportRingEnd(ldev, end);
}
