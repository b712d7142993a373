import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WalbError } from '../../../src/core/index.ts';
import { compare, pythonNames } from '../../../src/walbc/shell/builtins.ts';
import { describeError, exitCodeOf } from '../../../src/walbc/shell/describe-error.ts';
import { describeGoesOn } from '../../../src/walbc/shell/goes-on.ts';
import { KeyboardInterrupt } from '../../../src/walbc/shell/interruptible.ts';
import { Keywords } from '../../../src/walbc/shell/keywords.ts';
import { repr, str } from '../../../src/walbc/shell/show.ts';
import { display } from '../../../src/walbc/shell/table.ts';
import { a0, s0, sLayout } from './support/fake-library.ts';

type Fn = (...args: unknown[]) => unknown;

let printed = '';
const names = pythonNames((text) => void (printed += text)) as Record<string, Fn>;
const keywords = (values: Record<string, unknown>): Keywords => new Keywords(values);

describe('values as text', () => {
  test.each([
    [1, '1'],
    [2n ** 64n, '18446744073709551616'],
    [true, 'True'],
    [null, 'None'],
    [undefined, 'None'],
    ["it's", '"it\'s"'],
    ['a\nb\\', "'a\\nb\\\\'"],
    [[1, ['a', null]], "[1, ['a', None]]"],
    [{ a: 1n }, "{'a': 1}"],
    [new Map([['k', 1]]), "{'k': 1}"],
    [new Set([1]), '{1}'],
    [new Date(0), '---'],
    [new Date(1000), '1970-01-01T00:00:01'],
    [new Date(1500), '1970-01-01T00:00:01.500'],
    [new Uint8Array(3), '<Uint8Array of 3 bytes>'],
    [[s0], '[<s0, localhost, 10000, storage>]'],
    [new Error('x'), 'Error: x'],
  ])('repr, row %#', (value, text) => {
    expect(repr(value)).toBe(text);
  });

  test('print joins, and takes sep and end', () => {
    printed = '';
    names['print']?.('a', 1n, true, ['b']);
    names['print']?.(1, 2, keywords({ sep: '-', end: '!' }));
    expect(printed).toBe("a 1 True ['b']\n1-2!");
    expect(str('plain')).toBe('plain');
  });

  test('long lists are broken into lines, and cut', () => {
    const list = Array.from({ length: 30 }, (_, i) => `volume${i}`);
    const lines = display(list, { columns: 80, colors: false }).split('\n');
    expect(lines).toHaveLength(32);
    expect(lines[1]).toBe("  'volume0',");
    expect(repr(Array.from({ length: 1500 }, () => 0))).toContain('... 500 more');
  });

  test('records with simple fields are a table; nested ones are not', () => {
    const options = { columns: 80, colors: false };
    const rows = [
      { name: 'vol', gid: 5n },
      { name: 'volume1', gid: 12n, extra: 'x' },
    ];
    expect(display(rows, options)).toBe('name     gid  extra\nvol        5\nvolume1   12  x');
    expect(display([{ a: { b: 1 } }], options)).toBe("[{'a': {'b': 1}}]");
    expect(display(sLayout, { ...options, colors: true })).toContain('\x1b[2mname');
    expect(display([s0, a0], options).split('\n')[2]).toBe('a0    archive  localhost:10200');
    expect(display([], options)).toBe('[]');
    expect(display(undefined, options)).toBe('');
    expect(display('two\nlines\n', options)).toBe('two\nlines');
  });
});

describe('names of Python', () => {
  test.each([
    ['len', [[1, 2]], 2],
    ['len', ['abc'], 3],
    ['len', [{ a: 1 }], 1],
    ['range', [3], [0, 1, 2]],
    ['range', [1, 6, 2], [1, 3, 5]],
    ['range', [3, 0, -1], [3, 2, 1]],
    ['range', [2n], [0n, 1n]],
    ['sorted', [[10, 9, 1]], [1, 9, 10]],
    ['sorted', ['ba'], ['a', 'b']],
    ['sorted', [[3, 1], keywords({ reverse: true })], [3, 1]],
    [
      'sorted',
      [
        [
          [2, 'a'],
          [1, 'b'],
        ],
      ],
      [
        [1, 'b'],
        [2, 'a'],
      ],
    ],
    ['reversed', [[1, 2]], [2, 1]],
    ['enumerate', [['a']], [[0, 'a']]],
    [
      'zip',
      [
        [1, 2],
        ['a', 'b', 'c'],
      ],
      [
        [1, 'a'],
        [2, 'b'],
      ],
    ],
    ['min', [3, 1n, 2], 1n],
    ['max', [[1, 5, 2]], 5],
    ['sum', [[1, 2]], 3],
    ['sum', [[1n, 2]], 3n],
    ['any', [[0, '']], false],
    ['all', [[1, [0]]], true],
    ['int', ['12'], 12],
    ['int', ['18446744073709551615'], 2n ** 64n - 1n],
    ['int', ['ff', 16], 255],
    ['int', [3.9], 3],
    ['float', ['1.5'], 1.5],
    ['str', [true], 'True'],
    ['list', ['ab'], ['a', 'b']],
    ['dict', [[['a', 1]]], { a: 1 }],
    ['hex', [255], '0xff'],
    ['abs', [-5n], 5n],
    ['isinstance', ['x', names['str']], true],
    ['isinstance', [5n, names['int']], true],
  ])('%s(), row %#', (name, args, result) => {
    expect(names[name]?.(...(args as unknown[]))).toEqual(result);
  });

  test.each([
    ['len', [5]],
    ['range', [0, 5, 0]],
    ['range', [1e9]],
    ['int', ['1x']],
    ['float', ['']],
    ['max', [[]]],
    ['sorted', [[1, 'a']]],
    ['sleep', [-1]],
    ['sleep', ['x']],
    ['sum', [['a']]],
  ])('%s(), row %#, is refused', (name, args) => {
    expect(() => names[name]?.(...(args as unknown[]))).toThrow(WalbError);
  });

  test('compare is an order over numbers and gids', () => {
    const number = fc.oneof(fc.integer(), fc.bigInt());
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(-Math.sign(compare(b, a)) + 0);
        expect(compare(a, a)).toBe(0);
      }),
      { seed: 3 },
    );
  });
});

describe('errors as text', () => {
  test('a defect shows its stack, a refusal does not', () => {
    const refusal = new WalbError('busy', 'locked', { details: { file: 'a b', n: 1n } });
    expect(describeError(refusal)).toBe('WalbError: locked\n  (busy file="a b" n=1)');
    expect(describeError(new WalbError('internal', 'x'))).toMatch(/defect[\s\S]*values\.test/);
    expect(describeError('thrown text')).toBe("Error: 'thrown text'");
    expect(describeError(new KeyboardInterrupt('it goes on'))).toBe(
      'KeyboardInterrupt: it goes on',
    );
  });

  test('exit codes', () => {
    expect(exitCodeOf(new KeyboardInterrupt(''))).toBe(130);
    expect(exitCodeOf(new WalbError('timeout', 'x'))).toBe(8);
    expect(exitCodeOf(new Error('x'))).toBe(1);
  });
});

describe('what goes on after Ctrl-C', () => {
  const facts = { server: 's0', volume: 'vol', what: 'state Target', actions: [] };
  test.each([
    [
      'full_backup',
      { ...facts, state: 'FullSync' },
      'the full backup of vol goes on at s0 (FullSync)',
    ],
    [
      'restore',
      { ...facts, state: 'Archived', actions: ['Restore'] },
      'the restore of vol goes on at s0 (Restore)',
    ],
    [
      'full_backup',
      { ...facts, state: undefined },
      's0 did not answer, so the full backup of vol may go on there',
    ],
    [
      'start',
      { ...facts, state: 'Target' },
      'stopped waiting for state Target at s0; vol is Target there, and nothing of it is running',
    ],
  ])('%s %j', (member, seen, text) => {
    expect(describeGoesOn(member, seen)).toBe(text);
  });
});
