/** `walb wlog redo`: applies a log to a volume image. */
import type { Command } from 'commander';
import { type LogRecord, type RedoResult, readWlogs, redoLog } from '../wlog/index.ts';
import { reportEnd, warn, withFile, withSource } from './wlog-io.ts';

interface Options {
  readonly zeroDiscard?: boolean;
  readonly skipChecksum?: boolean;
  readonly strict?: boolean;
}

/** More skipped IOs are only counted. */
const MAX_CLIP_WARNINGS = 10;

export function register(program: Command): void {
  program
    .command('redo')
    .description('apply a wlog to an image or block device, which keeps its size')
    .argument('<file>', 'wlog file, - for standard input')
    .argument('<image>', 'existing image or block device')
    .option('-z, --zero-discard', 'discards write zeros (ignored otherwise)')
    .option('--skip-checksum', 'apply data that do not match their checksum')
    .option('--strict', 'fail when the log breaks off before its end block')
    .action(redo);
}

async function redo(file: string, imagePath: string, options: Options): Promise<void> {
  const result = await withSource(file, (source) =>
    withFile(imagePath, 'update', async (image) => {
      const data = options.skipChecksum === true ? 'trust' : 'verify';
      const items = readWlogs(source, { data, onBreak: 'stop' });
      const zeroDiscard = options.zeroDiscard === true;
      const done = await redoLog(items, image, { zeroDiscard, onClip: clipReporter(imagePath) });
      await image.sync();
      return done;
    }),
  );
  process.stderr.write(`${summary(result)}\n`);
  reportEnd(file, result.end, options.strict);
}

function clipReporter(image: string): (record: LogRecord) => void {
  let count = 0;
  return (record) => {
    count++;
    if (count > MAX_CLIP_WARNINGS) return;
    const more = count === MAX_CLIP_WARNINGS ? '; more are only counted' : '';
    warn(
      `${image}: skipped the IO at block ${record.offset}, length ${record.blocks} ` +
        `(lsid ${record.lsid}): it ends beyond the image${more}`,
    );
  };
}

function summary(result: RedoResult): string {
  const clip = result.clipped === 0 ? '' : `, ${result.clipped} IOs beyond the image skipped`;
  return (
    `applied ${result.writes} writes (${result.writtenLb} blocks) and ${result.discards} discards ` +
    `(${result.discardedLb} blocks) up to lsid ${result.end?.lsid ?? 0n}${clip}`
  );
}
