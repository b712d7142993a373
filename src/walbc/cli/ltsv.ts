/**
 * Labelled tab-separated lines of `get latest-snap`, `get ts-delta` and others.
 *
 * Source: cli.md 1.5.
 */
import { formatTimestamp } from '../../core/index.ts';
import {
  type GapReport,
  HostType,
  type LatestSnap,
  type LogUsage,
  type TsDelta,
} from '../../rpc/index.ts';

export function ltsv(fields: readonly (readonly [string, unknown])[]): string {
  return fields.map(([label, value]) => `${label}:${value}`).join('\t');
}

export function ltsvOfLatestSnap(item: LatestSnap): string {
  const { volume, kind, archive, gid, lsid, timestamp } = item;
  const has = gid !== undefined;
  return ltsv([
    ['name', volume],
    ['kind', kind],
    ...(kind === HostType.PROXY ? [['archive', archive] as const] : []),
    ['gid', has ? gid : ''],
    ...(kind === HostType.STORAGE ? [['lsid', lsid ?? ''] as const] : []),
    ['timestamp', has ? formatTimestamp(timestamp) : ''],
  ]);
}

export function ltsvOfTsDelta(item: TsDelta): string {
  const { volume, dest, kind, destKind, gid, timestamp, destGid, destTimestamp } = item;
  const known = destGid !== undefined;
  return ltsv([
    ['name', volume],
    ['dest', dest],
    ['kind', kind],
    ['dest_kind', destKind],
    ['gid', gid],
    ['ts', formatTimestamp(timestamp)],
    ...(known
      ? ([
          ['dest_gid', destGid],
          ['dest_ts', formatTimestamp(destTimestamp)],
          ['ts_delta', timestamp - destTimestamp],
        ] as const)
      : // The original changes the order here, and scripts may cut by position.
        ([
          ['dest_ts', ''],
          ['dest_gid', ''],
          ['ts_delta', ''],
        ] as const)),
  ]);
}

export function ltsvOfLogUsage({ volume, usagePb, capacityPb, pbs }: LogUsage): string {
  return ltsv([
    ['name', volume],
    ['usage_pb', usagePb],
    ['capacity_pb', capacityPb],
    ['pbs', pbs],
  ]);
}

/** Empty fields are not known. */
export function ltsvOfGap(volume: string, archive: string, gap: GapReport): string {
  return ltsv([
    ['name', volume],
    ['archive', archive],
    ['gid', gap.expected?.gidB ?? ''],
    ['next_gid', gap.found?.snapB?.gidB ?? ''],
    ['since', formatTimestamp(gap.since)],
    ['peer', gap.peer],
    ['advice', gap.advice.replaceAll(/\s+/g, ' ')],
  ]);
}
