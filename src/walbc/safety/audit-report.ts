/** The audit log for readers: one line per call, from its two records. Pure. */
import type { AuditRecord } from './audit-record.ts';
import { durationText } from './words.ts';

export interface AuditEntry {
  readonly begin: AuditRecord;
  /** Undefined while the call runs, and for ever when its program was killed. */
  readonly end: AuditRecord | undefined;
}

export interface AuditFilter {
  /** ISO 8601, as in the records. */
  readonly since?: string;
  readonly user?: string;
}

/** Calls in the order in which they began. */
export function entriesOf(records: readonly AuditRecord[], filter: AuditFilter = {}): AuditEntry[] {
  const { since = '', user } = filter;
  const ends = new Map(records.filter(({ event }) => event === 'end').map((r) => [r.id, r]));
  return records
    .filter((record) => record.event === 'begin' && record.time >= since)
    .filter((record) => user === undefined || [record.user, record.sudoUser].includes(user))
    .map((begin) => ({ begin, end: ends.get(begin.id) }));
}

/** A table with a line per call; what went wrong stands below it. */
export function reportOf(entries: readonly AuditEntry[]): string {
  if (entries.length === 0) return 'no calls that change something are recorded';
  const rows = [HEADING, ...entries.map(cellsOf)];
  const widths = HEADING.map((_, at) => Math.max(...rows.map((cells) => cells[at]!.length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at]!))
      .join('  ')
      .trimEnd(),
  );
  return lines
    .flatMap((line, at) => [line, ...(at === 0 ? [] : detailsOf(entries[at - 1]!))])
    .join('\n');
}

const HEADING = ['time (UTC)', 'user', 'by', 'took', 'outcome', 'call'];

function cellsOf({ begin, end }: AuditEntry): string[] {
  const { user, sudoUser, host } = begin;
  return [
    begin.time.slice(0, 19),
    `${user}${sudoUser === undefined ? '' : ` (sudo ${sudoUser})`}@${host}`,
    begin.interface,
    end?.durationMs === undefined ? '' : tookText(end.durationMs),
    outcomeOf({ begin, end }),
    begin.call,
  ];
}

function tookText(millis: number): string {
  return millis < 1000 ? `${millis} ms` : durationText(millis / 1000);
}

/** In a word. */
export function outcomeOf({ begin, end }: AuditEntry): string {
  if (begin.dryRun === true) return 'dry run';
  if (end === undefined) return 'no end recorded';
  if (end.declined === true) return 'declined';
  if (end.interrupted === true) return 'interrupted';
  return end.error === undefined ? 'done' : end.error.code;
}

function detailsOf({ end }: AuditEntry): string[] {
  const text = end?.error?.message ?? end?.result;
  return text === undefined ? [] : [`    ${text.split('\n')[0]}`];
}

/** One object per call, for programs. */
export function jsonOf(entries: readonly AuditEntry[]): string {
  return entries
    .map((entry) => {
      const { event: _, version: __, ...facts } = { ...entry.end, ...entry.begin };
      return JSON.stringify({ ...facts, ended: entry.end?.time, outcome: outcomeOf(entry) });
    })
    .join('\n');
}
