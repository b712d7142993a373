import { describe, expect, test } from 'vitest';
import {
  COMPRESSION_KINDS,
  compressionId,
  compressionKindOfId,
  formatCompressOption,
  parseCompressOption,
} from '../../../src/wdiff/codec/index.ts';

describe('compression kinds (formats.md 4)', () => {
  test('on-disk ids', () => {
    const ids = { none: 0, gzip: 1, snappy: 2, lzma: 3, lz4: 4, zstd: 5 } as const;
    for (const kind of COMPRESSION_KINDS) {
      expect(compressionId(kind)).toBe(ids[kind]);
      expect(compressionKindOfId(ids[kind])).toBe(kind);
    }
    expect(compressionKindOfId(6)).toBeUndefined();
    expect(compressionKindOfId(255)).toBeUndefined();
  });
});

describe('compression option (cli.md, CMPR)', () => {
  test.each([
    ['snappy:0:1', { kind: 'snappy', level: 0, nrCpu: 1 }],
    ['zstd:9:255', { kind: 'zstd', level: 9, nrCpu: 255 }],
    ['gzip', { kind: 'gzip', level: 0, nrCpu: 1 }],
    ['lzma:3', { kind: 'lzma', level: 3, nrCpu: 1 }],
  ])('%s', (text, expected) => {
    const option = parseCompressOption(text);
    expect(option).toEqual(expected);
    expect(parseCompressOption(formatCompressOption(option))).toEqual(option);
  });

  test.each([
    '',
    'zip',
    'Snappy:0:1',
    'snappy:10:1',
    'snappy:-1:1',
    'snappy::1',
    'snappy:0:0',
    'snappy:0:256',
    'snappy:0:1:2',
    'snappy:0:',
    'snappy:0:01',
    'snappy:1.5:1',
    ' snappy:0:1',
    'snappy:0:1 ',
  ])('%j is refused with what would be right', (text) => {
    expect(() => parseCompressOption(text)).toThrow(
      expect.objectContaining({
        code: 'invalid-argument',
        message: expect.stringContaining('type:level:ncpu'),
      }),
    );
  });
});
