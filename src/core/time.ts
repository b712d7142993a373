/**
 * Timestamps as text. All are UTC with whole seconds; 0 means "never".
 *
 * Source: cli.md 1.3 (`YYYY-MM-DDThh:mm:ss`, unset prints `---`), semantics.md A.6 (the digits form
 * `YYYYMMDDhhmmss` of wdiff names and meta states).
 */
import { WalbError } from './errors.ts';
import { malformed } from './text.ts';
import type { Millis, UnixSeconds } from './units.ts';

export const UNSET_TIMESTAMP = '---';

/** 9999-12-31T23:59:59: the last second that four digits of a year can express. */
export const MAX_TIMESTAMP: UnixSeconds = 253_402_300_799;

const PRETTY = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}):(\d{2}):(\d{2})$/;
const DIGITS = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$/;

/** Whole seconds of a clock reading, rounded down. */
export function toUnixSeconds(now: Millis): UnixSeconds {
  return Math.floor(now / 1000);
}

/** Returns a timestamp that can be printed; throws `invalid-argument` for any other number. */
export function checkTimestamp(timestamp: UnixSeconds): UnixSeconds {
  if (Number.isInteger(timestamp) && timestamp >= 0 && timestamp <= MAX_TIMESTAMP) return timestamp;
  const message = `timestamp ${timestamp} is outside the years 1970-9999`;
  throw new WalbError('invalid-argument', message, { details: { timestamp } });
}

/** `YYYY-MM-DDThh:mm:ss`, or `---` for 0. */
export function formatTimestamp(timestamp: UnixSeconds): string {
  return timestamp === 0 ? UNSET_TIMESTAMP : isoOf(timestamp);
}

/** Reverse of `formatTimestamp`; `---` is 0. Throws `invalid-argument`. */
export function parseTimestamp(text: string): UnixSeconds {
  if (text === UNSET_TIMESTAMP) return 0;
  return parseWith(PRETTY, text, 'YYYY-MM-DDThh:mm:ss (UTC) or ---');
}

/** `YYYYMMDDhhmmss`; 0 is the epoch, not `---`. */
export function formatTimestampDigits(timestamp: UnixSeconds): string {
  return isoOf(timestamp).replace(/[-:T]/g, '');
}

/** Reverse of `formatTimestampDigits`. Throws `invalid-argument`. */
export function parseTimestampDigits(text: string): UnixSeconds {
  return parseWith(DIGITS, text, '14 digits YYYYMMDDhhmmss (UTC)');
}

function isoOf(timestamp: UnixSeconds): string {
  return new Date(checkTimestamp(timestamp) * 1000).toISOString().slice(0, 19);
}

function parseWith(pattern: RegExp, text: string, expected: string): UnixSeconds {
  const fields = pattern.exec(text)?.slice(1).map(Number);
  if (fields === undefined) throw malformed('timestamp', text, expected);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = fields;
  const seconds = Date.UTC(year, month - 1, day, hour, minute, second) / 1000;
  // Date.UTC lets 30 February roll over; only what reads back the same is a real date.
  const isReal =
    seconds >= 0 && year >= 1970 && pattern.exec(isoLike(seconds, pattern))?.[0] === text;
  if (!isReal) throw malformed('timestamp', text, `${expected}, a date that exists, from 1970 on`);
  return seconds;
}

function isoLike(seconds: UnixSeconds, pattern: RegExp): string {
  if (seconds > MAX_TIMESTAMP) return '';
  return pattern === PRETTY ? isoOf(seconds) : formatTimestampDigits(seconds);
}
