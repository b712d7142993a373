/**
 * Options in the style of the original tools: single-dash words, values in the next word.
 *
 *     const parsed = parseOriginal(SPEC, ['-p', '5000', 'status', 'vol']);
 *
 * A word that is `-` followed by a digit is a value, any other word starting with `-` an option.
 * Integers take decimal or 0x hex; all but ports take k m g (powers of 1000) and K M G (of 1024).
 *
 * Source: cli.md 0.
 */

export type OptionType = 'flag' | 'string' | 'port' | 'integer' | 'number';

export interface OptionSpec {
  /** Without the dash. */
  readonly name: string;
  readonly type: OptionType;
  readonly help: string;
  /** Shown in the help; the caller applies it. */
  readonly default?: string;
  readonly required?: boolean;
}

export interface ProgramSpec {
  readonly program: string;
  readonly about: string;
  readonly options: readonly OptionSpec[];
  /** What follows the options, for the usage line, for example `COMMAND [ARGS...]`. */
  readonly parameters?: string;
  /**
   * From the first parameter on every word is a parameter, options included: the command that the
   * parameter names reads them itself.
   */
  readonly stopAtParameter?: boolean;
}

export type OptionReason =
  | 'bad opt'
  | 'bad value'
  | 'no value'
  | 'opt is necessary'
  | 'param is necessary'
  | 'redundant argVal';

/** A command line that does not parse. Programs print it with the usage on stdout and exit with 1. */
export class OptionError extends Error {
  override readonly name = 'OptionError';
  readonly reason: OptionReason;

  constructor(reason: OptionReason, detail?: string) {
    super(detail === undefined ? `OptionError:${reason}` : `OptionError:${reason}:${detail}`);
    this.reason = reason;
  }
}

export interface ParsedOptions {
  /** Option name to its value as typed; a flag's value is the empty string. */
  readonly values: ReadonlyMap<string, string>;
  readonly parameters: readonly string[];
  /** `-h` was given: nothing else was checked. */
  readonly wantsHelp: boolean;
}

/** Throws `OptionError`. */
export function parseOriginal(spec: ProgramSpec, words: readonly string[]): ParsedOptions {
  const values = new Map<string, string>();
  const parameters: string[] = [];
  for (let i = 0; i < words.length; i += 1) {
    const word = words[i] as string;
    if (!isOption(word)) {
      parameters.push(word);
      if (spec.stopAtParameter !== true) continue;
      parameters.push(...words.slice(i + 1));
      break;
    }
    if (word === '-h') return { values, parameters, wantsHelp: true };
    const option = spec.options.find(({ name }) => `-${name}` === word);
    if (option === undefined) throw new OptionError('bad opt', word);
    if (option.type === 'flag') {
      values.set(option.name, '');
      continue;
    }
    i += 1;
    const value = words[i];
    if (value === undefined || isOption(value)) throw new OptionError('no value', word);
    checkValue(option, value);
    values.set(option.name, value);
  }
  for (const { name, required } of spec.options) {
    if (required === true && !values.has(name))
      throw new OptionError('opt is necessary', `-${name}`);
  }
  return { values, parameters, wantsHelp: false };
}

/** `-` alone means a standard stream and is a value. */
function isOption(word: string): boolean {
  return /^-[^0-9]/.test(word);
}

function checkValue({ name, type }: OptionSpec, value: string): void {
  if (type === 'port' && !/^\d{1,5}$/.test(value))
    throw new OptionError('bad value', `-${name}:${value}`);
  if (type === 'port' && Number(value) > 0xffff)
    throw new OptionError('bad value', `-${name}:${value}`);
  if (type === 'integer') parseOriginalInteger(value, `-${name}`);
  if (type === 'number' && !/^\d+(\.\d+)?$/.test(value))
    throw new OptionError('bad value', `-${name}:${value}`);
}

const SUFFIXES: Readonly<Record<string, bigint>> = {
  '': 1n,
  k: 1_000n,
  m: 1_000_000n,
  g: 1_000_000_000n,
  K: 1n << 10n,
  M: 1n << 20n,
  G: 1n << 30n,
};

/** An integer as the original's option parser reads it. Throws `OptionError` "bad value". */
export function parseOriginalInteger(text: string, what: string): bigint {
  const match = /^(-?\d+|0[xX][0-9a-fA-F]+)([kmgKMG]?)$/.exec(text);
  if (match === null) throw new OptionError('bad value', `${what}:${text}`);
  return BigInt(match[1] as string) * (SUFFIXES[match[2] as string] as bigint);
}

/** The help text, as printed by `-h` and after a parse error. */
export function usageOf(spec: ProgramSpec): string {
  const width = Math.max(...spec.options.map((option) => usageName(option).length), 2);
  const lines = spec.options.map((option) => {
    const note =
      option.required === true
        ? ' (must)'
        : option.default === undefined
          ? ''
          : ` (${option.default})`;
    return `  ${usageName(option).padEnd(width)}  ${option.help}${note}`;
  });
  const parameters = spec.parameters === undefined ? '' : ` ${spec.parameters}`;
  return [
    `usage: ${spec.program} [OPTION...]${parameters}`,
    spec.about,
    'options:',
    ...lines,
    `  ${'-h'.padEnd(width)}  this help`,
    '',
  ].join('\n');
}

function usageName({ name, type }: OptionSpec): string {
  return type === 'flag' ? `-${name}` : `-${name} ${type.toUpperCase()}`;
}
