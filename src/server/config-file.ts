/**
 * Server settings from a YAML or TOML file: the same names as the options, without the dash.
 *
 *     # /etc/walb/s0.yaml
 *     id: s0
 *     p: 10000
 *     archive: a0.example:10200
 *     proxy: [p0.example:10100, p1.example:10100]
 *
 * Options on the command line win over the file. A file is checked as strictly as a command line: a
 * misspelt or doubtful setting stops the start-up.
 */

import { WalbError } from '../core/index.ts';
import {
  OptionError,
  type OptionSpec,
  type ParsedOptions,
  type ProgramSpec,
  parseOriginal,
} from '../core/original-options.ts';

export type ConfigFormat = 'yaml' | 'toml';

/** By the file's ending. Throws `invalid-argument`. */
export function formatOfFile(path: string): ConfigFormat {
  if (/\.ya?ml$/.test(path)) return 'yaml';
  if (path.endsWith('.toml')) return 'toml';
  throw new WalbError(
    'invalid-argument',
    `${path}: a configuration file ends in .yaml, .yml or .toml`,
    {
      details: { file: path },
    },
  );
}

/** The file as option words. Throws `invalid-argument` naming the file and the key. */
export async function wordsOfConfig(
  path: string,
  text: string,
  specs: readonly OptionSpec[],
): Promise<string[]> {
  const tree = await parseTree(path, text);
  if (typeof tree !== 'object' || tree === null || Array.isArray(tree)) {
    throw bad(path, 'must hold settings, one per line: `name: value`');
  }
  return Object.entries(tree).flatMap(([key, value]) => wordsOf(path, key, value, specs));
}

/**
 * The options of a command line and, where it names one, of its configuration file. Throws
 * `OptionError` for the command line, `invalid-argument` for the file.
 */
export async function parseWithConfig(
  spec: ProgramSpec,
  words: readonly string[],
  read: (path: string) => string,
): Promise<ParsedOptions> {
  // What is required may stand in the file: it is asked for only when both are known.
  const lenient = spec.options.map((option) => ({ ...option, required: false }));
  const typed = parseOriginal({ ...spec, options: lenient }, words);
  const path = typed.values.get('config');
  if (typed.wantsHelp || path === undefined) return parseOriginal(spec, words);
  const fromFile = await wordsOfConfig(path, read(path), spec.options);
  try {
    parseOriginal({ ...spec, options: lenient }, fromFile);
  } catch (error) {
    if (error instanceof OptionError) throw bad(path, error.message);
    throw error;
  }
  // Of two words for one option the later wins: the command line.
  return parseOriginal(spec, [...fromFile, ...words]);
}

async function parseTree(path: string, text: string): Promise<unknown> {
  try {
    if (formatOfFile(path) === 'yaml') return (await import('yaml')).parse(text);
    return (await import('smol-toml')).parse(text);
  } catch (error) {
    throw bad(path, WalbError.from(error).message.split('\n')[0] as string);
  }
}

function wordsOf(
  path: string,
  key: string,
  value: unknown,
  specs: readonly OptionSpec[],
): string[] {
  const spec = specs.find(({ name }) => name === key);
  if (spec === undefined || key === 'config') {
    const known = specs.map(({ name }) => name).filter((name) => name !== 'config');
    throw bad(path, `'${key}' is not a setting; there are: ${known.join(', ')}`);
  }
  if (spec.type === 'flag') {
    if (typeof value !== 'boolean') throw bad(path, `'${key}' must be true or false`);
    return value ? [`-${key}`] : [];
  }
  if (Array.isArray(value) && value.every(isScalar)) return [`-${key}`, value.join(',')];
  if (isScalar(value)) return [`-${key}`, String(value)];
  throw bad(path, `'${key}' must be one value, or a list of values`);
}

function isScalar(value: unknown): value is string | number | bigint {
  return ['string', 'number', 'bigint'].includes(typeof value);
}

function bad(path: string, problem: string): WalbError {
  return new WalbError('invalid-argument', `${path}: ${problem}`, { details: { file: path } });
}
