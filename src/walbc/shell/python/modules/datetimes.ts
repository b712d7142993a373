/**
 * Naive datetimes. As in the library they are a Date whose UTC fields are the fields of the datetime;
 * a PyDatetime adds the microseconds that a Date has no room for.
 */
import { Timedelta } from './timedelta.ts';

export class PyDatetime extends Date {
  /** Microseconds beyond the millisecond: 0 to 999. */
  readonly micro: number;

  constructor(millis: number, micro: number) {
    super(millis);
    this.micro = micro;
  }
}

/** `datetime.date`: the day whose midnight (UTC fields) it is. */
export class PyDate extends Date {}

const DAY_MS = 86_400_000;

export function dayOf(date: Date): PyDate {
  return new PyDate(Math.floor(date.getTime() / DAY_MS) * DAY_MS);
}

/** Microseconds since 1970. */
export function microsecondsOf(date: Date): bigint {
  return BigInt(date.getTime()) * 1000n + BigInt(date instanceof PyDatetime ? date.micro : 0);
}

export function fromMicroseconds(value: bigint): Date {
  let micro = value % 1000n;
  if (micro < 0n) micro += 1000n;
  const millis = Number((value - micro) / 1000n);
  return micro === 0n ? new Date(millis) : new PyDatetime(millis, Number(micro));
}

export function addSpan(date: Date, span: Timedelta, sign: 1n | -1n): Date {
  if (date instanceof PyDate)
    return new PyDate(date.getTime() + Number(sign) * span.parts.days * DAY_MS);
  return fromMicroseconds(microsecondsOf(date) + sign * span.microseconds);
}

export function difference(a: Date, b: Date): Timedelta {
  return new Timedelta(microsecondsOf(a) - microsecondsOf(b));
}

/** The microsecond field: 0 to 999999. */
export function microsecondField(date: Date): number {
  return date.getUTCMilliseconds() * 1000 + (date instanceof PyDatetime ? date.micro : 0);
}

/** `2026-01-31 23:59:59.000005`, or with `T` in the middle. */
export function isoText(date: Date, separator: string): string {
  if (date instanceof PyDate) return date.toISOString().slice(0, 10);
  const text = date.toISOString().slice(0, 19).replace('T', separator);
  const micro = microsecondField(date);
  return micro === 0 ? text : `${text}.${String(micro).padStart(6, '0')}`;
}

export function datetimeSource(date: Date): string {
  if (date instanceof PyDate) {
    return `datetime.date(${date.getUTCFullYear()}, ${date.getUTCMonth() + 1}, ${date.getUTCDate()})`;
  }
  const fields = [
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    microsecondField(date),
  ];
  // Seconds and microseconds are left out where they are 0.
  while (fields.length > 5 && fields.at(-1) === 0) fields.pop();
  return `datetime.datetime(${fields.join(', ')})`;
}
