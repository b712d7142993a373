/** Byte sources for kernel and codec tests: seeded, in every kind of memory and alignment. */

import { allocateAligned, freeAligned } from '../../src/kernels/index.ts';

/** A small seeded generator (xorshift32): unsigned 32-bit numbers. */
export function seeded(seed: number): () => number {
  let x = seed | 1;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

export function randomBytes(length: number, seed: number): Uint8Array {
  const next = seeded(seed);
  return Uint8Array.from({ length }, () => next() & 0xff);
}

/**
 * Data as volumes have it: stretches of zeros, repeated records with counters, text-like bytes and
 * noise, in lengths that differ.
 */
export function mixedBytes(length: number, seed: number): Uint8Array {
  const next = seeded(seed);
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const end = Math.min(length, at + 1 + (next() % 3000));
    const style = next() % 5;
    const period = 1 + (next() % 40);
    for (let i = at; i < end; i++) {
      if (style === 1) bytes[i] = next() & 0xff;
      else if (style === 2) bytes[i] = 97 + ((next() >>> 8) % 6);
      else if (style === 3) bytes[i] = (i % period) * 7;
      else if (style === 4) bytes[i] = i % 64 === 0 ? next() & 0xff : (i & 63) ^ 0x5a;
    }
    at = end;
  }
  return bytes;
}

/** Runs `body` with `bytes` in ordinary memory and in the kernels' memory, each `shift` bytes off alignment. */
export function inEveryMemory(
  bytes: Uint8Array,
  shift: number,
  body: (copy: Uint8Array) => void,
): void {
  const plain = new Uint8Array(bytes.length + shift + 64).fill(0xa5);
  plain.set(bytes, shift);
  body(plain.subarray(shift, shift + bytes.length));
  const aligned = allocateAligned(bytes.length + shift + 64).fill(0xa5);
  try {
    aligned.set(bytes, shift);
    body(aligned.subarray(shift, shift + bytes.length));
  } finally {
    freeAligned(aligned);
  }
}
