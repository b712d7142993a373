// SipHash-2-4 with the key 00..0f, and the 16-byte result of formats.md 10. The state, four u64, lives
// at `state` between calls so that data may come in pieces.

const K0: u64 = 0x0706050403020100;
const K1: u64 = 0x0f0e0d0c0b0a0908;

let v0: u64 = 0;
let v1: u64 = 0;
let v2: u64 = 0;
let v3: u64 = 0;

export function sipInit(state: usize): void {
  v0 = K0 ^ 0x736f6d6570736575;
  v1 = K1 ^ 0x646f72616e646f6d;
  v2 = K0 ^ 0x6c7967656e657261;
  v3 = K1 ^ 0x7465646279746573;
  save(state);
}

/** Takes `length` bytes at `from`, a multiple of 8. */
export function sipBlocks(state: usize, from: usize, length: usize): void {
  let a = load<u64>(state);
  let b = load<u64>(state, 8);
  let c = load<u64>(state, 16);
  let d = load<u64>(state, 24);
  const end = from + length;
  for (let at = from; at < end; at += 8) {
    const m = load<u64>(at);
    d ^= m;
    for (let round = 0; round < 2; round++) {
      a += b;
      b = rotl<u64>(b, 13) ^ a;
      a = rotl<u64>(a, 32);
      c += d;
      d = rotl<u64>(d, 16) ^ c;
      a += d;
      d = rotl<u64>(d, 21) ^ a;
      c += b;
      b = rotl<u64>(b, 17) ^ c;
      c = rotl<u64>(c, 32);
    }
    a ^= m;
  }
  v0 = a;
  v1 = b;
  v2 = c;
  v3 = d;
  save(state);
}

/** The last 0..7 bytes at `from`, the length of all data, and 16 result bytes to `out`. */
export function sipFinish(state: usize, from: usize, length: u32, total: u64, out: usize): void {
  v0 = load<u64>(state);
  v1 = load<u64>(state, 8);
  v2 = load<u64>(state, 16);
  v3 = load<u64>(state, 24);
  let m: u64 = total << 56;
  for (let i: u32 = 0; i < length; i++) m |= <u64>load<u8>(from + i) << (8 * i);
  v3 ^= m;
  rounds(2);
  v0 ^= m;
  v2 ^= 0xff;
  rounds(4);
  store<u64>(out, v0 ^ v1);
  store<u64>(out, v2 ^ v3, 8);
}

function rounds(count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    v0 += v1;
    v1 = rotl<u64>(v1, 13) ^ v0;
    v0 = rotl<u64>(v0, 32);
    v2 += v3;
    v3 = rotl<u64>(v3, 16) ^ v2;
    v0 += v3;
    v3 = rotl<u64>(v3, 21) ^ v0;
    v2 += v1;
    v1 = rotl<u64>(v1, 17) ^ v2;
    v2 = rotl<u64>(v2, 32);
  }
}

function save(state: usize): void {
  store<u64>(state, v0);
  store<u64>(state, v1, 8);
  store<u64>(state, v2, 16);
  store<u64>(state, v3, 24);
}
