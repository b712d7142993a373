/** `walb demo`: a whole backup group on this machine, with real data, ending at the walbc prompt. */
import type { Command } from 'commander';
import { MIB, parseSize, WalbError } from '../core/index.ts';
import { type DemoOptions, runDemo } from './demo-run.ts';

const MIN_SIZE = 16 * MIB;

interface CommandOptions {
  readonly dir?: string;
  readonly shell: boolean;
  readonly size: string;
  readonly keep?: boolean;
}

export function register(program: Command): void {
  program
    .command('demo')
    .description('a whole backup group on this machine, with real data, ending at the walbc prompt')
    .option('--dir <folder>', 'put everything there, and leave it there (a temporary folder)')
    .option('--no-shell', 'end after the report; the exit code says whether all was equal')
    .option('--size <size>', 'size of the volume', '64m')
    .option('--keep', 'do not remove the temporary folder at the end')
    .action(async (options: CommandOptions) => {
      process.exitCode = await runDemo(demoOptions(options));
    });
}

function demoOptions({ dir, shell, size, keep }: CommandOptions): DemoOptions {
  const bytes = parseSize(size);
  if (bytes < MIN_SIZE || bytes % MIB !== 0) {
    throw new WalbError('invalid-argument', `--size ${size}: whole MiB needed, at least 16m`);
  }
  return { size: bytes, folder: dir, keep: keep === true, shell };
}
