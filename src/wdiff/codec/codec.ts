/**
 * Compression of IO data, one block at a time (formats.md 4).
 *
 * ```ts
 * const packed = compress('snappy', 0, data);          // undefined: store it raw, as kind none
 * decompress('snappy', packed, data.length);           // the same bytes, or throws `corrupt`
 * ```
 *
 * Input may live anywhere, shared memory included; results are memory of their own. Decompression
 * never produces more than the announced size: hostile bytes cost no more than good ones.
 */

import {
  constants,
  deflateSync,
  inflateSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib';
import { type Bytes, unreachable, WalbError } from '../../core/index.ts';
import { lz4Compress, lz4Decompress } from '../../kernels/index.ts';
import { lzma, snappy } from './addons.ts';
import { type CompressionKind, MAX_COMPRESSION_LEVEL } from './kind.ts';
import { requireSnappySize } from './snappy-size.ts';
import { MAX_XZ_DECODER_BYTES, requireXzSize } from './xz-size.ts';

const DEFAULT_GZIP_LEVEL = 6;
const DEFAULT_ZSTD_LEVEL = 1;
const DEFAULT_LZMA_PRESET = 6;

/**
 * Presets above 6 differ only in a larger dictionary, whose decoder needs more than the 16 MiB that
 * readers of this format grant: a diff written with them could not be read back.
 */
const MAX_LZMA_PRESET = 6;

/** LZMA_CHECK_CRC64. */
const XZ_CHECK_CRC64 = 4;

/** log2 of the largest zstd window taken: 32 MiB, as large as the largest block. */
const MAX_ZSTD_WINDOW_LOG = 25;

/** zlib's bindings refuse smaller output chunks. */
const MIN_ZLIB_CHUNK: Bytes = 64;

/** Copying is faster than handing out external memory, which each call would have to register. */
const COPY_OUT = { copyOutputData: true } as const;

/**
 * Compresses one block, or returns undefined when that would not make it smaller (and always for
 * kind `none`); such a block is stored raw as kind `none`. `level` is 0..9 and 0 means the default:
 * gzip and lzma 6, zstd 1. Snappy and lz4 have no levels. Throws `invalid-argument`.
 */
export function compress(
  kind: CompressionKind,
  level: number,
  data: Uint8Array,
): Uint8Array | undefined {
  if (!Number.isInteger(level) || level < 0 || level > MAX_COMPRESSION_LEVEL) {
    throw new WalbError('invalid-argument', `compression level ${level} is not within 0..9`);
  }
  const packed = pack(kind, level, data);
  return packed === undefined || packed.length >= data.length ? undefined : packed;
}

function pack(kind: CompressionKind, level: number, data: Uint8Array): Uint8Array | undefined {
  switch (kind) {
    case 'none':
      return undefined;
    case 'gzip':
      return trimmed(
        deflateSync(data, { level: level || DEFAULT_GZIP_LEVEL, chunkSize: chunkFor(data) }),
      );
    case 'snappy':
      return snappy().compressSync(data, COPY_OUT);
    case 'lzma':
      return lzma().xzSync(bufferOver(data), {
        preset: Math.min(level || DEFAULT_LZMA_PRESET, MAX_LZMA_PRESET),
        check: XZ_CHECK_CRC64,
      });
    case 'lz4':
      return lz4Compress(data, data.length - 1);
    case 'zstd':
      return trimmed(
        zstdCompressSync(data, {
          params: { [constants.ZSTD_c_compressionLevel]: level || DEFAULT_ZSTD_LEVEL },
          pledgedSrcSize: data.length,
          chunkSize: chunkFor(data),
        }),
      );
    default:
      return unreachable(kind, 'compression kind');
  }
}

/**
 * The `uncompressedSize` bytes that `stored` stands for; written to the start of `into` when given
 * (then the result is a view of it). Kind `none` returns `stored` itself when `into` is not given.
 * Throws `corrupt` when the data are damaged or expand to any other size.
 */
export function decompress(
  kind: CompressionKind,
  stored: Uint8Array,
  uncompressedSize: Bytes,
  into?: Uint8Array,
): Uint8Array {
  if (into !== undefined && into.length < uncompressedSize) {
    const message = `a buffer of ${into.length} bytes can not take ${uncompressedSize} bytes of data`;
    throw new WalbError('invalid-argument', message);
  }
  const target = into?.subarray(0, uncompressedSize);
  const data = expand(kind, stored, uncompressedSize, target);
  if (data.length !== uncompressedSize) {
    throw damaged(kind, stored, uncompressedSize, `it expands to ${data.length} bytes`);
  }
  if (target === undefined || data === target) return data;
  target.set(data);
  return target;
}

function expand(
  kind: CompressionKind,
  stored: Uint8Array,
  size: Bytes,
  target: Uint8Array | undefined,
): Uint8Array {
  try {
    return unpack(kind, stored, size, target);
  } catch (thrown) {
    throw damaged(kind, stored, size, reasonOf(thrown), thrown);
  }
}

function unpack(
  kind: CompressionKind,
  stored: Uint8Array,
  size: Bytes,
  target: Uint8Array | undefined,
): Uint8Array {
  switch (kind) {
    case 'none':
      return stored;
    case 'gzip':
      return inflateSync(stored, bounded(size));
    case 'snappy':
      requireSnappySize(stored, size);
      return binary(snappy().uncompressSync(stored, { ...COPY_OUT, asBuffer: true }));
    case 'lzma':
      requireXzSize(stored, size);
      return lzma().unxzSync(bufferOver(stored), {
        memlimit: MAX_XZ_DECODER_BYTES,
        chunkSize: Math.max(size, MIN_ZLIB_CHUNK),
      });
    case 'lz4': {
      const output = target ?? Buffer.allocUnsafe(size);
      const count = lz4Decompress(stored, output);
      return count === size ? output : output.subarray(0, count);
    }
    case 'zstd':
      return zstdDecompressSync(stored, {
        ...bounded(size),
        params: { [constants.ZSTD_d_windowLogMax]: MAX_ZSTD_WINDOW_LOG },
      });
    default:
      return unreachable(kind, 'compression kind');
  }
}

/** At most `size` bytes of output; one more byte of room saves zlib a second, empty buffer. */
function bounded(size: Bytes): { maxOutputLength: Bytes; chunkSize: Bytes } {
  return { maxOutputLength: Math.max(size, 1), chunkSize: Math.max(size + 1, MIN_ZLIB_CHUNK) };
}

/** Output that fits one buffer unless the data grow, and then it is thrown away. */
function chunkFor(data: Uint8Array): Bytes {
  return Math.max(data.length, MIN_ZLIB_CHUNK);
}

/** A copy as small as its content: zlib's is a view of a whole chunk, and packs keep many of them. */
function trimmed(packed: Buffer): Buffer {
  return Buffer.from(packed);
}

function bufferOver(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Snappy's type also allows text, which it returns only when asked to. */
function binary(output: string | Uint8Array): Uint8Array {
  if (typeof output === 'string') throw new Error('snappy returned text');
  return output;
}

function reasonOf(thrown: unknown): string {
  if (thrown instanceof RangeError) return 'it expands to more bytes';
  return thrown instanceof Error ? thrown.message : String(thrown);
}

function damaged(
  compression: CompressionKind,
  stored: Uint8Array,
  uncompressedSize: Bytes,
  reason: string,
  cause?: unknown,
): WalbError {
  const what = `${stored.length} bytes of ${compression} data do not expand to ${uncompressedSize} bytes`;
  const details = { compression, storedSize: stored.length, uncompressedSize, reason };
  return new WalbError('corrupt', `${what}: ${reason}`, { details, cause });
}
