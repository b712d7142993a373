/**
 * Remote calls as server logic sees them. src/rpc implements this twice: gRPC for real servers, and
 * in memory (with faults) for the simulator and tests.
 *
 * A method is a value that names its path, shape and codecs; the tables are generated from the
 * `.proto` contract. Every error that reaches a caller is a WalbError with the code, message and
 * details the other side threw; a lost connection is `unavailable`, a passed deadline `timeout`.
 */
import type { Millis } from './units.ts';

export interface Codec<T> {
  encode(message: T): Uint8Array;
  /** Throws `corrupt` when the bytes are not such a message. */
  decode(bytes: Uint8Array): T;
}

export type MethodKind = 'unary' | 'server-stream' | 'bidi';

export interface Method<Req, Res, Kind extends MethodKind = MethodKind> {
  /** As on the wire, for example `/walb.v1.Control/GetState`. */
  readonly path: string;
  readonly kind: Kind;
  readonly request: Codec<Req>;
  readonly response: Codec<Res>;
}

/** What a handler knows about a call. */
export interface CallContext {
  /** Transport address of the caller, for logs. */
  readonly peer: string;
  /** What the caller calls itself: the `-id` of a server or client. */
  readonly clientId: string;
  /** Proven by its certificate, or undefined without TLS. */
  readonly identity: string | undefined;
  /** Aborts when the caller went away, its deadline passed, or the server shuts down by force. */
  readonly signal: AbortSignal;
}

/**
 * Both directions of one open call. At most one `send` and one `receive` may be under way at once.
 * `send` resolves when the transport has room again, so awaiting each send bounds memory.
 */
export interface BidiStream<Out, In> {
  send(message: Out): Promise<void>;
  /** No more messages from this side. */
  end(): Promise<void>;
  /** The next message, or undefined after the other side's last one. */
  receive(): Promise<In | undefined>;
  /** Ends the call at once; both sides' pending operations reject. */
  cancel(reason?: Error): void;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Relative deadline of the whole call; none when omitted. */
  readonly timeout?: Millis;
}

/** A connection to one server; connects on first use and again after a loss. */
export interface Channel {
  readonly address: string;
  unary<Req, Res>(
    method: Method<Req, Res, 'unary'>,
    // NoInfer: the method alone says what a request is, so that a misspelt enum value is an error.
    request: NoInfer<Req>,
    options?: CallOptions,
  ): Promise<Res>;
  serverStream<Req, Res>(
    method: Method<Req, Res, 'server-stream'>,
    request: NoInfer<Req>,
    options?: CallOptions,
  ): AsyncIterable<Res>;
  bidi<Out, In>(method: Method<Out, In, 'bidi'>, options?: CallOptions): BidiStream<Out, In>;
  close(): void;
}

export type UnaryHandler<Req, Res> = (request: Req, context: CallContext) => Promise<Res>;
export type ServerStreamHandler<Req, Res> = (
  request: Req,
  context: CallContext,
) => AsyncIterable<Res>;
export type BidiHandler<Req, Res> = (
  stream: BidiStream<Res, Req>,
  context: CallContext,
) => Promise<void>;

/** One method bound to its handler; build with `handle` of src/rpc/service.ts. */
export interface Binding {
  readonly method: Method<unknown, unknown>;
  readonly handler: (...args: never[]) => unknown;
}

export interface Listener {
  /** Where it really listens; the port is known here when 0 was asked for. */
  readonly address: string;
  /** Stops accepting; running calls finish. Resolves when the last one has. */
  close(): Promise<void>;
  /** Breaks every connection at once. */
  abort(): void;
}

export interface Network {
  /** `address` is `host:port`. `clientId` is shown in the server's log and statistics. */
  connect(address: string, options: { readonly clientId: string }): Channel;
  listen(address: string, bindings: readonly Binding[]): Promise<Listener>;
}
