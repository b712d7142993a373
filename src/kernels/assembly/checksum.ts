// Sum of little-endian u32 words (formats.md 1), 128 bytes per round in eight independent lanes sets,
// so that the additions do not wait for each other. Loads need no alignment.

/** Sum of `length` bytes at `from` added to `sum`; a tail of 1-3 bytes is zero-extended. */
export function sum32(from: usize, length: usize, sum: u32): u32 {
  let at = from;
  const end = from + length;
  let a = i32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  let e = a;
  let f = a;
  let g = a;
  let h = a;
  for (; at + 128 <= end; at += 128) {
    a = i32x4.add(a, v128.load(at));
    b = i32x4.add(b, v128.load(at, 16));
    c = i32x4.add(c, v128.load(at, 32));
    d = i32x4.add(d, v128.load(at, 48));
    e = i32x4.add(e, v128.load(at, 64));
    f = i32x4.add(f, v128.load(at, 80));
    g = i32x4.add(g, v128.load(at, 96));
    h = i32x4.add(h, v128.load(at, 112));
  }
  a = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  e = i32x4.add(i32x4.add(e, f), i32x4.add(g, h));
  a = i32x4.add(a, e);
  for (; at + 16 <= end; at += 16) a = i32x4.add(a, v128.load(at));
  let total = sum;
  total += i32x4.extract_lane(a, 0);
  total += i32x4.extract_lane(a, 1);
  total += i32x4.extract_lane(a, 2);
  total += i32x4.extract_lane(a, 3);
  for (; at + 4 <= end; at += 4) total += load<u32>(at);
  for (let shift: u32 = 0; at < end; at++, shift += 8) total += <u32>load<u8>(at) << shift;
  return total;
}
