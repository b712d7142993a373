/**
 * A log device on disk: its super sector read, verified, written; formatting. Source: formats.md 3.
 */
import {
  type Bytes,
  corrupt,
  type FileHandle,
  LB_SIZE,
  type Lb,
  type Lsid,
  type Pb,
  WalbError,
} from '../core/index.ts';
import { invalidField } from './place.ts';
import {
  geometryForDevice,
  type RingGeometry,
  ringRanges,
  SUPER_SECTOR_POSITION,
} from './ring-geometry.ts';
import {
  decodeSuperSector,
  encodeSuperSector,
  geometryOf,
  SUPER_FIELDS_SIZE,
  type SuperFields,
  type SuperSector,
  validateSuperSector,
  verifySuperChecksum,
} from './super-sector.ts';

/** A validated super sector. */
export type ValidSuper = SuperSector & SuperFields;

/** An open log device whose super sector is valid and whose ring lies within the device. */
export interface RingLog {
  readonly file: FileHandle;
  readonly superSector: ValidSuper;
  readonly geometry: RingGeometry;
}

/**
 * Reads and verifies the primary super sector. Its block size is taken from the sector itself, so a
 * plain file needs no hint. Throws `corrupt` (details: file, offset, field).
 */
export function readSuperSector(file: FileHandle): ValidSuper {
  const place = { file: file.path, offset: SUPER_SECTOR_POSITION };
  const fields = new Uint8Array(SUPER_FIELDS_SIZE);
  if (file.read(fields, SUPER_SECTOR_POSITION) < fields.length) {
    throw invalidField('super sector', 'length', 'is cut short: no log device', place);
  }
  const sector = decodeSuperSector(fields);
  validateSuperSector(sector, place);
  const block = new Uint8Array(sector.pbs);
  if (file.read(block, SUPER_SECTOR_POSITION) < block.length) {
    throw invalidField('super sector', 'length', 'is cut short: no log device', place);
  }
  verifySuperChecksum(block, place);
  return { ...sector, name: sector.name ?? '' };
}

/** Writes the primary super sector; durable after `file.sync()`. One sector: written whole or not. */
export function writeSuperSector(file: FileHandle, fields: SuperFields): void {
  const block = new Uint8Array(fields.pbs);
  encodeSuperSector(fields, block);
  file.write(block, SUPER_SECTOR_POSITION);
}

/** Throws `corrupt` when the super sector is not valid or the ring ends beyond the device. */
export function openRingLog(file: FileHandle): RingLog {
  const superSector = readSuperSector(file);
  const geometry = geometryOf(superSector);
  const needed = (geometry.ringOffsetPb + geometry.ringPb) * geometry.pbs;
  if (needed > file.size()) {
    throw corrupt(
      `${file.path}: the super sector describes ${needed} bytes, the device has ${file.size()}; ` +
        'it is cut short or the super sector belongs to another device',
      { file: file.path, offset: SUPER_SECTOR_POSITION, field: 'ring_buffer_size', needed },
    );
  }
  return { file, superSector, geometry };
}

export interface FormatOptions {
  readonly pbs: Bytes;
  /** Identity of the new log history. 16 random bytes. */
  readonly uuid: Uint8Array;
  /** Random u32. */
  readonly salt: number;
  readonly name: string;
  /** Size of the data device. */
  readonly deviceLb: Lb;
}

/**
 * Makes an empty log: the first ring block is cleared and then the super sector written, so that a
 * crash leaves either the old log (without its oldest block) or the new one. Durable when it
 * resolves. Throws `invalid-argument` for sizes that can not be.
 */
export async function formatRingLog(file: FileHandle, options: FormatOptions): Promise<RingLog> {
  if (!(options.deviceLb >= 1) || !Number.isSafeInteger(options.deviceLb * LB_SIZE)) {
    throw new WalbError('invalid-argument', `${options.deviceLb} blocks is no device size`);
  }
  const geometry = geometryForDevice(file.size(), options.pbs);
  file.write(new Uint8Array(options.pbs), geometry.ringOffsetPb * options.pbs);
  await file.sync();
  writeSuperSector(file, {
    ...options,
    metadataPb: 0,
    ringPb: geometry.ringPb,
    oldestLsid: 0n,
    writtenLsid: 0n,
  });
  await file.sync();
  return openRingLog(file);
}

/** Fills `into` (whole blocks) with the ring's content from `lsid` on. */
export function readRingBlocks(log: RingLog, lsid: Lsid, into: Uint8Array): void {
  let at = 0;
  const count: Pb = into.length / log.geometry.pbs;
  for (const { position, length } of ringRanges(lsid, count, log.geometry)) {
    const got = log.file.read(into.subarray(at, at + length), position);
    if (got < length) {
      throw corrupt(
        `${log.file.path}: the device ends at byte ${position + got}, inside its ring`,
        {
          file: log.file.path,
          offset: position + got,
          field: 'data',
          lsid,
        },
      );
    }
    at += length;
  }
}

/** Writes whole blocks to the ring from `lsid` on, wrapping at its end. */
export function writeRingBlocks(log: RingLog, lsid: Lsid, blocks: Uint8Array): void {
  let at = 0;
  for (const { position, length } of ringRanges(
    lsid,
    blocks.length / log.geometry.pbs,
    log.geometry,
  )) {
    log.file.write(blocks.subarray(at, at + length), position);
    at += length;
  }
}
