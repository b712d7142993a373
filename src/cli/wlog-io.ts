/**
 * Input and output of the log commands: `-` for standard streams, files replaced only when whole, and
 * the wording of warnings.
 */
import { dirname } from 'node:path';
import { commitTemporary, createTemporary, discardTemporary } from '../core/durable.ts';
import { corrupt, type FileHandle, type OpenMode, parseU64, WalbError } from '../core/index.ts';
import { RealFiles } from '../core/real-files.ts';
import { RealRandom } from '../core/real-random.ts';
import {
  type ByteSink,
  type ByteSource,
  describeStop,
  type EndItem,
  fileSource,
  isCleanEnd,
  streamSource,
} from '../wlog/index.ts';

export const files = new RealFiles();
export const random = new RealRandom();

/** Standard output is written in pieces of about this size. */
const TEXT_CHUNK = 64 * 1024;

export async function withFile<T>(
  path: string,
  mode: OpenMode,
  use: (file: FileHandle) => T | Promise<T>,
): Promise<T> {
  const file = files.open(path, mode);
  try {
    return await use(file);
  } finally {
    file.close();
  }
}

/** Reads a file, or standard input for `-`. */
export async function withSource<T>(
  path: string,
  use: (source: ByteSource) => Promise<T>,
): Promise<T> {
  if (path === '-') return use(streamSource(process.stdin));
  return withFile(path, 'read', (file) => use(fileSource(file)));
}

/**
 * Lets `use` write a file that appears under its name only when it is whole and on disk; or standard
 * output for `-`, where only the exit code tells that it is whole.
 */
export async function withOutput<T>(path: string, use: (sink: ByteSink) => Promise<T>): Promise<T> {
  if (path === '-') return use({ write: writeStdout });
  const kind = files.info(path)?.kind;
  if (kind !== undefined && kind !== 'file') {
    throw new WalbError('unsupported', `${path} is no regular file; use - and redirect`);
  }
  const file = createTemporary({ files, random }, dirname(path));
  let result: T;
  try {
    let at = 0;
    const write = (bytes: Uint8Array) => {
      file.write(bytes, at);
      at += bytes.length;
    };
    result = await use({ write });
  } catch (error) {
    discardTemporary(files, file);
    throw error;
  }
  await commitTemporary(files, file, path);
  return result;
}

/** Resolves when the bytes were taken, so that the caller may reuse them. */
export function writeStdout(bytes: Uint8Array | string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(bytes, (error) => (error ? reject(error) : resolve()));
  });
}

export async function printLines(lines: Iterable<string> | AsyncIterable<string>): Promise<void> {
  let text = '';
  try {
    for await (const line of lines) {
      text += `${line}\n`;
      if (text.length < TEXT_CHUNK) continue;
      const piece = text;
      text = '';
      await writeStdout(piece);
    }
  } finally {
    // Also before an error: what was found out so far helps to understand it.
    if (text !== '') await writeStdout(text);
  }
}

export function warn(text: string): void {
  process.stderr.write(`walb: warning: ${text}\n`);
}

/**
 * Says why a wlog file ended unless that is as it should be; with `strict` it is an error.
 * The original tools do not mention it (docs/differences.md).
 */
export function reportEnd(file: string, end: EndItem | undefined, strict = false): void {
  if (end === undefined || isCleanEnd(end.reason)) return;
  const text =
    `${file}: the log ends at lsid ${end.lsid}, byte ${end.offset}: ${describeStop(end.reason)}; ` +
    'what follows was not read';
  if (strict) throw corrupt(text, { file, offset: end.offset, lsid: end.lsid, reason: end.reason });
  warn(text);
}

/** Says that the tail of a ring is damaged; any other end of a ring is ordinary. */
export function reportRingEnd(file: string, end: EndItem | undefined): void {
  if (end?.reason !== 'bad-data') return;
  warn(`${file}: the log ends at lsid ${end.lsid}: ${describeStop(end.reason)}`);
}

/** JSON with bigints as strings and bytes as hex. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, one: unknown) => {
    if (typeof one === 'bigint') return one.toString();
    return one instanceof Uint8Array ? Buffer.from(one).toString('hex') : one;
  });
}

export const FORMATS = ['text', 'json', 'original'] as const;
export type Format = (typeof FORMATS)[number];

/** The format asked for by `--format` and its short form `--json`. */
export function formatOf(options: { format?: string; json?: boolean }): Format {
  const name = options.json === true ? 'json' : (options.format ?? 'text');
  const format = FORMATS.find((one) => one === name);
  if (format !== undefined) return format;
  throw new WalbError('invalid-argument', `no format '${name}'; there are: ${FORMATS.join(', ')}`);
}

export function parseLsid(text: string): bigint {
  return parseU64(text, 'lsid');
}
