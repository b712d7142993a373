/** `walb wdiff cat`: the virtual full image, base with diffs on top. */
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { commitTemporary, createTemporary, discardTemporary } from '../core/durable.ts';
import { type Bytes, type FileHandle, parseSize } from '../core/index.ts';
import { isAllZero } from '../kernels/index.ts';
import { mergeDiffs, type ScanChunk, virtualScan } from '../wdiff/index.ts';
import {
  ACCEPT_MISSING_END,
  ACCEPT_MISSING_END_HELP,
  missingEndOf,
  refuseSpecialFile,
  withDiffs,
} from './wdiff-io.ts';
import { files, random, withFile, writeStdout } from './wlog-io.ts';

interface Options {
  readonly output: string;
  readonly size?: Bytes;
  readonly acceptMissingEnd?: boolean;
}

export function register(program: Command): void {
  program
    .command('cat')
    .description('write the full image of a base with diffs on top; discards read as zeros')
    .argument('<base>', 'base image or block device')
    .argument('<file...>', 'sorted or indexed wdiff files, OLDEST .. NEWEST')
    .requiredOption('-o, --output <file>', 'the image (made sparse), - for standard output')
    .option('--size <size>', 'size of the image; that of the base by default', parseSize)
    .option(ACCEPT_MISSING_END, ACCEPT_MISSING_END_HELP)
    .action(cat);
}

async function cat(basePath: string, paths: string[], options: Options): Promise<void> {
  await withFile(basePath, 'read', (base) =>
    withDiffs(paths, missingEndOf(options), async (diffs) => {
      const merged = mergeDiffs(diffs.map((diff) => diff.batches()));
      const size = options.size ?? base.size();
      const chunks = virtualScan(base, merged, { size });
      if (options.output === '-') {
        for await (const { data } of chunks) await writeStdout(data);
      } else {
        await writeImage(options.output, chunks, size);
      }
    }),
  );
}

async function writeImage(
  path: string,
  chunks: AsyncIterable<ScanChunk>,
  size: Bytes,
): Promise<void> {
  refuseSpecialFile(path);
  const image = createTemporary({ files, random }, dirname(path));
  try {
    await fillSparse(image, chunks, size);
  } catch (error) {
    discardTemporary(files, image);
    throw error;
  }
  await commitTemporary(files, image, path);
}

async function fillSparse(
  image: FileHandle,
  chunks: AsyncIterable<ScanChunk>,
  size: Bytes,
): Promise<void> {
  image.truncate(size);
  for await (const { offset, data, isHole } of chunks) {
    if (!isHole && !isAllZero(data)) image.write(data, offset);
  }
}
