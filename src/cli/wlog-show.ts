/** `walb wlog show`: what a log file holds, one line per pack and record. */
import type { Command } from 'commander';
import { type EndItem, readWlogs } from '../wlog/index.ts';
import { formatOf, printLines, reportEnd, withSource } from './wlog-io.ts';
import { showLines } from './wlog-text.ts';

interface Options {
  readonly format?: string;
  readonly json?: boolean;
  readonly verify?: boolean;
  readonly strict?: boolean;
}

export function register(program: Command): void {
  program
    .command('show')
    .description('print the header, packs and records of a wlog')
    .argument('[file]', 'wlog file, - for standard input', '-')
    .option(
      '--format <name>',
      'text, json (one object per line) or original (as wlog-show)',
      'text',
    )
    .option('--json', 'short for --format json')
    .option('--verify', 'read the data too and check its checksums')
    .option('--strict', 'fail when the log breaks off before its end block')
    .action(show);
}

async function show(file: string, options: Options): Promise<void> {
  const format = formatOf(options);
  let end: EndItem | undefined;
  const onEnd = (item: EndItem) => {
    end = item;
  };
  await withSource(file, (source) => {
    const data = options.verify === true ? 'verify' : 'skip';
    const items = readWlogs(source, { data, onBreak: 'stop' });
    return printLines(showLines(items, format, { onEnd }));
  });
  reportEnd(file, end, options.strict);
}
