/** `walb wdiff merge`: several diffs, oldest first, as one sorted diff. */
import type { Command } from 'commander';
import { fromHex, type Lb, WalbError, zeroUuid } from '../core/index.ts';
import {
  type CompressOption,
  DEFAULT_COMPRESS_OPTION,
  type DiffFile,
  mergeDiffs,
  parseCompressOption,
  sortedDiffParts,
  UUID_SIZE,
} from '../wdiff/index.ts';
import {
  ACCEPT_MISSING_END,
  ACCEPT_MISSING_END_HELP,
  COMPRESS_HELP,
  missingEndOf,
  parseMaxIo,
  withDiffs,
  writeDiff,
} from './wdiff-io.ts';
import { printLines, toJson } from './wlog-io.ts';

interface Options {
  readonly output: string;
  readonly compress: CompressOption;
  readonly maxIo: Lb;
  readonly uuid: string;
  readonly recompress?: boolean;
  readonly acceptMissingEnd?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  program
    .command('merge')
    .description('merge diffs, oldest first, into one sorted diff')
    .argument('<file...>', 'sorted or indexed wdiff files, OLDEST .. NEWEST')
    .requiredOption('-o, --output <file>', 'the merged diff, - for standard output')
    .option(
      '--compress <type[:level[:ncpu]]>',
      COMPRESS_HELP,
      parseCompressOption,
      DEFAULT_COMPRESS_OPTION,
    )
    .option('--max-io <size>', 'longest record, 0 for no limit', parseMaxIo, 0)
    .option(
      '--uuid <which>',
      'of the output: newest, zero (as wdiff-merge) or 32 hex digits',
      'newest',
    )
    .option('--recompress', 'compress also what has the wanted type already')
    .option(ACCEPT_MISSING_END, ACCEPT_MISSING_END_HELP)
    .option('--json', 'print a summary as JSON')
    .action(merge);
}

async function merge(paths: string[], options: Options): Promise<void> {
  const written = await withDiffs(paths, missingEndOf(options), (diffs) => {
    const pieces = mergeDiffs(
      diffs.map((diff) => diff.batches()),
      { maxIoBlocks: options.maxIo },
    );
    const parts = sortedDiffParts(pieces, {
      uuid: uuidOf(options.uuid, diffs),
      compression: options.compress,
      packLimit: 'uncompressed',
      recompress: options.recompress === true ? 'always' : 'reuse',
      buffers: 'reused',
      name: options.output,
    });
    return writeDiff(options.output, { format: 'sorted', parts });
  });
  if (options.json !== true || options.output === '-') return;
  await printLines([toJson({ output: options.output, inputs: paths, ...written })]);
}

function uuidOf(which: string, diffs: readonly DiffFile[]): Uint8Array {
  if (which === 'newest') return diffs.at(-1)!.uuid;
  if (which === 'zero') return zeroUuid();
  const uuid = fromHex(which, 'uuid');
  if (uuid.length === UUID_SIZE) return uuid;
  throw new WalbError('invalid-argument', `--uuid ${which} is not 32 hex digits`);
}
