/**
 * Where bytes came from, and the one way this folder complains about them: every error names the
 * file, the byte offset and the field, in the message and in `details`.
 */
import type { Bytes, ErrorDetail } from '../core/index.ts';
import { corrupt, type WalbError } from '../core/index.ts';

/** A position in a file, device or stream, for error messages. */
export interface Place {
  /** Path, or `-` for a stream. */
  readonly file: string;
  readonly offset: Bytes;
}

/** For structures that do not come from a file: what is about to be written. */
export const IN_MEMORY: Place = { file: '(in memory)', offset: 0 };

export function invalidField(
  structure: string,
  field: string,
  problem: string,
  place: Place,
  details: Readonly<Record<string, ErrorDetail>> = {},
): WalbError {
  return corrupt(
    `${place.file}: ${structure} at byte ${place.offset} is not valid: ${field} ${problem}`,
    { file: place.file, offset: place.offset, structure, field, ...details },
  );
}

/** Checked when a module loads: the arithmetic of a layout must agree with its published table. */
export function assertLayout(holds: boolean, what: string): void {
  if (!holds) throw new Error(`layout arithmetic is wrong: ${what}`);
}
