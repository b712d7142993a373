/** `walb wdiff dump`: what a diff has for a range of addresses. */
import type { Command } from 'commander';
import { LB_SIZE, parseCount } from '../core/index.ts';
import { type DiffIo, type DiffKind, ioData, openDiff, sliceIo } from '../wdiff/index.ts';
import { printLines, toJson, withFile, withOutput } from './wlog-io.ts';

interface Options {
  readonly output?: string;
  readonly json?: boolean;
}

const FLAGS: Readonly<Record<DiffKind, string>> = { normal: '--', zero: 'Z-', discard: '-D' };

export function register(program: Command): void {
  program
    .command('dump')
    .description('list what a diff holds of a range, and write its data')
    .argument('<file>', 'sorted or indexed wdiff file')
    .argument('<address>', 'first block (512 bytes)', (text) => parseCount(text, 'address'))
    .argument('<blocks>', 'length of the range', (text) => parseCount(text, 'blocks'))
    .option('-o, --output <file>', 'data of the whole range; zeros where the diff has no data')
    .option('--json', 'one object per line')
    .action(dump);
}

async function dump(
  file: string,
  address: number,
  blocks: number,
  options: Options,
): Promise<void> {
  await withFile(file, 'read', async (handle) => {
    const pieces = () => piecesOf(openDiff(handle).batches(), address, address + blocks);
    if (options.output !== '-')
      await printLines(dumpLines(pieces(), blocks, options.json === true));
    if (options.output === undefined) return;
    await withOutput(options.output, async (sink) => {
      let at = address;
      for (const io of pieces()) {
        for (const zeros of zeroChunks(io.address - at)) await sink.write(zeros);
        if (io.kind === 'normal') await sink.write(ioData(io));
        else for (const zeros of zeroChunks(io.blocks)) await sink.write(zeros);
        at = io.address + io.blocks;
      }
      for (const zeros of zeroChunks(address + blocks - at)) await sink.write(zeros);
    });
  });
}

const ZEROS = new Uint8Array(1024 * 1024);

function* zeroChunks(blocks: number): Generator<Uint8Array> {
  for (let rest = blocks * LB_SIZE; rest > 0; rest -= ZEROS.length) yield ZEROS.subarray(0, rest);
}

function* piecesOf(batches: Iterable<readonly DiffIo[]>, start: number, end: number) {
  for (const batch of batches) {
    for (const io of batch) {
      if (io.address >= end) return;
      const from = Math.max(start, io.address);
      const to = Math.min(end, io.address + io.blocks);
      if (from < to) yield sliceIo(io, from, to - from);
    }
  }
}

function* dumpLines(pieces: Iterable<DiffIo>, blocks: number, json: boolean): Generator<string> {
  for (const { address, blocks: length, kind } of pieces) {
    yield json
      ? toJson({ address, blocks: length, kind })
      : `dump ${address} ${length} ${FLAGS[kind]}`;
  }
  if (!json) yield `dump ${blocks} blocks`;
}
