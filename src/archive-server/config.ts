/** Settings of an archive server: original options (cli.md 2) and their bounds. */

import { type Bytes, type Millis, WalbError } from '../core/index.ts';
import type { OptionSpec } from '../core/original-options.ts';
import type { OptionValues } from '../server/common-options.ts';
import { type CompressOption, type DiscardMode, parseCompressOption } from '../wdiff/index.ts';
import { checkLvmName } from './lvm-names.ts';
import { checkSleepPercent } from './pacer.ts';

export interface ArchiveConfig {
  readonly baseDirectory: string;
  /** `-vg`, `-tp`: images are logical volumes; without them they are files in the base directory. */
  readonly lvm?: LvmConfig;
  /** `-wn`: diffs merged into one transfer of a replication. */
  readonly maxWdiffFiles: number;
  /** `-discard`: what DISCARD records do to base and restored images. */
  readonly discard: DiscardMode;
  /** `-fi`: bytes written between syncs. */
  readonly fsyncInterval: Bytes;
  /** `-autoresize`: grow the base when a sender's volume is larger. */
  readonly autoResize: boolean;
  /** `-keep-one-cold-snap`: a restore removes all cold snapshots but the newest. */
  readonly keepOneColdSnapshot?: boolean;
  /** `-maxopen`: diffs per pass of apply and restore; 0 = unlimited. */
  readonly maxOpenDiffs: number;
  /** `-maxopen-virt`: diffs of a virtual scan; 0 = unlimited. */
  readonly maxOpenDiffsVirtual: number;
  /** `-apply-sleep-pct`. */
  readonly applySleepPercent: number;
  /** `-lock-time-th`: longer waits for the catalogue are logged. */
  readonly lockTimeThreshold?: Millis;
  /** `-sync-cmpr`. */
  readonly syncCompression: CompressOption;
}

export interface LvmConfig {
  readonly group: string;
  /** Empty for plain volumes. */
  readonly pool: string;
}

export const ARCHIVE_OPTIONS: readonly OptionSpec[] = [
  { name: 'b', type: 'string', help: 'base directory', default: '/var/forest/walb/archive' },
  { name: 'vg', type: 'string', help: 'volume group for images; without it they are files' },
  { name: 'tp', type: 'string', help: 'thin pool in the volume group' },
  { name: 'wn', type: 'integer', help: 'diffs merged into one transfer', default: '1000' },
  {
    name: 'discard',
    type: 'string',
    help: 'discards become zeros (zero), holes (passdown), or are left out (ignore)',
    // A discarded range reads as zeros on the volume: only so does a restored image equal it.
    default: 'zero',
  },
  { name: 'fi', type: 'integer', help: 'bytes written between syncs', default: '1G' },
  {
    name: 'autoresize',
    type: 'flag',
    help: "grow the base image when a sender's volume is larger",
  },
  {
    name: 'keep-one-cold-snap',
    type: 'flag',
    help: 'keep only the newest cold snapshot',
  },
  {
    name: 'maxopen',
    type: 'integer',
    help: 'diffs per pass of apply and restore, 0 = all',
    default: '0',
  },
  { name: 'maxopen-virt', type: 'integer', help: 'diffs of a virtual scan, 0 = all', default: '0' },
  {
    name: 'apply-sleep-pct',
    type: 'integer',
    help: 'part of the time apply sleeps, 0-99',
    default: '0',
  },
  {
    name: 'lock-time-th',
    type: 'string',
    help: 'log waits for a lock longer than so many seconds',
    default: '10.0',
  },
  { name: 'sync-cmpr', type: 'string', help: 'compression of scans', default: 'snappy:0:1' },
];

const DISCARD_MODES: readonly DiscardMode[] = ['ignore', 'passdown', 'zero'];

/** Throws `invalid-argument` naming the option. */
export function archiveConfig(options: OptionValues): ArchiveConfig {
  const discard = options.text('discard') as DiscardMode;
  if (!DISCARD_MODES.includes(discard)) {
    throw new WalbError(
      'invalid-argument',
      `-discard is one of ${DISCARD_MODES.join(', ')}, not ${discard}`,
    );
  }
  const lvm = lvmConfig(options);
  return {
    baseDirectory: options.text('b') as string,
    ...(lvm === undefined ? {} : { lvm }),
    maxWdiffFiles: options.positive('wn'),
    discard,
    fsyncInterval: options.positive('fi'),
    autoResize: options.has('autoresize'),
    keepOneColdSnapshot: options.has('keep-one-cold-snap'),
    maxOpenDiffs: options.number('maxopen'),
    maxOpenDiffsVirtual: options.number('maxopen-virt'),
    applySleepPercent: checkSleepPercent(options.number('apply-sleep-pct')),
    lockTimeThreshold: secondsOf(options.text('lock-time-th') as string) * 1000,
    syncCompression: parseCompressOption(options.text('sync-cmpr') as string),
  };
}

function lvmConfig(options: OptionValues): LvmConfig | undefined {
  const [group, pool] = [options.text('vg'), options.text('tp')];
  if (group !== undefined) {
    return {
      group: checkLvmName(group, '-vg'),
      pool: pool === undefined ? '' : checkLvmName(pool, '-tp'),
    };
  }
  if (pool === undefined) return undefined;
  throw new WalbError('invalid-argument', `-tp ${pool} needs -vg with its volume group`);
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (/^[0-9]+(\.[0-9]+)?$/.test(text) && Number.isFinite(seconds)) return seconds;
  throw new WalbError('invalid-argument', `-lock-time-th '${text}' is no number of seconds`);
}
