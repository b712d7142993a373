/**
 * Names of logical volumes: what each one is can be told from its name alone.
 *
 *   wb_VOL              base image
 *   wb_VOL_GID_tmp      a cold snapshot that is becoming the base image
 *   wr_VOL_GID          restored snapshot
 *   wr_VOL_GID_tmp      a restore under way
 *   wc_VOL_GID          cold snapshot (thin pools)
 *
 * A volume id has no underscore, so names are unambiguous; volumes with other names are not ours.
 *
 * Source: semantics.md D.1.
 */
import { type Gid, U64_MAX, WalbError } from '../core/index.ts';

export type ImageRole = 'base' | 'promoting' | 'restored' | 'restoring' | 'cold';

export interface ImageName {
  readonly role: ImageRole;
  readonly volume: string;
  /** 0 for a base image. */
  readonly gid: Gid;
}

const NAME = /^w([brc])_([0-9A-Za-z-]{1,64})(?:_(0|[1-9][0-9]{0,19})(_tmp)?)?$/;

const ROLES: Readonly<Record<string, ImageRole>> = {
  b: 'base',
  b_tmp: 'promoting',
  r_gid: 'restored',
  r_tmp: 'restoring',
  c_gid: 'cold',
};

/** Undefined for a name that is not ours. */
export function parseImageName(name: string): ImageName | undefined {
  const match = NAME.exec(name);
  if (match === null) return undefined;
  const [, letter, volume, digits, temporary] = match;
  const suffix = digits === undefined ? '' : (temporary ?? '_gid');
  const role = ROLES[`${letter}${suffix}`];
  const gid = BigInt(digits ?? 0);
  if (role === undefined || gid > U64_MAX) return undefined;
  return { role, volume: volume as string, gid };
}

export function imageName({ role, volume, gid }: ImageName): string {
  switch (role) {
    case 'base':
      return `wb_${volume}`;
    case 'promoting':
      return `wb_${volume}_${gid}_tmp`;
    case 'restored':
      return `wr_${volume}_${gid}`;
    case 'restoring':
      return `wr_${volume}_${gid}_tmp`;
    case 'cold':
      return `wc_${volume}_${gid}`;
  }
}

/**
 * LVM's alphabet, without a leading hyphen (it would be read as an option) and without the names it
 * keeps for itself (`lvm(8)`, VALID NAMES).
 */
const LVM_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9+_.][a-zA-Z0-9+_.-]{0,126}$/;

/** Returns the name of a volume group or thin pool; throws `invalid-argument`. */
export function checkLvmName(text: string, option: string): string {
  if (LVM_NAME.test(text)) return text;
  throw new WalbError(
    'invalid-argument',
    `${option} '${text}' can not be the name of a volume group or thin pool: letters, digits and + _ . - are allowed`,
    { details: { option } },
  );
}

/** The device-mapper name, with its end, has to fit into this (DM_NAME_LEN is 128 with the zero). */
const MAX_DEVICE_NAME = 127;
/** LVM's longest suffix of a device behind a plain snapshot. */
const LONGEST_SUFFIX = '-real'.length;

/**
 * Throws `invalid-argument` when device-mapper could not name every image of the volume: it doubles
 * hyphens, so that an id full of them is too long. Better at the full backup than at the first restore.
 */
export function checkDeviceNames(group: string, volume: string): void {
  const longest = imageName({ role: 'promoting', volume, gid: U64_MAX });
  const length = doubled(group) + 1 + doubled(longest) + LONGEST_SUFFIX;
  if (length <= MAX_DEVICE_NAME) return;
  throw new WalbError(
    'invalid-argument',
    `volume id ${volume} has too many characters for devices in volume group ${group} (hyphens count twice): ${length} of ${MAX_DEVICE_NAME}; use a shorter id`,
    { details: { volume, group, length } },
  );
}

function doubled(name: string): number {
  return name.length + name.split('-').length - 1;
}
