/** Methods and attributes of numbers, datetimes, timedeltas and iterators. */

import { dayOf, isoText, microsecondField } from '../modules/datetimes.ts';
import { datetimeText, makeDatetime } from '../modules/strftime.ts';
import type { Timedelta } from '../modules/timedelta.ts';
import { exceptionClasses, raise } from '../runtime/exceptions.ts';
import { methods } from '../runtime/natives.ts';
import { big, bitLength, double, type Int } from '../runtime/numbers.ts';
import { float, isNone, type PyFloat, type PyIterator, tuple } from '../runtime/values.ts';

export const intMethods = methods<Int | boolean>({
  bit_length: ['', (self) => bitLength(big(self))],
  bit_count: ['', (self) => big(self).toString(2).replace(/[^1]/g, '').length],
  conjugate: ['', (self) => Number(self)],
});

export const floatMethods = methods<number | PyFloat>({
  is_integer: ['', (self) => Number.isInteger(double(self))],
});

const FIELDS: Readonly<Record<string, (date: Date) => number>> = {
  year: (date) => date.getUTCFullYear(),
  month: (date) => date.getUTCMonth() + 1,
  day: (date) => date.getUTCDate(),
  hour: (date) => date.getUTCHours(),
  minute: (date) => date.getUTCMinutes(),
  second: (date) => date.getUTCSeconds(),
  microsecond: microsecondField,
};

export const datetimeFields = FIELDS;

function weekday(date: Date): number {
  return (date.getUTCDay() + 6) % 7;
}

export const datetimeMethods = methods<Date>({
  date: ['', dayOf],
  strftime: ['format, /', (self, format: string) => datetimeText(self, format)],
  isoformat: ['sep=', (self, sep?: unknown) => isoText(self, isNone(sep) ? 'T' : String(sep))],
  weekday: ['', weekday],
  isoweekday: ['', (self) => weekday(self) + 1],
  ctime: ['', (self) => datetimeText(self, '%a %b %e %H:%M:%S %Y')],
  /** A naive datetime is local time, as Python has it. */
  timestamp: ['', (self) => float(localMillis(self) / 1000 + microsecondField(self) / 1e6)],
  timetuple: [
    '',
    (self) =>
      tuple(
        Object.values(FIELDS)
          .slice(0, 6)
          .map((field) => field(self)),
      ),
  ],
  replace: [
    Object.keys(FIELDS)
      .map((name) => `${name}=`)
      .join(', '),
    (self, ...given: unknown[]) => replace(self, given),
  ],
});

function localMillis(date: Date): number {
  const field = (name: string): number => FIELDS[name]!(date);
  return new Date(
    field('year'),
    field('month') - 1,
    field('day'),
    field('hour'),
    field('minute'),
    field('second'),
  ).getTime();
}

function replace(self: Date, given: readonly unknown[]): Date {
  const fields = Object.values(FIELDS).map((field, at) =>
    isNone(given[at]) ? field(self) : Number(given[at]),
  );
  return makeDatetime(fields);
}

export const timedeltaMethods = methods<Timedelta>({
  total_seconds: ['', (self) => float(self.totalSeconds)],
});

export const iteratorMethods = methods<PyIterator>({
  __next__: ['', (self) => nextOf(self)],
  next: ['', (self) => nextOf(self)],
  send: [
    'value, /',
    (self, value: unknown) => {
      if (self.kind !== 'generator')
        raise('AttributeError', `'${self.kind}' object has no attribute 'send'`);
      return nextOf(self, value);
    },
  ],
  close: ['', (self) => self.close()],
});

function nextOf(self: PyIterator, value?: unknown): unknown {
  const result = self.next(value);
  if (result.done === true) throw new exceptionClasses.StopIteration();
  return result.value;
}
