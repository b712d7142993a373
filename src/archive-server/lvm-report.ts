/**
 * What `vgs` reports, as JSON with sizes in bytes. Nothing of it is believed unchecked.
 *
 * Source: lvmreport(7); lvs(8), "lv_attr bits".
 */
import { type Bytes, WalbError } from '../core/index.ts';
import { type ImageName, parseImageName } from './lvm-names.ts';

const VG_FIELDS = ['vg_name', 'vg_extent_size', 'vg_free'] as const;
const LV_FIELDS = [
  'lv_name',
  'lv_size',
  'lv_attr',
  'lv_active',
  'lv_tags',
  'pool_lv',
  'origin',
  'data_percent',
  'zero',
] as const;

/** One row per logical volume, and none at all for a group without any. */
export const REPORT_FIELDS = [...VG_FIELDS, ...LV_FIELDS] as const;
/** One row per group. */
export const GROUP_FIELDS = VG_FIELDS;

export interface LogicalVolume {
  readonly name: string;
  /** Undefined for volumes that are not ours. */
  readonly image: ImageName | undefined;
  /** Of a plain snapshot, the space for its changes. */
  readonly size: Bytes;
  readonly isActive: boolean;
  readonly isReadOnly: boolean;
  readonly isThinPool: boolean;
  /** A plain snapshot that ran out of space for changes, or a pool that failed: its data are lost. */
  readonly isBroken: boolean;
  readonly tags: readonly string[];
  /** Name of its thin pool, or empty. */
  readonly pool: string;
  /** What it is a snapshot of, or empty. */
  readonly origin: string;
  /** Part of a thin volume, pool or snapshot in use, 0 to 100. */
  readonly usedPercent: number | undefined;
  /** A pool that clears blocks before it hands them out. */
  readonly zeroesNewBlocks: boolean;
}

export interface VolumeGroupReport {
  readonly name: string;
  readonly extentSize: Bytes;
  readonly free: Bytes;
}

/** Throws `corrupt`. */
export function parseVolumes(text: string): LogicalVolume[] {
  return rows(text, LV_FIELDS).map((row) => {
    const attributes = row.lv_attr;
    if (attributes.length < 9) throw unexpected(`lv_attr is '${attributes}'`);
    return {
      name: row.lv_name,
      image: parseImageName(row.lv_name),
      size: bytesOf('lv_size', row.lv_size),
      isActive: row.lv_active !== '',
      isReadOnly: /[rR]/.test(attributes[1] as string),
      isThinPool: attributes[0] === 't',
      isBroken: /[IS]/.test(attributes[4] as string) || attributes[8] === 'F',
      tags: row.lv_tags === '' ? [] : row.lv_tags.split(','),
      pool: row.pool_lv,
      origin: row.origin,
      usedPercent: row.data_percent === '' ? undefined : percentOf(row.data_percent),
      zeroesNewBlocks: row.zero === 'zero',
    };
  });
}

/** From the first row; undefined when there is none. Throws `corrupt`. */
export function parseGroup(text: string): VolumeGroupReport | undefined {
  const [row] = rows(text, VG_FIELDS);
  if (row === undefined) return undefined;
  const extentSize = bytesOf('vg_extent_size', row.vg_extent_size);
  if (extentSize === 0) throw unexpected('vg_extent_size is 0');
  return { name: row.vg_name, extentSize, free: bytesOf('vg_free', row.vg_free) };
}

function rows<F extends string>(text: string, fields: readonly F[]): Record<F, string>[] {
  const report: unknown = property(parseJson(text), 'report');
  const list = Array.isArray(report) ? property(report[0], 'vg') : undefined;
  if (!Array.isArray(list)) throw unexpected("no list 'vg' in its report");
  return list.map((row: unknown) => {
    const checked = {} as Record<F, string>;
    for (const field of fields) {
      const value = property(row, field);
      if (typeof value !== 'string') throw unexpected(`no text field '${field}'`);
      checked[field] = value;
    }
    return checked;
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unexpected('it is no JSON', cause);
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

function bytesOf(field: string, text: string): Bytes {
  const value = /^[0-9]+$/.test(text) ? Number(text) : Number.NaN;
  if (Number.isSafeInteger(value)) return value;
  throw unexpected(`${field} is '${text}'`);
}

function percentOf(text: string): number {
  const value = /^[0-9]+(\.[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0 && value <= 100) return value;
  throw unexpected(`data_percent is '${text}'`);
}

function unexpected(why: string, cause?: unknown): WalbError {
  return new WalbError(
    'corrupt',
    `vgs answered what can not be understood: ${why}; lvm2 2.03 or later is needed`,
    { cause },
  );
}
