/** `walb ldev format`: makes an empty log device. */
import type { Command } from 'commander';
import { type FileHandle, hasCode, LB_SIZE, parseSize, WalbError } from '../core/index.ts';
import { formatRingLog, readSuperSector, type ValidSuper } from '../wlog/index.ts';
import { files, random, withFile } from './wlog-io.ts';

interface Options {
  readonly name: string;
  readonly pbs: string;
  readonly size?: string;
  readonly data?: string;
  readonly force?: boolean;
}

export function register(program: Command): void {
  program
    .command('format')
    .description('make an empty log on an existing file or block device')
    .argument('<ldev>', 'log device')
    .option('--data <ddev>', 'take the volume size from this data device or image')
    .option('--size <size>', 'volume size, instead of --data')
    .option('--name <name>', 'device name, up to 31 bytes', '')
    .option('--pbs <size>', 'physical block size', '512')
    .option('--force', 'even when there is a log device already; its log is lost')
    .action(format);
}

async function format(ldev: string, options: Options): Promise<void> {
  const deviceLb = Math.floor(volumeSize(options) / LB_SIZE);
  await withFile(ldev, 'update', async (file) => {
    const old = existingLog(file);
    if (old !== undefined && options.force !== true) {
      throw new WalbError(
        'already-exists',
        `${ldev} is the log device '${old.name}' already; --force erases its log`,
      );
    }
    const log = await formatRingLog(file, {
      pbs: parseSize(options.pbs),
      uuid: random.bytes(16),
      salt: random.u32(),
      name: options.name,
      deviceLb,
    });
    process.stderr.write(`formatted ${ldev}: a ring of ${log.geometry.ringPb} physical blocks\n`);
  });
}

function volumeSize(options: Options): number {
  if (options.size !== undefined) return parseSize(options.size);
  if (options.data === undefined) {
    throw new WalbError('invalid-argument', 'give the volume size with --data or --size');
  }
  const info = files.info(options.data);
  if (info !== undefined) return info.size;
  throw new WalbError('not-found', `${options.data} does not exist`);
}

function existingLog(file: FileHandle): ValidSuper | undefined {
  try {
    return readSuperSector(file);
  } catch (error) {
    if (hasCode(error, 'corrupt')) return undefined;
    throw error;
  }
}
