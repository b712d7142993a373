/** Codecs of the log format: layout, checks on reading and writing. formats.md 2.1-2.3, 3, 9. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checksum } from '../../src/kernels/index.ts';
import {
  DISCARD_FLAGS,
  decodePackHeader,
  decodeSuperSector,
  decodeWlogHeader,
  encodeEndBlock,
  encodePackHeader,
  encodeSuperSector,
  encodeWlogHeader,
  geometryForDevice,
  inspectPackHeader,
  lsidPosition,
  PADDING_FLAGS,
  type PackFields,
  type RecordFields,
  ringRanges,
  type SuperFields,
  validatePackFields,
  validatePackHeader,
  validateSuperSector,
  validateWlogHeader,
  verifySuperChecksum,
  verifyWlogHeaderChecksum,
  type WlogHeaderFields,
  WRITE_FLAGS,
} from '../../src/wlog/index.ts';
import { withCode } from './support.ts';

const PLACE = { file: 'x.wlog', offset: 4096 };
const UUID = Uint8Array.from({ length: 16 }, (_, i) => i + 1);

const write = (fields: Partial<RecordFields> = {}): RecordFields => ({
  checksum: 0x11223344,
  flags: WRITE_FLAGS,
  offset: 100,
  blocks: 5,
  lsidLocal: 1,
  ...fields,
});
const pack = (fields: Partial<PackFields> = {}): PackFields => ({
  lsid: 0x1_0000_0002n,
  totalPb: 5,
  nPadding: 0,
  records: [write()],
  ...fields,
});

/** The error must name the field it complains about. */
function refuses(field: string, attempt: () => unknown): void {
  expect(attempt, field).toThrow(withCode('corrupt'));
  try {
    attempt();
  } catch (error) {
    expect((error as { details: unknown }).details).toMatchObject({ field });
    expect((error as Error).message).toContain(field);
  }
}

describe('pack header', () => {
  test('has every field at its offset (formats.md 2.2)', () => {
    const block = new Uint8Array(512).fill(0xff);
    const records = [
      write(),
      { checksum: 0, flags: DISCARD_FLAGS, offset: 2 ** 33 + 7, blocks: 2 ** 32 - 1, lsidLocal: 6 },
      { checksum: 0, flags: PADDING_FLAGS, offset: 0, blocks: 3, lsidLocal: 6 },
    ];
    const lsid = 0x1_ffff_fffcn;
    encodePackHeader(pack({ lsid, totalPb: 8, nPadding: 1, records }), block, 77);
    const view = new DataView(block.buffer);
    expect(view.getUint16(4, true)).toBe(3);
    expect(view.getUint16(6, true)).toBe(8);
    expect(view.getBigUint64(8, true)).toBe(lsid);
    expect(view.getUint16(16, true)).toBe(3);
    expect(view.getUint16(18, true)).toBe(1);
    expect(view.getUint32(20, true)).toBe(0);
    expect(view.getUint32(24, true)).toBe(0x11223344);
    expect(view.getUint32(28, true)).toBe(1);
    expect(view.getBigUint64(32, true)).toBe(100n);
    expect(view.getUint32(40, true)).toBe(5);
    expect(view.getUint16(44, true)).toBe(1);
    expect(view.getBigUint64(48, true)).toBe(lsid + 1n);
    expect(view.getBigUint64(56 + 8, true)).toBe(2n ** 33n + 7n);
    // The carry into the upper half of a record's lsid.
    expect(view.getBigUint64(56 + 24, true)).toBe(lsid + 6n);
    expect(block.subarray(24 + 3 * 32).every((byte) => byte === 0)).toBe(true);
    expect(checksum(block, 77)).toBe(0);
    expect(inspectPackHeader(block, 77, lsid)).toBe('pack');
    expect(inspectPackHeader(block, 77, lsid + 1n)).toBe('unexpected-lsid');
    expect(inspectPackHeader(block, 78, lsid)).toBe('bad-checksum');
    expect(inspectPackHeader(new Uint8Array(512), 0, 0n)).toBe('bad-type');
  });

  const broken: [field: string, fields: Partial<PackFields>][] = [
    ['total_io_size', { totalPb: 4 }],
    ['n_padding', { nPadding: 1 }],
    ['logpack_lsid', { lsid: 2n ** 64n - 6n }],
    ['n_records', { records: Array.from({ length: 16 }, () => write()) }],
    ['record[0].flags', { records: [write({ flags: 0 })] }],
    ['record[0].flags', { records: [write({ flags: 7 })] }],
    ['record[0].flags', { records: [write({ flags: 9 })] }],
    ['record[0].lsid_local', { records: [write({ lsidLocal: 0 })] }],
    ['record[0].lsid_local', { records: [write({ lsidLocal: 2 })] }],
    ['record[0].io_size', { records: [write({ blocks: 0 })] }],
    ['record[0].io_size', { records: [write({ blocks: 65536 })] }],
    ['record[0].io_size', { records: [write({ flags: DISCARD_FLAGS, blocks: 0 })] }],
    ['record[0].io_size', { records: [write({ flags: PADDING_FLAGS, blocks: 65536 })] }],
    ['record[0].offset', { records: [write({ offset: 2 ** 53 })] }],
    ['record[0].offset', { records: [write({ offset: -1 })] }],
    ['record[1].lsid_local', { records: [write(), write()] }],
    [
      'n_padding',
      {
        records: [1, 2].map((lsidLocal) => write({ flags: PADDING_FLAGS, blocks: 1, lsidLocal })),
        totalPb: 2,
        nPadding: 2,
      },
    ],
  ];
  test.each(broken)('with a wrong %s is refused when writing %#', (field, fields) => {
    const block = new Uint8Array(512);
    refuses(field, () => encodePackHeader(pack(fields), block, 0));
    refuses(field, () => validatePackFields(pack(fields), 512, PLACE));
  });

  test('padding must be whole physical blocks', () => {
    const padding = write({ flags: PADDING_FLAGS, blocks: 9, offset: 0 });
    const fields = pack({ records: [padding], nPadding: 1, totalPb: 2 });
    refuses('record[0].io_size', () => validatePackFields(fields, 4096, PLACE));
  });

  test('more blocks in a pack than total_io_size can say are refused', () => {
    const records = [0, 1].map((i) => write({ blocks: 65535, lsidLocal: 1 + i * 65535 }));
    refuses('total_io_size', () =>
      validatePackFields(pack({ records, totalPb: 131070 }), 512, PLACE),
    );
  });

  test('what only a reader can meet is refused: type, count, lsid of a record', () => {
    const block = new Uint8Array(512);
    const spoil = (at: number, value: number) => {
      encodePackHeader(pack(), block, 0);
      new DataView(block.buffer).setUint16(at, value, true);
      return () => validatePackHeader(decodePackHeader(block), 512, PLACE);
    };
    refuses('sector_type', spoil(4, 4));
    refuses('n_records', spoil(16, 65535));
    refuses('record[0].lsid', spoil(48, 9));
    expect(spoil(20, 1), 'reserved fields are ignored').not.toThrow();
    expect(spoil(24 + 22, 1), 'reserved fields are ignored').not.toThrow();
  });

  test('property: decode is the inverse of encode', () => {
    const record = fc.record({
      checksum: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      flags: fc.constantFrom(WRITE_FLAGS, DISCARD_FLAGS),
      offset: fc.integer({ min: 0, max: 2 ** 43 }),
      blocks: fc.integer({ min: 1, max: 4000 }),
    });
    const lsid = fc.bigInt({ min: 0n, max: 2n ** 64n - 70_000n });
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 15 }), lsid, (list, first) => {
        let used = 0;
        const records = list.map((one) => {
          const lsidLocal = 1 + used;
          if (one.flags === WRITE_FLAGS) used += one.blocks;
          return { ...one, lsidLocal, lsid: first + BigInt(lsidLocal) };
        });
        const fields = { lsid: first, totalPb: used, nPadding: 0, records };
        const block = new Uint8Array(512);
        const sum = encodePackHeader(fields, block, 5);
        const decoded = decodePackHeader(block);
        expect(decoded).toEqual({
          ...fields,
          checksum: sum,
          sectorType: 3,
          nRecords: records.length,
        });
        validatePackHeader(decoded, 512, PLACE);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  test('the end block has the bitwise NOT of the salt as checksum (formats.md 2.3)', () => {
    const block = new Uint8Array(4096);
    encodeEndBlock(block, 0x3a4980e3);
    expect(new DataView(block.buffer).getUint32(0, true)).toBe(~0x3a4980e3 >>> 0);
    expect(inspectPackHeader(block, 0x3a4980e3, 5n)).toBe('end-block');
  });
});

describe('wlog file header', () => {
  const fields: WlogHeaderFields = { salt: 9, pbs: 512, uuid: UUID, beginLsid: 3n, endLsid: 8n };

  test('decode is the inverse of encode', () => {
    const block = encodeWlogHeader(fields);
    const header = decodeWlogHeader(block);
    expect(header).toMatchObject({ ...fields, sectorType: 4, version: 2, headerSize: 4096 });
    validateWlogHeader(header, PLACE);
    verifyWlogHeaderChecksum(block, PLACE);
  });

  test('wrong fields are refused, reading and writing', () => {
    const header = decodeWlogHeader(encodeWlogHeader(fields));
    const check = (change: object) => () => validateWlogHeader({ ...header, ...change }, PLACE);
    refuses('sector_type', check({ sectorType: 3 }));
    refuses('version', check({ version: 1 }));
    refuses('physical_bs', check({ pbs: 0 }));
    refuses('physical_bs', check({ pbs: 1000 }));
    refuses('physical_bs', check({ pbs: 2 ** 31 }));
    refuses('begin_lsid', check({ beginLsid: 8n }));
    refuses('begin_lsid', () => encodeWlogHeader({ ...fields, endLsid: 3n }));
    refuses('uuid', () => encodeWlogHeader({ ...fields, uuid: new Uint8Array(15) }));
    const block = encodeWlogHeader(fields);
    block[4000] = 1;
    refuses('checksum', () => verifyWlogHeaderChecksum(block, PLACE));
  });
});

describe('super sector', () => {
  const fields: SuperFields = {
    pbs: 512,
    metadataPb: 0,
    salt: 5,
    uuid: UUID,
    name: 'vol-1',
    ringPb: 1000,
    oldestLsid: 7n,
    writtenLsid: 9n,
    deviceLb: 4096,
  };

  test('decode is the inverse of encode', () => {
    const block = new Uint8Array(512).fill(0xff);
    encodeSuperSector(fields, block);
    const sector = decodeSuperSector(block);
    expect(sector).toMatchObject({ ...fields, sectorType: 1, version: 2, logicalBs: 512 });
    validateSuperSector(sector, PLACE);
    verifySuperChecksum(block, PLACE);
  });

  test('wrong fields are refused, reading and writing', () => {
    const block = new Uint8Array(512);
    encodeSuperSector(fields, block);
    const sector = decodeSuperSector(block);
    const check = (change: object) => () => validateSuperSector({ ...sector, ...change }, PLACE);
    refuses('sector_type', check({ sectorType: 2 }));
    refuses('version', check({ version: 1 }));
    refuses('logical_bs', check({ logicalBs: 4096 }));
    refuses('physical_bs', check({ pbs: 8192 }));
    refuses('physical_bs', check({ pbs: 1536 }));
    refuses('name', check({ name: undefined }));
    refuses('ring_buffer_size', check({ ringPb: 0 }));
    refuses('ring_buffer_size', check({ ringPb: 2 ** 60 }));
    refuses('device_size', check({ deviceLb: 2 ** 60 }));
    refuses('oldest_lsid', check({ oldestLsid: 10n }));
    const encode = (change: object) => () => encodeSuperSector({ ...fields, ...change }, block);
    refuses('name', encode({ name: 'n'.repeat(32) }));
    refuses('name', encode({ name: 'a\0b' }));
    refuses('uuid', encode({ uuid: new Uint8Array(4) }));
    refuses('oldest_lsid', encode({ oldestLsid: 10n }));
    encode({ name: 'n'.repeat(31) })();
    block[511] = 1;
    refuses('checksum', () => verifySuperChecksum(block, PLACE));
    expect(decodeSuperSector(new Uint8Array(512).fill(0x41)).name).toBeUndefined();
  });
});

describe('ring geometry (formats.md 3)', () => {
  test('places the ring behind the super sectors', () => {
    expect(geometryForDevice(4 * 1024 * 1024, 512)).toMatchObject({
      ringOffsetPb: 10,
      ringPb: 8182,
    });
    expect(geometryForDevice(8 * 1024 * 1024, 4096)).toMatchObject({
      ringOffsetPb: 3,
      ringPb: 2045,
    });
    expect(geometryForDevice(8 * 1024 * 1024 + 700, 1024)).toMatchObject({ ringOffsetPb: 6 });
    expect(() => geometryForDevice(5120, 512)).toThrow(withCode('invalid-argument'));
    expect(() => geometryForDevice(1 << 20, 8192)).toThrow(withCode('invalid-argument'));
  });

  test('maps every block of an lsid range', () => {
    const ring = { pbs: 512, ringOffsetPb: 10, ringPb: 100 };
    expect(lsidPosition(250n, ring)).toBe((10 + 50) * 512);
    expect(ringRanges(295n, 10, ring)).toEqual([
      { position: 105 * 512, length: 5 * 512 },
      { position: 10 * 512, length: 5 * 512 },
    ]);
    expect(ringRanges(299n, 1, ring)).toEqual([{ position: 109 * 512, length: 512 }]);
    expect(ringRanges(5n, 0, ring)).toEqual([]);
  });
});
