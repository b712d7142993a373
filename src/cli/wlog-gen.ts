/** `walb wlog gen`: a made-up log for tests; the same options and seed give the same file. */
import { type Command, Option } from 'commander';
import { LB_SIZE, parseCount, parseSize } from '../core/index.ts';
import { type DataKind, type GenerateOptions, generateWlog } from '../wlog/index.ts';
import { parseLsid, withOutput } from './wlog-io.ts';

interface Options {
  readonly output: string;
  readonly seed: string;
  readonly size: string;
  readonly pbs: string;
  readonly length: string;
  readonly minIo: string;
  readonly maxIo: string;
  readonly minDiscard: string;
  readonly maxDiscard: string;
  readonly maxPack: string;
  readonly lsid: string;
  readonly data: DataKind;
  readonly discard: boolean;
  readonly padding: boolean;
  readonly allzero: boolean;
}

export function register(program: Command): void {
  program
    .command('gen')
    .description('generate a wlog of random IOs')
    .option('-o, --output <file>', 'wlog file, - for standard output', '-')
    .option('--seed <n>', 'same seed, same log', '1')
    .option('-s, --size <size>', 'size of the device written to', '16m')
    .option('-b, --pbs <size>', 'physical block size', '512')
    .option('-z, --length <size>', 'total length of all IOs', '1m')
    .option('--min-io <size>', 'smallest write', '512')
    .option('--max-io <size>', 'largest write', '32k')
    .option('--min-discard <size>', 'smallest discard', '512')
    .option('--max-discard <size>', 'largest discard', '256k')
    .option('--max-pack <size>', 'largest pack', '1m')
    .option('--lsid <lsid>', 'lsid of the first pack', '0')
    .addOption(
      new Option('--data <kind>', 'how well data compress')
        .choices(['sparse', 'random', 'mixed'])
        .default('sparse'),
    )
    .option('--no-discard', 'no discards')
    .option('--no-padding', 'no padding records')
    .option('--no-allzero', 'no writes of zeros')
    .action(generate);
}

async function generate(options: Options): Promise<void> {
  const pieces = generateWlog(generateOptions(options));
  await withOutput(options.output, async (sink) => {
    for (const piece of pieces) await sink.write(piece);
  });
}

function generateOptions(options: Options): GenerateOptions {
  const blocks = (size: string) => Math.floor(parseSize(size) / LB_SIZE);
  const pbs = parseSize(options.pbs);
  return {
    seed: parseCount(options.seed, 'seed'),
    pbs,
    deviceLb: blocks(options.size),
    totalLb: blocks(options.length),
    minIoLb: blocks(options.minIo),
    maxIoLb: blocks(options.maxIo),
    minDiscardLb: blocks(options.minDiscard),
    maxDiscardLb: blocks(options.maxDiscard),
    maxPackPb: Math.floor(parseSize(options.maxPack) / pbs),
    beginLsid: parseLsid(options.lsid),
    data: options.data,
    discardShare: options.discard ? 0.1 : 0,
    allZeroShare: options.allzero ? 0.1 : 0,
    paddingShare: options.padding ? 0.1 : 0,
  };
}
