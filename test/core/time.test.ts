// cli.md 1.3: timestamps; semantics.md A.6: digits.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatTimestamp,
  formatTimestampDigits,
  MAX_TIMESTAMP,
  parseTimestamp,
  parseTimestampDigits,
  toUnixSeconds,
} from '../../src/core/index.ts';

describe('timestamps', () => {
  it('prints UTC, and --- for never', () => {
    expect(formatTimestamp(0)).toBe('---');
    expect(formatTimestamp(1704067202)).toBe('2024-01-01T00:00:02');
    expect(formatTimestampDigits(1704067202)).toBe('20240101000002');
    expect(formatTimestampDigits(0)).toBe('19700101000000');
    expect(parseTimestamp('---')).toBe(0);
    expect(toUnixSeconds(1999)).toBe(1);
  });

  it('round-trips every second of the years 1970-9999', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_TIMESTAMP }), (second) => {
        expect(parseTimestamp(formatTimestamp(second))).toBe(second);
        expect(parseTimestampDigits(formatTimestampDigits(second))).toBe(second);
      }),
    );
  });

  it.each([
    '',
    '2024-01-01',
    '2024-01-01 00:00:00',
    '2024-01-01T00:00:00Z',
    '2023-02-29T00:00:00',
    '2024-13-01T00:00:00',
    '2024-00-01T00:00:00',
    '2024-01-01T24:00:00',
    '2024-01-01T00:60:00',
    '1969-12-31T23:59:59',
    '0000-01-01T00:00:00',
    '0099-01-01T00:00:00',
  ])('refuses %j', (text) => {
    expect(() => parseTimestamp(text)).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    );
  });

  it.each(['2024010100000', '202401010000000', '20230229000000', '99999999999999'])(
    'refuses the digits %j',
    (text) => {
      expect(() => parseTimestampDigits(text)).toThrow(/bad timestamp/);
    },
  );

  it.each([-1, 1.5, Number.NaN, MAX_TIMESTAMP + 1])('does not print %d', (second) => {
    expect(() => formatTimestampDigits(second)).toThrow(/outside the years/);
  });
});
