import { describe, expect, test } from 'vitest';
import { BlockHash, blockHash, murmur3x64_128 } from '../../src/kernels/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { inEveryMemory, mixedBytes, randomBytes } from './support.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

/** h1 and h2 as the two big-endian words in which published vectors are printed. */
function words(hash: Uint8Array): string {
  const view = new DataView(hash.buffer, hash.byteOffset);
  const word = (at: number) => view.getBigUint64(at, true).toString(16).padStart(16, '0');
  return word(0) + word(8);
}

const MASK = 0xffff_ffff_ffff_ffffn;
const rotl = (x: bigint, n: bigint) => ((x << n) | (x >> (64n - n))) & MASK;

/** The published algorithm in plain bigint arithmetic. */
function murmurReference(bytes: Uint8Array, seed: number): Uint8Array {
  const [c1, c2] = [0x87c37b91114253d5n, 0x4cf5ad432745937fn];
  const mix1 = (k: bigint) => (rotl((k * c1) & MASK, 31n) * c2) & MASK;
  const mix2 = (k: bigint) => (rotl((k * c2) & MASK, 33n) * c1) & MASK;
  const final = (hash: bigint) => {
    let k = hash;
    k = ((k ^ (k >> 33n)) * 0xff51afd7ed558ccdn) & MASK;
    k = ((k ^ (k >> 33n)) * 0xc4ceb9fe1a85ec53n) & MASK;
    return k ^ (k >> 33n);
  };
  const word = (from: number, to: number) =>
    bytes.subarray(from, to).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  let h1 = BigInt(seed);
  let h2 = BigInt(seed);
  let at = 0;
  for (; at + 16 <= bytes.length; at += 16) {
    h1 = ((rotl(h1 ^ mix1(word(at, at + 8)), 27n) + h2) * 5n + 0x52dce729n) & MASK;
    h2 = ((rotl(h2 ^ mix2(word(at + 8, at + 16)), 31n) + h1) * 5n + 0x38495ab5n) & MASK;
  }
  h2 ^= mix2(word(at + 8, at + 16));
  h1 ^= mix1(word(at, at + 8));
  h1 ^= BigInt(bytes.length);
  h2 ^= BigInt(bytes.length);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  h1 = final(h1);
  h2 = final(h2);
  h1 = (h1 + h2) & MASK;
  h2 = (h2 + h1) & MASK;
  const out = new Uint8Array(16);
  new DataView(out.buffer).setBigUint64(0, h1, true);
  new DataView(out.buffer).setBigUint64(8, h2, true);
  return out;
}

describe('murmur3x64_128', () => {
  test.each([
    ['', 0, '00000000000000000000000000000000'],
    ['hello', 0, 'cbd8a7b341bd9b025b1e906a48ae1d19'],
    ['hello, world', 0, '342fac623a5ebc8e4cdcbc079642414d'],
    ['19 Jan 2038 at 3:14:07 AM', 0, 'b89e5988b737affc664fc2950231b2cb'],
    ['The quick brown fox jumps over the lazy dog.', 0, 'cd99481f9ee902c9695da1a38987b6e7'],
  ])('published vector %j', (text, seed, expected) => {
    expect(words(murmur3x64_128(Buffer.from(text), seed))).toBe(expected);
  });

  test('equals the algorithm for every tail length, alignment and seed, in every memory', () => {
    for (let length = 0; length <= 70; length++) {
      const bytes = randomBytes(length, length + 1);
      for (const seed of [0, 1, 0x7fff_ffff, 0xffff_ffff]) {
        const expected = hex(murmurReference(bytes, seed));
        inEveryMemory(bytes, length % 9, (copy) =>
          expect(hex(murmur3x64_128(copy, seed))).toBe(expected),
        );
      }
    }
  });

  test('verification value of the reference implementation', () => {
    // SMHasher: hash 00, 0001, 000102, ... with seed 256-i, then hash the hashes.
    const hashes = Array.from({ length: 256 }, (_, i) =>
      murmur3x64_128(
        Uint8Array.from({ length: i }, (_byte, at) => at),
        256 - i,
      ),
    );
    const result = murmur3x64_128(Buffer.concat(hashes), 0);
    expect(Buffer.from(result).readUInt32LE(0)).toBe(0x6384_ba69);
  });
});

describe('blockHash (formats.md 10)', () => {
  test('XOR of the halves is the 64-bit SipHash: vectors of its authors', () => {
    const vectors = [
      '310e0edd47db6f72',
      'fd67dc93c539f874',
      '5a4fa9d909806c0d',
      '2d7efbd796666785',
    ];
    vectors.forEach((expected, length) => {
      const hash = blockHash(Uint8Array.from({ length }, (_, at) => at));
      const folded = hash.subarray(0, 8).map((byte, at) => byte ^ hash[at + 8]!);
      expect(hex(folded)).toBe(expected);
    });
  });

  test('does not depend on how the data are cut or where they live', () => {
    const bytes = mixedBytes(70_001, 3);
    const expected = hex(blockHash(bytes));
    for (const size of [1, 3, 8, 13, 4096, 16384, 50_000]) {
      inEveryMemory(bytes, size % 7, (copy) => {
        const hash = new BlockHash();
        for (let at = 0; at < copy.length; at += size) hash.update(copy.subarray(at, at + size));
        expect(hex(hash.digest())).toBe(expected);
      });
    }
  });

  test('two hashes at a time, and a digest in between, do not disturb each other', () => {
    const bytes = mixedBytes(100, 4);
    const [first, second] = [new BlockHash(), new BlockHash()];
    first.update(bytes.subarray(0, 50));
    second.update(bytes);
    first.digest();
    first.update(bytes.subarray(50));
    expect(hex(first.digest())).toBe(hex(blockHash(bytes)));
    expect(hex(second.digest())).toBe(hex(blockHash(bytes)));
  });
});

describeGolden('blockHash of golden files', () => {
  test('bhash base.img, whole and by chunks of 1 MiB', () => {
    const image = golden.read('image/base-16M.img');
    expect(`${hex(blockHash(image))}\n`).toBe(golden.expected.bhash['bhash base.img']);
    const MIB = 1024 * 1024;
    const lines = Array.from({ length: 16 }, (_, i) => {
      const offset = ((i * MIB) / 512).toString(16).padStart(16, '0');
      return `${offset}\t${hex(blockHash(image.subarray(i * MIB, (i + 1) * MIB)))}\n`;
    });
    expect(lines.join('')).toBe(golden.expected.bhash['bhash -chunk 1M base.img']);
  });

  test('bhash of a range', () => {
    const range = golden.read('image/base-16M.img').subarray(64 * 1024, (64 + 1024) * 1024);
    const expected = golden.expected.bhash['bhash -off 64K -size 1M -ios 4K base.img'];
    expect(`${hex(blockHash(range))}\n`).toBe(expected);
  });
});
