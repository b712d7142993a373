/** `int('0x1f', 16)`, `float('1e5')`, `round`. */
import { raise } from './exceptions.ts';
import { roundTo } from './float-format.ts';
import { specialMethod } from './instances.ts';
import { big, double, type Int, int, isFloat, isInt, isNumber } from './numbers.ts';
import { roundHalfEven } from './operators.ts';
import { repr } from './repr.ts';
import { typeName } from './types.ts';
import { float, isNone, type PyFloat } from './values.ts';

export function toInt(value: unknown, base: unknown): Int {
  if (!isNone(base)) {
    if (typeof value !== 'string')
      raise('TypeError', "int() can't convert non-string with explicit base");
    return parseInteger(value as string, Number(base));
  }
  if (isNone(value)) {
    return raise(
      'TypeError',
      "int() argument must be a string, a bytes-like object or a real number, not 'NoneType'",
    );
  }
  if (isInt(value)) return typeof value === 'boolean' ? Number(value) : value;
  if (isFloat(value)) return truncate(double(value));
  if (typeof value === 'string') return parseInteger(value, 10);
  const own = specialMethod(value, '__int__');
  if (own !== undefined) return own() as Int;
  return raise(
    'TypeError',
    `int() argument must be a string, a bytes-like object or a real number, not '${typeName(value)}'`,
  );
}

export function truncate(value: number): Int {
  if (Number.isNaN(value)) raise('ValueError', 'cannot convert float NaN to integer');
  if (!Number.isFinite(value)) raise('OverflowError', 'cannot convert float infinity to integer');
  return int(BigInt(Math.trunc(value)));
}

const PREFIXES: Readonly<Record<number, string>> = { 2: '0b', 8: '0o', 16: '0x' };

/** More digits than a gid or a size will ever have. */
const MAX_DIGITS = 4300;

function parseInteger(text: string, base: number): Int {
  const bad = (): never =>
    raise('ValueError', `invalid literal for int() with base ${base}: ${repr(text)}`);
  if (base !== 0 && (base < 2 || base > 36))
    raise('ValueError', 'int() base must be >= 2 and <= 36, or 0');
  const [, sign = '', body = ''] = /^([+-]?)(.*)$/s.exec(text.trim().toLowerCase()) ?? [];
  const found = Object.entries(PREFIXES).find(([radix, prefix]) => {
    return body.startsWith(prefix) && (base === 0 || Number(radix) === base);
  });
  const radix = found === undefined ? base || 10 : Number(found[0]);
  const digits = (found === undefined ? body : body.slice(2).replace(/^_/, '')).replace(
    /(?<=[\da-z])_(?=[\da-z])/g,
    '',
  );
  if (digits === '' || !/^[\da-z]+$/.test(digits)) bad();
  if (digits.length > MAX_DIGITS && (radix & (radix - 1)) !== 0) {
    raise('ValueError', `Exceeds the limit (${MAX_DIGITS} digits) for integer string conversion`);
  }
  if (base === 0 && found === undefined && /^0+[1-9]/.test(digits)) bad();
  let value = 0n;
  for (const char of digits) {
    const digit = Number.parseInt(char, 36);
    if (!(digit < radix)) bad();
    value = value * BigInt(radix) + BigInt(digit);
  }
  return int(sign === '-' ? -value : value);
}

export function toFloat(value: unknown): number | PyFloat {
  if (isNumber(value)) return float(double(value));
  if (typeof value === 'string') return float(parseDouble(value));
  const own = specialMethod(value, '__float__');
  if (own !== undefined) return own() as number;
  return raise(
    'TypeError',
    `float() argument must be a string or a real number, not '${typeName(value)}'`,
  );
}

function parseDouble(text: string): number {
  const body = text
    .trim()
    .toLowerCase()
    .replace(/(?<=\d)_(?=\d)/g, '');
  const special = /^([+-]?)(inf|infinity|nan)$/.exec(body);
  if (special !== null) {
    const value = special[2] === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY;
    return special[1] === '-' ? -value : value;
  }
  if (/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(body)) return Number(body);
  return raise('ValueError', `could not convert string to float: ${repr(text)}`);
}

export function round(value: unknown, places: unknown): unknown {
  const own = specialMethod(value, '__round__');
  if (own !== undefined) return own(places);
  if (!isNumber(value))
    return raise('TypeError', `type ${typeName(value)} doesn't define __round__ method`);
  if (isInt(value))
    return isNone(places) ? toInt(value, undefined) : roundInt(big(value), Number(places));
  const number = double(value);
  if (!isNone(places)) return float(roundTo(number, Number(places)));
  return Number.isFinite(number) ? int(BigInt(roundHalfEven(number))) : truncate(number);
}

function roundInt(value: bigint, places: number): Int {
  if (places >= 0) return int(value);
  const unit = 10n ** BigInt(-places);
  const size = value < 0n ? -value : value;
  const twice = (size % unit) * 2n;
  const whole = size / unit;
  const isUp = twice > unit || (twice === unit && whole % 2n === 1n);
  const rounded = (whole + (isUp ? 1n : 0n)) * unit;
  return int(value < 0n ? -rounded : rounded);
}
