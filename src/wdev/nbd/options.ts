/**
 * Bytes of the option haggling: what a client asks, what the server answers. Pure functions.
 *
 * Source: NBD `doc/proto.md`, "Fixed newstyle negotiation", "Option types", "Option reply types".
 */
import type { Bytes } from '../../core/index.ts';
import type { BlockBackend, BlockSizes } from './backend.ts';
import {
  HandshakeFlag,
  Info,
  MAX_STRING,
  NBD_MAGIC,
  OPTION_HEADER_SIZE,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_SIZE,
  OPTION_REPLY_MAGIC,
  OptionReply,
  TransmissionFlag,
} from './protocol.ts';

/** Zero bytes after the answer to EXPORT_NAME unless both sides agreed on NO_ZEROES. */
const EXPORT_NAME_PADDING = 124;
const strictText = new TextDecoder('utf-8', { fatal: true });

export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** First 18 bytes of a connection. */
export function encodeGreeting(): Uint8Array {
  const bytes = new Uint8Array(18);
  const view = viewOf(bytes);
  view.setBigUint64(0, NBD_MAGIC);
  view.setBigUint64(8, OPTION_MAGIC);
  view.setUint16(16, HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES);
  return bytes;
}

export function encodeOption(option: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(OPTION_HEADER_SIZE + payload.length);
  const view = viewOf(bytes);
  view.setBigUint64(0, OPTION_MAGIC);
  view.setUint32(8, option);
  view.setUint32(12, payload.length);
  bytes.set(payload, OPTION_HEADER_SIZE);
  return bytes;
}

export function encodeOptionReply(
  option: number,
  type: number,
  payload: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const bytes = new Uint8Array(OPTION_REPLY_HEADER_SIZE + payload.length);
  const view = viewOf(bytes);
  view.setBigUint64(0, OPTION_REPLY_MAGIC);
  view.setUint32(8, option);
  view.setUint32(12, type);
  view.setUint32(16, payload.length);
  bytes.set(payload, OPTION_REPLY_HEADER_SIZE);
  return bytes;
}

/** An error reply; its text is for people. */
export function encodeOptionError(option: number, type: number, message: string): Uint8Array {
  return encodeOptionReply(option, type, new TextEncoder().encode(message));
}

/** UTF-8 text of at most `MAX_STRING` bytes, or undefined when it is not that. */
export function decodeText(bytes: Uint8Array): string | undefined {
  if (bytes.length > MAX_STRING) return undefined;
  try {
    return strictText.decode(bytes);
  } catch {
    return undefined;
  }
}

export interface GoRequest {
  readonly name: string;
  readonly infos: ReadonlySet<number>;
}

/** Payload of GO and INFO: name length (4), name, count (2), information types (2 each). */
export function decodeGo(payload: Uint8Array): GoRequest | undefined {
  const named = decodeName(payload);
  if (named === undefined || named.rest.length < 2) return undefined;
  const view = viewOf(named.rest);
  const count = view.getUint16(0);
  if (named.rest.length !== 2 + count * 2) return undefined;
  const infos = new Set<number>();
  for (let i = 0; i < count; i++) infos.add(view.getUint16(2 + i * 2));
  return { name: named.name, infos };
}

export function encodeGo(name: string, infos: readonly number[]): Uint8Array {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(4 + text.length + 2 + infos.length * 2);
  const view = viewOf(bytes);
  view.setUint32(0, text.length);
  bytes.set(text, 4);
  view.setUint16(4 + text.length, infos.length);
  for (const [i, info] of infos.entries()) view.setUint16(6 + text.length + i * 2, info);
  return bytes;
}

export interface MetaContextRequest {
  readonly name: string;
  readonly queries: readonly string[];
}

/** Payload of LIST/SET_META_CONTEXT: name length, name, count (4), per query length (4) and text. */
export function decodeMetaContext(payload: Uint8Array): MetaContextRequest | undefined {
  const named = decodeName(payload);
  if (named === undefined || named.rest.length < 4) return undefined;
  const view = viewOf(named.rest);
  const count = view.getUint32(0);
  const queries: string[] = [];
  let at = 4;
  while (queries.length < count) {
    if (at + 4 > named.rest.length) return undefined;
    const length = view.getUint32(at);
    const text = sliceText(named.rest, at + 4, length);
    if (text === undefined) return undefined;
    queries.push(text);
    at += 4 + length;
  }
  return at === named.rest.length ? { name: named.name, queries } : undefined;
}

export function encodeMetaContext(name: string, queries: readonly string[]): Uint8Array {
  const texts = [name, ...queries].map((text) => new TextEncoder().encode(text));
  const bytes = new Uint8Array(texts.reduce((sum, text) => sum + 4 + text.length, 4));
  const view = viewOf(bytes);
  let at = 0;
  for (const [i, text] of texts.entries()) {
    view.setUint32(at, text.length);
    bytes.set(text, at + 4);
    at += 4 + text.length;
    if (i === 0) {
      view.setUint32(at, queries.length);
      at += 4;
    }
  }
  return bytes;
}

export function encodeServerEntry(name: string, description: string): Uint8Array {
  const nameBytes = new TextEncoder().encode(name);
  const textBytes = new TextEncoder().encode(description);
  const bytes = new Uint8Array(4 + nameBytes.length + textBytes.length);
  viewOf(bytes).setUint32(0, nameBytes.length);
  bytes.set(nameBytes, 4);
  bytes.set(textBytes, 4 + nameBytes.length);
  return bytes;
}

export function encodeMetaContextReply(id: number, context: string): Uint8Array {
  const text = new TextEncoder().encode(context);
  const bytes = new Uint8Array(4 + text.length);
  viewOf(bytes).setUint32(0, id);
  bytes.set(text, 4);
  return bytes;
}

export function encodeInfoExport(size: Bytes, flags: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = viewOf(bytes);
  view.setUint16(0, Info.EXPORT);
  view.setBigUint64(2, BigInt(size));
  view.setUint16(10, flags);
  return bytes;
}

export function encodeInfoBlockSize(sizes: BlockSizes): Uint8Array {
  const bytes = new Uint8Array(14);
  const view = viewOf(bytes);
  view.setUint16(0, Info.BLOCK_SIZE);
  view.setUint32(2, sizes.minimum);
  view.setUint32(6, sizes.preferred);
  view.setUint32(10, sizes.maximum);
  return bytes;
}

export function encodeInfoText(type: number, text: string): Uint8Array {
  const encoded = new TextEncoder().encode(text);
  const bytes = new Uint8Array(2 + encoded.length);
  viewOf(bytes).setUint16(0, type);
  bytes.set(encoded, 2);
  return bytes;
}

/** Answer to EXPORT_NAME: size, flags and perhaps the historical zeros. */
export function encodeExportNameReply(size: Bytes, flags: number, padded: boolean): Uint8Array {
  const bytes = new Uint8Array(10 + (padded ? EXPORT_NAME_PADDING : 0));
  const view = viewOf(bytes);
  view.setBigUint64(0, BigInt(size));
  view.setUint16(8, flags);
  return bytes;
}

/** Flags of an export; DF only makes sense with structured replies. */
export function transmissionFlags(backend: BlockBackend, structured: boolean): number {
  const flag = TransmissionFlag;
  let flags = flag.HAS_FLAGS | flag.SEND_FLUSH | flag.SEND_FUA | flag.CAN_MULTI_CONN;
  flags |= flag.SEND_CACHE;
  if (structured) flags |= flag.SEND_DF;
  if (backend.readOnly) return flags | flag.READ_ONLY;
  flags |= flag.SEND_TRIM | flag.SEND_WRITE_ZEROES;
  return backend.canFastZero ? flags | flag.SEND_FAST_ZERO : flags;
}

export function isOptionError(type: number): boolean {
  return type >= OptionReply.ERR_UNSUP;
}

function decodeName(payload: Uint8Array): { name: string; rest: Uint8Array } | undefined {
  if (payload.length < 4) return undefined;
  const length = viewOf(payload).getUint32(0);
  const name = sliceText(payload, 4, length);
  return name === undefined ? undefined : { name, rest: payload.subarray(4 + length) };
}

function sliceText(bytes: Uint8Array, start: number, length: number): string | undefined {
  if (start + length > bytes.length) return undefined;
  return decodeText(bytes.subarray(start, start + length));
}
