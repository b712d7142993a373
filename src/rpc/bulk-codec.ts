/**
 * Codec for messages that carry megabytes: byte fields are copied once, from the caller's memory into
 * the encoded message, and not at all when decoding.
 *
 * The generated encoders write into a buffer that grows by doubling, shifts its content for each length
 * prefix and is copied again at the end. `GatherWriter` is driven by the same generated encoders,
 * so the bytes are the same by construction, but it collects references and lengths first and joins
 * them into one allocation.
 */
import { BinaryWriter } from '@bufbuild/protobuf/wire';
import type { Codec } from '../core/index.ts';
import { decodeChecked, encodeChecked, type MessageFunctions } from './codec.ts';

/** Byte fields from here on are kept by reference; smaller ones are cheaper to copy at once. */
const GATHER_FROM = 256;

/**
 * As `messageCodec`, for bulk messages. The encoded bytes are new memory; decoded byte fields are views
 * of the received ones.
 */
export function bulkCodec<T>(functions: MessageFunctions<T>): Codec<T> {
  return {
    encode: (message) =>
      encodeChecked(() => functions.encode(message, new GatherWriter()).finish()),
    decode: (bytes) => decodeChecked(bytes, () => functions.decode(bytes)),
  };
}

/** The base class writes what is small; its content is moved to `#parts` before anything big. */
class GatherWriter extends BinaryWriter {
  readonly #parts: Uint8Array[] = [];
  /** Number of parts before each open fork. */
  readonly #forks: number[] = [];

  #flush(): void {
    const small = super.finish();
    if (small.length > 0) this.#parts.push(small);
  }

  override bytes(value: Uint8Array): this {
    if (value.length < GATHER_FROM) return super.bytes(value);
    super.uint32(value.length);
    this.#flush();
    this.#parts.push(value);
    return this;
  }

  override fork(): this {
    this.#flush();
    this.#forks.push(this.#parts.length);
    return this;
  }

  /** Puts the length of what was written since `fork` in front of it. */
  override join(): this {
    this.#flush();
    const first = this.#forks.pop();
    if (first === undefined) throw new Error('join without fork');
    super.uint32(lengthOf(this.#parts, first));
    this.#parts.splice(first, 0, super.finish());
    return this;
  }

  override finish(): Uint8Array<ArrayBuffer> {
    this.#flush();
    const parts = this.#parts.splice(0);
    // Every byte is written below, so zeroing would be wasted. A message has memory of its own.
    const whole = Buffer.allocUnsafeSlow(lengthOf(parts, 0));
    let position = 0;
    for (const part of parts) {
      whole.set(part, position);
      position += part.length;
    }
    return new Uint8Array(whole.buffer, whole.byteOffset, whole.length);
  }
}

function lengthOf(parts: readonly Uint8Array[], first: number): number {
  let length = 0;
  for (let i = first; i < parts.length; i++) length += parts[i]!.length;
  return length;
}
