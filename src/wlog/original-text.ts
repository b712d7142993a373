/**
 * Text exactly as wlog-show, wldev-info and wlog-analyze print it (`--format original`), for scripts
 * that parse it and for comparison with golden files.
 */
import { type Bytes, formatUuid, LB_SIZE, U64_MAX } from '../core/index.ts';
import type { LogStatistics } from './analyze.ts';
import { WLOG_VERSION, type WlogHeader } from './file-header.ts';
import type { EndItem } from './log-item.ts';
import {
  FLAG_DISCARD,
  FLAG_EXIST,
  FLAG_PADDING,
  type LogRecord,
  type PackHeader,
  recordPb,
} from './pack-header.ts';
import type { WlogItems } from './reader.ts';
import type { SuperSector } from './super-sector.ts';

export function hex32(value: number): string {
  return value.toString(16).padStart(8, '0');
}

function pad(value: number | bigint, width: number): string {
  return String(value).padStart(width);
}

function originalHeaderLine(header: WlogHeader): string {
  return (
    `wlog_h: ver ${pad(WLOG_VERSION, 3)} pbs ${pad(header.pbs, 4)} salt ${hex32(header.salt)} ` +
    `uuid ${formatUuid(header.uuid)} lsid ${header.beginLsid} ${header.endLsid}`
  );
}

function originalPackLine(pack: PackHeader): string {
  return (
    `wlog_p: lsid ${pad(pack.lsid, 10)} total ${pad(pack.totalPb, 4)} ` +
    `n_rec ${pad(pack.nRecords, 2)} n_pad ${pad(pack.nPadding, 2)} csum ${hex32(pack.checksum)}`
  );
}

function originalRecordLine(record: LogRecord): string {
  const letter = (flag: number, text: string) => ((record.flags & flag) !== 0 ? text : '-');
  const flags = letter(FLAG_EXIST, 'E') + letter(FLAG_PADDING, 'P') + letter(FLAG_DISCARD, 'D');
  return (
    `wlog_r: lsid ${pad(record.lsid, 10)} ${pad(record.lsidLocal, 4)} io ${pad(record.offset, 10)} ` +
    `${pad(record.blocks, 4)} flags ${flags} csum ${hex32(record.checksum)}`
  );
}

export interface ShowOptions {
  /** Bounds and block size of a ring, whose items have no file header. */
  readonly begin?: bigint;
  readonly end?: bigint;
  readonly pbs?: Bytes;
  /** Why the log ended; the original does not say. */
  readonly onEnd?: (end: EndItem) => void;
}

/** All lines of wlog-show; for a ring without the first one. */
export async function* originalShowLines(
  items: WlogItems,
  options: ShowOptions = {},
): AsyncGenerator<string, void, undefined> {
  const totals = { packs: 0, write: 0, discard: 0, padding: 0 };
  let { begin = 0n, end = U64_MAX, pbs = LB_SIZE } = options;
  for await (const item of items) {
    if (item.kind === 'header') {
      begin = item.header.beginLsid;
      end = item.header.endLsid;
      pbs = item.header.pbs;
      yield originalHeaderLine(item.header);
    } else if (item.kind === 'pack') {
      totals.packs++;
      yield originalPackLine(item.header);
    } else if (item.kind === 'io') {
      const { record, type } = item;
      totals[type] += type === 'padding' ? recordPb(record, pbs) : record.blocks;
      yield originalRecordLine(record);
    } else {
      options.onEnd?.(item);
      yield* [`bgnLsid ${begin}`, `endLsid ${end}`, `reallyEndLsid ${item.lsid}`];
      yield* [`nrPacks ${totals.packs}`, `normalLb ${totals.write}`];
      yield* [`discardLb ${totals.discard}`, `paddingPb ${totals.padding}`];
    }
  }
}

/** The lines of wldev-info. */
export function originalInfoLines(sector: SuperSector, ringOffsetPb: number): string[] {
  return [
    `sectorType: ${sector.sectorType}`,
    `version: ${sector.version}`,
    `checksum: ${sector.checksum}`,
    `lbs: ${sector.logicalBs}`,
    `pbs: ${sector.pbs}`,
    `metadataSize: ${sector.metadataPb}`,
    `salt: ${sector.salt}`,
    `name: ${sector.name ?? ''}`,
    `ringBufferSize: ${sector.ringPb}`,
    `oldestLsid: ${sector.oldestLsid}`,
    `writtenLsid: ${sector.writtenLsid}`,
    `deviceSize: ${sector.deviceLb}`,
    `ringBufferOffset: ${ringOffsetPb}`,
    `uuid: ${formatUuid(sector.uuid)}`,
  ];
}

/** The lines of wlog-analyze. */
export function originalAnalyzeLines(statistics: LogStatistics): string[] {
  return [
    `block size: ${statistics.blockSize}`,
    `number of written blocks: ${statistics.writtenBlocks}`,
    `number of changed blocks: ${statistics.changedBlocks}`,
    `overwritten rate: ${statistics.overwrittenRatio.toFixed(2)}`,
  ];
}
