/** `walb wdiff show`: what a diff file holds, one line per record. */
import type { Command } from 'commander';
import { type FileHandle, formatSizeForHumans, LB_SIZE } from '../core/index.ts';
import { type DiffIo, openDiff, originalLines } from '../wdiff/index.ts';
import { type Format, formatOf, printLines, toJson, withFile } from './wlog-io.ts';

interface Options {
  readonly format?: string;
  readonly json?: boolean;
  readonly records: boolean;
}

export function register(program: Command): void {
  program
    .command('show')
    .description('print the header and records of diffs (their data are not read: see verify)')
    .argument('<file...>', 'sorted or indexed wdiff files')
    .option(
      '--format <name>',
      'text, json (one object per line) or original (as wdiff-show)',
      'text',
    )
    .option('--json', 'short for --format json')
    .option('--no-records', 'header and totals only')
    .action(show);
}

async function show(paths: string[], options: Options): Promise<void> {
  const format = formatOf(options);
  for (const path of paths) {
    await withFile(path, 'read', (handle) => printLines(linesOf(handle, format, options.records)));
  }
}

function linesOf(handle: FileHandle, format: Format, records: boolean): Iterable<string> {
  if (format === 'original') return originalLines(handle);
  return format === 'json' ? jsonLines(handle, records) : textLines(handle, records);
}

function* textLines(handle: FileHandle, records: boolean): Generator<string> {
  const diff = openDiff(handle);
  yield `${handle.path}: ${diff.format}, uuid ${Buffer.from(diff.uuid).toString('hex')}`;
  const totals = new Totals();
  if (records) yield '     address      blocks  kind     compression  stored bytes';
  for (const batch of diff.batches()) {
    for (const io of batch) {
      totals.add(io);
      if (records) yield textLine(io);
    }
  }
  yield totals.text();
}

function textLine(io: DiffIo): string {
  const range = `${String(io.address).padStart(12)}${String(io.blocks).padStart(12)}`;
  if (io.kind !== 'normal') return `${range}  ${io.kind}`;
  const { compression, storedSize } = io.blob;
  const window =
    io.blocks === io.blob.blocks ? '' : ` (from block ${io.blobOffset} of ${io.blob.blocks})`;
  return `${range}  normal   ${compression.padEnd(11)}${String(storedSize).padStart(14)}${window}`;
}

function* jsonLines(handle: FileHandle, records: boolean): Generator<string> {
  const diff = openDiff(handle);
  yield toJson({ type: 'header', file: handle.path, format: diff.format, uuid: diff.uuid });
  const totals = new Totals();
  for (const batch of diff.batches()) {
    for (const io of batch) {
      totals.add(io);
      if (records) yield toJson(jsonRecord(io));
    }
  }
  yield toJson({ type: 'totals', ...totals });
}

function jsonRecord(io: DiffIo): object {
  const { address, blocks, kind } = io;
  if (io.kind !== 'normal') return { type: 'record', address, blocks, kind };
  const { compression, storedSize, checksum, blocks: blobBlocks } = io.blob;
  const { blobOffset } = io;
  const blob = { compression, storedSize, checksum, blobBlocks, blobOffset };
  return { type: 'record', address, blocks, kind, ...blob };
}

class Totals {
  records = 0;
  normal = 0;
  zero = 0;
  discard = 0;
  /** Blocks of each kind. */
  normalBlocks = 0;
  zeroBlocks = 0;
  discardBlocks = 0;

  add(io: DiffIo): void {
    this.records++;
    this[io.kind]++;
    this[`${io.kind}Blocks`] += io.blocks;
  }

  text(): string {
    const kinds = (['normal', 'zero', 'discard'] as const).map((kind) => {
      const size = formatSizeForHumans(this[`${kind}Blocks`] * LB_SIZE);
      return `${this[kind]} ${kind} (${size})`;
    });
    return `${this.records} records: ${kinds.join(', ')}`;
  }
}
