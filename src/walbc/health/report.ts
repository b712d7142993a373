/**
 * A verdict as text: the convention of Nagios plugins (one line with the state, `|` and performance
 * data; longer text after it), or JSON.
 */
import { formatSizeForHumans } from '../../core/index.ts';
import { formatAge, formatDuration } from './duration.ts';
import type { GroupStatus } from './facts.ts';
import type { Measurement, Verdict } from './judge.ts';
import type { Level } from './thresholds.ts';

export const EXIT_CODES: Readonly<Record<Level, number>> = {
  ok: 0,
  warning: 1,
  critical: 2,
  unknown: 3,
};

/** Findings in the first line, which is what a pager shows. */
const MAX_IN_FIRST_LINE = 3;
const MAX_FIRST_LINE = 400;
/** Findings below it: more would be read by nobody, and monitoring systems cut off. */
const MAX_LINES = 100;

/** Text that can stand before performance data. */
function plain(text: string): string {
  return text.replaceAll('|', '/').replaceAll(/\s+/g, ' ').trim();
}

export function firstLine(level: Level, summary: string): string {
  return `WALB ${level.toUpperCase()} - ${plain(summary).slice(0, MAX_FIRST_LINE)}`;
}

export function pluginText(verdict: Verdict): string {
  const { findings, measurements, level } = verdict;
  const data = measurements.map(performanceData).join(' ');
  const shown = findings
    .slice(0, MAX_LINES)
    .map((f) => `${f.level.toUpperCase()}: ${plain(f.text)}`);
  const more = findings.length - shown.length;
  return [
    `${firstLine(level, summaryOf(verdict))} | ${data}`,
    ...shown,
    ...(more > 0 ? [`... and ${more} more`] : []),
    ...volumeLines(verdict.group).map(plain),
  ].join('\n');
}

function summaryOf({ findings, group }: Verdict): string {
  if (findings.length === 0) return wellSummary(group);
  const first = findings.slice(0, MAX_IN_FIRST_LINE).map(({ text }) => text);
  const more = findings.length - first.length;
  return `${first.join('; ')}${more > 0 ? ` (+${more} more)` : ''}`;
}

function wellSummary({ servers, volumes, queues, archives }: GroupStatus): string {
  const names = new Set([...volumes, ...archives, ...queues].map(({ volume }) => volume));
  const up = servers.filter(({ isUp }) => isUp).length;
  const lag = Math.max(
    0,
    ...[...volumes, ...archives].map(({ lagSec }) => lagSec ?? 0),
    ...queues.map(({ ageSec }) => ageSec),
  );
  const usage = Math.max(
    0,
    ...volumes.map((row) =>
      row.logCapacityBytes === 0 ? 0 : row.logUsageBytes / row.logCapacityBytes,
    ),
  );
  const servesAll = up === servers.length ? '' : `${up} of `;
  return `${servesAll}${count(servers.length, 'server')} up, ${count(names.size, 'volume')}, lag at most ${formatDuration(lag)}, logs at most ${Math.round(usage * 100)}% full`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

/** What a person who opens the page of the service wants to know of each volume. */
function volumeLines({ volumes, archives }: GroupStatus): string[] {
  return [
    ...volumes
      .filter(({ state }) => state === 'Target')
      .map(
        (row) =>
          `${row.volume} at ${row.server}: ${formatSizeForHumans(row.lagBytes)} to be delivered, last delivered ${formatAge(row.lastSent, row.now)}`,
      ),
    ...archives.map(
      (row) =>
        `${row.volume} at ${row.server}: newest restorable snapshot ${row.restorableGid ?? 'none'} from ${formatAge(row.restorableTime, row.now)}, last diff received ${formatAge(row.lastReceived, row.now)}`,
    ),
  ];
}

/** `'label'=value[unit];[warn];[critical];[min];[max]`; a threshold that is passed downwards is `N:`. */
export function performanceData({
  label,
  value,
  unit,
  metric,
  threshold,
  max,
}: Measurement): string {
  const suffix = { percent: '%', seconds: 's', bytes: 'B', count: '' }[unit];
  const range = (limit: number | undefined): string =>
    limit === undefined ? '' : `${limit}${metric?.worse === 'lower' ? ':' : ''}`;
  const name = label.replaceAll(/['=\s|]/g, '_');
  const fields = [
    `'${name}'=${Math.round(value * 100) / 100}${suffix}`,
    range(threshold?.warn),
    range(threshold?.critical),
    '0',
    max === undefined ? '' : String(max),
  ];
  return fields.join(';').replace(/;+$/, '');
}

/** Gids as decimal strings, since JSON numbers are not exact. */
export function jsonText({ level, findings, measurements, group }: Verdict): string {
  const data = {
    level,
    exitCode: EXIT_CODES[level],
    findings,
    measurements: measurements.map(({ label, value, unit, threshold }) => ({
      label,
      value,
      unit,
      warn: threshold?.warn,
      critical: threshold?.critical,
    })),
    group,
  };
  return JSON.stringify(data, (_, value) => (typeof value === 'bigint' ? `${value}` : value), 2);
}

/** The same keys where nothing could be looked at. */
export function unknownJson(message: string): string {
  const finding = { level: 'unknown', check: 'check', server: '', volume: '', text: message };
  const exitCode = EXIT_CODES.unknown;
  const data = { level: 'unknown', exitCode, findings: [finding], measurements: [], group: null };
  return JSON.stringify(data, null, 2);
}
