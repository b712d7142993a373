/** `walb wlog to-wdiff`: converts logs to a diff. */
import type { Command } from 'commander';
import {
  equalBytes,
  type FileHandle,
  formatUuid,
  type Lb,
  type Lsid,
  WalbError,
  zeroUuid,
} from '../core/index.ts';
import {
  type CompressOption,
  type ConvertOptions,
  convertToIndexed,
  convertToSorted,
  DEFAULT_COMPRESS_OPTION,
  DEFAULT_MAX_IO_BLOCKS,
  type DiffFormat,
  logIosOf,
  parseCompressOption,
} from '../wdiff/index.ts';
import {
  type EndItem,
  fileSource,
  readWlogs,
  streamSource,
  type WlogHeader,
  type WlogItem,
} from '../wlog/index.ts';
import { COMPRESS_HELP, createScratch, parseMaxIo, writeDiff } from './wdiff-io.ts';
import { files, printLines, reportEnd, toJson } from './wlog-io.ts';

interface Options {
  readonly output: string;
  readonly format: string;
  readonly compress: CompressOption;
  readonly maxIo: Lb;
  readonly json?: boolean;
}

const FORMATS: readonly DiffFormat[] = ['sorted', 'indexed'];

export function register(wlog: Command): void {
  wlog
    .command('to-wdiff')
    .description('convert wlogs, which must continue each other, to one wdiff')
    .argument('<file...>', 'wlog files in order, - for standard input')
    .requiredOption('-o, --output <file>', 'the diff, - for standard output')
    .option('--format <name>', 'sorted or indexed', 'sorted')
    .option(
      '--compress <type[:level[:ncpu]]>',
      COMPRESS_HELP,
      parseCompressOption,
      DEFAULT_COMPRESS_OPTION,
    )
    .option('--max-io <size>', 'longest record, 0 for no limit', parseMaxIo, DEFAULT_MAX_IO_BLOCKS)
    .option('--json', 'print a summary as JSON')
    .action(toWdiff);
}

async function toWdiff(paths: string[], options: Options): Promise<void> {
  const format = FORMATS.find((one) => one === options.format);
  if (format === undefined) {
    const known = FORMATS.join(', ');
    throw new WalbError('invalid-argument', `no format '${options.format}'; there are: ${known}`);
  }
  const items = continuousItems(paths);
  const uuid = await uuidOfFirst(items);
  const convert = { uuid, compression: options.compress, maxIoBlocks: options.maxIo };
  const written = await writeDiff(
    options.output,
    format === 'indexed'
      ? { format, parts: convertToIndexed(logIosOf(items), convert) }
      : { format, parts: sortedParts(items, convert, options.output) },
  );
  if (options.json !== true || options.output === '-') return;
  await printLines([toJson({ output: options.output, format, uuid, ...written })]);
}

/** The data of a long log wait in a nameless file beside the output. */
async function* sortedParts(
  items: AsyncIterable<WlogItem>,
  convert: ConvertOptions,
  output: string,
): AsyncGenerator<readonly Uint8Array[]> {
  let scratch: FileHandle | undefined;
  const create = () => {
    scratch = createScratch(output);
    return scratch;
  };
  try {
    yield* convertToSorted(logIosOf(items), { ...convert, buffers: 'reused', scratch: create });
  } finally {
    scratch?.close();
  }
}

/** The items of all files as of one log. Throws `conflict` where a file does not continue the last. */
async function* continuousItems(paths: readonly string[]): AsyncGenerator<WlogItem> {
  let last: { readonly uuid: Uint8Array; readonly lsid: Lsid } | undefined;
  for (const path of paths) {
    const handle = path === '-' ? undefined : files.open(path, 'read');
    const source = handle === undefined ? streamSource(process.stdin) : fileSource(handle);
    let uuid: Uint8Array = zeroUuid();
    let end: EndItem | undefined;
    try {
      for await (const item of readWlogs(source)) {
        if (item.kind === 'header' && end === undefined) {
          uuid = item.header.uuid;
          if (last !== undefined) requireContinuation(path, item.header, last);
        }
        if (item.kind === 'end') end = item;
        yield item;
      }
    } finally {
      handle?.close();
    }
    reportEnd(path, end);
    if (end !== undefined) last = { uuid, lsid: end.lsid };
  }
}

function requireContinuation(
  file: string,
  header: WlogHeader,
  last: { readonly uuid: Uint8Array; readonly lsid: Lsid },
): void {
  if (equalBytes(header.uuid, last.uuid) && header.beginLsid === last.lsid) return;
  throw new WalbError('conflict', `${file} does not continue the log before it`, {
    details: {
      file,
      uuid: formatUuid(header.uuid),
      expectedUuid: formatUuid(last.uuid),
      beginLsid: header.beginLsid,
      expectedLsid: last.lsid,
    },
  });
}

async function uuidOfFirst(items: AsyncGenerator<WlogItem>): Promise<Uint8Array> {
  const first = await items.next();
  if (first.done !== true && first.value.kind === 'header') return first.value.header.uuid;
  throw new WalbError('internal', 'a log does not start with its header');
}
