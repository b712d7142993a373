/** Sockets of the NBD client. */
import net from 'node:net';
import {
  abortError,
  type Bytes,
  type Clock,
  KIB,
  type Millis,
  onAbort,
  throwIfAborted,
  WalbError,
} from '../../core/index.ts';
import { NbdClient } from './client.ts';
import { type HandshakeStream, listExports, negotiate } from './client-handshake.ts';
import { describe, type NbdAddress } from './server-socket.ts';
import {
  clientTlsUpgrade,
  copyInto,
  type NbdTls,
  onreadInto,
  SocketTransport,
} from './socket-transport.ts';
import type { ByteConsumer } from './transport.ts';

const CONNECT_TIMEOUT: Millis = 10_000;
/** More than one option reply; the server says nothing else before it is asked. */
const HANDSHAKE_BUFFER: Bytes = 128 * KIB;

export interface ConnectOptions {
  readonly exportName?: string;
  readonly clock: Clock;
  readonly tls?: NbdTls;
  /** Name in the server's certificate; the host connected to when omitted. */
  readonly serverName?: string;
  /** Breaks the connection, while connecting and later. */
  readonly signal?: AbortSignal;
  readonly timeout?: Millis;
}

/**
 * Connects and selects an export. Throws `unavailable` when nobody listens, `timeout`, `not-found` for
 * an unknown export, `unauthenticated` when TLS fails, `corrupt` when it is no NBD server.
 */
export function connectNbd(address: NbdAddress, options: ConnectOptions): Promise<NbdClient> {
  return withConnection(address, options, async (connection, transport) => {
    const name = options.exportName ?? '';
    const facts = await negotiate(connection, name, options.tls !== undefined);
    const client = new NbdClient(transport, facts);
    connection.handOver(client);
    return client;
  });
}

/** What a server offers. */
export function listNbd(
  address: NbdAddress,
  options: ConnectOptions,
): Promise<{ readonly name: string; readonly description: string }[]> {
  return withConnection(address, options, async (connection, transport) => {
    const found = await listExports(connection, options.tls !== undefined);
    transport.end();
    return found;
  });
}

async function withConnection<T>(
  address: NbdAddress,
  options: ConnectOptions,
  use: (connection: ClientConnection, transport: SocketTransport) => Promise<T>,
): Promise<T> {
  const { clock, signal, timeout = CONNECT_TIMEOUT } = options;
  const peer = describe(address);
  throwIfAborted(signal, `NBD connection to ${peer}`);
  const { connection, transport } = open(address, options);
  const stopListening = onAbort(signal, () => {
    if (signal !== undefined) connection.break(abortError(signal, `NBD connection to ${peer}`));
  });
  const cancelTimer = clock.after(timeout, () => {
    connection.break(
      new WalbError('timeout', `NBD server ${peer} did not answer in ${timeout} ms`),
    );
  });
  connection.onClosed(stopListening);
  try {
    return await use(connection, transport);
  } catch (thrown) {
    transport.destroy();
    throw WalbError.from(thrown, `NBD server ${peer}`);
  } finally {
    cancelTimer();
  }
}

function open(address: NbdAddress, options: ConnectOptions) {
  const peer = describe(address);
  const holder: { connection?: ClientConnection } = {};
  const target = address.kind === 'unix' ? { path: address.path } : { ...address };
  const direct = options.tls === undefined;
  const onread = direct ? { onread: onreadInto(() => holder.connection) } : {};
  const socket = net.connect({ ...target, ...onread });
  socket.setNoDelay(true);
  const host = options.serverName ?? (address.kind === 'unix' ? 'localhost' : address.host);
  const upgrade = options.tls === undefined ? undefined : clientTlsUpgrade(options.tls, host);
  const transport = new SocketTransport(socket, peer, upgrade);
  const connection = new ClientConnection(transport);
  holder.connection = connection;
  transport.attach(connection);
  if (!direct) transport.copyFrom(socket);
  return { connection, transport };
}

/** Bytes of one connection: buffered for the negotiation, then handed to the client. */
class ClientConnection implements ByteConsumer, HandshakeStream {
  readonly #transport: SocketTransport;
  readonly #buffer = Buffer.allocUnsafeSlow(HANDSHAKE_BUFFER);
  /** Bytes received and not yet asked for: `start..end` of the buffer. */
  #start = 0;
  #end = 0;
  #gaveOwn = true;
  #wanted: { count: number; resolve: (bytes: Uint8Array) => void } | undefined;
  #reject: ((error: WalbError) => void) | undefined;
  #secured: (() => void) | undefined;
  #client: NbdClient | undefined;
  #failure: WalbError | undefined;
  #onClosed = (): void => {};

  constructor(transport: SocketTransport) {
    this.#transport = transport;
  }

  onClosed(listener: () => void): void {
    this.#onClosed = listener;
  }

  handOver(client: NbdClient): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#end > this.#start) throw new WalbError('corrupt', 'reply before the first request');
    this.#client = client;
  }

  break(error: WalbError): void {
    this.#client?.abort(error);
    this.#fail(error);
    this.#transport.destroy();
  }

  send(bytes: Uint8Array): void {
    this.#transport.write(bytes, () => {});
  }

  receive(count: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#wanted = { count, resolve };
      this.#reject = reject;
      return this.#deliver();
    });
  }

  startTls(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#secured = resolve;
      this.#reject = reject;
      if (this.#end === this.#start) this.#transport.startTls();
      else reject(new WalbError('corrupt', 'bytes in the clear behind STARTTLS'));
    });
  }

  /** The only place that moves bytes: the socket may hold on to the view it was given last. */
  space(): Uint8Array {
    this.#gaveOwn = this.#client === undefined;
    if (this.#client !== undefined) return this.#client.space();
    this.#buffer.copyWithin(0, this.#start, this.#end);
    this.#end -= this.#start;
    this.#start = 0;
    return this.#buffer.subarray(this.#end);
  }

  received(count: number): void {
    if (this.#client !== undefined) {
      // The socket may have asked for space before the client was there.
      if (this.#gaveOwn)
        copyInto(this.#client, this.#buffer.subarray(this.#end, this.#end + count));
      else this.#client.received(count);
      return;
    }
    this.#end += count;
    if (this.#end - this.#start === this.#buffer.length) {
      this.break(new WalbError('corrupt', 'more bytes than any answer has'));
    }
    this.#deliver();
  }

  secured(): void {
    this.#secured?.();
  }

  closed(error: Error | undefined): void {
    const lost = WalbError.from(error ?? new Error('connection closed by the server'));
    const code = lost.code === 'internal' ? 'unavailable' : lost.code;
    this.#fail(
      new WalbError(code === 'not-found' ? 'unavailable' : code, lost.message, { cause: error }),
    );
    this.#client?.closed(error);
    this.#onClosed();
  }

  #deliver(): void {
    const wanted = this.#wanted;
    if (wanted === undefined || this.#end - this.#start < wanted.count) return;
    this.#wanted = undefined;
    const bytes = Uint8Array.from(this.#buffer.subarray(this.#start, this.#start + wanted.count));
    this.#start += wanted.count;
    wanted.resolve(bytes);
  }

  #fail(error: WalbError): void {
    this.#failure ??= error;
    this.#reject?.(this.#failure);
  }
}
