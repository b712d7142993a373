/**
 * Where things lie on a log device. Source: formats.md 3.
 *
 *     reserved page | primary super | metadata | secondary super | ring buffer
 *     byte 0          byte 4096                                    pb R = 4096/pbs + 2 + metadata
 */
import { type Bytes, LB_SIZE, type Lsid, type Pb, WalbError } from '../core/index.ts';
import { isRingPbs, PAGE_SIZE } from './limits.ts';
import { assertLayout } from './place.ts';

/** The primary super sector starts at this byte whatever the physical block size. */
export const SUPER_SECTOR_POSITION: Bytes = PAGE_SIZE;

export interface RingGeometry {
  readonly pbs: Bytes;
  /** First block of the ring on the device. */
  readonly ringOffsetPb: Pb;
  /** Blocks in the ring. */
  readonly ringPb: Pb;
}

/** First block of the ring: 10 for pbs 512, 3 for pbs 4096 (metadata_size is always 0). */
export function ringOffsetPb(pbs: Bytes, metadataPb: Pb = 0): Pb {
  return PAGE_SIZE / pbs + 2 + metadataPb;
}

assertLayout(ringOffsetPb(512) === 10, 'ring starts at block 10 for pbs 512');
assertLayout(ringOffsetPb(4096) === 3, 'ring starts at block 3 for pbs 4096');

/**
 * Geometry of a freshly formatted device of `size` bytes: all whole blocks behind the super sectors.
 * Throws `invalid-argument` for a size or block size that can not hold a ring.
 */
export function geometryForDevice(size: Bytes, pbs: Bytes): RingGeometry {
  if (!isRingPbs(pbs)) {
    throw new WalbError(
      'invalid-argument',
      `physical block size ${pbs} does not divide ${PAGE_SIZE}`,
      {
        details: { pbs },
      },
    );
  }
  const offset = ringOffsetPb(pbs);
  const ringPb = Math.floor((size - (size % LB_SIZE)) / pbs) - offset;
  if (ringPb < 1) {
    throw new WalbError('invalid-argument', `${size} bytes are too few for a log device`, {
      details: { size, pbs },
    });
  }
  return { pbs, ringOffsetPb: offset, ringPb };
}

/** Index of the block of `lsid` within the ring. */
export function ringIndex(lsid: Lsid, geometry: RingGeometry): Pb {
  return Number(lsid % BigInt(geometry.ringPb));
}

/** Byte position on the device of the block at ring index `index` (any non-negative number: it wraps). */
export function ringPosition(index: Pb, geometry: RingGeometry): Bytes {
  return (geometry.ringOffsetPb + (index % geometry.ringPb)) * geometry.pbs;
}

/** Byte position on the device of the block of `lsid`. */
export function lsidPosition(lsid: Lsid, geometry: RingGeometry): Bytes {
  return ringPosition(ringIndex(lsid, geometry), geometry);
}

/** Contiguous byte ranges of the device that hold `count` blocks from `lsid` on: one, or two at the ring end. */
export function ringRanges(
  lsid: Lsid,
  count: Pb,
  geometry: RingGeometry,
): { readonly position: Bytes; readonly length: Bytes }[] {
  const start = ringIndex(lsid, geometry);
  const first = Math.min(count, geometry.ringPb - start);
  const ranges = [
    { position: ringPosition(start, geometry), length: first * geometry.pbs },
    { position: ringPosition(0, geometry), length: (count - first) * geometry.pbs },
  ];
  return ranges.filter((range) => range.length > 0);
}
