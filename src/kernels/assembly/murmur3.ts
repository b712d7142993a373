// MurmurHash3 x64 128, the public-domain algorithm of Austin Appleby.

const C1: u64 = 0x87c37b91114253d5;
const C2: u64 = 0x4cf5ad432745937f;

/** Hashes `length` bytes at `from`; writes 16 bytes (h1, h2 little-endian) at `out`. */
export function murmur3(from: usize, length: usize, seed: u32, out: usize): void {
  let h1: u64 = seed;
  let h2: u64 = seed;
  let at = from;
  const blocksEnd = from + (length & ~15);
  for (; at < blocksEnd; at += 16) {
    h1 ^= mixFirst(load<u64>(at));
    h1 = rotl<u64>(h1, 27) + h2;
    h1 = h1 * 5 + 0x52dce729;
    h2 ^= mixSecond(load<u64>(at, 8));
    h2 = rotl<u64>(h2, 31) + h1;
    h2 = h2 * 5 + 0x38495ab5;
  }
  const tail = <u32>(length & 15);
  if (tail > 8) h2 ^= mixSecond(loadTail(at + 8, tail - 8));
  if (tail > 0) h1 ^= mixFirst(loadTail(at, min<u32>(tail, 8)));
  h1 ^= <u64>length;
  h2 ^= <u64>length;
  h1 += h2;
  h2 += h1;
  h1 = finalMix(h1);
  h2 = finalMix(h2);
  h1 += h2;
  h2 += h1;
  store<u64>(out, h1);
  store<u64>(out, h2, 8);
}

@inline
function mixFirst(k: u64): u64 {
  return rotl<u64>(k * C1, 31) * C2;
}

@inline
function mixSecond(k: u64): u64 {
  return rotl<u64>(k * C2, 33) * C1;
}

function loadTail(at: usize, count: u32): u64 {
  let k: u64 = 0;
  for (let i: u32 = 0; i < count; i++) k |= <u64>load<u8>(at + i) << (8 * i);
  return k;
}

function finalMix(hash: u64): u64 {
  let k = hash;
  k ^= k >> 33;
  k *= 0xff51afd7ed558ccd;
  k ^= k >> 33;
  k *= 0xc4ceb9fe1a85ec53;
  k ^= k >> 33;
  return k;
}
