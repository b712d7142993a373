/** `walb wdiff name`: makes and explains the names of diff files. */
import { basename } from 'node:path';
import type { Command } from 'commander';
import {
  formatTimestamp,
  parseTimestampDigits,
  parseU64,
  toUnixSeconds,
  WalbError,
} from '../core/index.ts';
import { diffOf, formatDiff, formatDiffName, parseDiffName, snapshot } from '../wdiff/index.ts';
import { printLines, toJson } from './wlog-io.ts';

interface Options {
  readonly parse?: boolean;
  readonly date?: string;
  readonly merge: boolean;
  readonly comp?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('name')
    .description('make a diff name from 2 or 4 gids (B E, or B0 B1 E0 E1), or explain names')
    .argument('<word...>', 'gids in decimal; names with --parse')
    .option('--parse', 'the words are names to explain')
    .option('-d, --date <digits>', 'timestamp YYYYMMDDhhmmss, UTC; now by default')
    .option('--no-merge', 'not mergeable: the snapshot before it is kept')
    .option('--comp', 'a compared diff')
    .option('--json', 'one object per line')
    .action(name);
}

async function name(words: string[], options: Options): Promise<void> {
  const diffs = options.parse === true ? words.map(parsed) : [made(words, options)];
  await printLines(
    diffs.map((diff) => {
      const text = formatDiffName(diff);
      if (options.json === true) return toJson({ name: text, ...diff });
      if (options.parse !== true) return text;
      return `${text}\t${formatDiff(diff)}\t${formatTimestamp(diff.timestamp)}`;
    }),
  );
}

function parsed(word: string) {
  return parseDiffName(basename(word));
}

function made(words: readonly string[], options: Options) {
  const gids = words.map((word) => parseU64(word, 'gid'));
  const [g0, g1, g2, g3] = gids;
  const timestamp =
    options.date === undefined ? toUnixSeconds(Date.now()) : parseTimestampDigits(options.date);
  const fields = { isMergeable: options.merge, isCompared: options.comp === true, timestamp };
  if (gids.length === 2) return diffOf(snapshot(g0!), snapshot(g1!), fields);
  if (gids.length === 4) return diffOf(snapshot(g0!, g1!), snapshot(g2!, g3!), fields);
  throw new WalbError('invalid-argument', `2 or 4 gids are wanted, not ${gids.length}`);
}
