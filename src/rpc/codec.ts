/**
 * Codecs of one message type, over the functions that ts-proto generates.
 *
 * Decoding checks form only (wire types, lengths, ranges of 64-bit numbers); what the values mean is
 * validated by whoever uses them.
 */
import type { BinaryReader, BinaryWriter } from '@bufbuild/protobuf/wire';
import { type Codec, corrupt, WalbError } from '../core/index.ts';

/** What ts-proto generates for a message. */
export interface MessageFunctions<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): T;
}

/**
 * `encode` throws `invalid-argument` for a value that does not fit its field, `decode` throws
 * `corrupt` for bytes that are no such message.
 */
export function messageCodec<T>(functions: MessageFunctions<T>): Codec<T> {
  return {
    encode: (message) => encodeChecked(() => functions.encode(message).finish()),
    decode: (bytes) => decodeChecked(bytes, () => functions.decode(bytes)),
  };
}

/** Runs an encoder; its range errors become `invalid-argument`. */
export function encodeChecked(encode: () => Uint8Array): Uint8Array {
  try {
    return encode();
  } catch (error) {
    if (error instanceof WalbError) throw error;
    throw new WalbError('invalid-argument', `a message can not be encoded: ${reasonOf(error)}`, {
      cause: error,
    });
  }
}

/** Runs a decoder; whatever it throws about the bytes becomes `corrupt`. */
export function decodeChecked<T>(bytes: Uint8Array, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (error instanceof WalbError) throw error;
    throw corrupt(`a received message can not be decoded: ${reasonOf(error)}`, {
      length: bytes.length,
    });
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
