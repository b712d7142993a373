/** `time`: the wall clock, and waiting. */
import { raise } from '../runtime/exceptions.ts';
import { fn } from '../runtime/natives.ts';
import { double, isNumber } from '../runtime/numbers.ts';
import { float, isNone, PyModule, type PyTuple, tuple } from '../runtime/values.ts';
import { localFields } from './datetime.ts';
import { datetimeText, makeDatetime } from './strftime.ts';

export interface Clock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Waits so many seconds; Ctrl-C ends it. */
  readonly sleep: (seconds: number) => void;
}

export function timeModule({ now, sleep }: Clock): PyModule {
  const fields = (seconds: unknown, local: boolean): PyTuple => {
    const date = new Date(isNone(seconds) ? now() : double(seconds as number) * 1000);
    return structTime(local ? localFields(date) : date);
  };
  return new PyModule('time', {
    time: fn('time', '', () => float(now() / 1000)),
    monotonic: fn('monotonic', '', () => float(performance.now() / 1000)),
    sleep: fn('sleep', 'secs, /', (seconds: unknown) => {
      if (!isNumber(seconds)) raise('TypeError', 'sleep() takes a number of seconds');
      if (Number(seconds) < 0) raise('ValueError', 'sleep length must be non-negative');
      sleep(Number(seconds));
    }),
    gmtime: fn('gmtime', 'secs=, /', (seconds?: unknown) => fields(seconds, false)),
    localtime: fn('localtime', 'secs=, /', (seconds?: unknown) => fields(seconds, true)),
    strftime: fn('strftime', 'format, t=, /', (format: string, given?: PyTuple) => {
      const parts = (given ?? fields(undefined, true)).slice(0, 6).map(Number);
      return datetimeText(makeDatetime(parts), format);
    }),
  });
}

/** Year to second, weekday, day of the year, and -1 for unknown summer time. */
function structTime(date: Date): PyTuple {
  const start = Date.UTC(date.getUTCFullYear(), 0, 1);
  return tuple([
    date.getUTCFullYear(),
    date.getUTCMonth() + 1,
    date.getUTCDate(),
    date.getUTCHours(),
    date.getUTCMinutes(),
    date.getUTCSeconds(),
    (date.getUTCDay() + 6) % 7,
    Math.floor((date.getTime() - start) / 86_400_000) + 1,
    -1,
  ]);
}
