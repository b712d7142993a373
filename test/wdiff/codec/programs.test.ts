/** Payloads are what other programs read and write (formats.md 4). */

import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { compress, decompress } from '../../../src/wdiff/codec/index.ts';
import { mixedBytes } from '../../kernels/support.ts';
import { describeWith } from '../../support/tools.ts';

const data = Buffer.from(mixedBytes(300_000, 15));

function run(program: string, args: readonly string[], input: Uint8Array): Buffer {
  const { status, stdout, stderr } = spawnSync(program, args, { input, maxBuffer: 1 << 24 });
  expect({ status, stderr: stderr.toString() }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

describeWith(['xz'], 'lzma is an .xz file with CRC64', () => {
  test('xz reads ours', () => {
    const stored = compress('lzma', 0, data)!;
    expect(run('xz', ['-dc'], stored).equals(data)).toBe(true);
    expect(stored[7]).toBe(4);
  });

  test.each([
    ['-6'],
    ['-1', '--check=crc32'],
    ['-6', '--block-size=65536'],
    ['-6', '--x86', '--lzma2=preset=6'],
  ])('we read what xz %s %s writes', (...options) => {
    const stored = run('xz', ['-c', '-T1', ...options.filter(Boolean)], data);
    expect(Buffer.compare(decompress('lzma', stored, data.length), data)).toBe(0);
  });
});

describeWith(['python3'], 'gzip is a zlib stream (RFC 1950)', () => {
  const script = (call: string) =>
    `import sys, zlib; sys.stdout.buffer.write(zlib.${call}(sys.stdin.buffer.read()))`;

  test('zlib reads ours', () => {
    const stored = compress('gzip', 0, data)!;
    expect(run('python3', ['-c', script('decompress')], stored).equals(data)).toBe(true);
  });

  test('we read what zlib writes', () => {
    const stored = run('python3', ['-c', script('compress')], data);
    expect(Buffer.compare(decompress('gzip', stored, data.length), data)).toBe(0);
  });
});

describeWith(['zstd'], 'zstd is one frame', () => {
  test('zstd reads ours, which tell their size', () => {
    const stored = compress('zstd', 0, data)!;
    expect(run('zstd', ['-dc', '-q'], stored).equals(data)).toBe(true);
    // Frame header descriptor: content size present (flag bits 7-6, or single segment).
    expect(stored[4]! & 0xe0).not.toBe(0);
  });

  test('we read what zstd writes, with and without the size', () => {
    for (const level of ['-1', '-19']) {
      const stored = run('zstd', ['-c', '-q', level], data);
      expect(Buffer.compare(decompress('zstd', stored, data.length), data)).toBe(0);
    }
  });
});
