/** `walb wdiff redo`: applies a diff to a volume image. */
import type { Command } from 'commander';
import { corrupt, WalbError } from '../core/index.ts';
import {
  type DiscardMode,
  openDiff,
  type RedoReport,
  redo as redoDiff,
  verifyDiff,
} from '../wdiff/index.ts';
import {
  ACCEPT_MISSING_END,
  ACCEPT_MISSING_END_HELP,
  missingEndOf,
  withPieces,
} from './wdiff-io.ts';
import { printLines, toJson, warn, withFile } from './wlog-io.ts';

interface Options {
  readonly zeroDiscard?: boolean;
  readonly discard?: string;
  readonly verify?: boolean;
  readonly acceptMissingEnd?: boolean;
  readonly json?: boolean;
}

const MODES: readonly DiscardMode[] = ['ignore', 'zero', 'passdown'];

export function register(program: Command): void {
  program
    .command('redo')
    .description('apply a wdiff to an image or block device, which keeps its size')
    .argument('<file>', 'wdiff file, - for a sorted one on standard input')
    .argument('<image>', 'existing image or block device')
    .option('-z, --zero-discard', 'discards write zeros; short for --discard zero')
    .option(
      '--discard <mode>',
      'what discards do: ignore (default), zero, passdown (give space back)',
    )
    .option('--verify', 'check all data of the diff before the image is touched')
    .option(ACCEPT_MISSING_END, ACCEPT_MISSING_END_HELP)
    .option('--json', 'print a summary as JSON')
    .action(redo);
}

async function redo(file: string, imagePath: string, options: Options): Promise<void> {
  const discard = discardOf(options);
  if (file !== '-') await checkFirst(file, options);
  const report = await withPieces(file, missingEndOf(options), (pieces) =>
    withFile(imagePath, 'update', async (image) => {
      const done = await redoDiff(pieces, image, { discard });
      await image.sync();
      return done;
    }),
  );
  if (report.firstSkipped !== undefined) warnOfSkipped(imagePath, report);
  if (options.json === true)
    await printLines([toJson({ image: imagePath, discardMode: discard, ...report })]);
  else process.stderr.write(`${summary(report)}\n`);
}

/** Finds damage before the image is touched: of the structure always, of the data when asked for. */
async function checkFirst(file: string, options: Options): Promise<void> {
  const missingEnd = missingEndOf(options);
  await withFile(file, 'read', async (handle) => {
    if (options.verify === true) {
      const { problems } = await verifyDiff(handle, { missingEnd });
      if (problems[0] === undefined) return;
      const { message, offset, field } = problems[0];
      throw corrupt(`${message} (${problems.length} problems; the image was not touched)`, {
        file,
        offset,
        field,
      });
    }
    for (const _batch of openDiff(handle, { missingEnd }).batches());
  });
}

function discardOf({ zeroDiscard, discard }: Options): DiscardMode {
  const name = discard ?? (zeroDiscard === true ? 'zero' : 'ignore');
  const mode = MODES.find((one) => one === name);
  if (mode !== undefined) return mode;
  throw new WalbError(
    'invalid-argument',
    `no discard mode '${name}'; there are: ${MODES.join(', ')}`,
  );
}

function warnOfSkipped(image: string, { skipped, firstSkipped }: RedoReport): void {
  const { address, blocks } = firstSkipped!;
  warn(
    `${image}: ${skipped} records end beyond the image and were skipped, ` +
      `the first at block ${address}, length ${blocks}`,
  );
}

function summary(report: RedoReport): string {
  return (
    `applied ${report.normal} writes (${report.written} bytes), ${report.zero} zero ranges ` +
    `and ${report.discard} discards; ${report.skipped} records skipped`
  );
}
