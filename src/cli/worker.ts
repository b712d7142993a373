/** `walb worker`: maintenance of one archive, as worker.md describes it. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { WalbError } from '../core/index.ts';
import { RealClock } from '../core/real-clock.ts';
import { workerConfig } from '../walbc/worker/config.ts';
import type { ConfigTree } from '../walbc/worker/config-values.ts';
import { Worker } from '../walbc/worker/runner.ts';

interface Options {
  readonly file: string[];
  readonly verbose: number;
  readonly step?: string;
  readonly lifetime?: string;
  readonly dryRun?: boolean;
}

export function register(program: Command): void {
  program
    .command('worker')
    .description('applies, merges and replicates at one archive, as its configuration says')
    .requiredOption('-f, --file <file...>', 'YAML configuration; later files override; - is stdin')
    .option('-v, --verbose', 'debug messages; twice for more', (_, count: number) => count + 1, 0)
    .option('--step <n>', 'run only this selection step (1-5)')
    .option('--lifetime <sec>', 'end after so many seconds')
    .option('--dry-run', 'say what would be done next, and why; do nothing')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const trees = await Promise.all(options.file.map(readTree));
  const config = workerConfig(trees);
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  const worker = new Worker(config, {
    step: number(options.step, '--step'),
    lifetime: number(options.lifetime, '--lifetime'),
    dryRun: options.dryRun ?? false,
    verbose: options.verbose,
    print: (line) => void process.stdout.write(`${line}\n`),
    clock: new RealClock(),
    signal: stop.signal,
  });
  process.exitCode = await worker.run();
}

async function readTree(file: string): Promise<ConfigTree> {
  const { parse } = await import('yaml');
  try {
    const tree: unknown = parse(readFileSync(file === '-' ? 0 : file, 'utf8'));
    if (typeof tree === 'object' && tree !== null && !Array.isArray(tree))
      return tree as ConfigTree;
  } catch (error) {
    const { code, message } = WalbError.from(error);
    throw new WalbError(code === 'internal' ? 'invalid-argument' : code, `${file}: ${message}`);
  }
  throw new WalbError(
    'invalid-argument',
    `${file}: must hold sections: general, apply, merge, repl`,
  );
}

function number(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new WalbError('invalid-argument', `${option} takes a number, not '${text}'`);
}
