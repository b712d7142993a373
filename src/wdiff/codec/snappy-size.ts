/** The size a raw snappy block announces: a varint of at most 32 bits in front of it. */

import type { Bytes } from '../../core/index.ts';

const MAX_VARINT_BYTES = 5;

/** Throws an Error unless `block` announces exactly `size` bytes; the library allocates that much. */
export function requireSnappySize(block: Uint8Array, size: Bytes): void {
  let announced = 0;
  for (let at = 0; at < MAX_VARINT_BYTES; at++) {
    const byte = block[at];
    if (byte === undefined) break;
    announced += (byte & 0x7f) * 2 ** (7 * at);
    if (byte >= 0x80) continue;
    if (announced === size) return;
    throw new Error(`it announces ${announced} bytes`);
  }
  throw new Error('its length field is not complete');
}
