/** The zero test: writes of zeros only are stored without data (formats.md 7). */

import { type Bytes, KIB } from '../core/index.ts';
import { addressOf, kernels } from './memory.ts';

/** Data that are not zero mostly show it here, without a call into native code. */
const PROBE: Bytes = 64;

const ZEROS = Buffer.alloc(64 * KIB);

/** Whether every byte is zero; true for no bytes. */
export function isAllZero(bytes: Uint8Array): boolean {
  const probe = Math.min(bytes.length, PROBE);
  for (let at = 0; at < probe; at++) {
    if (bytes[at] !== 0) return false;
  }
  if (bytes.length <= PROBE) return true;
  const address = addressOf(bytes);
  return address === undefined ? equalsZeros(bytes) : kernels().isZero(address, bytes.length) !== 0;
}

/** Comparing with zeros in native code needs no copy into the kernels' memory. */
function equalsZeros(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const end = Math.min(at + ZEROS.length, bytes.length);
    if (ZEROS.compare(bytes, at, end, 0, end - at) !== 0) return false;
  }
  return true;
}
