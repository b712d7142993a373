/**
 * Options all servers share (cli.md 2), and how option values become numbers.
 *
 * Two differ from the original on purpose: `-listen` says where to listen (loopback by default), and
 * `-tls-*` is needed for anything beyond loopback.
 */

import { type Logger, type Millis, WalbError } from '../core/index.ts';
import {
  type OptionSpec,
  type ParsedOptions,
  parseOriginalInteger,
} from '../core/original-options.ts';

export const COMMON_OPTIONS: readonly OptionSpec[] = [
  { name: 'config', type: 'string', help: 'YAML or TOML file with settings, named like options' },
  { name: 'p', type: 'port', help: 'port to listen at, 0 = any', default: '5000' },
  { name: 'listen', type: 'string', help: 'address to listen at', default: '127.0.0.1' },
  { name: 'id', type: 'string', help: 'name of this server', default: 'host name' },
  { name: 'l', type: 'string', help: 'log file; - is stderr', default: '-' },
  { name: 'debug', type: 'flag', help: 'log at debug level' },
  { name: 'maxconn', type: 'integer', help: 'calls served at once', default: '10' },
  { name: 'fg', type: 'integer', help: 'foreground tasks at once', default: '2' },
  { name: 'to', type: 'integer', help: 'connect timeout in seconds', default: '10' },
  { name: 'ka', type: 'flag', help: 'notice dead peers as the next three options say' },
  { name: 'kaidle', type: 'integer', help: 'seconds of silence before a probe', default: '1800' },
  { name: 'kaintvl', type: 'integer', help: 'seconds between probes', default: '60' },
  { name: 'kacnt', type: 'integer', help: 'unanswered probes of a dead peer', default: '10' },
  {
    name: 'allow-exec',
    type: 'string',
    help: 'programs that remote exec may run, comma separated',
  },
  { name: 'tls-cert', type: 'string', help: 'PEM file with the certificate of this server' },
  { name: 'tls-key', type: 'string', help: 'PEM file with its private key' },
  { name: 'tls-ca', type: 'string', help: 'PEM file with the authority of the group' },
];

/** Typed access to parsed options with the defaults of their table. */
export class OptionValues {
  readonly #specs: readonly OptionSpec[];
  readonly #parsed: ParsedOptions;

  constructor(specs: readonly OptionSpec[], parsed: ParsedOptions) {
    this.#specs = specs;
    this.#parsed = parsed;
  }

  has(name: string): boolean {
    return this.#parsed.values.has(name);
  }

  /** The value given, or the default of the table; undefined where there is neither. */
  text(name: string): string | undefined {
    return this.#parsed.values.get(name) ?? this.#specs.find((spec) => spec.name === name)?.default;
  }

  /** Throws `invalid-argument` when it is negative or too large to be exact. */
  number(name: string): number {
    const value = parseOriginalInteger(this.text(name) ?? '0', `-${name}`);
    if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw new WalbError('invalid-argument', `-${name} ${value} is out of range`, {
      details: { option: name },
    });
  }

  /** As `number`, refusing zero (cli.md 2). */
  positive(name: string): number {
    const value = this.number(name);
    if (value > 0) return value;
    throw new WalbError('invalid-argument', `-${name} must be at least 1`, {
      details: { option: name },
    });
  }
}

/** Throws `invalid-argument` for common options that no server would start with (cli.md 2). */
export function checkCommonOptions(options: OptionValues): void {
  for (const name of ['maxconn', 'fg', 'to']) options.positive(name);
  keepAliveOf(options);
  const tls = ['tls-cert', 'tls-key', 'tls-ca'];
  const given = tls.filter((name) => options.has(name));
  if (given.length === 0 || given.length === tls.length) return;
  throw new WalbError(
    'invalid-argument',
    `TLS needs -tls-cert, -tls-key and -tls-ca together; only -${given.join(', -')} is given`,
  );
}

/** As TCP knows it; `-ka` and its values. */
export interface KeepAliveSettings {
  readonly idleSec: number;
  readonly intervalSec: number;
  readonly count: number;
}

/** The largest values the original takes (cli.md 2). */
const MAX_IDLE_SEC = 86_400;
const MAX_INTERVAL_SEC = 3_600;
const MAX_PROBES = 100;

/** Undefined without `-ka`. The values are checked in any case. Throws `invalid-argument`. */
export function keepAliveOf(options: OptionValues): KeepAliveSettings | undefined {
  const settings = {
    idleSec: upTo(options, 'kaidle', MAX_IDLE_SEC),
    intervalSec: upTo(options, 'kaintvl', MAX_INTERVAL_SEC),
    count: upTo(options, 'kacnt', MAX_PROBES),
  };
  return options.has('ka') ? settings : undefined;
}

function upTo(options: OptionValues, name: string, max: number): number {
  const value = options.positive(name);
  if (value <= max) return value;
  throw new WalbError('invalid-argument', `-${name} ${value} is too much: at most ${max}`, {
    details: { option: name },
  });
}

/**
 * `-delay` and `-maxdelay`. A longest delay below the shortest is raised to it, with a warning
 * (cli.md 2). Throws `invalid-argument`.
 */
export function retryDelays(
  options: OptionValues,
  log?: Logger,
): { readonly minDelay: Millis; readonly maxDelay: Millis } {
  const [min, max] = [options.positive('delay'), options.positive('maxdelay')];
  if (max < min) {
    log?.warn(
      { delay: min, maxdelay: max },
      `-maxdelay ${max} is less than -delay: ${min} is taken`,
    );
  }
  return { minDelay: min * 1000, maxDelay: Math.max(min, max) * 1000 };
}
