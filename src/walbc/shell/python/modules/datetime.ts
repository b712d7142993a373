/** `datetime`: naive datetimes and spans of time. */
import { nameType } from '../builtins.ts';
import { defineStatics } from '../runtime/attributes.ts';
import { raise } from '../runtime/exceptions.ts';
import { fn } from '../runtime/natives.ts';
import { double, isNumber } from '../runtime/numbers.ts';
import { roundHalfEven } from '../runtime/operators.ts';
import { defineType, typeName } from '../runtime/types.ts';
import { isNone, PyModule } from '../runtime/values.ts';
import { dayOf, PyDate } from './datetimes.ts';
import { makeDatetime, parseDatetime } from './strftime.ts';
import { Timedelta } from './timedelta.ts';

const UNITS: Readonly<Record<string, number>> = {
  days: 86_400e6,
  seconds: 1e6,
  microseconds: 1,
  milliseconds: 1e3,
  minutes: 60e6,
  hours: 3600e6,
  weeks: 604_800e6,
};

function makeSpan(...given: readonly unknown[]): Timedelta {
  let total = 0n;
  Object.values(UNITS).forEach((unit, at) => {
    const value = given[at];
    if (isNone(value)) return;
    if (!isNumber(value)) raise('TypeError', `unsupported type for timedelta: ${typeName(value)}`);
    const number = double(value as number);
    total += Number.isInteger(number)
      ? BigInt(number) * BigInt(unit)
      : BigInt(roundHalfEven(number * unit));
  });
  return new Timedelta(total);
}

/** The clock on the wall here, as the UTC fields of a Date. */
export function localFields(date: Date): Date {
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
}

export function datetimeModule(now: () => number): PyModule {
  const datetime = fn(
    'datetime',
    'year, month, day, hour=, minute=, second=, microsecond=',
    (...fields: unknown[]) =>
      makeDatetime(fields.map((value) => (isNone(value) ? 0 : Number(value)))),
  );
  const timedelta = fn(
    'timedelta',
    Object.keys(UNITS)
      .map((name) => `${name}=`)
      .join(', '),
    makeSpan,
  );
  const current = (): Date => localFields(new Date(now()));
  defineStatics(datetime, {
    now: fn('now', '', current),
    today: fn('today', '', current),
    utcnow: fn('utcnow', '', () => new Date(now())),
    fromtimestamp: fn('fromtimestamp', 'timestamp, /', (seconds: unknown) =>
      localFields(new Date(double(seconds as number) * 1000)),
    ),
    utcfromtimestamp: fn(
      'utcfromtimestamp',
      'timestamp, /',
      (seconds: unknown) => new Date(double(seconds as number) * 1000),
    ),
    strptime: fn('strptime', 'text, format, /', parseDatetime),
    fromisoformat: fn('fromisoformat', 'text, /', fromIso),
    min: makeDatetime([1, 1, 1]),
    max: makeDatetime([9999, 12, 31, 23, 59, 59, 999_999]),
  });
  const [datetimeName, timedeltaName] = ['datetime.datetime', 'datetime.timedelta'];
  const date = fn('date', 'year, month, day', (...fields: unknown[]) =>
    dayOf(makeDatetime(fields.map(Number))),
  );
  defineStatics(date, {
    today: fn('today', '', () => dayOf(current())),
    fromisoformat: fn('fromisoformat', 'text, /', (text: string) => dayOf(fromIso(text))),
  });
  defineType(date, { name: 'datetime.date', check: (value) => value instanceof Date });
  nameType('datetime.date', date);
  defineType(datetime, {
    name: datetimeName,
    check: (value) => value instanceof Date && !(value instanceof PyDate),
  });
  defineType(timedelta, { name: timedeltaName, check: (value) => value instanceof Timedelta });
  nameType(datetimeName, datetime);
  nameType(timedeltaName, timedelta);
  return new PyModule('datetime', { date, datetime, timedelta });
}

function fromIso(text: string): Date {
  const formats = ['%Y-%m-%d', '%Y-%m-%dT%H:%M', '%Y-%m-%dT%H:%M:%S', '%Y-%m-%dT%H:%M:%S.%f'];
  const normal = text.replace(/^(\d{4}-\d\d-\d\d) /, '$1T');
  const parts = normal.split(/[T:.]/).length;
  const format = formats[[1, 3, 4, 5].indexOf(parts)];
  return format === undefined
    ? raise('ValueError', `Invalid isoformat string: '${text}'`)
    : parseDatetime(normal, format);
}
