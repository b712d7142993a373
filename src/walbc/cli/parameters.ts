/**
 * Parameters of walbc's commands: how many there are, which look like numbers, and what they mean.
 *
 * A word that can not be right whatever the server says is an `OptionError` (cli.md 0); a value that is
 * well formed but wrong is a failure of the command.
 *
 * Source: cli.md 1.3, 1.4.
 */
import {
  type Bytes,
  checkVolumeId,
  formatHostPort,
  type Gid,
  parseBulkSize,
  parseCount,
  parseHostPort,
  parseSize,
  parseU64,
  U64_MAX,
  WalbError,
} from '../../core/index.ts';
import { OptionError } from '../../core/original-options.ts';
import { type CompressOption, compressionToMessage } from '../../rpc/index.ts';
import { compress_kind_to_str, create_compress_opt_from_str } from '../values/compress-opt.ts';

export type ParameterType = 'volume' | 'u64' | 'integer' | 'size' | 'text' | 'words';

export interface ParameterSpec {
  /** As in the usage line. */
  readonly name: string;
  readonly type: ParameterType;
  /** May be left out; `default` is then the value, if there is one. */
  readonly optional?: true;
  readonly default?: string;
  /** The last parameter may be repeated. */
  readonly repeated?: true;
}

const PATTERNS: Readonly<Partial<Record<ParameterType, RegExp>>> = {
  u64: /^[0-9]+$/,
  integer: /^-?[0-9]+$/,
  size: /^[0-9]+([kmgtpe](i?b)?)?$/i,
};

export const VOL: ParameterSpec = { name: 'VOL', type: 'volume' };
export const OPTIONAL_VOL: ParameterSpec = { ...VOL, optional: true };
export const GID: ParameterSpec = { name: 'GID', type: 'u64' };
export const MAX_GID: ParameterSpec = { ...GID, optional: true, default: String(U64_MAX) };
export const BULK: ParameterSpec = { name: 'BULK', type: 'size', optional: true, default: '256K' };

/** `VOL [GID=0]`. */
export function parameterUsage(parameters: readonly ParameterSpec[]): string {
  return parameters
    .map(({ name, optional, default: value, repeated }) => {
      const word = `${name}${value === undefined ? '' : `=${value}`}${repeated ? '...' : ''}`;
      return optional ? `[${word}]` : word;
    })
    .join(' ');
}

/** The words of a command by parameter name. Throws `OptionError`. */
export function parseParameters(
  parameters: readonly ParameterSpec[],
  words: readonly string[],
): Args {
  const values = new Map<string, string[]>();
  let next = 0;
  for (const { name, type, optional, default: value, repeated } of parameters) {
    const taken = words.slice(next, repeated ? undefined : next + 1);
    next += taken.length;
    if (taken.length === 0 && !optional) throw new OptionError('param is necessary', name);
    const wrong = taken.find((word) => word !== '' && !(PATTERNS[type]?.test(word) ?? true));
    if (wrong !== undefined) throw new OptionError('bad value', `${name}:${wrong}`);
    if (taken.length > 0) values.set(name, taken);
    else if (value !== undefined) values.set(name, [value]);
  }
  const extra = words[next];
  if (extra !== undefined) throw new OptionError('redundant argVal', extra);
  return new Args(values);
}

/** Typed access; every method throws `invalid-argument` for a value that is wrong. */
export class Args {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  all(name: string): readonly string[] {
    const values = this.#values.get(name) ?? [];
    if (values.includes('')) {
      throw new WalbError('invalid-argument', `${name} is empty`, { details: { name } });
    }
    return values;
  }

  /** The empty string when it was left out. */
  text(name: string): string {
    return this.all(name)[0] ?? '';
  }

  volume(name = 'VOL'): string {
    return checkVolumeId(this.text(name));
  }

  /** The empty string when it was left out. */
  optionalVolume(name = 'VOL'): string {
    return this.has(name) ? this.volume(name) : '';
  }

  gid(name = 'GID'): Gid {
    return parseU64(this.text(name), name);
  }

  gids(name = 'GID'): Gid[] {
    return this.all(name).map((word) => parseU64(word, name));
  }

  count(name: string, max?: number): number {
    return parseCount(this.text(name), name, max === undefined ? {} : { max });
  }

  size(name = 'SIZE'): Bytes {
    return parseSize(this.text(name));
  }

  bulk(name = 'BULK'): Bytes {
    return parseBulkSize(this.text(name));
  }

  /** An integer; anything but 0 is true. */
  flag(name: string): boolean {
    return BigInt(this.text(name)) !== 0n;
  }

  hostPort(name = 'HOSTPORT'): string {
    return formatHostPort(parseHostPort(this.text(name)));
  }

  compression(name = 'CMPR'): CompressOption {
    const { kind, level, nrCpu } = create_compress_opt_from_str(this.text(name));
    return compressionToMessage({ kind: compress_kind_to_str(kind), level, nrCpu });
  }

  choice<T extends string>(name: string, choices: readonly T[]): T {
    const word = this.text(name);
    const found = choices.find((one) => one === word);
    if (found !== undefined) return found;
    throw new WalbError(
      'invalid-argument',
      `bad ${name} ${JSON.stringify(word.slice(0, 80))}: expected ${choices.join(' or ')}`,
      { details: { name } },
    );
  }
}
