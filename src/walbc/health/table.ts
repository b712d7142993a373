/**
 * The group as a table for people: servers, logs, queues, archives, and what is wrong. Plain text, or
 * with colours; never wider than asked for.
 */
import { formatSizeForHumans, formatTimestamp } from '../../core/index.ts';
import { formatAge, formatDuration } from './duration.ts';
import type { ArchiveRow, GroupStatus, QueueRow, ServerRow, StorageRow } from './facts.ts';
import { judge } from './judge.ts';
import {
  type Level,
  type Limits,
  levelOf,
  limitsOf,
  METRICS,
  type MetricName,
} from './thresholds.ts';

export interface TableOptions {
  readonly columns: number;
  readonly colors: boolean;
}

interface Cell {
  readonly text: string;
  readonly level: Level;
}

interface Section {
  readonly headings: readonly string[];
  /** Indexes of the columns that hold numbers. */
  readonly right: ReadonlySet<number>;
  /** Of the columns that hold names. */
  readonly names: readonly number[];
  readonly rows: readonly (readonly Cell[])[];
}

/** Narrower than this nothing can be read. */
const MIN_COLUMNS = 60;
/** Names are shortened to this before anything else is. */
const SHORT_NAME = 8;
/** Nothing is shortened further. */
const MIN_WIDTH = 4;
const GAP = '  ';
const NOTHING_YET =
  'nothing is backed up yet: walbc.init_storage(sx, vol, path) and walbc.full_backup(sx, vol) begin';

export function groupTable(group: GroupStatus, options: TableOptions): string {
  const limits = limitsOf();
  const columns = Math.max(MIN_COLUMNS, options.columns);
  const sections = [
    serverSection(group.servers, limits),
    storageSection(group.volumes, limits),
    queueSection(group.queues, limits),
    archiveSection(group.archives, limits),
  ].filter(({ rows }) => rows.length > 0);
  const tables = sections.map((section) => layOut(section, columns, options.colors));
  return [...tables, troubles(group, limits, columns, options.colors)].join('\n\n');
}

// ---- sections

const ok = (text: string): Cell => ({ text, level: 'ok' });
const marked = (text: string, level: Level): Cell => ({ text, level });

function measured(limits: Limits, name: MetricName, value: number, text: string): Cell {
  const metric = METRICS.find((one) => one.name === name);
  return marked(text, metric === undefined ? 'ok' : levelOf(metric, limits.metrics[name], value));
}

function serverSection(rows: readonly ServerRow[], limits: Limits): Section {
  return {
    headings: ['server', 'kind', 'address', 'state', 'running', 'disk free', 'spool'],
    right: new Set(),
    names: [0, 2],
    rows: rows.map((row) => [
      ok(row.server),
      ok(row.kind),
      ok(row.address),
      row.isUp ? ok(row.isShuttingDown ? 'shutting down' : 'up') : marked('DOWN', 'critical'),
      ok(row.isUp ? formatDuration(row.now - row.started) : ''),
      diskCell(row, limits),
      spoolCell(row, limits),
    ]),
  };
}

function diskCell(row: ServerRow, limits: Limits): Cell {
  if (!row.isUp) return ok('');
  const free = formatSizeForHumans(row.diskFreeBytes);
  if (row.diskTotalBytes === 0) return ok(free);
  const percent = (row.diskFreeBytes * 100) / row.diskTotalBytes;
  return measured(limits, 'disk-free', percent, `${free} ${Math.floor(percent)}%`);
}

function spoolCell(row: ServerRow, limits: Limits): Cell {
  if (!row.isUp || row.kind !== 'proxy') return ok('');
  const used = formatSizeForHumans(row.spoolUsedBytes);
  if (row.spoolLimitBytes === 0) return ok(used);
  if (row.isSpoolFull) return marked(`${used} FULL`, 'critical');
  const percent = (row.spoolUsedBytes * 100) / row.spoolLimitBytes;
  const limit = formatSizeForHumans(row.spoolLimitBytes);
  return measured(limits, 'spool', percent, `${used} of ${limit}`);
}

function storageSection(rows: readonly StorageRow[], limits: Limits): Section {
  return {
    headings: ['volume', 'at', 'state', 'log', 'of', 'writes', 'full in', 'unsent', 'sent'],
    right: new Set([3]),
    names: [0, 1],
    rows: rows.map((row) => {
      const percent =
        row.logCapacityBytes === 0 ? 0 : (row.logUsageBytes * 100) / row.logCapacityBytes;
      return [
        ok(row.volume),
        ok(row.server),
        stateCell(row.state, row.failure !== null),
        row.isOverflow
          ? marked('OVERFLOW', 'critical')
          : measured(limits, 'log-usage', percent, `${Math.floor(percent)}%`),
        ok(formatSizeForHumans(row.logCapacityBytes)),
        ok(`${formatSizeForHumans(row.writeRate)}/s`),
        fullIn(row, percent, limits),
        lagCell(limits, row.lagBytes, row.lagSec),
        ok(formatAge(row.lastSent, row.now)),
      ];
    }),
  };
}

/** A ring that is hardly used says nothing yet. */
const WORTH_SAYING_PERCENT = 1;

function fullIn(row: StorageRow, percent: number, limits: Limits): Cell {
  if (row.overflowInSec === null || percent < WORTH_SAYING_PERCENT) return ok('-');
  return measured(limits, 'overflow-in', row.overflowInSec, formatDuration(row.overflowInSec));
}

function queueSection(rows: readonly QueueRow[], limits: Limits): Section {
  return {
    headings: ['volume', 'from', 'to', 'state', 'queued', 'behind', 'sent', 'send error'],
    right: new Set([4]),
    names: [0, 1, 2],
    rows: rows.map((row) => [
      ok(row.volume),
      ok(row.server),
      ok(row.archive),
      stateCell(row.state, row.failure !== null),
      ok(String(row.numDiff)),
      lagCell(limits, row.bytes, row.ageSec),
      ok(formatAge(row.lastSent, row.now)),
      row.isSendError ? marked('YES', 'critical') : ok('no'),
    ]),
  };
}

function archiveSection(rows: readonly ArchiveRow[], limits: Limits): Section {
  return {
    headings: ['volume', 'at', 'state', 'restorable', 'behind', 'received', 'applied'],
    right: new Set(),
    names: [0, 1],
    rows: rows.map((row) => [
      ok(row.volume),
      ok(row.server),
      stateCell(row.state, row.failure !== null),
      row.restorableGid === null
        ? marked('none', 'critical')
        : ok(`${row.restorableGid} ${formatTimestamp(row.restorableTime)}`),
      row.lagBytes === null || row.lagSec === null
        ? ok('?')
        : lagCell(limits, row.lagBytes, row.lagSec),
      ok(formatAge(Math.max(row.lastReceived, row.lastSync), row.now)),
      ok(formatAge(row.lastApply, row.now)),
    ]),
  };
}

function stateCell(state: string, isFailing: boolean): Cell {
  if (isFailing) return marked(`${state}!`, 'warning');
  return state === 'Stopped' ? marked(state, 'warning') : ok(state);
}

function lagCell(limits: Limits, bytes: number, seconds: number): Cell {
  const text = `${formatSizeForHumans(bytes)} ${formatDuration(seconds)}`;
  return measured(limits, 'lag', seconds, text);
}

// ---- text

function troubles(group: GroupStatus, limits: Limits, columns: number, colors: boolean): string {
  const { findings } = judge(group, limits);
  if (findings.length === 0 && group.archives.length === 0) return NOTHING_YET;
  if (findings.length === 0) return paint('all is well', 'ok', colors, true);
  return findings
    .flatMap(({ level, text }) => {
      const [first = '', ...rest] = wrap(`${level.toUpperCase()}: ${text}`, columns - 2);
      return [paint(first, level, colors), ...rest.map((line) => `  ${line}`)];
    })
    .join('\n');
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text
    .replaceAll(/\s+/g, ' ')
    .split(' ')
    .flatMap((w) => pieces(w, width))) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
}

/** A word that fits on no line, such as a path, is cut. */
function pieces(word: string, width: number): string[] {
  const parts: string[] = [];
  for (let at = 0; at < word.length; at += width) parts.push(word.slice(at, at + width));
  return parts;
}

function layOut(
  { headings, right, names, rows }: Section,
  columns: number,
  colors: boolean,
): string {
  const widths = headings.map((heading, at) =>
    Math.max(heading.length, ...rows.map((row) => row[at]!.text.length)),
  );
  shrink(widths, columns, names);
  const pad = (text: string, at: number): string => {
    const width = widths[at]!;
    const cut = text.length > width ? `${text.slice(0, width - 1)}…` : text;
    return right.has(at) ? cut.padStart(width) : cut.padEnd(width);
  };
  const heading = headings.map(pad).join(GAP).trimEnd();
  const lines = rows.map((row) => {
    const last = row.findLastIndex(({ text }) => text !== '');
    return row
      .slice(0, last + 1)
      .map(({ text, level }, at) => {
        const padded = at === last ? pad(text, at).trimEnd() : pad(text, at);
        return paint(padded, level, colors);
      })
      .join(GAP);
  });
  return [colors ? `\x1b[2m${heading}\x1b[22m` : heading, ...lines].join('\n');
}

/** Takes from the widest column until the table fits, from names first: a cut number is no number. */
function shrink(widths: number[], columns: number, names: readonly number[]): void {
  const total = (): number => widths.reduce((sum, width) => sum + width + GAP.length, -GAP.length);
  while (total() > columns) {
    const long = names.filter((at) => widths[at]! > SHORT_NAME);
    const pool = long.length > 0 ? long : [...widths.keys()];
    const widest = pool.reduce((a, b) => (widths[b]! > widths[a]! ? b : a));
    if (widths[widest]! <= MIN_WIDTH) return;
    widths[widest]! -= 1;
  }
}

const COLORS: Readonly<Record<Level, number>> = { ok: 32, warning: 33, critical: 31, unknown: 35 };

/** What is well is not coloured, unless `always`: colour is for what must be seen. */
function paint(text: string, level: Level, colors: boolean, always = false): string {
  if (!colors || (level === 'ok' && !always)) return text;
  return `\x1b[${COLORS[level]}m${text}\x1b[39m`;
}
