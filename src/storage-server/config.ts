/** Settings of a storage server: original options (cli.md 2) and their bounds. */

import {
  type Bytes,
  bytesToLb,
  formatHostPort,
  type Lb,
  type Logger,
  MIB,
  type Millis,
  parseHostPort,
  WalbError,
} from '../core/index.ts';
import type { OptionSpec } from '../core/original-options.ts';
import { type OptionValues, retryDelays } from '../server/common-options.ts';
import { DEFAULT_DEVICE_DIRECTORY } from '../wdev/daemon/definition.ts';
import { type CompressOption, parseCompressOption } from '../wdiff/index.ts';

export interface StorageConfig {
  readonly baseDirectory: string;
  /** Primary archive, `host:port`. */
  readonly archive: string;
  /** In priority order. */
  readonly proxies: readonly string[];
  /** `-bg`: volumes whose log is sent at once. */
  readonly maxBackgroundTasks: number;
  /** `-wl`: log per transfer. */
  readonly maxWlogSend: Bytes;
  /** `-snapintvl`: seconds between implicit snapshots. */
  readonly snapshotInterval: number;
  /** `-delay`, `-maxdelay`. */
  readonly minDelay: Millis;
  readonly maxDelay: Millis;
  /** `-fst` in blocks per second; 0 = unlimited. */
  readonly fullScanLbPerSec: Lb;
  /** `-tsdintvl` in seconds. */
  readonly tsDeltaInterval: number;
  /** `-sync-cmpr`. */
  readonly syncCompression: CompressOption;
}

export const STORAGE_OPTIONS: readonly OptionSpec[] = [
  { name: 'b', type: 'string', help: 'base directory', default: '/var/forest/walb/storage' },
  { name: 'archive', type: 'string', help: 'primary archive, host:port', required: true },
  { name: 'proxy', type: 'string', help: 'proxies by priority, host:port,...', required: true },
  { name: 'bg', type: 'integer', help: 'volumes whose log is sent at once', default: '1' },
  { name: 'wl', type: 'integer', help: 'MiB of log per transfer', default: '128' },
  { name: 'snapintvl', type: 'integer', help: 'seconds between implicit snapshots', default: '10' },
  { name: 'delay', type: 'integer', help: 'shortest retry delay in seconds', default: '1' },
  { name: 'maxdelay', type: 'integer', help: 'longest retry delay in seconds', default: '300' },
  {
    name: 'fst',
    type: 'integer',
    help: 'bytes per second of full scans, 0 = unlimited',
    default: '0',
  },
  { name: 'tsdintvl', type: 'integer', help: 'seconds between ts-delta refreshes', default: '60' },
  { name: 'sync-cmpr', type: 'string', help: 'compression of scans', default: 'snappy:0:1' },
  {
    name: 'devices',
    type: 'string',
    help: 'directory of the devices made by walb wdev create',
    default: DEFAULT_DEVICE_DIRECTORY,
  },
  {
    name: 'wdevc',
    type: 'string',
    help: 'control program of the kernel driver',
    default: 'wdevc',
  },
];

/** Throws `invalid-argument` naming the option. */
export function storageConfig(options: OptionValues, log?: Logger): StorageConfig {
  return {
    baseDirectory: options.text('b') as string,
    archive: address(options.text('archive') as string, 'archive'),
    proxies: (options.text('proxy') as string).split(',').map((text) => address(text, 'proxy')),
    maxBackgroundTasks: options.positive('bg'),
    maxWlogSend: options.positive('wl') * MIB,
    snapshotInterval: options.positive('snapintvl'),
    ...retryDelays(options, log),
    fullScanLbPerSec: bytesToLb(options.number('fst')),
    tsDeltaInterval: options.positive('tsdintvl'),
    syncCompression: parseCompressOption(options.text('sync-cmpr') as string),
  };
}

function address(text: string, option: string): string {
  try {
    return formatHostPort(parseHostPort(text));
  } catch (error) {
    throw new WalbError('invalid-argument', `-${option}: ${WalbError.from(error).message}`, {
      details: { option },
    });
  }
}
