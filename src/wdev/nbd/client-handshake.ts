/**
 * The client's side of the negotiation: greeting, perhaps TLS, structured replies, GO. Pure but for
 * the three functions it is given.
 *
 * Source: NBD `doc/proto.md`, "Fixed newstyle negotiation".
 */
import { type Bytes, corrupt, KIB, MIB, WalbError } from '../../core/index.ts';
import type { BlockSizes } from './backend.ts';
import {
  decodeText,
  encodeGo,
  encodeMetaContext,
  encodeOption,
  isOptionError,
  viewOf,
} from './options.ts';
import {
  BASE_ALLOCATION,
  HandshakeFlag,
  Info,
  MAX_PAYLOAD,
  NBD_MAGIC,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_SIZE,
  OPTION_REPLY_MAGIC,
  Option,
  OptionReply,
} from './protocol.ts';

/** Longest option reply taken in; names and texts are 4 KiB at most. */
const MAX_OPTION_REPLY = 64 * KIB;
/** Replies to one option: a LIST of all exports of a server. */
const MAX_OPTION_REPLIES = 10_000;

/** The connection as the negotiation sees it. */
export interface HandshakeStream {
  send(bytes: Uint8Array): void;
  /** Exactly `count` bytes; rejects when the connection ends first. */
  receive(count: number): Promise<Uint8Array>;
  startTls(): Promise<void>;
}

/** What the server told about the export. */
export interface ExportFacts {
  readonly size: Bytes;
  readonly flags: number;
  readonly blockSizes: BlockSizes;
  readonly structured: boolean;
  readonly allocation: boolean;
}

interface Reply {
  readonly type: number;
  readonly payload: Uint8Array;
}

/** Throws `not-found` for an unknown export, `unsupported`, `unauthenticated`, `corrupt`. */
export async function negotiate(
  stream: HandshakeStream,
  exportName: string,
  useTls: boolean,
): Promise<ExportFacts> {
  await greet(stream);
  if (useTls) await secure(stream);
  const structured = accepted(await ask(stream, Option.STRUCTURED_REPLY, new Uint8Array(0)));
  const allocation = structured && (await selectAllocation(stream, exportName));
  const go = encodeGo(exportName, [Info.BLOCK_SIZE]);
  const replies = await ask(stream, Option.GO, go);
  const refusal = replies.find(({ type }) => isOptionError(type));
  if (refusal !== undefined) throw refused(refusal, exportName);
  return { ...factsOf(replies), structured, allocation };
}

/** Names (and descriptions) of all exports. */
export async function listExports(
  stream: HandshakeStream,
  useTls: boolean,
): Promise<{ readonly name: string; readonly description: string }[]> {
  await greet(stream);
  if (useTls) await secure(stream);
  const replies = await ask(stream, Option.LIST, new Uint8Array(0));
  if (!accepted(replies))
    throw new WalbError('unsupported', 'the NBD server does not list exports');
  stream.send(encodeOption(Option.ABORT, new Uint8Array(0)));
  return replies.filter(({ type }) => type === OptionReply.SERVER).map(decodeEntry);
}

async function greet(stream: HandshakeStream): Promise<void> {
  const view = viewOf(await stream.receive(18));
  if (view.getBigUint64(0) !== NBD_MAGIC || view.getBigUint64(8) !== OPTION_MAGIC) {
    throw corrupt('this is no NBD server (or one of the old style)', { field: 'magic' });
  }
  const offered = view.getUint16(16);
  if ((offered & HandshakeFlag.FIXED_NEWSTYLE) === 0) {
    throw new WalbError('unsupported', 'the NBD server does not know the fixed newstyle protocol');
  }
  const flags = new Uint8Array(4);
  viewOf(flags).setUint32(0, offered & (HandshakeFlag.FIXED_NEWSTYLE | HandshakeFlag.NO_ZEROES));
  stream.send(flags);
}

async function secure(stream: HandshakeStream): Promise<void> {
  if (!accepted(await ask(stream, Option.STARTTLS, new Uint8Array(0)))) {
    throw new WalbError('unauthenticated', 'the NBD server refused TLS; it has no certificate');
  }
  await stream.startTls();
}

async function selectAllocation(stream: HandshakeStream, exportName: string): Promise<boolean> {
  const request = encodeMetaContext(exportName, [BASE_ALLOCATION]);
  const replies = await ask(stream, Option.SET_META_CONTEXT, request);
  return accepted(replies) && replies.some(({ type }) => type === OptionReply.META_CONTEXT);
}

/** Sends an option and collects its replies up to the final one, which is the last of them. */
async function ask(stream: HandshakeStream, option: number, payload: Uint8Array): Promise<Reply[]> {
  stream.send(encodeOption(option, payload));
  const replies: Reply[] = [];
  while (replies.length < MAX_OPTION_REPLIES) {
    const reply = await receiveReply(stream, option);
    replies.push(reply);
    if (reply.type === OptionReply.ACK || isOptionError(reply.type)) return replies;
  }
  throw corrupt('NBD server: endless replies to an option', { option });
}

async function receiveReply(stream: HandshakeStream, option: number): Promise<Reply> {
  const view = viewOf(await stream.receive(OPTION_REPLY_HEADER_SIZE));
  const type = view.getUint32(12);
  const length = view.getUint32(16);
  if (view.getBigUint64(0) !== OPTION_REPLY_MAGIC || view.getUint32(8) !== option) {
    throw corrupt('NBD server: malformed option reply', { option });
  }
  if (length > MAX_OPTION_REPLY) throw corrupt('NBD server: option reply is too long', { length });
  return { type, payload: await stream.receive(length) };
}

function accepted(replies: readonly Reply[]): boolean {
  return replies.at(-1)?.type === OptionReply.ACK;
}

function refused(refusal: Reply, exportName: string): WalbError {
  const said = decodeText(refusal.payload) ?? '';
  const details = { export: exportName, reply: refusal.type };
  const message = `NBD server refused export '${exportName}': ${said}`;
  switch (refusal.type) {
    case OptionReply.ERR_UNKNOWN:
      return new WalbError('not-found', message, { details });
    case OptionReply.ERR_TLS_REQD:
      return new WalbError('unauthenticated', `${message} (give TLS certificates)`, { details });
    case OptionReply.ERR_POLICY:
      return new WalbError('permission-denied', message, { details });
    case OptionReply.ERR_SHUTDOWN:
      return new WalbError('unavailable', message, { details });
    default:
      return new WalbError('unsupported', message, { details });
  }
}

function factsOf(replies: readonly Reply[]) {
  let facts: { size: Bytes; flags: number } | undefined;
  let blockSizes: BlockSizes = { minimum: 1, preferred: 4 * KIB, maximum: MAX_PAYLOAD };
  for (const { type, payload } of replies) {
    const view = viewOf(payload);
    const info = type === OptionReply.INFO && payload.length >= 2 ? view.getUint16(0) : -1;
    if (info === Info.EXPORT && payload.length === 12) {
      facts = { size: Number(view.getBigUint64(2)), flags: view.getUint16(10) };
    } else if (info === Info.BLOCK_SIZE && payload.length === 14) {
      blockSizes = validSizes(view.getUint32(2), view.getUint32(6), view.getUint32(10));
    }
  }
  if (facts === undefined || !Number.isSafeInteger(facts.size)) {
    throw corrupt('NBD server: no usable size of the export', { size: facts?.size });
  }
  return { ...facts, blockSizes };
}

function validSizes(minimum: Bytes, preferred: Bytes, maximum: Bytes): BlockSizes {
  if (minimum > 0 && minimum <= maximum && minimum <= MIB) {
    return { minimum, preferred, maximum: Math.min(maximum, MAX_PAYLOAD) };
  }
  throw corrupt('NBD server: block sizes make no sense', { minimum, preferred, maximum });
}

function decodeEntry({ payload }: Reply): { name: string; description: string } {
  const length = payload.length >= 4 ? viewOf(payload).getUint32(0) : Number.POSITIVE_INFINITY;
  const name =
    length + 4 > payload.length ? undefined : decodeText(payload.subarray(4, 4 + length));
  if (name === undefined) throw corrupt('NBD server: malformed list of exports', { length });
  return { name, description: decodeText(payload.subarray(4 + length)) ?? '' };
}
