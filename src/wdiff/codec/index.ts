/** Compression of IO data (formats.md 4). */
export { compress, decompress } from './codec.ts';
export {
  COMPRESSION_KINDS,
  type Compression,
  type CompressionKind,
  type CompressOption,
  compressionId,
  compressionKindOfId,
  DEFAULT_COMPRESS_OPTION,
  formatCompressOption,
  isCompressionKind,
  MAX_COMPRESSION_CPUS,
  MAX_COMPRESSION_LEVEL,
  parseCompressOption,
} from './kind.ts';
export { type Packed, ParallelCompressor } from './parallel.ts';
