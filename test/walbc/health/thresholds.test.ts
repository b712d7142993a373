import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from '../../../src/walbc/health/duration.ts';
import {
  limitsOf,
  METRICS,
  type Metric,
  parseThreshold,
} from '../../../src/walbc/health/thresholds.ts';

const metric = (name: string): Metric => METRICS.find((one) => one.name === name) as Metric;

describe('thresholds', () => {
  it.each([
    ['log-usage', '60%:80%', 60, 80],
    ['log-usage', '60:80', 60, 80],
    ['log-usage', '0.5', 0.5, undefined],
    ['lag', '15m:1.5h', 900, 5400],
    ['lag', ':2d', undefined, 172_800],
    ['lag', '90:', 90, undefined],
    ['overflow-in', '2h:30m', 7200, 1800],
    ['lag-bytes', '1g:10g', 2 ** 30, 10 * 2 ** 30],
    ['lag', 'off', undefined, undefined],
    ['lag', '5m:5m', 300, 300],
  ])('--%s %s', (name, text, warn, critical) => {
    expect(parseThreshold(metric(name), text)).toEqual({ warn, critical });
  });

  it.each([
    ['log-usage', '80%:60%', 'above'],
    ['overflow-in', '30m:2h', 'below'],
    ['log-usage', '101%', 'share'],
    ['log-usage', '-1', 'share'],
    ['log-usage', '', 'WARN:CRITICAL'],
    ['log-usage', ':', 'WARN:CRITICAL'],
    ['lag', '1:2:3', 'WARN:CRITICAL'],
    ['lag', '5 minutes', 'duration'],
    ['lag', '1e3', 'duration'],
    ['lag-bytes', '1.5g', 'size'],
  ])('refuses --%s %s', (name, text, reason) => {
    expect(() => parseThreshold(metric(name), text)).toThrow(reason);
    expect(() => parseThreshold(metric(name), text)).toThrow(`--${name}`);
  });

  it('has defaults that can be read, and levels for flags', () => {
    expect(Object.keys(limitsOf().metrics)).toHaveLength(METRICS.length);
    expect(limitsOf({ down: 'warning' }).flags.down).toBe('warning');
    expect(() => limitsOf({ down: 'bad' })).toThrow("bad --down 'bad'");
  });
});

describe('durations', () => {
  it.each([
    [0, '0s'],
    [59.4, '59s'],
    [60, '1m'],
    [192, '3m12s'],
    [3600, '1h'],
    [3725, '1h2m'],
    [86_400 * 2 + 3 * 3600 + 59, '2d3h'],
    [-5, '0s'],
  ])('%s is %s', (seconds, text) => {
    expect(formatDuration(seconds)).toBe(text);
  });

  it('reads what it takes', () => {
    expect(parseDuration('1.5h')).toBe(5400);
    for (const bad of ['', 'h', '1w', '-1s', '1h30m', 'Infinity']) {
      expect(() => parseDuration(bad)).toThrow('bad duration');
    }
  });

  it('never prints more than two units', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e10, noNaN: true }), (seconds) => {
        expect(formatDuration(seconds)).toMatch(/^\d+[smhd](\d+[smh])?$/);
      }),
      { seed: 4 },
    );
  });
});
