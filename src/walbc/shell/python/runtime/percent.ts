/** `'%s %5.2f' % values`. */
import { raise } from './exceptions.ts';
import { formatValue } from './format-spec.ts';
import { item } from './items.ts';
import { big, double, isFloat, isInt, isNumber } from './numbers.ts';
import { repr, str } from './repr.ts';
import { typeName } from './types.ts';
import { isRecord, PyTuple } from './values.ts';

const DIRECTIVE = /%(?:\(([^)]*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?([a-zA-Z%]|$)?/g;

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly type: string;
}

export function percentFormat(text: string, values: unknown): string {
  const list = values instanceof PyTuple ? values : [values];
  const isMapping = values instanceof Map || isRecord(values);
  let at = 0;
  const next = (): unknown => {
    if (at >= list.length) raise('TypeError', 'not enough arguments for format string');
    at += 1;
    return list[at - 1];
  };
  const made = text.replace(DIRECTIVE, (...found: (string | undefined)[]) => {
    const [all = '', key, flags = '', width, precision, type] = found;
    if (type === undefined || type === '') raise('ValueError', 'incomplete format');
    if (type === '%') return '%';
    if (key !== undefined && !isMapping) raise('TypeError', 'format requires a mapping');
    const size = width === '*' ? Number(next()) : Number(width ?? 0);
    const places = precision === '*' ? Number(next()) : precision;
    const hasPoint =
      all.includes('.') && (key === undefined || all.lastIndexOf('.') > all.indexOf(')'));
    const value = key === undefined ? next() : item(values, key);
    return directive(value, {
      flags: size < 0 ? `${flags}-` : flags,
      width: Math.abs(size),
      precision: hasPoint ? Number(places ?? 0) : undefined,
      type: type!,
    });
  });
  if (at < list.length && !isMapping && !(values instanceof PyTuple && values.length === 0)) {
    raise('TypeError', 'not all arguments converted during string formatting');
  }
  return made;
}

function directive(value: unknown, spec: Directive): string {
  switch (spec.type) {
    case 's':
    case 'r':
    case 'a': {
      const text = spec.type === 's' ? str(value) : repr(value);
      return padded(
        spec.precision === undefined ? text : Array.from(text).slice(0, spec.precision).join(''),
        spec,
      );
    }
    case 'c':
      return padded(typeof value === 'string' ? value : String.fromCodePoint(Number(value)), spec);
    case 'd':
    case 'i':
    case 'u':
    case 'x':
    case 'X':
    case 'o':
      return integer(value, spec);
    case 'e':
    case 'E':
    case 'f':
    case 'F':
    case 'g':
    case 'G':
      return floating(value, spec);
    default:
      return raise(
        'ValueError',
        `unsupported format character '${spec.type}' (0x${spec.type.charCodeAt(0).toString(16)})`,
      );
  }
}

/** In the language of format(): the flags mean the same there. */
function integer(value: unknown, spec: Directive): string {
  const isDecimal = 'diu'.includes(spec.type);
  if (!isNumber(value) || (!isDecimal && isFloat(value))) {
    const wanted = isDecimal ? 'a real number' : 'an integer';
    return raise(
      'TypeError',
      `%${spec.type} format: ${wanted} is required, not ${typeName(value)}`,
    );
  }
  const whole = isInt(value) ? big(value) : BigInt(Math.trunc(double(value)));
  const hash = spec.flags.includes('#') ? '#' : '';
  const type = isDecimal ? 'd' : spec.type;
  const digits = formatValue(whole < 0n ? -whole : whole, `${hash}${type}`);
  const [, prefix = '', rest = ''] = /^(0[xXo])?(.*)$/.exec(digits) ?? [];
  const full = rest.padStart(spec.precision ?? 0, '0');
  return signed(whole < 0n, prefix, full, spec);
}

function floating(value: unknown, spec: Directive): string {
  if (!isNumber(value)) return raise('TypeError', `must be real number, not ${typeName(value)}`);
  const number = double(value);
  const hash = spec.flags.includes('#') ? '#' : '';
  const isNegative = number < 0 || Object.is(number, -0);
  const digits = formatValue(Math.abs(number), `${hash}.${spec.precision ?? 6}${spec.type}`);
  return signed(isNegative, '', digits, spec);
}

function signed(isNegative: boolean, prefix: string, digits: string, spec: Directive): string {
  const { flags, width } = spec;
  const sign = isNegative ? '-' : flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '';
  const isZeroFilled = flags.includes('0') && !flags.includes('-');
  const room = Math.max(0, width - sign.length - prefix.length);
  const filled = isZeroFilled ? digits.padStart(room, '0') : digits;
  return padded(sign + prefix + filled, spec);
}

function padded(text: string, { flags, width }: Directive): string {
  const missing = ' '.repeat(Math.max(0, width - Array.from(text).length));
  return flags.includes('-') ? text + missing : missing + text;
}
