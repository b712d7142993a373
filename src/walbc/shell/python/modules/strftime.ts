/** `strftime` and `strptime` for naive datetimes. */
import { raise } from '../runtime/exceptions.ts';
import { fromMicroseconds, microsecondField } from './datetimes.ts';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
];

const pad = (value: number, size = 2): string => String(value).padStart(size, '0');

const DIRECTIVES: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getUTCFullYear()),
  y: (date) => pad(date.getUTCFullYear() % 100),
  m: (date) => pad(date.getUTCMonth() + 1),
  d: (date) => pad(date.getUTCDate()),
  e: (date) => String(date.getUTCDate()).padStart(2),
  H: (date) => pad(date.getUTCHours()),
  I: (date) => pad(date.getUTCHours() % 12 || 12),
  M: (date) => pad(date.getUTCMinutes()),
  S: (date) => pad(date.getUTCSeconds()),
  f: (date) => pad(microsecondField(date), 6),
  p: (date) => (date.getUTCHours() < 12 ? 'AM' : 'PM'),
  j: (date) => pad(dayOfYear(date), 3),
  A: (date) => DAYS[date.getUTCDay()]!,
  a: (date) => DAYS[date.getUTCDay()]!.slice(0, 3),
  B: (date) => MONTHS[date.getUTCMonth()]!,
  b: (date) => MONTHS[date.getUTCMonth()]!.slice(0, 3),
  w: (date) => String(date.getUTCDay()),
  u: (date) => String(date.getUTCDay() || 7),
  s: (date) => String(Math.floor(date.getTime() / 1000)),
  z: () => '',
  Z: () => '',
  n: () => '\n',
  t: () => '\t',
  '%': () => '%',
};

const COMPOSED: Readonly<Record<string, string>> = {
  F: '%Y-%m-%d',
  T: '%H:%M:%S',
  R: '%H:%M',
  D: '%m/%d/%y',
  c: '%a %b %e %H:%M:%S %Y',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
};

function dayOfYear(date: Date): number {
  return Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;
}

export function datetimeText(date: Date, format: string): string {
  return format
    .replace(/%([FTRDcxX])/g, (_, name: string) => COMPOSED[name]!)
    .replace(/%([\s\S])/g, (all: string, name: string) => {
      const directive = DIRECTIVES[name];
      return directive === undefined
        ? raise('ValueError', `strftime: the directive ${all} is not supported`)
        : directive(date);
    });
}

const PATTERNS: Readonly<Record<string, string>> = {
  Y: '(?<Y>\\d{4})',
  y: '(?<y>\\d{2})',
  m: '(?<m>1[0-2]|0?[1-9])',
  d: '(?<d>3[01]|[12]\\d|0?[1-9])',
  H: '(?<H>2[0-3]|[01]?\\d)',
  I: '(?<I>1[0-2]|0?[1-9])',
  M: '(?<M>[0-5]?\\d)',
  S: '(?<S>6[01]|[0-5]?\\d)',
  f: '(?<f>\\d{1,6})',
  p: '(?<p>[AaPp][Mm])',
  j: '(?<j>\\d{1,3})',
  b: `(?<b>${MONTHS.map((name) => name.slice(0, 3)).join('|')})`,
  B: `(?<B>${MONTHS.join('|')})`,
  a: `(?:${DAYS.map((name) => name.slice(0, 3)).join('|')})`,
  A: `(?:${DAYS.join('|')})`,
  '%': '%',
};

/** Throws ValueError when the text does not fit the format. */
export function parseDatetime(text: string, format: string): Date {
  const whole = format.replace(/%([FTRD])/g, (_, name: string) => COMPOSED[name]!);
  const pattern = whole.replace(
    /%([\s\S])|([\\^$.*+?()[\]{}|])|(\s+)/g,
    (all, name, special, space) => {
      if (special !== undefined) return `\\${special}`;
      if (space !== undefined) return '\\s+';
      return (
        PATTERNS[name as string] ??
        raise(
          'ValueError',
          `'${name as string}' is a bad directive in format '${format}' (${all as string})`,
        )
      );
    },
  );
  const found = new RegExp(`^${pattern}$`, 'i').exec(text);
  if (found === null) raise('ValueError', `time data '${text}' does not match format '${format}'`);
  return fromFields(found!.groups ?? {}, text);
}

function fromFields(groups: Readonly<Record<string, string | undefined>>, text: string): Date {
  const number = (name: string, missing: number): number => Number(groups[name] ?? missing);
  const short = groups['y'];
  const century = short !== undefined && Number(short) < 69 ? 2000 : 1900;
  const year = short === undefined ? number('Y', 1900) : century + Number(short);
  const named = groups['b'] ?? groups['B']?.slice(0, 3);
  const month =
    named === undefined
      ? number('m', 1)
      : MONTHS.findIndex((name) => name.toLowerCase().startsWith(named.toLowerCase())) + 1;
  let hour = number('H', 0);
  const half = groups['p']?.toLowerCase();
  if (groups['I'] !== undefined) hour = (Number(groups['I']) % 12) + (half === 'pm' ? 12 : 0);
  const micro = Number((groups['f'] ?? '0').padEnd(6, '0'));
  return makeDatetime(
    [year, month, number('d', 1), hour, number('M', 0), number('S', 0), micro],
    text,
  );
}

/** Year, month, day, hour, minute, second, microsecond. Throws ValueError where one is out of range. */
export function makeDatetime(fields: readonly number[], text = ''): Date {
  const [year = 1, month = 1, day = 1, hour = 0, minute = 0, second = 0, micro = 0] = fields;
  const check = (name: string, value: number, low: number, high: number): void => {
    if (value < low || value > high) raise('ValueError', `${name} must be in ${low}..${high}`);
  };
  check('year', year, 1, 9999);
  check('month', month, 1, 12);
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (day < 1 || date.getUTCMonth() !== month - 1) {
    raise(
      'ValueError',
      text === '' ? 'day is out of range for month' : `day is out of range for month in '${text}'`,
    );
  }
  check('hour', hour, 0, 23);
  check('minute', minute, 0, 59);
  check('second', second, 0, 59);
  check('microsecond', micro, 0, 999_999);
  date.setUTCHours(hour, minute, second);
  return fromMicroseconds(BigInt(date.getTime()) * 1000n + BigInt(micro));
}
