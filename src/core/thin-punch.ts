/**
 * Zeros in a thin volume without space for them: its blocks are discarded, which takes them out of the
 * volume, and what is not in a thin volume reads as zeros.
 *
 * A discard is a hint to dm-thin. Pool blocks covered only in part keep their bytes, those busy with
 * other I/O may, and a pool can be told to ignore discards. So the range is read afterwards, and zeros are
 * written over what is left. Reading what is not there costs no I/O.
 *
 * Source: lvmthin(7); Linux Documentation/admin-guide/device-mapper/thin-provisioning.rst.
 */
import { type Bytes, KIB } from './units.ts';
import { isZero, writeZeros, ZERO_CHUNK } from './zeros.ts';

/** The smallest block of a thin pool: nothing shorter can hold a whole one. */
const MIN_POOL_BLOCK: Bytes = 64 * KIB;
/** A multiple of all logical block sizes in use, and a page: no cached page is dropped in part. */
const DEVICE_BLOCK: Bytes = 4 * KIB;

export interface ThinVolume {
  /** Returns how many bytes it read, fewer only at the end. */
  read(into: Uint8Array, position: Bytes): number;
  write(from: Uint8Array, position: Bytes): void;
  /** What the range holds afterwards is not said. False where the device discards nothing. */
  discard(position: Bytes, length: Bytes): boolean;
}

/** The range reads as zeros, and whole pool blocks in it are given back. Throws what the volume throws. */
export function punchThin(volume: ThinVolume, start: Bytes, end: Bytes): void {
  const [from, to] = wholeBlocks(start, end);
  if (to - from < MIN_POOL_BLOCK || !volume.discard(from, to - from)) {
    writeZeros(volume, start, end);
    return;
  }
  writeZeros(volume, start, from);
  zeroWhatIsLeft(volume, from, to);
  writeZeros(volume, to, end);
}

/** The blocks of a device that lie in the range as a whole; empty when the second is not larger. */
export function wholeBlocks(start: Bytes, end: Bytes): [Bytes, Bytes] {
  return [
    Math.ceil(start / DEVICE_BLOCK) * DEVICE_BLOCK,
    Math.floor(end / DEVICE_BLOCK) * DEVICE_BLOCK,
  ];
}

/** Only what is not zero is written: anything else would take space again. */
function zeroWhatIsLeft(volume: ThinVolume, start: Bytes, end: Bytes): void {
  const buffer = Buffer.allocUnsafe(Math.min(ZERO_CHUNK, end - start));
  for (let at = start; at < end; at += buffer.length) {
    const wanted = buffer.subarray(0, Math.min(buffer.length, end - at));
    const found = wanted.subarray(0, volume.read(wanted, at));
    if (isZero(found)) continue;
    for (let block = 0; block < found.length; block += DEVICE_BLOCK) {
      const stop = Math.min(block + DEVICE_BLOCK, found.length);
      if (!isZero(found.subarray(block, stop))) writeZeros(volume, at + block, at + stop);
    }
  }
}
