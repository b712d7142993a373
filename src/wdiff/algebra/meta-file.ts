/**
 * Bytes of the small metadata files of a volume: `base`, `uuid`, `archive_uuid`, `state`, `GID.cold`,
 * `size`. Compatible with the original's serializer.
 *
 * Source: formats.md 8, last paragraph. Integers of 4 and 8 bytes have a variable length:
 *
 * | First byte | Meaning |
 * | --- | --- |
 * | 0x80 0x81 0x82 0x83 | u8 u16 u32 u64 follows, zero-extended |
 * | 0x84 0x85 0x86 0x87 | i8 i16 i32 i64 follows, sign-extended |
 * | any other | the value itself, an i8 |
 *
 * so that 2^64-1, "none", is the one byte 0xff. Integers of 1 and 2 bytes and bool are raw; a string
 * is its length and its bytes.
 */
import {
  checkTimestamp,
  corrupt,
  type ErrorDetail,
  U64_MAX,
  UUID_BYTES,
  WalbError,
} from '../../core/index.ts';
import { checkMetaState, type MetaState, metaState } from './meta-state.ts';
import { type Snapshot, snapshot } from './snapshot.ts';

const META_STATE_MAGIC = 0x0313;
const SNAPSHOT_MAGIC = 0x0311;
/** A state name has a dozen letters; a longer text is not one of our files. */
const MAX_STRING_BYTES = 4096;

/** Builds one metadata file. */
export class MetaWriter {
  readonly #bytes: number[] = [];

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  bool(value: boolean): this {
    this.#bytes.push(value ? 1 : 0);
    return this;
  }

  u16(value: number): this {
    this.#little(BigInt(value), 2);
    return this;
  }

  /** Variable length; throws `internal` unless 0 <= value < 2^64. */
  u64(value: bigint): this {
    if (value < 0n || value > U64_MAX) {
      throw new WalbError('internal', `${value} is not an unsigned 64-bit number`);
    }
    return this.#variable(value, BigInt.asIntN(64, value));
  }

  /** Variable length; throws `internal` unless 0 <= value < 2^32. */
  u32(value: number): this {
    if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
      throw new WalbError('internal', `${value} is not an unsigned 32-bit number`);
    }
    return this.#variable(BigInt(value), BigInt.asIntN(32, BigInt(value)));
  }

  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    this.u64(BigInt(bytes.length));
    this.#bytes.push(...bytes);
    return this;
  }

  #variable(unsigned: bigint, signed: bigint): this {
    if (signed === BigInt.asIntN(8, signed)) {
      const byte = Number(BigInt.asUintN(8, signed));
      // These bytes would be read as prefixes, so they get one themselves.
      if (byte >= 0x80 && byte <= 0x87) this.#bytes.push(0x84);
      this.#bytes.push(byte);
      return this;
    }
    const isNegative = signed < 0n;
    const value = isNegative ? signed : unsigned;
    const fits = (bits: number): boolean =>
      value === (isNegative ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value));
    const step = [8, 16, 32, 64].findIndex(fits);
    this.#bytes.push((isNegative ? 0x84 : 0x80) + step);
    this.#little(value, 1 << step);
    return this;
  }

  #little(value: bigint, count: number): void {
    for (let i = 0; i < count; i += 1) {
      this.#bytes.push(Number(BigInt.asUintN(8, value >> BigInt(8 * i))));
    }
  }
}

/** Reads one metadata file; every call throws `corrupt`, naming file and offset, on bad bytes. */
export class MetaReader {
  readonly #bytes: Uint8Array;
  readonly #file: string;
  #offset = 0;

  constructor(bytes: Uint8Array, file: string) {
    this.#bytes = bytes;
    this.#file = file;
  }

  bool(): boolean {
    const byte = this.#raw(1);
    if (byte > 1n) throw this.#bad(`a bool is 0 or 1, not ${byte}`);
    return byte === 1n;
  }

  u16(): number {
    return Number(this.#raw(2));
  }

  u64(): bigint {
    return this.#variable(64);
  }

  u32(): number {
    return Number(this.#variable(32));
  }

  string(): string {
    const length = this.u64();
    if (length > BigInt(MAX_STRING_BYTES)) throw this.#bad(`a string of ${length} bytes`);
    const bytes = this.#take(Number(length));
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      throw this.#bad('a string that is not UTF-8');
    }
  }

  magic(expected: number, what: string): void {
    const found = this.u16();
    if (found === expected) return;
    throw this.#bad(
      `no ${what}: magic 0x${found.toString(16)} instead of 0x${expected.toString(16)}`,
    );
  }

  /** Nothing may follow. */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw this.#bad(`${left} bytes too many`);
  }

  #variable(bits: 32 | 64): bigint {
    const first = this.#raw(1);
    if (first < 0x80n || first > 0x87n) return BigInt.asUintN(bits, BigInt.asIntN(8, first));
    const isSigned = first >= 0x84n;
    const size = 1 << Number(first & 3n);
    if (size * 8 > bits) throw this.#bad(`an integer of ${size} bytes where ${bits / 8} fit`);
    const raw = this.#raw(size);
    return BigInt.asUintN(bits, isSigned ? BigInt.asIntN(size * 8, raw) : raw);
  }

  #raw(count: number): bigint {
    return this.#take(count).reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }

  #take(count: number): Uint8Array {
    const bytes = this.#bytes.subarray(this.#offset, this.#offset + count);
    if (bytes.length < count) throw this.#bad(`it ends, ${count - bytes.length} bytes short`);
    this.#offset += count;
    return bytes;
  }

  #bad(problem: string): WalbError {
    const details: Record<string, ErrorDetail> = { file: this.#file, offset: this.#offset };
    return corrupt(`bad metadata file ${this.#file} at byte ${this.#offset}: ${problem}`, details);
  }
}

/** The `base` file. Throws `invalid-argument` for a state that is none. */
export function encodeMetaState(state: MetaState): Uint8Array {
  checkMetaState(state);
  const writer = new MetaWriter();
  writer.u16(META_STATE_MAGIC).bool(state.applyingTo !== undefined);
  writer.u64(BigInt(checkTimestamp(state.timestamp)));
  writeSnapshot(writer, state.base);
  writeSnapshot(writer, state.applyingTo ?? state.base);
  return writer.finish();
}

/** Reverse of `encodeMetaState`. Throws `corrupt`; `file` names it in the message. */
export function decodeMetaState(bytes: Uint8Array, file = 'base'): MetaState {
  const reader = new MetaReader(bytes, file);
  reader.magic(META_STATE_MAGIC, 'meta state');
  const isApplying = reader.bool();
  const time = reader.u64();
  const base = readSnapshot(reader);
  const target = readSnapshot(reader);
  reader.end();
  return validated(file, () =>
    metaState(base(), checkTimestamp(Number(time)), isApplying ? target() : undefined),
  );
}

function writeSnapshot(writer: MetaWriter, s: Snapshot): void {
  writer.u16(SNAPSHOT_MAGIC).u64(s.b).u64(s.e);
}

/** Decodes now, validates when called. */
function readSnapshot(reader: MetaReader): () => Snapshot {
  reader.magic(SNAPSHOT_MAGIC, 'snapshot');
  const b = reader.u64();
  const e = reader.u64();
  return () => snapshot(b, e);
}

function validated<T>(file: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw corrupt(`bad metadata file ${file}: ${WalbError.from(error).message}`, { file });
  }
}

/** A file that holds one text: `state`. */
export function encodeText(text: string): Uint8Array {
  return new MetaWriter().string(text).finish();
}

export function decodeText(bytes: Uint8Array, file: string): string {
  const reader = new MetaReader(bytes, file);
  const text = reader.string();
  reader.end();
  return text;
}

/** A file that holds one number: `GID.cold` (unix time), `size` (logical blocks). */
export function encodeNumber(value: bigint): Uint8Array {
  return new MetaWriter().u64(value).finish();
}

export function decodeNumber(bytes: Uint8Array, file: string): bigint {
  const reader = new MetaReader(bytes, file);
  const value = reader.u64();
  reader.end();
  return value;
}

/** A `uuid` file is the 16 bytes themselves. Throws `corrupt` for another length. */
export function decodeUuid(bytes: Uint8Array, file: string): Uint8Array {
  if (bytes.length === UUID_BYTES) return bytes;
  const message = `bad metadata file ${file}: a uuid has ${UUID_BYTES} bytes, not ${bytes.length}`;
  throw corrupt(message, { file, size: bytes.length });
}
