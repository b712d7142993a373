/**
 * Hours, days, weeks, months and years, all in UTC, as numbers that grow by one from each to the next.
 *
 * Weeks begin on Monday. A day of the operator's own time zone is not the same one, but UTC has no
 * hour that comes twice and none that is left out.
 */
import type { UnixSeconds } from '../../core/index.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
/** 1970-01-01 was a Thursday. */
const EPOCH_DAYS_SINCE_MONDAY = 3;

export type PeriodName = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';

/** Which hour, day, ... a time belongs to; the shortest first. */
export const PERIODS: Readonly<Record<PeriodName, (time: UnixSeconds) => number>> = {
  hourly: (time) => Math.floor(time / HOUR),
  daily: (time) => Math.floor(time / DAY),
  weekly: (time) => Math.floor((Math.floor(time / DAY) + EPOCH_DAYS_SINCE_MONDAY) / 7),
  monthly: (time) => {
    const date = new Date(time * 1000);
    return date.getUTCFullYear() * 12 + date.getUTCMonth();
  },
  yearly: (time) => new Date(time * 1000).getUTCFullYear(),
};
