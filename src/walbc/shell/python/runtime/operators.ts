/** Binary and unary operators by the kinds of their operands. */
import { addSpan, difference } from '../modules/datetimes.ts';
import { Timedelta } from '../modules/timedelta.ts';
import { asMap, isSetLike } from './comparison.ts';
import { raise } from './exceptions.ts';
import { specialMethod } from './instances.ts';
import { iter } from './iteration.ts';
import {
  ARITHMETIC,
  BITWISE,
  big,
  divideExactly,
  double,
  type Int,
  int,
  isInt,
  isNumber,
  negate,
} from './numbers.ts';
import { percentFormat } from './percent.ts';
import { typeName } from './types.ts';
import { float, isRecord, PyDict, type PyFloat, PySet, PyTuple, PyView, tuple } from './values.ts';

export type Operator =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'floordiv'
  | 'mod'
  | 'pow'
  | 'shl'
  | 'shr'
  | 'bitand'
  | 'bitor'
  | 'bitxor';

const SIGNS: Readonly<Record<Operator, string>> = {
  add: '+',
  sub: '-',
  mul: '*',
  div: '/',
  floordiv: '//',
  mod: '%',
  pow: '** or pow()',
  shl: '<<',
  shr: '>>',
  bitand: '&',
  bitor: '|',
  bitxor: '^',
};

/** Python's names of the special methods. */
const SPECIAL: Readonly<Record<Operator, string>> = {
  add: 'add',
  sub: 'sub',
  mul: 'mul',
  div: 'truediv',
  floordiv: 'floordiv',
  mod: 'mod',
  pow: 'pow',
  shl: 'lshift',
  shr: 'rshift',
  bitand: 'and',
  bitor: 'or',
  bitxor: 'xor',
};

/** A list or text of more would be a slip of the finger. */
const MAX_REPEATED = 100_000_000;

export function operate(operator: Operator, a: unknown, b: unknown): unknown {
  if (isNumber(a) && isNumber(b)) return ofNumbers(operator, a, b);
  const own = specialMethod(a, `__${SPECIAL[operator]}__`);
  if (own !== undefined) return own(b);
  const reversed = specialMethod(b, `__r${SPECIAL[operator]}__`);
  if (reversed !== undefined) return reversed(a);
  const result = OTHERS[operator]?.(a, b);
  return result === undefined ? unsupported(operator, a, b, SIGNS[operator]) : result;
}

function unsupported(operator: Operator, a: unknown, b: unknown, sign: string): never {
  if (operator === 'add' && typeof a === 'string') {
    raise('TypeError', `can only concatenate str (not "${typeName(b)}") to str`);
  }
  if (operator === 'add' && Array.isArray(a)) {
    raise(
      'TypeError',
      `can only concatenate ${typeName(a)} (not "${typeName(b)}") to ${typeName(a)}`,
    );
  }
  const isList = typeof a === 'string' || Array.isArray(a);
  if (operator === 'mul' && (isList || typeof b === 'string' || Array.isArray(b))) {
    const other = typeName(isList ? b : a);
    raise('TypeError', `can't multiply sequence by non-int of type '${other}'`);
  }
  return raise(
    'TypeError',
    `unsupported operand type(s) for ${sign}: '${typeName(a)}' and '${typeName(b)}'`,
  );
}

function ofNumbers(
  operator: Operator,
  a: Int | boolean | PyFloat,
  b: Int | boolean | PyFloat,
): unknown {
  const arithmetic = ARITHMETIC[operator];
  if (arithmetic !== undefined) return arithmetic(a, b);
  if (!isInt(a) || !isInt(b)) return unsupported(operator, a, b, SIGNS[operator]);
  const result = BITWISE[operator]!(big(a), big(b));
  const isLogic = operator.startsWith('bit') && typeof a === 'boolean' && typeof b === 'boolean';
  return isLogic ? result !== 0n : int(result);
}

type Other = (a: unknown, b: unknown) => unknown;

/** What is no number. Undefined: not supported. */
const OTHERS: Readonly<Partial<Record<Operator, Other>>> = {
  add: (a, b) => {
    if (typeof a === 'string') return typeof b === 'string' ? a + b : undefined;
    if (Array.isArray(a)) return concatenate(a, b);
    if (a instanceof Date && b instanceof Timedelta) return addSpan(a, b, 1n);
    if (a instanceof Timedelta && b instanceof Date) return addSpan(b, a, 1n);
    if (a instanceof Timedelta && b instanceof Timedelta)
      return new Timedelta(a.microseconds + b.microseconds);
    return undefined;
  },
  sub: (a, b) => {
    if (a instanceof Date && b instanceof Date) return difference(a, b);
    if (a instanceof Date && b instanceof Timedelta) return addSpan(a, b, -1n);
    if (a instanceof Timedelta && b instanceof Timedelta)
      return new Timedelta(a.microseconds - b.microseconds);
    return setOperation(a, b, (left, right) => [...left].filter((member) => !right.has(member)));
  },
  mul: (a, b) => repeated(a, b) ?? repeated(b, a),
  div: (a, b) => spanQuotient(a, b),
  floordiv: (a, b) => {
    if (!(a instanceof Timedelta)) return undefined;
    if (b instanceof Timedelta) return int(floor(a.microseconds, b.microseconds));
    return isInt(b) ? new Timedelta(floor(a.microseconds, big(b))) : undefined;
  },
  mod: (a, b) => {
    if (typeof a === 'string') return percentFormat(a, b);
    if (!(a instanceof Timedelta && b instanceof Timedelta)) return undefined;
    return new Timedelta(a.microseconds - floor(a.microseconds, b.microseconds) * b.microseconds);
  },
  bitor: (a, b) => {
    const areDicts = isDict(a) && isDict(b);
    if (areDicts) return new PyDict([...asMap(a), ...asMap(b)]);
    return setOperation(a, b, (left, right) => [...left, ...right]);
  },
  bitand: (a, b) =>
    setOperation(a, b, (left, right) => [...left].filter((member) => right.has(member))),
  bitxor: (a, b) =>
    setOperation(a, b, (left, right) => [
      ...[...left].filter((member) => !right.has(member)),
      ...[...right].filter((member) => !left.has(member)),
    ]),
};

function isDict(value: unknown): value is object {
  return value instanceof Map || isRecord(value);
}

function concatenate(a: readonly unknown[], b: unknown): unknown {
  if (!Array.isArray(b) || a instanceof PyTuple !== b instanceof PyTuple) return undefined;
  return a instanceof PyTuple ? tuple([...a, ...b]) : [...a, ...b];
}

function setOperation(
  a: unknown,
  b: unknown,
  work: (left: PySet, right: PySet) => unknown[],
): PySet | undefined {
  const isFirst = a instanceof Set || a instanceof PyView;
  if (!isFirst || !isSetLike(a) || !isSetLike(b)) return undefined;
  const isFrozen = a instanceof PySet && a.frozen;
  return new PySet(work(new PySet(a), new PySet(b)), isFrozen);
}

function repeated(value: unknown, times: unknown): unknown {
  if (value instanceof Timedelta) return timesSpan(value, times);
  if (!isInt(times) || (typeof value !== 'string' && !Array.isArray(value))) return undefined;
  const count = Math.max(0, Number(times));
  if (count * value.length > MAX_REPEATED) raise('MemoryError', 'the result of * is too long');
  if (typeof value === 'string') return value.repeat(count);
  const parts: unknown[] = [];
  for (let at = 0; at < count; at += 1) parts.push(...value);
  return value instanceof PyTuple ? tuple(parts) : parts;
}

function timesSpan(span: Timedelta, times: unknown): Timedelta | undefined {
  if (isInt(times)) return new Timedelta(span.microseconds * big(times));
  if (!isNumber(times)) return undefined;
  return new Timedelta(BigInt(roundHalfEven(Number(span.microseconds) * double(times))));
}

function spanQuotient(a: unknown, b: unknown): unknown {
  if (!(a instanceof Timedelta)) return undefined;
  const isSpan = b instanceof Timedelta;
  if (!isSpan && !isNumber(b)) return undefined;
  if (isSpan ? b.microseconds === 0n : Number(b) === 0)
    raise('ZeroDivisionError', 'division by zero');
  if (isSpan) return float(divideExactly(a.microseconds, b.microseconds));
  return new Timedelta(BigInt(roundHalfEven(Number(a.microseconds) / double(b))));
}

export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest === 0.5) return below % 2 === 0 ? below : below + 1;
  return rest < 0.5 ? below : below + 1;
}

function floor(a: bigint, b: bigint): bigint {
  if (b === 0n) raise('ZeroDivisionError', 'integer division or modulo by zero');
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** `a += b`: lists, dicts and sets change in place. */
export function operateInPlace(operator: Operator, a: unknown, b: unknown): unknown {
  if (Array.isArray(a) && !(a instanceof PyTuple)) {
    if (operator === 'add') {
      for (const part of [...iter(b)]) a.push(part);
      return a;
    }
    if (operator === 'mul') {
      a.splice(0, a.length, ...(operate('mul', a, b) as unknown[]));
      return a;
    }
  }
  const own = specialMethod(a, `__i${SPECIAL[operator]}__`);
  if (own !== undefined) return own(b);
  const isChanging = a instanceof PySet && !a.frozen && isSetLike(b);
  if (isChanging && ['bitor', 'bitand', 'bitxor', 'sub'].includes(operator)) {
    const result = [...(operate(operator, a, b) as PySet)];
    a.clear();
    for (const member of result) a.add(member);
    return a;
  }
  if (a instanceof PyDict && operator === 'bitor' && isDict(b)) {
    for (const [key, value] of asMap(b)) a.set(key, value);
    return a;
  }
  if (isNumber(a) && isNumber(b)) return ofNumbers(operator, a, b);
  const sign = `${SIGNS[operator].split(' ')[0]}=`;
  const result = a === undefined ? undefined : tryOperate(operator, a, b);
  return result === undefined ? unsupported(operator, a, b, sign) : result;
}

function tryOperate(operator: Operator, a: unknown, b: unknown): unknown {
  const special = `__${SPECIAL[operator]}__`;
  const method = specialMethod(a, special);
  if (method !== undefined) return method(b);
  return OTHERS[operator]?.(a, b);
}

export function unary(name: 'neg' | 'pos' | 'invert', value: unknown): unknown {
  const own = specialMethod(value, `__${name}__`);
  if (own !== undefined) return own();
  if (isNumber(value)) {
    if (name === 'neg') return negate(value);
    if (name === 'pos') return typeof value === 'boolean' ? Number(value) : value;
    if (isInt(value)) return int(~big(value));
  }
  if (value instanceof Timedelta && name !== 'invert') {
    return name === 'neg' ? new Timedelta(-value.microseconds) : value;
  }
  const sign = { neg: '-', pos: '+', invert: '~' }[name];
  return raise('TypeError', `bad operand type for unary ${sign}: '${typeName(value)}'`);
}
