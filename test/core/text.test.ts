// cli.md 1.3: GID, LSID, HOSTPORT; formats.md 1: uuid.
import { describe, expect, it } from 'vitest';
import {
  equalBytes,
  formatHostPort,
  formatUuid,
  fromHex,
  parseCount,
  parseHostPort,
  parseU64,
  parseUuid,
  quote,
  toHex,
  zeroUuid,
} from '../../src/core/index.ts';

const invalid = expect.objectContaining({ code: 'invalid-argument' });

describe('parseU64', () => {
  it.each([
    ['0', 0n],
    ['007', 7n],
    ['18446744073709551615', 2n ** 64n - 1n],
  ])('reads %s', (text, value) => {
    expect(parseU64(text, 'gid')).toBe(value);
  });

  it.each([
    '',
    '-1',
    '+1',
    '1k',
    ' 1',
    '1 ',
    '0x10',
    '1e3',
    '18446744073709551616',
    '9'.repeat(100_000),
  ])('refuses %.30j', (text) => {
    expect(() => parseU64(text, 'gid')).toThrow(invalid);
  });

  it('names what was wrong and what was expected, briefly', () => {
    expect(() => parseU64('1k', 'gid')).toThrow('bad gid "1k": expected a decimal number');
    expect(quote('x'.repeat(1000)).length).toBeLessThan(100);
  });
});

describe('parseCount', () => {
  it('keeps to its bounds', () => {
    expect(parseCount('9', 'level', { max: 9 })).toBe(9);
    expect(() => parseCount('10', 'level', { max: 9 })).toThrow(invalid);
    expect(() => parseCount('0', 'cpus', { min: 1 })).toThrow(invalid);
    expect(() => parseCount('9007199254740993', 'count')).toThrow(invalid);
    expect(() => parseCount('1.5', 'count')).toThrow(invalid);
  });
});

describe('parseHostPort', () => {
  it.each([
    ['localhost:10000', 'localhost', 10000],
    ['10.0.0.1:1', '10.0.0.1', 1],
    ['my-host.example.org:65535', 'my-host.example.org', 65535],
    ['[::1]:10000', '::1', 10000],
  ])('reads %s and prints it back', (text, host, port) => {
    expect(parseHostPort(text)).toEqual({ host, port });
    expect(formatHostPort({ host, port })).toBe(text);
  });

  it.each([
    '',
    'localhost',
    ':1',
    'h:',
    'h:0',
    'h:65536',
    'h:1:2',
    '::1:10',
    'h h:1',
    'u@h:1',
    'h:-1',
  ])('refuses %j', (text) => {
    expect(() => parseHostPort(text)).toThrow(invalid);
  });

  it('accepts port 0 only for a listener', () => {
    expect(parseHostPort('h:0', { allowPortZero: true }).port).toBe(0);
  });
});

describe('hex and uuid', () => {
  it('round-trips a uuid as 32 lower-case digits', () => {
    const text = '17df50e3273a469c77c8336baeebff72';
    expect(formatUuid(parseUuid(text))).toBe(text);
    expect(formatUuid(parseUuid(text.toUpperCase()))).toBe(text);
    expect(formatUuid(zeroUuid())).toBe('0'.repeat(32));
  });

  it('prints a view into a bigger buffer', () => {
    expect(toHex(new Uint8Array([1, 2, 255, 4]).subarray(1, 3))).toBe('02ff');
  });

  it('refuses other lengths and letters', () => {
    expect(() => parseUuid('17df')).toThrow(invalid);
    expect(() => parseUuid('g'.repeat(32))).toThrow(invalid);
    expect(() => fromHex('abc', 'salt')).toThrow(invalid);
    expect(() => formatUuid(new Uint8Array(15))).toThrow(
      expect.objectContaining({ code: 'internal' }),
    );
  });

  it('compares bytes', () => {
    expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 2]))).toBe(true);
    expect(equalBytes(new Uint8Array([1, 2]), new Uint8Array([1, 3]))).toBe(false);
    expect(equalBytes(new Uint8Array([1]), new Uint8Array([1, 0]))).toBe(false);
  });
});
