/** `walb wlog analyze`: how much a log writes, how much of it is overwritten, what survives. */
import type { Command } from 'commander';
import { LB_SIZE, parseSize, WalbError } from '../core/index.ts';
import { analyzeLog, type LogStatistics, originalAnalyzeLines, readWlogs } from '../wlog/index.ts';
import { type Format, formatOf, printLines, reportEnd, toJson, withSource } from './wlog-io.ts';

interface Options {
  readonly blockSize: string;
  readonly format?: string;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('analyze')
    .description('print statistics of a wlog')
    .argument('[file]', 'wlog file, - for standard input', '-')
    .option('-b, --block-size <size>', 'unit of the overwriting statistics', '4k')
    .option('--format <name>', 'text, json or original (as wlog-analyze)', 'text')
    .option('--json', 'short for --format json')
    .action(analyze);
}

async function analyze(file: string, options: Options): Promise<void> {
  const format = formatOf(options);
  const blockSize = parseSize(options.blockSize);
  if (blockSize < 512 || blockSize % 512 !== 0) {
    throw new WalbError('invalid-argument', `block size ${blockSize} is no multiple of 512`);
  }
  const statistics = await withSource(file, (source) =>
    analyzeLog(readWlogs(source, { onBreak: 'stop' }), blockSize),
  );
  await printLines(statisticsLines(statistics, format));
  reportEnd(file, statistics.end);
}

function statisticsLines(statistics: LogStatistics, format: Format): string[] {
  if (format === 'original') return originalAnalyzeLines(statistics);
  if (format === 'json') return [toJson(statistics)];
  const s = statistics;
  return [
    `lsids          ${s.beginLsid} to ${s.endLsid}: ${s.packs} packs, ${s.takenPb} physical blocks`,
    `writes         ${s.writes} of ${s.writtenLb} blocks (${s.smallestIoLb} to ${s.largestIoLb} each), ` +
      `${s.allZeroWrites} all zero`,
    `discards       ${s.discards} of ${s.discardedLb} blocks`,
    `padding        ${s.paddings} of ${s.paddingLb} blocks`,
    `rewritten      ${percent(s.overwrittenRatio)}: IO of ${s.writtenBlocks} blocks of ` +
      `${s.blockSize} bytes touches ${s.changedBlocks} different ones`,
    `surviving      ${s.survivingBytes} bytes, ${percent(survivingShare(s))} of what was written`,
  ];
}

function survivingShare({ survivingBytes, writtenLb }: LogStatistics): number {
  return writtenLb === 0 ? 0 : survivingBytes / (writtenLb * LB_SIZE);
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}
