/** `walb ldev info`: the super sector of a log device. */
import type { Command } from 'commander';
import { formatUuid, LB_SIZE } from '../core/index.ts';
import {
  describeStop,
  findEndOfLog,
  geometryOf,
  hex32,
  openRingLog,
  originalInfoLines,
  readSuperSector,
  type ValidSuper,
} from '../wlog/index.ts';
import { type Format, formatOf, printLines, toJson, warn, withFile } from './wlog-io.ts';

interface Options {
  readonly format?: string;
  readonly json?: boolean;
  readonly scan?: boolean;
}

/** What `--scan` adds. */
interface EndOfLog {
  readonly endLsid: bigint;
  readonly usedPb: bigint;
  readonly reason: string;
}

export function register(program: Command): void {
  program
    .command('info')
    .description('print the super sector of a log device')
    .argument('<ldev>', 'log device')
    .option('--scan', 'read and verify the log and tell where it ends')
    .option('--format <name>', 'text, json or original (as wldev-info)', 'text')
    .option('--json', 'short for --format json')
    .action(info);
}

async function info(ldev: string, options: Options): Promise<void> {
  const format = formatOf(options);
  await withFile(ldev, 'read', (file) => {
    const sector = readSuperSector(file);
    const { ringOffsetPb, ringPb, pbs } = geometryOf(sector);
    if (file.size() < (ringOffsetPb + ringPb) * pbs) {
      warn(`${ldev}: the device is smaller than its super sector says: cut short?`);
    }
    let scanned: EndOfLog | undefined;
    if (options.scan === true) {
      const end = findEndOfLog(openRingLog(file));
      const usedPb = end.lsid - sector.oldestLsid;
      scanned = { endLsid: end.lsid, usedPb, reason: end.reason };
      if (end.reason === 'bad-data') warn(`${ldev}: ${describeStop(end.reason)}`);
    }
    return printLines(infoLines(sector, ringOffsetPb, format, scanned));
  });
}

function infoLines(
  sector: ValidSuper,
  ringOffsetPb: number,
  format: Format,
  scanned: EndOfLog | undefined,
): string[] {
  if (format === 'original') return originalInfoLines(sector, ringOffsetPb);
  if (format === 'json') return [toJson({ ...sector, ringOffsetPb, ...scanned })];
  const scanLine =
    scanned === undefined
      ? []
      : [`end of log    lsid ${scanned.endLsid}, ${scanned.usedPb} physical blocks used`];
  return [
    `name          ${sector.name}`,
    `uuid          ${formatUuid(sector.uuid)}`,
    `salt          ${hex32(sector.salt)}`,
    `block size    ${sector.pbs} physical, ${sector.logicalBs} logical`,
    `ring          ${sector.ringPb} physical blocks from block ${ringOffsetPb} on`,
    `oldest lsid   ${sector.oldestLsid}`,
    `written lsid  ${sector.writtenLsid}`,
    `data device   ${sector.deviceLb} blocks (${sector.deviceLb * LB_SIZE} bytes)`,
    ...scanLine,
  ];
}
