import fc from 'fast-check';
import { expect, test } from 'vitest';
import { needsMore, nextIndent } from '../../../../src/walbc/shell/python/incomplete.ts';
import { PythonSyntaxError, translatePython } from '../../../../src/walbc/shell/python/index.ts';
import { compileOf } from './evaluate.ts';
import { programs } from './table/programs.ts';

const PIECES = [
  ...'abx_1 \n\t()[]{}:;,.=+-*/%<>!@&|^~\'"\\#`$',
  ...'if for while def class return yield lambda import from as in is not and or try except finally raise'.split(
    ' ',
  ),
  ...['with', 'global', 'del', 'pass', 'print', 'else', 'elif', 'None', 'True', 'async', 'await'],
  ...[
    '\n    ',
    '\n  ',
    "f'{",
    '}',
    "'''",
    '"""',
    '**',
    '//',
    '->',
    ':=',
    '...',
    '0x',
    '1e',
    '\\\n',
  ],
  ...['é', '😀', '\ue000', '\u2028', '\u0000', '\r\n', '0777', "b'", 'nonlocal', 'match', 'case'],
];

/** Translates; anything but a script that compiles, or a PythonSyntaxError within the text, fails. */
function check(source: string): void {
  let script: string;
  try {
    script = translatePython(source, 'fuzz', 'prompt');
  } catch (error) {
    expect(error, JSON.stringify(source)).toBeInstanceOf(PythonSyntaxError);
    const { place } = error as PythonSyntaxError;
    expect(place.line).toBeGreaterThan(0);
    expect(place.column).toBeGreaterThan(0);
    expect(place.line).toBeLessThanOrEqual(source.split(/\r\n?|\n/).length);
    return;
  }
  expect(() => compileOf(script), JSON.stringify(source)).not.toThrow();
}

test('any text at all is translated to a script that compiles, or refused with a place', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 40 }), (pieces) => {
      const source = pieces.join('');
      check(source);
      expect(typeof needsMore(source)).toBe('boolean');
      expect(nextIndent(source)).toMatch(/^ *$/);
    }),
    { seed: 11, numRuns: 6000 },
  );
});

test('so is a program with pieces taken out, put in, or doubled', () => {
  const sources = programs.map(([source]) => source);
  fc.assert(
    fc.property(
      fc.constantFrom(...sources),
      fc.array(fc.tuple(fc.nat(), fc.nat({ max: 12 }), fc.constantFrom('', ...PIECES)), {
        minLength: 1,
        maxLength: 4,
      }),
      (source, edits) => {
        let text = source;
        for (const [at, length, piece] of edits) {
          const start = at % (text.length + 1);
          text = text.slice(0, start) + piece + text.slice(start + length);
        }
        check(text);
      },
    ),
    { seed: 12, numRuns: 3000 },
  );
});

test('deep nesting is refused, not a crash', () => {
  for (const [open, close] of [
    ['(', ')'],
    ['[', ']'],
    ['not ', ''],
    ['-', ''],
    ['lambda: ', ''],
    ['f(', ')'],
    ['{1: ', '}'],
  ] as const) {
    for (const depth of [10, 150, 5000]) check(`${open.repeat(depth)}1${close.repeat(depth)}`);
  }
  check(Array.from({ length: 5000 }, () => '1').join(' + '));
  check(Array.from({ length: 300 }, (_, at) => `${' '.repeat(at)}if 1:\n`).join(''));
});
