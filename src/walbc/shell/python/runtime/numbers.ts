/** Arithmetic: ints of any size, floats, bools. */
import { raise } from './exceptions.ts';
import { float, PyFloat } from './values.ts';

export type Int = number | bigint;

/** An int of more bits would fill the memory before anybody reads it. */
const MAX_BITS = 32n * 1024n * 1024n;

export function isFloat(value: unknown): value is number | PyFloat {
  return value instanceof PyFloat || (typeof value === 'number' && !Number.isInteger(value));
}

/** A bool is an int too. */
export function isInt(value: unknown): value is Int | boolean {
  return typeof value === 'bigint' || typeof value === 'boolean' || Number.isInteger(value);
}

export function isNumber(value: unknown): value is Int | boolean | PyFloat {
  return isInt(value) || isFloat(value);
}

/** An int as a bigint. */
export function big(value: Int | boolean): bigint {
  return typeof value === 'bigint' ? value : BigInt(value);
}

/** An int as number where that is exact. */
export function int(value: bigint): Int {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** Any number as a double. Throws OverflowError for an int that is too large. */
export function double(value: Int | boolean | PyFloat): number {
  if (value instanceof PyFloat) return value.value;
  const number = Number(value);
  if (typeof value === 'bigint' && !Number.isFinite(number)) {
    raise('OverflowError', 'int too large to convert to float');
  }
  return number;
}

type Operation = (a: Int | boolean | PyFloat, b: Int | boolean | PyFloat) => unknown;

/** One operation: in doubles when that is exact, in bigints for larger ints, in doubles for floats. */
function operation(
  small: (a: number, b: number) => number,
  large: (a: bigint, b: bigint) => bigint,
): Operation {
  return (a, b) => {
    if (isFloat(a) || isFloat(b)) return float(small(double(a), double(b)));
    if (typeof a !== 'bigint' && typeof b !== 'bigint') {
      const result = small(Number(a), Number(b));
      if (Number.isSafeInteger(result)) return result + 0;
    }
    return int(large(big(a), big(b)));
  };
}

const plus = operation(
  (a, b) => a + b,
  (a, b) => a + b,
);
const minus = operation(
  (a, b) => a - b,
  (a, b) => a - b,
);
const times = operation(
  (a, b) => a * b,
  (a, b) => {
    if (bits(a) + bits(b) > MAX_BITS) raise('OverflowError', 'the product is too large');
    return a * b;
  },
);

function divide(a: Int | boolean | PyFloat, b: Int | boolean | PyFloat): unknown {
  if (Number(b) === 0)
    raise(
      'ZeroDivisionError',
      isFloat(a) || isFloat(b) ? 'float division by zero' : 'division by zero',
    );
  if (typeof a === 'bigint' || typeof b === 'bigint') {
    if (isInt(a) && isInt(b)) return float(divideExactly(big(a), big(b)));
  }
  return float(double(a) / double(b));
}

/** The double nearest to a / b. */
export function divideExactly(a: bigint, b: bigint): number {
  const isNegative = a < 0n !== b < 0n;
  const [top, bottom] = [a < 0n ? -a : a, b < 0n ? -b : b];
  const shift = bits(bottom) - bits(top) + 66n;
  const [high, low] = shift >= 0n ? [top << shift, bottom] : [top, bottom << -shift];
  // 66 bits and one that says whether there is more: the last rounding is the only one.
  const quotient = ((high / low) << 1n) | (high % low === 0n ? 0n : 1n);
  const value = scale(Number(quotient), -Number(shift) - 1);
  if (!Number.isFinite(value))
    raise('OverflowError', 'integer division result too large for a float');
  return isNegative ? -value : value;
}

/** In two steps, as 2 ** power alone may be out of range. */
function scale(value: number, power: number): number {
  const half = Math.trunc(power / 2);
  return value * 2 ** half * 2 ** (power - half);
}

function bits(value: bigint): bigint {
  return BigInt(bitLength(value));
}

export function bitLength(value: bigint): number {
  const size = value < 0n ? -value : value;
  return size === 0n
    ? 0
    : (size.toString(16).length - 1) * 4 +
        (32 - Math.clz32(Number.parseInt(size.toString(16)[0]!, 16)));
}

function floorDivide(a: Int | boolean | PyFloat, b: Int | boolean | PyFloat): unknown {
  return quotientAndRest(a, b)[0];
}

function modulo(a: Int | boolean | PyFloat, b: Int | boolean | PyFloat): unknown {
  if (Number(b) === 0 && isInt(a) && isInt(b)) raise('ZeroDivisionError', 'integer modulo by zero');
  if (Number(b) === 0) raise('ZeroDivisionError', 'float modulo');
  return quotientAndRest(a, b)[1];
}

/** `divmod(a, b)`: the rest has the sign of b. */
export function quotientAndRest(
  a: Int | boolean | PyFloat,
  b: Int | boolean | PyFloat,
): [unknown, unknown] {
  if (isFloat(a) || isFloat(b)) return floatQuotient(double(a), double(b));
  if (Number(b) === 0) raise('ZeroDivisionError', 'integer division or modulo by zero');
  if (typeof a !== 'bigint' && typeof b !== 'bigint') {
    const [x, y] = [Number(a), Number(b)];
    if (Number.isSafeInteger(x) && Number.isSafeInteger(y)) {
      const rest = x % y;
      const isOff = rest !== 0 && rest < 0 !== y < 0;
      return [(x - rest) / y - (isOff ? 1 : 0) + 0, rest + (isOff ? y : 0) + 0];
    }
  }
  const [x, y] = [big(a), big(b)];
  const rest = x % y;
  const isOff = rest !== 0n && rest < 0n !== y < 0n;
  return [int(x / y - (isOff ? 1n : 0n)), int(rest + (isOff ? y : 0n))];
}

function floatQuotient(a: number, b: number): [unknown, unknown] {
  if (b === 0) raise('ZeroDivisionError', 'float floor division by zero');
  let rest = a % b;
  let quotient = (a - rest) / b;
  if (rest !== 0 && rest < 0 !== b < 0) {
    rest += b;
    quotient -= 1;
  } else if (rest === 0) rest = b < 0 ? -0 : 0;
  const whole = Math.floor(quotient);
  const near = quotient - whole > 0.5 ? whole + 1 : whole;
  return [float(quotient === 0 ? zeroLike(a / b) : near), float(rest)];
}

/** Zero with the sign of the value. */
function zeroLike(value: number): number {
  return value < 0 || Object.is(value, -0) ? -0 : 0;
}

function power(a: Int | boolean | PyFloat, b: Int | boolean | PyFloat): unknown {
  if (isInt(a) && isInt(b) && Number(b) >= 0) return intPower(big(a), big(b));
  const [base, exponent] = [double(a), double(b)];
  if (base === 0 && exponent < 0) {
    raise('ZeroDivisionError', '0.0 cannot be raised to a negative power');
  }
  if (
    base < 0 &&
    Number.isFinite(base) &&
    Number.isFinite(exponent) &&
    !Number.isInteger(exponent)
  ) {
    raise('ValueError', 'the result is a complex number, which is not supported');
  }
  // Python's 1 ** nan is 1.
  const result = base === 1 ? 1 : base ** exponent;
  if (Number.isFinite(base) && Number.isFinite(exponent) && !Number.isFinite(result)) {
    raise('OverflowError', "(34, 'Numerical result out of range')");
  }
  return float(result);
}

function intPower(base: bigint, exponent: bigint): Int {
  if (bits(base) * exponent > MAX_BITS && base !== 1n && base !== -1n && base !== 0n) {
    raise('OverflowError', 'the power is too large');
  }
  if (base === 1n || base === 0n || base === -1n)
    return int(base ** (exponent > 1n ? 2n - (exponent % 2n) : exponent));
  return int(base ** exponent);
}

/** By the name of the runtime's operator. */
export const ARITHMETIC: Readonly<Record<string, Operation>> = {
  add: plus,
  sub: minus,
  mul: times,
  div: divide,
  floordiv: floorDivide,
  mod: modulo,
  pow: power,
};

/** Operations of ints alone. */
export const BITWISE: Readonly<Record<string, (a: bigint, b: bigint) => bigint>> = {
  bitand: (a, b) => a & b,
  bitor: (a, b) => a | b,
  bitxor: (a, b) => a ^ b,
  shl: (a, b) => {
    if (b < 0n) raise('ValueError', 'negative shift count');
    if (b > MAX_BITS) raise('OverflowError', 'too many bits');
    return a << b;
  },
  shr: (a, b) => {
    if (b < 0n) raise('ValueError', 'negative shift count');
    return a >> (b > MAX_BITS ? MAX_BITS : b);
  },
};

export function negate(value: Int | boolean | PyFloat): unknown {
  if (value instanceof PyFloat) return new PyFloat(-value.value);
  if (typeof value === 'bigint') return int(-value);
  return value === 0 ? 0 : -Number(value) + 0;
}

/** An index or count: an int that fits, or TypeError. */
export function index(value: unknown, what = 'an integer'): number {
  if (!isInt(value)) return raise('TypeError', `${what} is needed, not ${describe(value)}`);
  return Number(value);
}

function describe(value: unknown): string {
  return isFloat(value) ? 'a float' : typeof value === 'string' ? 'a text' : 'this';
}
