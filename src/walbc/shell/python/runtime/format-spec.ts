/** `format(x, '>10.2f')`: the little language behind the colon of f-strings and str.format. */
import { datetimeText } from '../modules/strftime.ts';
import { raise } from './exceptions.ts';
import { fixed, general, scientific } from './float-format.ts';
import { specialMethod } from './instances.ts';
import { big, double, isFloat, isInt } from './numbers.ts';
import { str } from './repr.ts';
import { typeName } from './types.ts';
import { floatText } from './values.ts';

const SPEC = /^(?:([\s\S])?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/u;

/** More digits than anybody reads. */
const MAX_WIDTH = 100_000;

interface Spec {
  readonly fill: string;
  readonly align: string;
  readonly sign: string;
  readonly alternate: boolean;
  readonly width: number;
  readonly grouping: string;
  readonly precision: number | undefined;
  readonly type: string;
}

function parse(text: string, value: unknown): Spec {
  const found = SPEC.exec(text);
  if (found === null) {
    return raise(
      'ValueError',
      `Invalid format specifier '${text}' for object of type '${typeName(value)}'`,
    );
  }
  const [, fill, align = '', sign = '', , hash, zero, width, grouping = '', precision, type = ''] =
    found;
  const spec = {
    fill: fill ?? (zero === undefined ? ' ' : '0'),
    align: align === '' && zero !== undefined ? '=' : align,
    sign,
    alternate: hash !== undefined,
    width: Number(width ?? 0),
    grouping,
    precision: precision === undefined ? undefined : Number(precision),
    type,
  };
  if (spec.width > MAX_WIDTH || (spec.precision ?? 0) > MAX_WIDTH) {
    raise('ValueError', 'Too many decimal digits in format string');
  }
  return spec;
}

export function formatValue(value: unknown, text: string): string {
  const own = specialMethod(value, '__format__');
  if (own !== undefined) return String(own(text));
  if (text === '') return str(value);
  if (value instanceof Date) return datetimeText(value, text);
  if (isInt(value) && typeof value !== 'boolean') return formatInt(big(value), text, value);
  if (typeof value === 'boolean')
    return /[a-zA-Z%]$/.test(text) || /\d/.test(text)
      ? formatInt(big(value), text, value)
      : str(value);
  if (isFloat(value)) return formatFloat(double(value), text, value);
  if (typeof value === 'string') return formatText(value, text);
  return raise('TypeError', `unsupported format string passed to ${typeName(value)}.__format__`);
}

function unknownType(type: string, value: unknown): never {
  return raise(
    'ValueError',
    `Unknown format code '${type}' for object of type '${typeName(value)}'`,
  );
}

function formatText(value: string, text: string): string {
  const spec = parse(text, value);
  if (spec.type !== '' && spec.type !== 's') unknownType(spec.type, value);
  if (spec.sign !== '') raise('ValueError', 'Sign not allowed in string format specifier');
  if (spec.grouping !== '') raise('ValueError', `Cannot specify '${spec.grouping}' with 's'.`);
  if (spec.alternate) {
    raise('ValueError', 'Alternate form (#) not allowed in string format specifier');
  }
  if (/^[\s\S]?=/u.test(text)) {
    raise('ValueError', "'=' alignment not allowed in string format specifier");
  }
  const chars = Array.from(value);
  const cut = spec.precision === undefined ? chars : chars.slice(0, spec.precision);
  return pad(cut.join(''), { ...spec, align: spec.align === '=' ? '<' : spec.align }, '<');
}

const BASES: Readonly<Record<string, readonly [number, string]>> = {
  d: [10, ''],
  n: [10, ''],
  '': [10, ''],
  b: [2, '0b'],
  o: [8, '0o'],
  x: [16, '0x'],
  X: [16, '0X'],
};

function formatInt(value: bigint, text: string, original: unknown): string {
  const spec = parse(text, original);
  if ('eEfFgG%'.includes(spec.type) && spec.type !== '') {
    return numeric(
      double(typeof original === 'boolean' ? Number(original) : value),
      spec,
      original,
    );
  }
  if (spec.precision !== undefined)
    raise('ValueError', 'Precision not allowed in integer format specifier');
  if (spec.type === 'c') return pad(characterOf(value, spec), spec, '<');
  const base = BASES[spec.type];
  if (base === undefined) return unknownType(spec.type, original);
  const [radix, prefix] = base;
  if (spec.grouping === ',' && radix !== 10)
    raise('ValueError', `Cannot specify ',' with '${spec.type}'.`);
  const plain = (value < 0n ? -value : value).toString(radix);
  const digits = spec.type === 'X' ? plain.toUpperCase() : plain;
  const sign = signOf(value < 0n, spec.sign) + (spec.alternate ? prefix : '');
  return withSign(sign, digits, '', spec, radix === 10 ? 3 : 4);
}

function characterOf(value: bigint, { sign, grouping, alternate }: Spec): string {
  if (alternate) {
    raise('ValueError', "Alternate form (#) not allowed with integer format specifier 'c'");
  }
  if (sign !== '') raise('ValueError', "Sign not allowed with integer format specifier 'c'");
  if (grouping !== '') raise('ValueError', `Cannot specify '${grouping}' with 'c'.`);
  if (value < 0n || value > 0x10ffffn) raise('OverflowError', '%c arg not in range(0x110000)');
  return String.fromCodePoint(Number(value));
}

function signOf(isNegative: boolean, wanted: string): string {
  if (isNegative) return '-';
  return wanted === '-' ? '' : wanted;
}

function formatFloat(value: number, text: string, original: unknown): string {
  return numeric(value, parse(text, original), original);
}

function numeric(value: number, spec: Spec, original: unknown): string {
  const isNegative = value < 0 || Object.is(value, -0);
  const digits = floatDigits(Math.abs(value), spec, original);
  const [, whole = '', rest = ''] = /^(\d+|[a-zA-Z]+)(.*)$/.exec(digits) ?? [];
  return withSign(signOf(isNegative, spec.sign), whole, rest, spec, 3);
}

function floatDigits(
  value: number,
  { type, precision = 6, precision: given, alternate }: Spec,
  original: unknown,
): string {
  const isUpper = type !== '' && type === type.toUpperCase() && type !== '%';
  const plain = ((): string => {
    if (type !== '' && !'eEfFgGn%'.includes(type)) return unknownType(type, original);
    if (!Number.isFinite(type === '%' ? value * 100 : value)) {
      return type === '%' ? `${floatText(value * 100)}%` : floatText(value);
    }
    switch (type) {
      case 'f':
      case 'F':
        return fixed(value, precision);
      case 'e':
      case 'E':
        return scientific(value, precision);
      case 'g':
      case 'G':
      case 'n':
        return general(value, Math.max(1, precision), alternate);
      case '%':
        return `${fixed(value * 100, precision)}%`;
      case '':
        return given === undefined
          ? floatText(value)
          : withZero(general(value, Math.max(1, given), alternate, true));
      default:
        return unknownType(type, original);
    }
  })();
  const text = alternate ? withPoint(plain) : plain;
  return isUpper ? text.toUpperCase() : text;
}

/** Without a type a float has a digit after the point. */
function withZero(text: string): string {
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** The alternate form keeps the point. */
function withPoint(text: string): string {
  return text.replace(/^(\d+)(?=$|e|%)/, '$1.');
}

/** Groups digits, and pads between sign and digits where that is asked for. */
function withSign(sign: string, whole: string, rest: string, spec: Spec, size: number): string {
  const room = spec.width - sign.length - rest.length;
  const isZeroFilled = spec.align === '=' && spec.fill === '0';
  const grouped =
    spec.grouping === '' ? whole : group(whole, spec.grouping, size, isZeroFilled ? room : 0);
  if (spec.align === '=') {
    return sign + spec.fill.repeat(Math.max(0, room - grouped.length)) + grouped + rest;
  }
  return pad(sign + grouped + rest, spec, '>');
}

function group(digits: string, separator: string, size: number, room: number): string {
  const pattern = size === 3 ? /\B(?=(\d{3})+(?!\d))/g : /\B(?=([\da-fA-F]{4})+(?![\da-fA-F]))/g;
  if (!/^[\da-fA-F]+$/.test(digits) || /^(?:inf|nan)$/i.test(digits)) return digits;
  let padded = digits;
  while (padded.replace(pattern, separator).length < room) padded = `0${padded}`;
  return padded.replace(pattern, separator);
}

function pad(text: string, { width, fill, align }: Spec, usual: '<' | '>'): string {
  const missing = width - Array.from(text).length;
  if (missing <= 0) return text;
  switch (align || usual) {
    case '<':
      return text + fill.repeat(missing);
    case '^': {
      const left = Math.floor(missing / 2);
      return fill.repeat(left) + text + fill.repeat(missing - left);
    }
    default:
      return fill.repeat(missing) + text;
  }
}
