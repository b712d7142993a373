import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WalbError } from '../../../src/core/index.ts';
import { classes } from '../../../src/walbc/shell/library-names.ts';
import { decode, encode, encodeError, type WireSide } from '../../../src/walbc/shell/wire.ts';
import { Diff } from '../../../src/walbc/values/diff.ts';
import { GidInfo } from '../../../src/walbc/values/gid-info.ts';
import { Snapshot } from '../../../src/walbc/values/snapshot.ts';
import { a0, sLayout } from './support/fake-library.ts';

const side: WireSide = { classes, handleOf: () => undefined, resolve: (handle) => handle };

/** Through a real structured clone, as between the threads. */
function across(value: unknown): unknown {
  return decode(structuredClone(encode(value, side)), side);
}

describe('values between the threads', () => {
  test('plain values of any shape arrive equal', () => {
    const leaf = fc.oneof(
      fc.string(),
      fc.integer(),
      fc.bigInt(),
      fc.boolean(),
      fc.date({ noInvalidDate: true }),
      fc.uint8Array(),
      fc.constant(undefined),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        leaf,
        fc.array(tie('tree')),
        // `$` marks what the wire format adds; an operator may use the name too.
        fc.dictionary(fc.oneof(fc.constant('$'), fc.string()), tie('tree')),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        expect(across(value)).toEqual(value);
      }),
      { seed: 4, numRuns: 300 },
    );
  });

  test('instances of value classes keep their class, also inside lists and maps', () => {
    const info = new GidInfo('5 2026-01-31T23:59:59 1');
    const arrived = across(new Map([['x', [info, a0, sLayout]]])) as Map<string, unknown[]>;
    expect(arrived.get('x')).toEqual([info, a0, sLayout]);
    expect(arrived.get('x')?.[0]).toBeInstanceOf(GidInfo);
    expect(String(across(sLayout))).toBe('s0, a0');
    expect((across(new Snapshot(5n, 9n)) as Snapshot).isDirty()).toBe(true);
  });

  test('methods that use private members work on what arrived', () => {
    const diff = across(new Diff()) as Diff;
    diff.parse('|5|-->|9| M- 2026-01-31T23:59:59 4096');
    expect(diff.dataSize).toBe(4096);
  });

  test('errors keep code, details and causes', () => {
    const cause = new Error('disk');
    const error = new WalbError('io', 'can not write', { details: { gid: 5n, file: 'x' }, cause });
    const arrived = across(error) as WalbError;
    expect(arrived).toBeInstanceOf(WalbError);
    expect(arrived).toMatchObject({
      code: 'io',
      message: 'can not write',
      details: { gid: 5n, file: 'x' },
    });
    expect(arrived.cause).toMatchObject({ message: 'disk' });
    expect(across(new TypeError('no'))).toMatchObject({ name: 'TypeError', message: 'no' });
    expect(encodeError('text')).toMatchObject({ message: 'text' });
  });

  test('a ring of causes ends', () => {
    const error = new Error('a');
    error.cause = error;
    expect(across(error)).toMatchObject({ message: 'a' });
  });

  const ring: unknown[] = [];
  ring.push(ring);
  test.each([
    ['a function', () => {}, /function can not be passed/],
    ['a function inside', [{ a: () => {} }], /function can not be passed/],
    ['a symbol', Symbol('x'), /symbol/],
    ['a promise', Promise.resolve(), /promise/],
    ['a foreign object', new URL('file:///'), /URL can not cross/],
    ['a ring', ring, /nested too deep/],
  ])('%s is refused', (_, value, message) => {
    expect(() => encode(value, side)).toThrow(message);
  });
});
