/** `math`. */
import { truncate } from '../runtime/conversions.ts';
import { raise } from '../runtime/exceptions.ts';
import { fn } from '../runtime/natives.ts';
import { big, double, int, isInt, isNumber } from '../runtime/numbers.ts';
import { typeName } from '../runtime/types.ts';
import { float, PyModule } from '../runtime/values.ts';

function real(value: unknown): number {
  return isNumber(value)
    ? double(value)
    : raise('TypeError', `must be real number, not ${typeName(value)}`);
}

const of = (name: string, work: (x: number) => number): unknown =>
  fn(name, 'x, /', (value: unknown) => {
    const result = work(real(value));
    if (Number.isNaN(result) && !Number.isNaN(real(value)))
      raise('ValueError', 'math domain error');
    return float(result);
  });

const whole = (name: string, work: (x: number) => number): unknown =>
  fn(name, 'x, /', (value: unknown) =>
    isInt(value) ? int(big(value)) : truncate(work(real(value))),
  );

function logarithm(value: unknown, base: unknown): unknown {
  const number = real(value);
  if (number <= 0) raise('ValueError', 'math domain error');
  if (base === undefined) return float(Math.log(number));
  return float(Math.log(number) / Math.log(real(base)));
}

export function mathModule(): PyModule {
  return new PyModule('math', {
    pi: Math.PI,
    e: Math.E,
    inf: Number.POSITIVE_INFINITY,
    nan: Number.NaN,
    ceil: whole('ceil', Math.ceil),
    floor: whole('floor', Math.floor),
    trunc: whole('trunc', Math.trunc),
    sqrt: of('sqrt', Math.sqrt),
    exp: of('exp', Math.exp),
    fabs: of('fabs', Math.abs),
    log: fn('log', 'x, base=, /', logarithm),
    log2: of('log2', Math.log2),
    log10: of('log10', Math.log10),
    isnan: fn('isnan', 'x, /', (value: unknown) => Number.isNaN(real(value))),
    isinf: fn(
      'isinf',
      'x, /',
      (value: unknown) => Math.abs(real(value)) === Number.POSITIVE_INFINITY,
    ),
  });
}
