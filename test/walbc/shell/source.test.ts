import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  isAssignment,
  isIncomplete,
  pythonHint,
  toScript,
} from '../../../src/walbc/shell/source.ts';
import { tokenize } from '../../../src/walbc/shell/tokens.ts';

const redeclare = { redeclare: true };

describe('rewriting of what is typed', () => {
  test.each([
    ['f(s0, timeoutS=10)', 'f(s0, ...__kw({timeoutS:10}, f, 1))'],
    ['f(a=1)', 'f(...__kw({a:1}, f, 0))'],
    ['f(a=1, b="x=y",)', 'f(...__kw({a:1, b:"x=y"}, f, 0),)'],
    [
      'f(g(b=2), c=h(d=[1, 2]))',
      'f(g(...__kw({b:2}, g, 0)), ...__kw({c:h(...__kw({d:[1, 2]}, h, 0))}, f, 1))',
    ],
    [
      'walbc.stop(s0, [1, 2], mode="x")',
      'walbc.stop(s0, [1, 2], ...__kw({mode:"x"}, walbc.stop, 2))',
    ],
    ['a.b[0](x=1)', 'a.b[0](...__kw({x:1}))'],
    ['a?.b(x=1)', 'a?.b(...__kw({x:1}))'],
    ['f(...list, x=1)', 'f(...list, ...__kw({x:1}))'],
    ['new SyncOpt(delayS=3)', 'new SyncOpt(...__kw({delayS:3}, SyncOpt, 0))'],
  ])('keyword arguments: %s', (typed, script) => {
    expect(toScript(typed, redeclare)).toBe(script);
  });

  test.each([
    'function f(a = 1) { return a }',
    'const f = (a = 1) => a',
    'if (x = next()) stop()',
    'while (x = next()) {}',
    'class A { m(a = 1) { return a } }',
    'f(a == 1, b => c, d >= 2, e === f)',
    'f(`a=${b}`)',
    'f(/a=1/, (x) => { y = 1 })',
  ])('not keyword arguments: %s', (typed) => {
    expect(toScript(typed, { redeclare: false })).toBe(typed);
  });

  test('a positional argument after a keyword is an error, as in Python', () => {
    expect(() => toScript('f(a=1, b)', redeclare)).toThrow(/positional argument after keyword/);
  });

  test('comments with #', () => {
    expect(toScript('# all\nx = 1 # the gid', redeclare)).toBe('// all\nx = 1 // the gid');
    expect(toScript("x = '# no'", redeclare)).toBe("x = '# no'");
  });

  test('the imports of the original change nothing but stay a line', () => {
    expect(toScript('from walblib import *\nx', redeclare)).toBe('\nx');
    expect(toScript('from walblib.config import s0, a0', redeclare)).toBe('');
  });

  test('let and const may be declared again at the top level only', () => {
    expect(toScript('const a = 1; let b = 2', redeclare)).toBe('var a = 1; var b = 2');
    expect(toScript('{ let a = 1 }', redeclare)).toBe('{ let a = 1 }');
    expect(toScript('const a = 1', { redeclare: false })).toBe('const a = 1');
  });

  test.each(['f(', '[1,', '{ a: 1', '`text', '/* x', "f('x', `${a", 'function f() {'])(
    'goes on in the next line: %s',
    (typed) => {
      expect(isIncomplete(typed)).toBe(true);
    },
  );

  test.each(["'cut", 'x / 2 / (3)', '/[(]/.test(x)', '`${`}`}`', 'f()', ')', '// ( ['])(
    'is whole: %s',
    (typed) => {
      expect(isIncomplete(typed)).toBe(false);
    },
  );

  test('an assignment is known as such', () => {
    expect(['a = 1', 'a.b = f(x == 1)', 'a += 2', 'const a = 1'].every(isAssignment)).toBe(true);
    expect(['a == 1', 'f(a = 1)', 'a', 'a => 1', '= 1'].some(isAssignment)).toBe(false);
  });

  test.each([
    ['for v in vols:', 'for (const'],
    ['print x', 'print(x)'],
    ['if not walbc.is_overflow(s0, vol):', 'if ('],
    ['[v for v in vols]', 'map'],
    ['a and b', '&&'],
  ])('hints at what to write instead of %s', (typed, hint) => {
    expect(pythonHint(typed)).toContain(hint);
  });

  test('any text at all: no exception but SyntaxError, tokens lie in order within it', () => {
    const alphabet = fc.constantFrom(
      ...'ab1 =(),[]{}`\'"/*\\#$\n.:;<>!?+-',
      'let ',
      'const ',
      '${',
    );
    fc.assert(
      fc.property(fc.array(alphabet, { maxLength: 60 }), (parts) => {
        const text = parts.join('');
        let last = 0;
        for (const token of tokenize(text).tokens) {
          expect(token.start).toBeGreaterThanOrEqual(last);
          expect(token.end).toBeGreaterThan(token.start);
          expect(token.text).toBe(text.slice(token.start, token.end));
          last = token.end;
        }
        expect(last).toBeLessThanOrEqual(text.length);
        try {
          toScript(text, redeclare);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
      { seed: 7, numRuns: 3000 },
    );
  });
});
