/**
 * Size texts: what an operator types (`12m`), what tools print (`12m`), and what a human reads
 * (`1.5 GiB`).
 *
 * Source: cli.md 1.3 (SIZE, BULK, unit string). Units are powers of 1024, sizes are bytes.
 */
import { WalbError } from './errors.ts';
import { malformed } from './text.ts';
import { type Bytes, KIB, LB_SIZE, MAX_SAFE_BYTES, MIB } from './units.ts';

const UNITS = 'kmgtpe';
const HUMAN_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;
const SIZE = /^([0-9]+)(?:([kmgtpe])(?:i?b)?)?$/i;

/** A bulk is one read, one hash and one message of a full scan: at least a block, at most 4 MiB. */
export const MIN_BULK_SIZE: Bytes = LB_SIZE;
export const MAX_BULK_SIZE: Bytes = 4 * MIB;
export const DEFAULT_BULK_SIZE: Bytes = 256 * KIB;

/**
 * `SIZE` in bytes: digits and an optional unit k, m, g, t, p or e in either case; `1GB` and `1GiB`
 * mean `1g`. Throws `invalid-argument` for anything else, `limit-exceeded` from 8 PiB on.
 */
export function parseSize(text: string): Bytes {
  const match = SIZE.exec(text);
  if (match === null) {
    throw malformed('size', text, 'digits and an optional unit k, m, g, t, p or e, e.g. 512m');
  }
  const exponent = match[2] === undefined ? 0 : UNITS.indexOf(match[2].toLowerCase()) + 1;
  const size = Number(match[1]) * KIB ** exponent;
  if (size > MAX_SAFE_BYTES) {
    throw new WalbError(
      'limit-exceeded',
      `size ${text.slice(0, 80)} is too big: 8 PiB is the end`,
      {
        details: { max: MAX_SAFE_BYTES },
      },
    );
  }
  return size;
}

/** `BULK` in bytes: a SIZE from 512 B to 4 MiB. */
export function parseBulkSize(text: string): Bytes {
  return checkBulkSize(parseSize(text));
}

/** Returns `size` when it may be a bulk size; throws `invalid-argument` otherwise. */
export function checkBulkSize(size: Bytes): Bytes {
  const isWhole = Number.isInteger(size) && size % LB_SIZE === 0;
  if (isWhole && size >= MIN_BULK_SIZE && size <= MAX_BULK_SIZE) return size;
  throw new WalbError(
    'invalid-argument',
    `bad bulk size ${size}: a multiple of ${LB_SIZE} from ${MIN_BULK_SIZE} bytes to ${formatSize(MAX_BULK_SIZE)} is allowed`,
    { details: { size, min: MIN_BULK_SIZE, max: MAX_BULK_SIZE } },
  );
}

/** Unit string: divided by 1024 as long as that is exact. 12 MiB is `12m`, 1000 is `1000`. */
export function formatSize(size: Bytes): string {
  let value = size;
  let exponent = 0;
  while (value !== 0 && value % KIB === 0 && exponent < UNITS.length) {
    value /= KIB;
    exponent += 1;
  }
  return exponent === 0 ? String(value) : `${value}${UNITS[exponent - 1]}`;
}

/** For people: one decimal at most, `512 B`, `1.5 GiB`. Not to be parsed. */
export function formatSizeForHumans(size: Bytes): string {
  let value = size;
  let exponent = 0;
  // 1023.95 would be printed as 1024.0, so it moves on to the next unit already.
  while (value >= 1023.95 && exponent < HUMAN_UNITS.length - 1) {
    value /= KIB;
    exponent += 1;
  }
  const digits = value.toFixed(1).replace(/\.0$/, '');
  return `${digits} ${HUMAN_UNITS[exponent]}`;
}
