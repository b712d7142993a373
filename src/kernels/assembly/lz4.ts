// LZ4 raw blocks. Compression is the fast single-probe scheme (a hash table of the last position of
// each 4-byte string); decompression checks every length and offset against what is left before it
// copies, so that hostile input can neither read nor write outside the given ranges.
//
//   sequence = token (literal count: high 4 bits, match length - 4: low 4 bits; 15 = more bytes follow)
//              literals, u16 offset, more match length
//   The last sequence has literals only; the last 5 bytes are literals and the last match starts at
//   least 12 bytes before the end.

const MIN_MATCH: usize = 4;
const LAST_LITERALS: usize = 5;
const MATCH_LIMIT: usize = 12;
const MAX_OFFSET: usize = 65535;
const HASH_BITS: u32 = 12;
/** Failed probes before the step grows by one: gives up quickly on data that do not compress. */
const SKIP_BITS: u32 = 6;

/**
 * Compresses `length` bytes at `from` to at most `capacity` bytes at `to`, with a hash table of 16 KiB
 * at `table`. Returns the number of bytes, or 0 when they do not fit.
 */
export function lz4Compress(from: usize, length: usize, to: usize, capacity: usize, table: usize): usize {
  const end = from + length;
  const outEnd = to + capacity;
  let out = to;
  let anchor = from;
  if (length > MATCH_LIMIT) {
    memory.fill(table, 0, 4 << HASH_BITS);
    const searchEnd = end - MATCH_LIMIT;
    const matchEnd = end - LAST_LITERALS;
    let at = from + 1;
    // Positions in the table count from `from`; 0 is both "first byte" and "empty", which the
    // comparison of the bytes themselves makes harmless.
    while (true) {
      let match: usize = 0;
      let probes: u32 = 1 << SKIP_BITS;
      let found = false;
      while (at <= searchEnd) {
        const word = load<u32>(at);
        const slot = table + (<usize>hash(load<u64>(at)) << 2);
        match = from + load<u32>(slot);
        store<u32>(slot, <u32>(at - from));
        if (at - match <= MAX_OFFSET && load<u32>(match) == word) {
          found = true;
          break;
        }
        at += probes++ >> SKIP_BITS;
      }
      if (!found) break;
      while (at > anchor && match > from && load<u8>(at - 1) == load<u8>(match - 1)) {
        at--;
        match--;
      }
      const literals = at - anchor;
      const offset = at - match;
      const matched = MIN_MATCH + commonLength(at + MIN_MATCH, match + MIN_MATCH, matchEnd);
      // Token, offset, and one byte per 255 of each length.
      if (out + 3 + literals + literals / 255 + 1 + matched / 255 + 1 > outEnd) return 0;
      const token = out++;
      out = putLength(token, 4, literals, out);
      out = copyForward(out, anchor, literals, outEnd, end);
      store<u16>(out, <u16>offset);
      out = putLength(token, 0, matched - MIN_MATCH, out + 2);
      at += matched;
      anchor = at;
      if (at > searchEnd) break;
      // One position inside the match helps the next search.
      store<u32>(table + (<usize>hash(load<u64>(at - 2)) << 2), <u32>(at - 2 - from));
    }
  }
  const rest = end - anchor;
  if (out + 1 + rest + (rest + 240) / 255 > outEnd) return 0;
  const token = out++;
  out = putLength(token, 4, rest, out);
  memory.copy(out, anchor, rest);
  return out + rest - to;
}

/** Hash of the low five bytes: matches of only four are rarely worth their sequence. */
@inline
function hash(word: u64): u32 {
  return <u32>(((word << 24) * 889523592379) >> (64 - HASH_BITS));
}

/** Equal bytes at `a` and `b` (b before a), as far as `end` for `a`. */
@inline
function commonLength(a: usize, b: usize, end: usize): usize {
  const start = a;
  while (a + 8 <= end) {
    const different = load<u64>(a) ^ load<u64>(b);
    if (different != 0) return a - start + (<usize>ctz<u64>(different) >> 3);
    a += 8;
    b += 8;
  }
  while (a < end && load<u8>(a) == load<u8>(b)) {
    a++;
    b++;
  }
  return a - start;
}

/** Puts `length` into four bits of the token at `shift`, the rest to `out`; returns the new `out`. */
@inline
function putLength(token: usize, shift: u32, length: usize, out: usize): usize {
  if (shift == 4) store<u8>(token, <u8>(min<usize>(length, 15) << 4));
  else store<u8>(token, load<u8>(token) | <u8>min<usize>(length, 15));
  if (length < 15) return out;
  length -= 15;
  if (length >= 255) {
    const full = length / 255;
    memory.fill(out, 255, full);
    out += full;
    length -= full * 255;
  }
  store<u8>(out, <u8>length);
  return out + 1;
}

/** Copies literals, 16 bytes at a time where both ranges have room to spare; returns the new `out`. */
@inline
function copyForward(out: usize, from: usize, length: usize, outEnd: usize, fromEnd: usize): usize {
  if (length <= 32 && outEnd - out >= 32 && fromEnd - from >= 32) {
    v128.store(out, v128.load(from));
    if (length > 16) v128.store(out, v128.load(from, 16), 16);
  } else {
    memory.copy(out, from, length);
  }
  return out + length;
}

/**
 * Expands `length` bytes at `from` into at most `capacity` bytes at `to`. Returns the number of bytes,
 * or -1 when the input is damaged or would take more.
 */
export function lz4Decompress(from: usize, length: usize, to: usize, capacity: usize): i32 {
  let at = from;
  const end = from + length;
  let out = to;
  const outEnd = to + capacity;
  while (at < end) {
    const token = <usize>load<u8>(at++);
    let literals = token >> 4;
    // The usual case, both lengths within the token: fixed copies that may write more than needed,
    // where both ranges have room for that.
    if (literals < 15 && (token & 15) < 15 && end - at >= 32 && outEnd - out >= 48) {
      const near = <usize>load<u16>(at + literals);
      if (near >= 8 && near <= out - to + literals) {
        v128.store(out, v128.load(at));
        out += literals;
        at += literals + 2;
        const from = out - near;
        store<u64>(out, load<u64>(from));
        store<u64>(out, load<u64>(from, 8), 8);
        store<u16>(out, load<u16>(from, 16), 16);
        out += (token & 15) + MIN_MATCH;
        continue;
      }
    }
    if (literals == 15) {
      while (true) {
        if (at >= end) return -1;
        const more = <usize>load<u8>(at++);
        literals += more;
        if (literals > capacity) return -1;
        if (more != 255) break;
      }
    }
    if (end - at < literals || outEnd - out < literals) return -1;
    out = copyForward(out, at, literals, outEnd, end);
    at += literals;
    if (at == end) return <i32>(out - to);
    if (end - at < 2) return -1;
    const offset = <usize>load<u16>(at);
    at += 2;
    if (offset == 0 || offset > out - to) return -1;
    let matched = token & 15;
    if (matched == 15) {
      while (true) {
        if (at >= end) return -1;
        const more = <usize>load<u8>(at++);
        matched += more;
        if (matched > capacity) return -1;
        if (more != 255) break;
      }
    }
    matched += MIN_MATCH;
    if (outEnd - out < matched) return -1;
    copyMatch(out, offset, matched, outEnd);
    out += matched;
  }
  // A block ends with literals; one that ends here was cut, or empty.
  return -1;
}

/** Copies `length` bytes from `offset` before `out`; source and target overlap when offset < length. */
@inline
function copyMatch(out: usize, offset: usize, length: usize, outEnd: usize): void {
  const from = out - offset;
  const padded = (length + 15) & ~15;
  if (outEnd - out >= padded) {
    if (offset >= 16) {
      for (let i: usize = 0; i < length; i += 16) v128.store(out + i, v128.load(from + i));
      return;
    }
    if (offset == 1) {
      const byte = i8x16.splat(load<u8>(from));
      for (let i: usize = 0; i < length; i += 16) v128.store(out + i, byte);
      return;
    }
    if (offset == 8) {
      const pair = v128.load64_splat(from);
      for (let i: usize = 0; i < length; i += 16) v128.store(out + i, pair);
      return;
    }
    if (offset == 4) {
      const quad = v128.load32_splat(from);
      for (let i: usize = 0; i < length; i += 16) v128.store(out + i, quad);
      return;
    }
    if (offset == 2) {
      const octet = v128.load16_splat(from);
      for (let i: usize = 0; i < length; i += 16) v128.store(out + i, octet);
      return;
    }
    if (offset > 8) {
      for (let i: usize = 0; i < length; i += 8) store<u64>(out + i, load<u64>(from + i));
      return;
    }
  } else if (offset >= length) {
    memory.copy(out, from, length);
    return;
  }
  for (let i: usize = 0; i < length; i++) store<u8>(out + i, load<u8>(from + i));
}
