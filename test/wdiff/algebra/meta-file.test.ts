// formats.md 8, last paragraph: bytes of the small metadata files.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromHex, MAX_TIMESTAMP, parseTimestamp, toHex, U64_MAX } from '../../../src/core/index.ts';
import {
  decodeMetaState,
  decodeNumber,
  decodeText,
  decodeUuid,
  encodeMetaState,
  encodeNumber,
  encodeText,
  MetaReader,
  type MetaState,
  MetaWriter,
  metaState,
  snapshot,
} from '../../../src/wdiff/algebra/index.ts';

const corruptError = expect.objectContaining({ code: 'corrupt' });
const bytesOf = (hex: string): Uint8Array => fromHex(hex.replaceAll(' ', ''), 'test bytes');

/** As seen on disks of the original. */
const SEEN: readonly [string, MetaState, string][] = [
  ['a fresh volume', metaState(snapshot(U64_MAX), 0), '1303 00 00 1103 ff ff 1103 ff ff'],
  [
    '<|2|> at 2024-01-01T00:00:02',
    metaState(snapshot(2n), parseTimestamp('2024-01-01T00:00:02')),
    '1303 00 82 82009265 1103 02 02 1103 02 02',
  ],
  [
    'applying <|0,1|-->|300|>',
    metaState(snapshot(0n, 1n), 200, snapshot(300n)),
    '1303 01 80c8 1103 00 01 1103 812c01 812c01',
  ],
];

describe('base file', () => {
  it.each(SEEN)('%s', (_what, state, hex) => {
    expect(toHex(encodeMetaState(state))).toBe(hex.replaceAll(' ', ''));
    expect(decodeMetaState(bytesOf(hex))).toEqual(state);
  });

  it('round-trips every state', () => {
    const gid = fc.bigInt({ min: 0n, max: U64_MAX });
    const ordered = fc.tuple(gid, gid, gid).map((gids) => gids.sort((a, b) => (a < b ? -1 : 1)));
    fc.assert(
      fc.property(ordered, fc.nat(MAX_TIMESTAMP), fc.boolean(), ([a, b, c], time, isApplying) => {
        const [low = 0n, middle = 0n, high = 0n] = [a, b, c];
        fc.pre(low < middle);
        const target = isApplying ? snapshot(middle, high) : undefined;
        const state = metaState(snapshot(low, high), time, target);
        expect(decodeMetaState(encodeMetaState(state))).toEqual(state);
      }),
      { seed: 3 },
    );
  });

  it.each([
    ['empty', ''],
    ['cut short', '1303 00 00 1103 ff ff 1103 ff'],
    ['too long', '1303 00 00 1103 ff ff 1103 ff ff 00'],
    ['another magic', '1403 00 00 1103 ff ff 1103 ff ff'],
    ['another inner magic', '1303 00 00 1103 ff ff 1203 ff ff'],
    ['a bool of 2', '1303 02 00 1103 00 00 1103 02 02'],
    ['b > e', '1303 00 00 1103 02 01 1103 02 02'],
    ['applying backwards', '1303 01 00 1103 02 02 1103 01 01'],
    ['a year beyond 9999', '1303 00 83ffffffffffffff7f 1103 02 02 1103 02 02'],
  ])('refuses bytes that are %s', (_what, hex) => {
    expect(() => decodeMetaState(bytesOf(hex), '/base/v/base')).toThrow(corruptError);
    expect(() => decodeMetaState(bytesOf(hex), '/base/v/base')).toThrow(/\/base\/v\/base/);
  });

  it('any bytes either decode to a valid state or are refused as corrupt', () => {
    const start = bytesOf('1303');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), fc.boolean(), (tail, hasMagic) => {
        const bytes = hasMagic ? Uint8Array.from([...start, ...tail]) : tail;
        try {
          const state = decodeMetaState(bytes);
          expect(decodeMetaState(encodeMetaState(state))).toEqual(state);
        } catch (error) {
          expect(error).toEqual(corruptError);
        }
      }),
      { seed: 5, numRuns: 2000 },
    );
  });
});

describe('variable-length integers', () => {
  it.each([
    [0n, '00'],
    [127n, '7f'],
    [128n, '8080'],
    [255n, '80ff'],
    [256n, '810001'],
    [65_536n, '8200000100'],
    [2n ** 32n, '830000000001000000'],
    [2n ** 63n - 1n, '83ffffffffffffff7f'],
    [U64_MAX, 'ff'],
    [U64_MAX - 1n, 'fe'],
    // As i8 these would be read as prefixes.
    [U64_MAX - 127n, '8480'],
    [U64_MAX - 120n, '8487'],
    [U64_MAX - 119n, '88'],
    [U64_MAX - 128n, '857fff'],
    [2n ** 63n, '870000000000000080'],
  ])('u64 %d is %s', (value, hex) => {
    expect(toHex(encodeNumber(value))).toBe(hex);
    expect(decodeNumber(bytesOf(hex), 'size')).toBe(value);
  });

  it('u32 has its own sign', () => {
    const hex = toHex(new MetaWriter().u32(0xffff_ffff).u32(0x8000_0000).u32(200).finish());
    expect(hex).toBe('ff860000008080c8');
    const reader = new MetaReader(bytesOf(hex), 'x');
    expect([reader.u32(), reader.u32(), reader.u32()]).toEqual([0xffff_ffff, 0x8000_0000, 200]);
    expect(() => new MetaReader(bytesOf('830000000001000000'), 'x').u32()).toThrow(corruptError);
  });

  it('reads forms that are longer than needed', () => {
    expect(decodeNumber(bytesOf('8005'), 'x')).toBe(5n);
    expect(decodeNumber(bytesOf('86ffffffff'), 'x')).toBe(U64_MAX);
  });

  it('round-trips', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: U64_MAX }), fc.nat(63), (value, shift) => {
        const shifted = value >> BigInt(shift);
        expect(decodeNumber(encodeNumber(shifted), 'x')).toBe(shifted);
        expect(decodeNumber(encodeNumber(U64_MAX - shifted), 'x')).toBe(U64_MAX - shifted);
      }),
      { seed: 4 },
    );
  });

  it('refuses what does not fit', () => {
    expect(() => new MetaWriter().u64(-1n)).toThrow(/unsigned 64-bit/);
    expect(() => new MetaWriter().u64(U64_MAX + 1n)).toThrow(/unsigned 64-bit/);
    expect(() => new MetaWriter().u32(2 ** 32)).toThrow(/unsigned 32-bit/);
  });
});

describe('text and uuid files', () => {
  it('state: length and bytes, as seen', () => {
    const hex = '09' + toHex(new TextEncoder().encode('SyncReady'));
    expect(toHex(encodeText('SyncReady'))).toBe(hex);
    expect(decodeText(bytesOf(hex), 'state')).toBe('SyncReady');
  });

  it.each(['', '05 41', '01 41 42', '01 ff', '83ffffffffffffff7f', 'ff'])('refuses %j', (hex) => {
    expect(() => decodeText(bytesOf(hex), 'state')).toThrow(corruptError);
  });

  it('a uuid is 16 bytes', () => {
    expect(decodeUuid(new Uint8Array(16).fill(7), 'uuid')[15]).toBe(7);
    expect(() => decodeUuid(new Uint8Array(15), 'uuid')).toThrow(corruptError);
  });
});
