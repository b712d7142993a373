/**
 * Settings of a proxy server: original options (cli.md 2) and their bounds.
 */

import { type Bytes, type Logger, MIB, type Millis } from '../core/index.ts';
import type { OptionSpec } from '../core/original-options.ts';
import { type OptionValues, retryDelays } from '../server/common-options.ts';

export interface ProxyConfig {
  readonly baseDirectory: string;
  /** `-bg`: sends running at once. */
  readonly maxBackgroundTasks: number;
  /** `-wd`: bytes of diffs merged into one send. */
  readonly maxWdiffSend: Bytes;
  /** `-wn`: files merged into one send. */
  readonly maxWdiffFiles: number;
  /** `-delay`, `-maxdelay`. */
  readonly minDelay: Millis;
  readonly maxDelay: Millis;
  /** `-rto`, in seconds. */
  readonly retryTimeout: number;
  /** `-stop`: volumes stay Stopped at start. */
  readonly startStopped: boolean;
  /** `-spool-limit`: bytes kept before storages are held back; 0 = only the disk limits. */
  readonly spoolLimit: Bytes;
}

export const PROXY_OPTIONS: readonly OptionSpec[] = [
  { name: 'b', type: 'string', help: 'base directory', default: '/var/forest/walb/proxy' },
  { name: 'bg', type: 'integer', help: 'sends running at once', default: '1' },
  { name: 'wd', type: 'integer', help: 'MiB of diffs merged into one send', default: '128' },
  { name: 'wn', type: 'integer', help: 'files merged into one send', default: '1000' },
  { name: 'delay', type: 'integer', help: 'shortest retry delay in seconds', default: '1' },
  { name: 'maxdelay', type: 'integer', help: 'longest retry delay in seconds', default: '300' },
  { name: 'rto', type: 'integer', help: 'seconds of retries without new log', default: '1800' },
  { name: 'stop', type: 'flag', help: 'volumes stay Stopped at start' },
  {
    name: 'spool-limit',
    type: 'integer',
    help: 'bytes of diffs kept before storages are held back, 0 = only the disk limits',
    default: '0',
  },
];

/** Throws `invalid-argument` naming the option. */
export function proxyConfig(options: OptionValues, log?: Logger): ProxyConfig {
  return {
    baseDirectory: options.text('b') as string,
    maxBackgroundTasks: options.positive('bg'),
    maxWdiffSend: options.positive('wd') * MIB,
    maxWdiffFiles: options.positive('wn'),
    ...retryDelays(options, log),
    retryTimeout: options.number('rto'),
    startStopped: options.has('stop'),
    spoolLimit: options.number('spool-limit'),
  };
}
