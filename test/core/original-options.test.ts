import { describe, expect, it } from 'vitest';
import {
  type OptionError,
  type ProgramSpec,
  parseOriginal,
  parseOriginalInteger,
  usageOf,
} from '../../src/core/original-options.ts';

const SPEC: ProgramSpec = {
  program: 'prog',
  about: 'A program.',
  parameters: 'COMMAND [ARGS...]',
  options: [
    { name: 'p', type: 'port', help: 'port', required: true },
    { name: 'to', type: 'integer', help: 'timeout', default: '10' },
    { name: 'id', type: 'string', help: 'name' },
    { name: 'lock-time-th', type: 'number', help: 'seconds' },
    { name: 'debug', type: 'flag', help: 'debug log' },
  ],
};

const reasonOf = (words: string[]): string => {
  try {
    parseOriginal(SPEC, words);
  } catch (error) {
    return (error as OptionError).message;
  }
  return 'parsed';
};

describe('options of the original tools (cli.md 0)', () => {
  it('reads options and parameters in any order', () => {
    const { values, parameters } = parseOriginal(SPEC, [
      'a',
      '-p',
      '5000',
      '-debug',
      'b',
      '-id',
      'x',
    ]);
    expect([...values]).toEqual([
      ['p', '5000'],
      ['debug', ''],
      ['id', 'x'],
    ]);
    expect(parameters).toEqual(['a', 'b']);
  });

  it('takes a dash with a digit, and a lone dash, as values', () => {
    const { values, parameters } = parseOriginal(SPEC, ['-p', '1', '-to', '-5', '-id', '-']);
    expect(values.get('to')).toBe('-5');
    expect(values.get('id')).toBe('-');
    expect(parameters).toEqual([]);
  });

  it('leaves everything after the first parameter alone when told to', () => {
    const spec = { ...SPEC, stopAtParameter: true };
    expect(parseOriginal(spec, ['-p', '1', 'exec', '/bin/ls', '-l']).parameters).toEqual([
      'exec',
      '/bin/ls',
      '-l',
    ]);
  });

  it.each([
    [['-x'], 'OptionError:bad opt:-x'],
    [['--to', '5'], 'OptionError:bad opt:--to'],
    [['-to=5'], 'OptionError:bad opt:-to=5'],
    [['-p'], 'OptionError:no value:-p'],
    [['-p', '-debug'], 'OptionError:no value:-p'],
    [['-p', '70000'], 'OptionError:bad value:-p:70000'],
    [['-p', '5k'], 'OptionError:bad value:-p:5k'],
    [['-p', '1', '-to', 'ten'], 'OptionError:bad value:-to:ten'],
    [['-p', '1', '-lock-time-th', '1.'], 'OptionError:bad value:-lock-time-th:1.'],
    [[], 'OptionError:opt is necessary:-p'],
  ])('refuses %j', (words, message) => {
    expect(reasonOf(words)).toBe(message);
  });

  it('asks for nothing else once -h is there', () => {
    expect(parseOriginal(SPEC, ['-h']).wantsHelp).toBe(true);
    expect(usageOf(SPEC)).toContain('-to INTEGER');
  });

  it.each([
    ['10', 10n],
    ['0x10', 16n],
    ['4k', 4000n],
    ['4K', 4096n],
    ['2m', 2_000_000n],
    ['2G', 2n << 30n],
  ])('reads the integer %s', (text, value) => {
    expect(parseOriginalInteger(text, '-x')).toBe(value);
  });

  it('knows no suffix t', () => {
    expect(() => parseOriginalInteger('1t', '-x')).toThrow('OptionError:bad value:-x:1t');
  });
});
