/** `GidInfo`: one line of the restorable list (controller-api.md 2.4). */
import { formatTimestamp, malformed, parseTimestamp, parseU64 } from '../../core/index.ts';
import { secondsOf } from './datetime.ts';

/**
 * A restorable snapshot. `is_explicit`: it was asked for and does not vanish by itself; null where it
 * is not known.
 *
 *     GidInfo('5 2026-01-31T23:59:59 1').gid   # 5
 */
export class GidInfo {
  gid: bigint;
  ts: Date;
  is_explicit: boolean | null;

  constructor(s: string) {
    const match = /^([0-9]+) (\S+)(?: ([01]))?$/.exec(s.trim());
    if (match === null) throw malformed('gid info', s, 'GID YYYY-MM-DDThh:mm:ss [0|1]');
    const [, gid = '', ts = '', flag] = match;
    this.gid = parseU64(gid, 'gid');
    this.ts = new Date(parseTimestamp(ts) * 1000);
    this.is_explicit = flag === undefined ? null : flag === '1';
  }

  static of(value: { gid: bigint; timestamp: number; isExplicit: boolean }): GidInfo {
    const flag = value.isExplicit ? 1 : 0;
    return new GidInfo(`${value.gid} ${formatTimestamp(value.timestamp)} ${flag}`);
  }

  equals(other: unknown): boolean {
    return other instanceof GidInfo && this.toString() === other.toString();
  }

  toString(): string {
    const flag = this.is_explicit === null ? [] : [this.is_explicit ? '1' : '0'];
    return [this.gid, formatTimestamp(secondsOf(this.ts)), ...flag].join(' ');
  }
}
