/**
 * Volume ids. They become directory names and parts of LVM names, hence the narrow alphabet.
 *
 * Source: cli.md 1.3 (VOL: 1-64 characters of 0-9 A-Z a-z and `-`).
 */
import { malformed } from './text.ts';

export const MAX_VOLUME_ID_LENGTH = 64;

const VOLUME_ID = /^[0-9A-Za-z-]{1,64}$/;

export function isVolumeId(text: string): boolean {
  return VOLUME_ID.test(text);
}

/** Returns `text` when it is a volume id; throws `invalid-argument` otherwise. */
export function checkVolumeId(text: string): string {
  if (isVolumeId(text)) return text;
  throw malformed(
    'volume id',
    text,
    `1 to ${MAX_VOLUME_ID_LENGTH} characters of 0-9, A-Z, a-z and - (no underscore)`,
  );
}
