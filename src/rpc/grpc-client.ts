/** Client side of gRPC: one channel per server address. */
import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import {
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  connectivityState,
  credentials,
  Metadata,
  type StatusObject,
  status,
} from '@grpc/grpc-js';
import { type CallOptions, type Millis, WalbError } from '../core/index.ts';
import { checkPlainAllowed, parseAddress } from './address.ts';
import { cancelled, watchSignal } from './call-state.ts';
import type { RawStream, RawTransport } from './channel.ts';
import { ConnectingSockets } from './grpc-connecting.ts';
import { errorOfStatus } from './grpc-status.ts';
import { fromBuffer, GrpcStream, toBuffer } from './grpc-stream.ts';
import { MAX_FRAME, MAX_TIMEOUT_MS, PROTOCOL_VERSION } from './limits.ts';
import type { TlsOptions } from './tls.ts';

export const CLIENT_ID_KEY = 'walb-client-id';
export const VERSION_KEY = 'walb-protocol-version';

export interface KeepAliveOptions {
  /** A connection with open calls is probed after so long without traffic. */
  readonly idle: Millis;
  /** It counts as lost when the probe is not answered in so long. */
  readonly timeout: Millis;
}

export interface GrpcClientOptions {
  readonly tls?: TlsOptions;
  readonly clientId: string;
  readonly connectTimeout: Millis;
  readonly keepAlive: KeepAliveOptions;
}

/** Options both sides share. */
export function frameOptions(keepAlive: KeepAliveOptions): ChannelOptions {
  return {
    'grpc.max_receive_message_length': MAX_FRAME,
    'grpc.max_send_message_length': MAX_FRAME,
    'grpc.keepalive_time_ms': keepAlive.idle,
    'grpc.keepalive_timeout_ms': keepAlive.timeout,
  };
}

function clientOptions(options: GrpcClientOptions): ChannelOptions {
  return {
    ...frameOptions(options.keepAlive),
    // Connections of one channel end with it and share no backoff with others.
    'grpc.use_local_subchannel_pool': 1,
    // A repeated call must be the caller's decision; retry buffers would also hold whole streams.
    'grpc.enable_retries': 0,
    // Backup traffic never goes through an http_proxy of the environment.
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    // Backoff matters only between calls that fail while others wait; see `GrpcTransport.#client`.
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 1000,
  };
}

function newClient(address: string, options: GrpcClientOptions): Client {
  const { tls } = options;
  const settings = clientOptions(options);
  if (tls === undefined) return new Client(address, credentials.createInsecure(), settings);
  const pems = [tls.ca, tls.privateKey, tls.certificate].map((text) => Buffer.from(text, 'ascii'));
  const [ca, key, certificate] = pems;
  const parsed = parseAddress(address);
  if (parsed.kind === 'unix' || isIP(parsed.host) === 0) {
    return new Client(address, credentials.createSsl(ca, key, certificate), settings);
  }
  // An IP address must not be announced as a name (RFC 6066; Node warns); it is verified all the same.
  const security = credentials.createSsl(ca, key, certificate, {
    checkServerIdentity: (_name, theirs) => checkServerIdentity(parsed.host, theirs),
  });
  return new Client(address, security, { ...settings, 'grpc.ssl_target_name_override': 'walb' });
}

export class GrpcTransport implements RawTransport {
  readonly address: string;
  readonly #options: GrpcClientOptions;
  readonly #calls = new Set<RawStream>();
  readonly #connecting = new ConnectingSockets();
  #current: Client | undefined;
  #closed = false;

  /**
   * Throws `permission-denied` for an address beyond this machine without TLS, `invalid-argument` for
   * one that is none.
   */
  constructor(address: string, options: GrpcClientOptions) {
    const parsed = parseAddress(address);
    if (options.tls === undefined) checkPlainAllowed(parsed);
    this.address = address;
    this.#options = options;
  }

  open(path: string, options: CallOptions): RawStream {
    if (options.signal?.aborted === true) throw cancelled(options.signal.reason);
    if (this.#closed) throw new WalbError('cancelled', `the channel to ${this.address} is closed`);
    const client = this.#client();
    const call = this.#connecting.during(() =>
      client.makeBidiStreamRequest(
        path,
        toBuffer,
        fromBuffer,
        this.#metadata(),
        callOptions(options.timeout),
      ),
    );
    const stream = new GrpcStream(call, () => call.cancel());
    const watches = [
      () => this.#calls.delete(stream),
      watchSignal(stream, options.signal),
      this.#connecting.during(() => this.#watchConnect(stream, client, path)),
    ];
    this.#calls.add(stream);
    this.#settle(call, stream, path, () => {
      for (const stop of watches) stop();
    });
    return stream;
  }

  close(): void {
    this.#closed = true;
    for (const call of this.#calls) call.cancel(new Error('the channel was closed'));
    this.#current?.close();
    this.#current = undefined;
    this.#connecting.destroy();
  }

  /**
   * A call after a failed connection attempt tries again at once instead of failing until grpc-js's
   * backoff ends: the caller (a retry after its own delay, an operator's `kick`) wants it now.
   */
  #client(): Client {
    const state = this.#current?.getChannel().getConnectivityState(false);
    if (state === connectivityState.TRANSIENT_FAILURE) {
      this.#current?.close();
      this.#current = undefined;
    }
    this.#current ??= newClient(this.address, this.#options);
    return this.#current;
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set(CLIENT_ID_KEY, this.#options.clientId);
    metadata.set(VERSION_KEY, String(PROTOCOL_VERSION));
    return metadata;
  }

  /** Gives up when there is no connection after the connect timeout. */
  #watchConnect(stream: RawStream, client: Client, path: string): () => void {
    const channel = client.getChannel();
    if (channel.getConnectivityState(true) === connectivityState.READY) return () => {};
    const timer = setTimeout(() => {
      if (channel.getConnectivityState(false) === connectivityState.READY) return;
      const seconds = this.#options.connectTimeout / 1000;
      const message = `no connection to ${this.address} within ${seconds} s`;
      const details = { address: this.address, path };
      stream.cancel(new WalbError('unavailable', message, { details }));
    }, this.#options.connectTimeout);
    return () => clearTimeout(timer);
  }

  #settle(
    call: ClientDuplexStream<Uint8Array, Uint8Array>,
    stream: GrpcStream,
    path: string,
    stop: () => void,
  ): void {
    // Without a listener a failed call would be an uncaught error; `status` follows each `error`.
    call.on('error', () => {});
    call.on('status', (result: StatusObject) => {
      stop();
      if (result.code === status.OK) stream.finish();
      else stream.fail(statusError(result, this.address, path));
    });
  }
}

/** A trailer that does not decode is a broken peer, not a broken client. */
function statusError(result: StatusObject, address: string, path: string): WalbError {
  try {
    return errorOfStatus(result, address, path);
  } catch (error) {
    return WalbError.from(error, `${address} ended ${path} with an error that can not be read`);
  }
}

function callOptions(timeout: Millis | undefined): { deadline?: Date } {
  if (timeout === undefined || timeout > MAX_TIMEOUT_MS) return {};
  return { deadline: new Date(Date.now() + timeout) };
}
