// Zero test, 128 bytes per look: data that are not zero show it early, data that are run at memory speed.

/** 1 when all `length` bytes at `from` are zero. */
export function isZero(from: usize, length: usize): bool {
  let at = from;
  const end = from + length;
  for (; at + 128 <= end; at += 128) {
    const low = v128.or(
      v128.or(v128.load(at), v128.load(at, 16)),
      v128.or(v128.load(at, 32), v128.load(at, 48)),
    );
    const high = v128.or(
      v128.or(v128.load(at, 64), v128.load(at, 80)),
      v128.or(v128.load(at, 96), v128.load(at, 112)),
    );
    if (v128.any_true(v128.or(low, high))) return false;
  }
  for (; at + 8 <= end; at += 8) if (load<u64>(at) != 0) return false;
  for (; at < end; at++) if (load<u8>(at) != 0) return false;
  return true;
}
