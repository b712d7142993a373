/**
 * Super sector of a log device: identity, ring size, and the positions a restart begins from.
 * docs/formats-wlog.md has the table. Source: formats.md 3.
 *
 * Unlike walb-tools 1.0.19, the checksum is verified on every read (docs/differences.md).
 */
import { type Bytes, LB_SIZE, type Lb, type Lsid, type Pb, UUID_BYTES } from '../core/index.ts';
import { checksum } from '../kernels/index.ts';
import { isRingPbs } from './limits.ts';
import { assertLayout, IN_MEMORY, invalidField, type Place } from './place.ts';
import { type RingGeometry, ringOffsetPb } from './ring-geometry.ts';

export const SECTOR_TYPE_SUPER = 1;
export const SUPER_VERSION = 2;
/** Bytes of the uuid field. */
export const UUID_SIZE: Bytes = UUID_BYTES;
/** Bytes of the name field, with at least one NUL. */
export const SUPER_NAME_SIZE: Bytes = 32;
/** Bytes of the sector that carry fields; the rest of the physical block is zero. */
export const SUPER_FIELDS_SIZE: Bytes = 104;

const TYPE = 0;
const VERSION = 2;
const CHECKSUM = 4;
const LOGICAL_BS = 8;
const PHYSICAL_BS = 12;
const METADATA_SIZE = 16;
const SALT = 20;
const UUID = 24;
const NAME = 40;
const RING_SIZE = 72;
const OLDEST_LSID = 80;
const WRITTEN_LSID = 88;
const DEVICE_SIZE = 96;

assertLayout(UUID + UUID_BYTES === NAME, 'super sector: uuid is followed by name');
assertLayout(NAME + SUPER_NAME_SIZE === RING_SIZE, 'super sector: name is followed by ring size');
assertLayout(DEVICE_SIZE + 8 === SUPER_FIELDS_SIZE, 'super sector fields are 104 bytes');

export interface SuperSector {
  readonly sectorType: number;
  readonly version: number;
  readonly checksum: number;
  readonly logicalBs: Bytes;
  readonly pbs: Bytes;
  readonly metadataPb: Pb;
  readonly salt: number;
  readonly uuid: Uint8Array;
  /** Text before the first NUL; undefined when the field has no NUL. */
  readonly name: string | undefined;
  readonly ringPb: Pb;
  /** Log before it is erased. */
  readonly oldestLsid: Lsid;
  /** Log before it is in the data image; redo starts here. */
  readonly writtenLsid: Lsid;
  /** Size of the data device. */
  readonly deviceLb: Lb;
}

/** The fields one chooses; type, version and block sizes are fixed. */
export type SuperFields = Omit<SuperSector, 'sectorType' | 'version' | 'checksum' | 'logicalBs'> & {
  readonly name: string;
};

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Reads the fields of a super sector from at least 104 bytes. Says nothing about validity. */
export function decodeSuperSector(block: Uint8Array): SuperSector {
  const view = viewOf(block);
  const nameField = block.subarray(NAME, NAME + SUPER_NAME_SIZE);
  const nul = nameField.indexOf(0);
  return {
    sectorType: view.getUint16(TYPE, true),
    version: view.getUint16(VERSION, true),
    checksum: view.getUint32(CHECKSUM, true),
    logicalBs: view.getUint32(LOGICAL_BS, true),
    pbs: view.getUint32(PHYSICAL_BS, true),
    metadataPb: view.getUint32(METADATA_SIZE, true),
    salt: view.getUint32(SALT, true),
    uuid: block.slice(UUID, UUID + UUID_BYTES),
    name: nul < 0 ? undefined : Buffer.from(nameField.subarray(0, nul)).toString('utf8'),
    ringPb: Number(view.getBigUint64(RING_SIZE, true)),
    oldestLsid: view.getBigUint64(OLDEST_LSID, true),
    writtenLsid: view.getBigUint64(WRITTEN_LSID, true),
    deviceLb: Number(view.getBigUint64(DEVICE_SIZE, true)),
  };
}

type SuperProblem = readonly [broken: boolean, field: string, problem: string];

function superProblems(sector: SuperSector): SuperProblem[] {
  const { oldestLsid: oldest, writtenLsid: written } = sector;
  return [
    [sector.sectorType !== SECTOR_TYPE_SUPER, 'sector_type', `is ${sector.sectorType}, not 1`],
    [sector.version !== SUPER_VERSION, 'version', `is ${sector.version}, not ${SUPER_VERSION}`],
    [sector.logicalBs !== LB_SIZE, 'logical_bs', `is ${sector.logicalBs}, not ${LB_SIZE}`],
    [!isRingPbs(sector.pbs), 'physical_bs', `is ${sector.pbs}, not a divisor of 4096`],
    [sector.name === undefined, 'name', 'has no terminating NUL'],
    [sector.ringPb < 1, 'ring_buffer_size', 'is 0'],
    [oldest > written, 'oldest_lsid', `${oldest} is after written_lsid ${written}`],
    [
      !Number.isSafeInteger((sector.ringPb + sector.metadataPb) * sector.pbs),
      'ring_buffer_size',
      `${sector.ringPb} is beyond any device`,
    ],
    [
      !Number.isSafeInteger(sector.deviceLb * LB_SIZE),
      'device_size',
      `${sector.deviceLb} is beyond any device`,
    ],
  ];
}

/** Throws `corrupt` for the first field that breaks a rule; the checksum is `verifySuperChecksum`'s. */
export function validateSuperSector(sector: SuperSector, place: Place): void {
  for (const [broken, field, problem] of superProblems(sector)) {
    if (broken) throw invalidField('super sector', field, problem, place);
  }
}

/** Throws `corrupt` unless the whole physical block sums up to zero (salt 0). */
export function verifySuperChecksum(block: Uint8Array, place: Place): void {
  if (checksum(block, 0) === 0) return;
  throw invalidField('super sector', 'checksum', 'does not match', place);
}

/** Writes the super sector into `into`, whose length must be `fields.pbs`. Throws `corrupt` on bad fields. */
export function encodeSuperSector(fields: SuperFields, into: Uint8Array): void {
  const name = Buffer.from(fields.name, 'utf8');
  if (name.length >= SUPER_NAME_SIZE || name.includes(0)) {
    throw invalidField(
      'super sector',
      'name',
      `"${fields.name}" is longer than 31 bytes`,
      IN_MEMORY,
    );
  }
  if (fields.uuid.length !== UUID_BYTES || into.length !== fields.pbs) {
    throw invalidField('super sector', 'uuid', 'or block has the wrong length', IN_MEMORY);
  }
  into.fill(0);
  const view = viewOf(into);
  view.setUint16(TYPE, SECTOR_TYPE_SUPER, true);
  view.setUint16(VERSION, SUPER_VERSION, true);
  view.setUint32(LOGICAL_BS, LB_SIZE, true);
  view.setUint32(PHYSICAL_BS, fields.pbs, true);
  view.setUint32(METADATA_SIZE, fields.metadataPb, true);
  view.setUint32(SALT, fields.salt, true);
  into.set(fields.uuid, UUID);
  into.set(name, NAME);
  view.setBigUint64(RING_SIZE, BigInt(fields.ringPb), true);
  view.setBigUint64(OLDEST_LSID, fields.oldestLsid, true);
  view.setBigUint64(WRITTEN_LSID, fields.writtenLsid, true);
  view.setBigUint64(DEVICE_SIZE, BigInt(fields.deviceLb), true);
  validateSuperSector(decodeSuperSector(into), IN_MEMORY);
  view.setUint32(CHECKSUM, checksum(into, 0), true);
}

/** The geometry a valid super sector describes. */
export function geometryOf(
  sector: Pick<SuperSector, 'pbs' | 'ringPb' | 'metadataPb'>,
): RingGeometry {
  return {
    pbs: sector.pbs,
    ringPb: sector.ringPb,
    ringOffsetPb: ringOffsetPb(sector.pbs, sector.metadataPb),
  };
}
