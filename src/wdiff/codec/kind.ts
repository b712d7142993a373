/** The compression kinds, their on-disk ids, and the `type:level:ncpu` option (formats.md 4). */

import { WalbError } from '../../core/index.ts';

/** Kinds in the order of their on-disk ids. */
export const COMPRESSION_KINDS = ['none', 'gzip', 'snappy', 'lzma', 'lz4', 'zstd'] as const;

export type CompressionKind = (typeof COMPRESSION_KINDS)[number];

/** How to compress one block: `level` 0..9, where 0 is the default of the kind. */
export interface Compression {
  readonly kind: CompressionKind;
  readonly level: number;
}

/** How to compress a stream of blocks, with `nrCpu` threads (1..255). */
export interface CompressOption extends Compression {
  readonly nrCpu: number;
}

/** Highest level of any kind. */
export const MAX_COMPRESSION_LEVEL = 9;

/** Most threads one option may ask for (cli.md, CMPR). */
export const MAX_COMPRESSION_CPUS = 255;

/** What servers use unless told otherwise. */
export const DEFAULT_COMPRESS_OPTION: CompressOption = { kind: 'snappy', level: 0, nrCpu: 1 };

export function isCompressionKind(text: string): text is CompressionKind {
  return (COMPRESSION_KINDS as readonly string[]).includes(text);
}

/** On-disk id of a kind. */
export function compressionId(kind: CompressionKind): number {
  return COMPRESSION_KINDS.indexOf(kind);
}

/** Kind of an on-disk id; undefined when no kind has it. */
export function compressionKindOfId(id: number): CompressionKind | undefined {
  return COMPRESSION_KINDS[id];
}

/** Parses `type`, `type:level` or `type:level:ncpu`; throws `invalid-argument`. */
export function parseCompressOption(text: string): CompressOption {
  const [kind = '', level = '0', nrCpu = '1', ...rest] = text.split(':');
  if (!isCompressionKind(kind)) {
    throw malformed(text, `the type must be one of ${COMPRESSION_KINDS.join(', ')}`);
  }
  if (!/^\d$/.test(level)) throw malformed(text, 'the level must be 0..9');
  if (!isCpuCount(nrCpu)) throw malformed(text, `ncpu must be 1..${MAX_COMPRESSION_CPUS}`);
  if (rest.length > 0) throw malformed(text, 'there are more than three fields');
  return { kind, level: Number(level), nrCpu: Number(nrCpu) };
}

/** The form that `parseCompressOption` reads, with all three fields. */
export function formatCompressOption({ kind, level, nrCpu }: CompressOption): string {
  return `${kind}:${level}:${nrCpu}`;
}

function isCpuCount(text: string): boolean {
  return /^[1-9]\d{0,2}$/.test(text) && Number(text) <= MAX_COMPRESSION_CPUS;
}

function malformed(text: string, problem: string): WalbError {
  const message = `compression '${text}' is malformed: ${problem}; write it as type:level:ncpu, e.g. snappy:0:1`;
  return new WalbError('invalid-argument', message, { details: { compression: text } });
}
