/**
 * The typed `Channel` over what a transport offers: opening a call that carries byte messages. All
 * three kinds of method are one shape on the wire, so a transport needs to know only this one.
 */
import type { BidiStream, CallOptions, Channel, Codec, Method } from '../core/index.ts';
import { WalbError } from '../core/index.ts';
import { checkFrame } from './limits.ts';

/** One open call, messages still encoded. Rejections are WalbErrors as the caller shall see them. */
export type RawStream = BidiStream<Uint8Array, Uint8Array>;

export interface RawTransport {
  readonly address: string;
  /** Opens a call at once; that the peer can not be reached shows at the first operation. */
  open(path: string, options: CallOptions): RawStream;
  close(): void;
}

export function channelOver(transport: RawTransport): Channel {
  return {
    address: transport.address,
    unary: async (method, request, options = {}) => {
      const stream = typedStream(transport.open(method.path, options), method);
      return await unaryCall(stream, method.path, request);
    },
    serverStream: (method, request, options = {}) =>
      serverStreamCall(() => typedStream(transport.open(method.path, options), method), request),
    bidi: (method, options = {}) => typedStream(transport.open(method.path, options), method),
    close: () => transport.close(),
  };
}

async function unaryCall<Req, Res>(
  stream: BidiStream<Req, Res>,
  path: string,
  request: Req,
): Promise<Res> {
  const response = await exchange(stream, request);
  if (response === undefined) {
    throw new WalbError('unavailable', `the call of ${path} ended without an answer`);
  }
  // The status comes after the answer; only a successful one makes it count.
  await stream.receive();
  return response;
}

/** Sends the only request and waits for the first answer. */
async function exchange<Req, Res>(
  stream: BidiStream<Req, Res>,
  request: Req,
): Promise<Res | undefined> {
  try {
    await stream.send(request);
    await stream.end();
    return await stream.receive();
  } catch (error) {
    // A request that can not be encoded leaves the call open otherwise.
    stream.cancel();
    throw error;
  }
}

async function* serverStreamCall<Req, Res>(
  open: () => BidiStream<Req, Res>,
  request: Req,
): AsyncGenerator<Res> {
  const stream = open();
  let finished = false;
  try {
    let response = await exchange(stream, request);
    while (response !== undefined) {
      yield response;
      response = await stream.receive();
    }
    finished = true;
  } finally {
    if (!finished) stream.cancel();
  }
}

function typedStream<Out, In>(raw: RawStream, method: Method<Out, In>): BidiStream<Out, In> {
  return codedStream(raw, method.path, method.request, method.response);
}

/** Encodes and decodes the messages of a raw stream; frame limits hold in both directions. */
export function codedStream<Out, In>(
  raw: RawStream,
  path: string,
  out: Codec<Out>,
  into: Codec<In>,
): BidiStream<Out, In> {
  return {
    send: async (message) => {
      const bytes = out.encode(message);
      checkFrame(bytes.length, path);
      await raw.send(bytes);
    },
    end: () => raw.end(),
    receive: async () => {
      const bytes = await raw.receive();
      if (bytes === undefined) return undefined;
      checkFrame(bytes.length, path);
      return into.decode(bytes);
    },
    cancel: (reason) => raw.cancel(reason),
  };
}
