/** How `wlog show` and `ldev show` print a log: for people, as JSON lines, or as the original does. */
import { formatUuid } from '../core/index.ts';
import {
  describeStop,
  type EndItem,
  hex32,
  isOpenEnded,
  type LogRecord,
  originalShowLines,
  type PackHeader,
  recordKind,
  type ShowOptions,
  type WlogHeader,
  type WlogItems,
} from '../wlog/index.ts';
import { type Format, toJson } from './wlog-io.ts';

/** One line per header, pack, record and end. Calls `onEnd` with each end met. */
export function showLines(
  items: WlogItems,
  format: Format,
  options: ShowOptions,
): AsyncIterable<string> {
  if (format === 'original') return originalShowLines(items, options);
  return format === 'json' ? jsonLines(items, options) : textLines(items, options);
}

async function* textLines(items: WlogItems, options: ShowOptions): AsyncGenerator<string> {
  for await (const item of items) {
    if (item.kind === 'header') yield headerText(item.header);
    else if (item.kind === 'pack') yield packText(item.header);
    else if (item.kind === 'io') yield recordText(item.record);
    else {
      options.onEnd?.(item);
      yield endText(item);
    }
  }
}

function headerText(header: WlogHeader): string {
  const end = isOpenEnded(header) ? 'unknown' : header.endLsid;
  return (
    `wlog     pbs=${header.pbs} salt=${hex32(header.salt)} uuid=${formatUuid(header.uuid)} ` +
    `begin=${header.beginLsid} end=${end}`
  );
}

function packText(pack: PackHeader): string {
  return (
    `pack     lsid=${pack.lsid} data=${pack.totalPb} records=${pack.nRecords} ` +
    `padding=${pack.nPadding} checksum=${hex32(pack.checksum)}`
  );
}

function recordText(record: LogRecord): string {
  const kind = recordKind(record.flags);
  const place = kind === 'padding' ? '' : ` offset=${record.offset}`;
  const sum = kind === 'write' ? ` checksum=${hex32(record.checksum)}` : '';
  return `  ${kind.padEnd(8)} lsid=${record.lsid}${place} blocks=${record.blocks}${sum}`;
}

function endText(end: EndItem): string {
  return `end      lsid=${end.lsid} at byte ${end.offset}: ${describeStop(end.reason)}`;
}

async function* jsonLines(items: WlogItems, options: ShowOptions): AsyncGenerator<string> {
  for await (const item of items) {
    const position = item.offset;
    if (item.kind === 'header') yield toJson({ kind: 'header', position, ...item.header });
    else if (item.kind === 'pack') {
      const { records: _, ...header } = item.header;
      yield toJson({ kind: 'pack', position, ...header });
    } else if (item.kind === 'io') {
      yield toJson({ kind: 'record', type: item.type, position, ...item.record });
    } else {
      options.onEnd?.(item);
      yield toJson({ kind: 'end', position, lsid: item.lsid, reason: item.reason });
    }
  }
}
