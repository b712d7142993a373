/** `CompressOpt`: how diffs are compressed on their way (controller-api.md 2.5, 1.3). */
import { malformed, parseCount, WalbError } from '../../core/index.ts';
import {
  CMPR_GZIP,
  CMPR_LZ4,
  CMPR_LZMA,
  CMPR_NONE,
  CMPR_SNAPPY,
  CMPR_ZSTD,
  type CompressKind,
} from '../constants.ts';
import { show, verify_compress_kind } from '../verify.ts';

const NAMES = {
  [CMPR_NONE]: 'none',
  [CMPR_SNAPPY]: 'snappy',
  [CMPR_GZIP]: 'gzip',
  [CMPR_LZMA]: 'lzma',
  [CMPR_LZ4]: 'lz4',
  [CMPR_ZSTD]: 'zstd',
} as const;

export type CompressName = (typeof NAMES)[CompressKind];

export function compress_kind_to_str(kind: CompressKind): CompressName {
  verify_compress_kind(kind);
  return NAMES[kind];
}

export function compress_str_to_kind(s: string): CompressKind {
  const found = Object.entries(NAMES).find(([, name]) => name === s);
  if (found === undefined) {
    throw malformed('compression kind', s, Object.values(NAMES).join(', '));
  }
  return Number(found[0]) as CompressKind;
}

/**
 * Compression kind, level 0-9 (0 = the kind's default) and number of workers 1-255.
 *
 *     CompressOpt(CMPR_ZSTD, 3, 2)
 */
export class CompressOpt {
  kind: CompressKind;
  level: number;
  nrCpu: number;

  constructor(kind: CompressKind = CMPR_SNAPPY, level = 0, nrCpu = 1) {
    this.kind = kind;
    this.level = level;
    this.nrCpu = nrCpu;
    this.verify();
  }

  verify(): void {
    verify_compress_kind(this.kind);
    checkRange('level', this.level, 0, 9);
    checkRange('number of cpus', this.nrCpu, 1, 255);
  }

  /** Takes everything from `name:level:nrCpu`. */
  parse(s: string): void {
    const fields = s.split(':');
    if (fields.length !== 3) throw malformed('compression', s, 'type:level:ncpu, e.g. snappy:0:1');
    const [name = '', level = '', nrCpu = ''] = fields;
    const parsed = new CompressOpt(
      compress_str_to_kind(name),
      parseCount(level, 'compression level', { max: 9 }),
      parseCount(nrCpu, 'number of cpus', { min: 1, max: 255 }),
    );
    Object.assign(this, parsed);
  }

  equals(other: unknown): boolean {
    return other instanceof CompressOpt && this.toString() === other.toString();
  }

  /** `name:level:nrCpu`. */
  toString(): string {
    return `${compress_kind_to_str(this.kind)}:${this.level}:${this.nrCpu}`;
  }
}

export function create_compress_opt_from_str(s: string): CompressOpt {
  const opt = new CompressOpt();
  opt.parse(s);
  return opt;
}

function checkRange(what: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new WalbError('invalid-argument', `bad ${what} ${show(value)}: from ${min} to ${max}`);
}
