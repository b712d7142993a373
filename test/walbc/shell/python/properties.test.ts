/** Arithmetic, slices and formatting of random values against models, and against python3. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { has } from '../../../support/tools.ts';
import { evaluate, evaluateByPython } from './evaluate.ts';

const SEED = 20;

/** Ints of every size, more of those near the border of exact doubles. */
const anyInt = fc.oneof(
  fc.bigInt({ min: -20n, max: 20n }),
  fc.bigInt({ min: -(2n ** 55n), max: 2n ** 55n }),
  fc.bigInt({ min: 2n ** 53n - 5n, max: 2n ** 53n + 5n }),
  fc.bigInt({ min: -(2n ** 130n), max: 2n ** 130n }),
);
const index = fc.option(fc.integer({ min: -9, max: 9 }), { nil: undefined });

/** Python's division of ints, by definition: the rest has the sign of the divisor. */
function divmod(a: bigint, b: bigint): [bigint, bigint] {
  const rest = ((a % b) + b) % b;
  return [(a - rest) / b, rest];
}

const TEXT_CALLS = [
  'split()',
  "split('a')",
  'splitlines()',
  "strip('a')",
  'strip()',
  'upper()',
  'title()',
  "replace('a', 'bb')",
  "find('b')",
  "count('a')",
  "center(9, '*')",
  'zfill(6)',
  "partition('b')",
  'isalpha()',
  'isspace()',
  'expandtabs(4)',
  "rsplit('b', 1)",
  'swapcase()',
];

/** The same text, or an exception of the same name: their texts may differ. */
function sameOutcome(output: string, expected: string): boolean {
  const name = /^(\w+Error)\b/.exec(expected)?.[1];
  return name === undefined ? output === expected : output.startsWith(name);
}

describe('against a model', () => {
  test('arithmetic of ints is exact', () => {
    const model: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
      '+': (a, b) => a + b,
      '-': (a, b) => a - b,
      '*': (a, b) => a * b,
      '//': (a, b) => divmod(a, b)[0],
      '%': (a, b) => divmod(a, b)[1],
      '&': (a, b) => a & b,
      '|': (a, b) => a | b,
      '^': (a, b) => a ^ b,
    };
    fc.assert(
      fc.property(anyInt, anyInt, fc.constantFrom(...Object.keys(model)), (a, b, operator) => {
        fc.pre(b !== 0n || !'//%'.includes(operator));
        expect(evaluate(`(${a}) ${operator} (${b})`)).toBe(String(model[operator]!(a, b)));
      }),
      { seed: SEED, numRuns: 800 },
    );
  });

  test('comparisons of ints and floats follow their values', () => {
    fc.assert(
      fc.property(anyInt, anyInt, (a, b) => {
        const shown = `(${a < b ? 'True' : 'False'}, ${a === b ? 'True' : 'False'}, True)`;
        expect(evaluate(`(${a}) < (${b}), (${a}) == (${b}), {${a}: 1} == {${a}: 1.0}`)).toBe(shown);
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  test('a slice holds the elements that counting gives', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }),
        index,
        index,
        index,
        (size, start, stop, step) => {
          fc.pre(step !== 0);
          const list = Array.from({ length: size }, (_, at) => at);
          const by = step ?? 1;
          const clamp = (value: number): number =>
            by > 0 ? Math.min(Math.max(value, 0), size) : Math.min(Math.max(value, -1), size - 1);
          const place = (value: number | undefined, missing: number): number =>
            value === undefined ? missing : clamp(value < 0 ? value + size : value);
          const [from, to] = [place(start, by > 0 ? 0 : size - 1), place(stop, by > 0 ? size : -1)];
          const expected: number[] = [];
          for (let at = from; by > 0 ? at < to : at > to; at += by) expected.push(list[at]!);
          const text = [start, stop, step].map((value) => value ?? '').join(':');
          expect(evaluate(`list(range(${size}))[${text}]`)).toBe(`[${expected.join(', ')}]`);
          const letters = expected.map((at) => 'abcdefg'[at]).join('');
          expect(evaluate(`'${'abcdefg'.slice(0, size)}'[${text}]`)).toBe(`'${letters}'`);
        },
      ),
      { seed: SEED, numRuns: 600 },
    );
  });
});

describe('against python3', () => {
  const anyFloat = fc.oneof(
    fc.double({ noNaN: true }),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.integer({ min: -2000, max: 2000 }).map((value) => value / 8),
  );
  const literal = (value: number): string => {
    if (!Number.isFinite(value)) return `float('${value < 0 ? '-' : ''}inf')`;
    const text = Object.is(value, -0) ? '-0' : String(value);
    return `float('${text}')`;
  };
  const floatSource = anyFloat.map(literal);
  const intSource = anyInt.map((value) => `(${value})`);
  const textSource = fc
    .string({ unit: fc.constantFrom(...'ab é\t\n\'"\\%{}😀'), maxLength: 8 })
    .map((text) => JSON.stringify(text));
  const spec = fc
    .tuple(
      fc.constantFrom('', '<', '>', '^', '=', '*<', '*^', '0='),
      fc.constantFrom('', '+', ' ', '-'),
      fc.constantFrom('', '#'),
      fc.constantFrom('', '0'),
      fc.constantFrom('', '1', '8', '21'),
      fc.constantFrom('', ',', '_'),
      fc.constantFrom('', '.0', '.1', '.3', '.17'),
      fc.constantFrom('', 'd', 'x', 'X', 'b', 'o', 'e', 'f', 'g', 'G', '%', 's', 'c'),
    )
    .map((parts) => parts.join(''));
  const percent = fc
    .tuple(
      fc.constantFrom('', '-', '+', ' ', '0', '-0', '+0'),
      fc.constantFrom('', '1', '8', '21'),
      fc.constantFrom('', '.0', '.1', '.3', '.17'),
      fc.constantFrom('d', 'i', 'x', 'o', 'e', 'f', 'g', 's', 'r'),
    )
    .map((parts) => `%${parts.join('')}`);
  const value = fc.oneof(floatSource, intSource, textSource);
  const source = fc.oneof(
    fc
      .tuple(
        fc.oneof(floatSource, intSource),
        fc.constantFrom('+', '-', '*', '/', '//', '%', '<', '=='),
        fc.oneof(floatSource, intSource),
      )
      .map((parts) => parts.join(' ')),
    fc.tuple(intSource, intSource).map(([a, b]) => `divmod(${a}, ${b})`),
    value.map((text) => `repr(${text})`),
    fc.tuple(floatSource, fc.integer({ min: -3, max: 5 })).map(([x, n]) => `round(${x}, ${n})`),
    floatSource.map((x) => `round(${x})`),
    fc.tuple(value, spec).map(([x, text]) => `format(${x}, ${JSON.stringify(text)})`),
    fc.tuple(percent, value).map(([text, x]) => `${JSON.stringify(text)} % ${x}`),
    fc.tuple(textSource, fc.constantFrom(...TEXT_CALLS)).map(([text, call]) => `${text}.${call}`),
  );

  test.skipIf(!has('python3'))('numbers, texts and formats give the same', () => {
    const sources = fc.sample(source, { seed: SEED, numRuns: 2500 });
    const expected = evaluateByPython(sources);
    const differing = sources.flatMap((text, at) => {
      const output = evaluate(text);
      return sameOutcome(output, expected[at]!) ? [] : [{ text, output, python: expected[at] }];
    });
    expect(differing).toEqual([]);
  });
});
