import { describe, expect, test } from 'vitest';
import { parseRun, type RunOptions } from '../../../src/walbc/runbook/options.ts';

const NONE: RunOptions = {
  book: 'b.ts',
  args: [],
  layout: undefined,
  isDryRun: false,
  isConfirming: false,
  isYes: false,
  isResuming: false,
  from: undefined,
  transcript: undefined,
};

describe('walbc run', () => {
  test.each<[string, Partial<RunOptions>]>([
    ['b.ts', {}],
    ['b.ts a b', { args: ['a', 'b'] }],
    ['--layout l.yaml b.ts', { layout: 'l.yaml' }],
    ['--layout=l.yaml --dry-run b.ts a', { layout: 'l.yaml', isDryRun: true, args: ['a'] }],
    ['b.ts --dry-run a --yes', { isDryRun: true, isYes: true, args: ['a'] }],
    ['b.ts --layout x --help -n', { args: ['--layout', 'x', '--help', '-n'] }],
    ['b.ts -- --dry-run --', { args: ['--dry-run', '--'] }],
    ['--from 3 b.ts', { from: '3' }],
    ['b.ts --from=3', { from: '3' }],
    ['b.ts --resume --transcript t.log', { isResuming: true, transcript: 't.log' }],
    ['--confirm b.ts', { isConfirming: true }],
  ])('%s', (words, expected) => {
    expect(parseRun(words.split(' '))).toEqual({ ...NONE, ...expected });
  });

  test('--help before the book is for run', () => {
    expect(parseRun(['--help'])).toBeUndefined();
    expect(parseRun(['-h', 'b.ts'])).toBeUndefined();
  });

  test.each([
    [[], 'run takes the file of a runbook'],
    [['--what', 'b.ts'], 'run has no option --what'],
    [['b.ts', '--from'], '--from takes a value'],
    [['--layout=', 'b.ts'], '--layout takes a value'],
    [['b.ts', '--resume', '--from', '2'], '--resume and --from exclude each other'],
  ])('%j', (words, problem) => {
    expect(() => parseRun(words)).toThrow(problem);
  });
});
