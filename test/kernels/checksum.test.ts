import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  checksum,
  checksumFinish,
  checksumPartial,
  isChecksumValid,
} from '../../src/kernels/index.ts';
import { describeGolden, golden } from '../golden/golden.ts';
import { inEveryMemory, randomBytes } from './support.ts';

const FLIP = 0x8000_0000;

/** formats.md 1, word by word. */
function reference(bytes: Uint8Array, salt: number): number {
  const padded = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  padded.set(bytes);
  const view = new DataView(padded.buffer);
  let sum = BigInt(salt);
  for (let at = 0; at < padded.length; at += 4) sum += BigInt(view.getUint32(at, true));
  return Number(BigInt.asUintN(32, -sum));
}

const salts = fc.oneof(fc.integer({ min: 0, max: 0xffff_ffff }), fc.constantFrom(0, FLIP));

describe('checksum (formats.md 1)', () => {
  test('known values', () => {
    expect(checksum(new Uint8Array(0), 0)).toBe(0);
    expect(checksum(Uint8Array.of(1, 0, 0, 0), 0)).toBe(0xffff_ffff);
    expect(checksum(Uint8Array.of(0, 0, 0, 0x80), 0)).toBe(FLIP);
    expect(checksum(Uint8Array.of(2, 0, 0, 0, 1), 0)).toBe(0xffff_fffd);
    expect(checksum(new Uint8Array(4096), 0x1234_5678)).toBe(-0x1234_5678 >>> 0);
  });

  test('equals the definition for any length, alignment and salt, in every memory', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 1200 }),
        fc.integer({ min: 0, max: 17 }),
        salts,
        fc.integer(),
        (length, shift, salt, seed) => {
          const bytes = randomBytes(length, seed);
          const expected = reference(bytes, salt);
          inEveryMemory(bytes, shift, (copy) => expect(checksum(copy, salt)).toBe(expected));
        },
      ),
      { seed: 11, numRuns: 400 },
    );
  });

  test.each([16 * 1024, 16 * 1024 + 1, 65535, 65536, 3 * 1024 * 1024 + 7])('%i bytes', (length) => {
    const bytes = randomBytes(length, length);
    const expected = reference(bytes, 77);
    inEveryMemory(bytes, 3, (copy) => expect(checksum(copy, 77)).toBe(expected));
  });

  test('pieces of whole words add up, in any order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 8 }),
        fc.integer({ min: 0, max: 3 }),
        salts,
        (words, tail, salt) => {
          const lengths = [...words.map((count) => count * 4), tail];
          const pieces = lengths.map((length, index) => randomBytes(length, index + length));
          const whole = reference(Buffer.concat(pieces), salt);
          const inOrder = pieces.reduce((sum, piece) => checksumPartial(piece, sum), salt);
          const backwards = pieces.reduceRight((sum, piece) => checksumPartial(piece, sum), salt);
          expect(checksumFinish(inOrder)).toBe(whole);
          expect(checksumFinish(backwards)).toBe(whole);
        },
      ),
      { seed: 12, numRuns: 100 },
    );
  });

  test('a block that stores its own checksum is valid until a bit flips', () => {
    const block = randomBytes(512, 5);
    const view = new DataView(block.buffer);
    view.setUint32(8, 0, true);
    view.setUint32(8, checksum(block, 99), true);
    expect(isChecksumValid(block, 99)).toBe(true);
    expect(isChecksumValid(block, 98)).toBe(false);
    block[100]! ^= 0x10;
    expect(isChecksumValid(block, 99)).toBe(false);
  });
});

describeGolden('checksum of golden files', () => {
  test.each([
    ['checksum -hex default-512.wlog', 'wlog/default-512.wlog', 0],
    ['checksum -hex -salt 0x12345678 default-512.wlog', 'wlog/default-512.wlog', 0x1234_5678],
    ['checksum -hex default-512.sorted.wdiff', 'wdiff/default-512.sorted.wdiff', 0],
  ])('%s', (command, name, salt) => {
    const hex = checksum(golden.read(name), salt).toString(16).padStart(8, '0');
    expect(`${hex}\n`).toBe(golden.expected.bhash[command]);
  });
});
