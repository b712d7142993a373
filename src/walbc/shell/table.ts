/**
 * What the prompt prints. Tables: a list of snapshots, diffs, servers or records as one line each. Which columns
 * there are follows the class of the first element.
 */
import { formatSizeForHumans } from '../../core/index.ts';
import { repr, showDate } from './show.ts';

export interface ShowOptions {
  readonly columns: number;
  readonly colors: boolean;
}

/** One column: its heading, how a row fills it, and whether it holds numbers. */
interface Column {
  readonly heading: string;
  readonly cell: (row: never) => string;
  readonly right?: true;
}

interface GidInfoLike {
  readonly gid: bigint;
  readonly ts: Date;
  readonly is_explicit: boolean | null;
}

interface DiffLike {
  readonly B: unknown;
  readonly E: unknown;
  readonly isMergeable: boolean;
  readonly isCompDiff: boolean;
  readonly ts: Date;
  readonly dataSize: number;
}

interface ServerLike {
  readonly name: string;
  readonly kind: number;
  get_host_port(): string;
  readonly dataDir?: string;
}

const SERVER_KINDS = ['storage', 'proxy', 'archive'];

const SERVER_COLUMNS: readonly Column[] = [
  { heading: 'name', cell: (row: ServerLike) => row.name },
  { heading: 'kind', cell: (row: ServerLike) => SERVER_KINDS[row.kind] ?? String(row.kind) },
  { heading: 'address', cell: (row: ServerLike) => row.get_host_port() },
  { heading: 'data', cell: (row: ServerLike) => row.dataDir ?? '' },
];

const TABLES: Readonly<Record<string, readonly Column[]>> = {
  GidInfo: [
    { heading: 'gid', cell: (row: GidInfoLike) => String(row.gid), right: true },
    { heading: 'time (UTC)', cell: (row: GidInfoLike) => showDate(row.ts) },
    { heading: 'local time', cell: (row: GidInfoLike) => localTime(row.ts) },
    { heading: 'kept', cell: (row: GidInfoLike) => keptUntil(row.is_explicit) },
  ],
  Diff: [
    { heading: 'from', cell: (row: DiffLike) => String(row.B) },
    { heading: 'to', cell: (row: DiffLike) => String(row.E) },
    { heading: 'flags', cell: (row: DiffLike) => diffFlags(row) },
    { heading: 'time (UTC)', cell: (row: DiffLike) => showDate(row.ts) },
    { heading: 'size', cell: (row: DiffLike) => formatSizeForHumans(row.dataSize), right: true },
  ],
  ServerConnectionParam: SERVER_COLUMNS,
  ServerStartupParam: SERVER_COLUMNS,
};

/** A table of more columns than this is not readable; such records are printed one by one. */
const MAX_RECORD_COLUMNS = 12;
const MAX_ROWS = 1000;

/** What the prompt prints for a result; '' for None. `show`: for what is neither text nor table. */
export function display(
  value: unknown,
  options: ShowOptions,
  show = (other: unknown): string => repr(other, options.columns),
): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' && value.includes('\n')) return value.replace(/\n$/, '');
  return tableOf(serversOf(value) ?? value, options) ?? show(value);
}

/** A layout is shown as its servers. */
function serversOf(value: unknown): unknown {
  const isLayout = typeof value === 'object' && value !== null && 'storageL' in value;
  return isLayout && 'get_all' in value ? (value.get_all as () => unknown)() : undefined;
}

/** The value as a table, or undefined when it is not a list of one kind of records. */
function tableOf(value: unknown, options: ShowOptions): string | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const columns = columnsOf(value);
  if (columns === undefined) return undefined;
  const rows = value.slice(0, MAX_ROWS).map((row) => columns.map(({ cell }) => cell(row as never)));
  const widths = columns.map(({ heading }, at) =>
    Math.max(heading.length, ...rows.map((cells) => cells[at]!.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) =>
        columns[at]!.right ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!),
      )
      .join('  ')
      .trimEnd();
  const heading = line(columns.map((column) => column.heading));
  const more = value.length > MAX_ROWS ? [`... ${value.length - MAX_ROWS} more`] : [];
  return [options.colors ? `\x1b[2m${heading}\x1b[22m` : heading, ...rows.map(line), ...more].join(
    '\n',
  );
}

function columnsOf(list: readonly unknown[]): readonly Column[] | undefined {
  const [first] = list;
  if (typeof first !== 'object' || first === null || Array.isArray(first)) return undefined;
  const prototype: unknown = Object.getPrototypeOf(first);
  const isOneKind = list.every(
    (row) => typeof row === 'object' && row !== null && Object.getPrototypeOf(row) === prototype,
  );
  if (!isOneKind) return undefined;
  const name = first.constructor?.name ?? '';
  if (Object.hasOwn(TABLES, name)) return TABLES[name];
  return prototype === Object.prototype ? recordColumns(list as object[]) : undefined;
}

/** Plain records with few, simple fields: a column for each. */
function recordColumns(list: readonly object[]): Column[] | undefined {
  const keys = [...new Set(list.flatMap((row) => Object.keys(row)))];
  const isSimple = list.every((row) => Object.values(row).every((part) => !isNested(part)));
  if (!isSimple || keys.length === 0 || keys.length > MAX_RECORD_COLUMNS) return undefined;
  return keys.map((key) => {
    const fieldOf = (row: never): unknown => (row as Record<string, unknown>)[key];
    const areNumbers = list.every((row) =>
      ['number', 'bigint', 'undefined'].includes(typeof fieldOf(row as never)),
    );
    const cell = (row: never): string => plain(fieldOf(row));
    return areNumbers ? { heading: key, cell, right: true } : { heading: key, cell };
  });
}

function isNested(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(value instanceof Date);
}

function plain(value: unknown): string {
  if (value === undefined || value === null) return '';
  return typeof value === 'string' ? value : repr(value);
}

function keptUntil(isExplicit: boolean | null): string {
  if (isExplicit === null) return '';
  return isExplicit ? 'until disabled' : 'until merged';
}

function diffFlags({ isMergeable, isCompDiff }: DiffLike): string {
  const flags = [isMergeable ? 'mergeable' : '', isCompDiff ? 'compared' : ''];
  return flags.filter((flag) => flag !== '').join(' ') || '-';
}

/** `2026-01-31 23:59:59 +0100`. */
function localTime(date: Date): string {
  const two = (value: number): string => String(Math.floor(Math.abs(value))).padStart(2, '0');
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join('-');
  const time = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':');
  const offset = -date.getTimezoneOffset();
  return `${day} ${time} ${offset < 0 ? '-' : '+'}${two(offset / 60)}${two(offset % 60)}`;
}
