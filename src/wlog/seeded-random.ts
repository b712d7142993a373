/**
 * A small reproducible random generator (sfc32) for made-up data. Not for identities or salts: those
 * come from `Env.random`.
 */
export class SeededRandom {
  #a: number;
  #b: number;
  #c: number;
  #count = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    this.#b = Math.floor(seed / 0x1_0000_0000) | 0;
    this.#c = 0x9e3779b9;
    for (let i = 0; i < 12; i++) this.u32();
  }

  /** Uniform in 0 .. 2^32-1. */
  u32(): number {
    const result = (this.#a + this.#b + this.#count++) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    return result >>> 0;
  }

  /** Integer in 0 .. limit-1; `limit` up to 2^53. */
  below(limit: number): number {
    const fraction = (this.u32() * 2 ** 21 + (this.u32() >>> 11)) / 2 ** 53;
    return Math.floor(fraction * limit);
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return this.u32() < share * 2 ** 32;
  }

  bytes(count: number): Uint8Array {
    const bytes = new Uint8Array(count);
    this.fill(bytes);
    return bytes;
  }

  fill(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    for (; at + 4 <= bytes.length; at += 4) view.setUint32(at, this.u32(), true);
    for (; at < bytes.length; at++) bytes[at] = this.u32() & 0xff;
  }
}
