/** Long ranges of an image made zero, without keeping everything else waiting. */
import { type Bytes, type FileHandle, MIB } from '../core/index.ts';

/**
 * Done in one go: a device without a quick way gets zeros written. Steps end at multiples of it, so that
 * they cut no block of a thin pool in two.
 */
const STEP: Bytes = 16 * MIB;

/** `pause` is awaited after each step with the position reached; what it throws ends the work. */
export async function punchInSteps(
  image: FileHandle,
  start: Bytes,
  end: Bytes,
  pause: (position: Bytes) => void | Promise<void>,
): Promise<void> {
  for (let at = start; at < end; ) {
    const stop = Math.min(end, (Math.floor(at / STEP) + 1) * STEP);
    image.punch(at, stop - at);
    at = stop;
    await pause(at);
  }
}
