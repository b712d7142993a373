/** `walb worker`: maintenance of one archive, as worker.md describes it. */
import type { Command } from 'commander';
import { WalbError } from '../core/index.ts';
import { RealClock } from '../core/real-clock.ts';
import { localTime } from '../walbc/retention/table.ts';
import { configTree } from '../walbc/worker/config-tree.ts';
import { Worker } from '../walbc/worker/runner.ts';
import { collect, type InputOptions, openAudit, readInput } from './worker-input.ts';

interface Options extends InputOptions {
  readonly verbose: number;
  readonly step?: string;
  readonly lifetime?: string;
  readonly dryRun?: boolean;
  readonly selectOnly?: boolean;
}

/** As the original writes them, where that is not short for something else. */
const ORIGINAL_WORDS: Readonly<Record<string, string>> = {
  '-step': '--step',
  '-lifetime': '--lifetime',
  '-no': '--select-only',
};

export function rewriteWords(words: readonly string[]): string[] {
  return words.map((word) => ORIGINAL_WORDS[word] ?? word);
}

export function register(program: Command): void {
  program
    .command('worker')
    .description('applies, merges and replicates at one archive, as its configuration says')
    .option('-f, --file <file>', 'YAML configuration; later files override; - is stdin', collect)
    .option('--layout <file>', 'take the address of the archive from a layout file')
    .option('--archive <name>', 'with --layout: which archive')
    .option('-v, --verbose', 'debug messages; twice for more', (_, count: number) => count + 1, 0)
    .option('--step <n>', 'run only this selection step (1-5)')
    .option('--lifetime <sec>', 'end after so many seconds')
    .option('--select-only', 'go on selecting, but start nothing (-no)')
    .option('--dry-run', 'say what would be done next, and why; do nothing')
    .action(run);
}

async function run(options: Options): Promise<void> {
  const { config, environment } = await readInput(options);
  const { stringify } = await import('yaml');
  const stop = new AbortController();
  // A second signal ends the process at once: what runs at the archive goes on there.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  const worker = new Worker(config, {
    step: stepNumber(options.step),
    lifetime: number(options.lifetime, '--lifetime'),
    dryRun: options.dryRun ?? false,
    selectOnly: options.selectOnly ?? false,
    verbose: options.verbose,
    announce: [process.argv.slice(1).join(' '), '>>>', stringify(configTree(config)).trim(), '<<<'],
    localTime,
    print: (line) => void process.stdout.write(`${line}\n`),
    clock: new RealClock(),
    signal: stop.signal,
    environment,
    audit: openAudit('worker', options),
  });
  process.exitCode = await worker.run();
}

function stepNumber(text: string | undefined): number | undefined {
  const step = number(text, '--step');
  if (step === undefined || (step >= 1 && step <= 5)) return step;
  throw new WalbError('invalid-argument', `--step takes 1 to 5, not ${step}`);
}

function number(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d+$/.test(text)) return Number(text);
  throw new WalbError('invalid-argument', `${option} takes a number, not '${text}'`);
}
