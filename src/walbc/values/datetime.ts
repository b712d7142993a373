/**
 * Times of the library: `Date`, always UTC, whole seconds. A time that a server never set is null.
 *
 * Source: controller-api.md 1.1 (DatetimeFormat*), 1.3 (str_to_datetime, datetime_to_str).
 */
import {
  formatTimestamp,
  formatTimestampDigits,
  parseTimestamp,
  parseTimestampDigits,
  UNSET_TIMESTAMP,
  WalbError,
} from '../../core/index.ts';
import { DatetimeFormatDigits, DatetimeFormatPretty } from '../constants.ts';

/** Unix seconds as a Date; null for 0 = never. */
export function dateOf(seconds: number): Date | null {
  return seconds === 0 ? null : new Date(seconds * 1000);
}

/** Now, in whole seconds. */
export function nowDate(): Date {
  return new Date(Math.floor(Date.now() / 1000) * 1000);
}

export function secondsOf(date: Date): number {
  return Math.floor(date.getTime() / 1000);
}

/** Reads a UTC time in DatetimeFormatPretty or DatetimeFormatDigits. */
export function str_to_datetime(s: string, fmt: string): Date {
  if (fmt === DatetimeFormatPretty && s !== UNSET_TIMESTAMP) {
    return new Date(parseTimestamp(s) * 1000);
  }
  if (fmt === DatetimeFormatDigits) return new Date(parseTimestampDigits(s) * 1000);
  throw badFormat(s, fmt);
}

/** Writes a time as UTC in DatetimeFormatPretty or DatetimeFormatDigits. */
export function datetime_to_str(ts: Date, fmt: string): string {
  if (fmt === DatetimeFormatPretty) return formatTimestamp(secondsOf(ts));
  if (fmt === DatetimeFormatDigits) return formatTimestampDigits(secondsOf(ts));
  throw badFormat(String(ts), fmt);
}

function badFormat(text: string, fmt: string): WalbError {
  return new WalbError(
    'invalid-argument',
    `can not convert time ${JSON.stringify(text)} with format ${JSON.stringify(fmt)}: there are DatetimeFormatPretty and DatetimeFormatDigits`,
  );
}
