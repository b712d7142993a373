/** Server side of gRPC: one listener with its handlers. */
import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import {
  type Binding,
  type CallContext,
  type Listener,
  type Logger,
  type Millis,
  WalbError,
} from '../core/index.ts';
import { type Address, checkPlainAllowed, parseAddress, withPort } from './address.ts';
import { checkVersion, isClientId } from './client-id.ts';
import { type BindingTable, bindingTable, runHandler } from './dispatch.ts';
import { CLIENT_ID_KEY, frameOptions, type KeepAliveOptions, VERSION_KEY } from './grpc-client.ts';
import { statusOf } from './grpc-status.ts';
import { fromBuffer, GrpcStream, toBuffer } from './grpc-stream.ts';
import { identityOf, type TlsOptions } from './tls.ts';

/** Calls open at once on one connection; far beyond any use, and a bound for a hostile client. */
const MAX_STREAMS_PER_CONNECTION = 256;

/** Time for the last answers to leave once all handlers have ended. */
const CLOSE_GRACE: Millis = 1_000;

export interface GrpcServerOptions {
  readonly tls?: TlsOptions;
  readonly keepAlive: KeepAliveOptions;
  readonly log: Logger;
}

type Call = ServerDuplexStream<Uint8Array, Uint8Array>;

/**
 * Throws `permission-denied` beyond loopback without TLS, `busy` for an address in use,
 * `invalid-argument` for one that is not of this machine.
 */
export async function listenGrpc(
  address: string,
  bindings: readonly Binding[],
  options: GrpcServerOptions,
): Promise<Listener> {
  const parsed = parseAddress(address, { allowPortZero: true });
  if (options.tls === undefined) checkPlainAllowed(parsed);
  const calls = new OpenCalls();
  const server = new Server({
    ...frameOptions(options.keepAlive),
    'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
  });
  registerAll(server, bindingTable(bindings), calls, options);
  await removeStaleSocket(parsed);
  const port = await bind(server, address, options.tls);
  if (parsed.kind === 'unix') chmodSync(parsed.path, 0o600);
  return {
    address: withPort(parsed, port),
    close: () => close(server, calls),
    abort: () => {
      calls.abortAll();
      server.forceShutdown();
    },
  };
}

/**
 * No new calls; running ones finish. grpc-js would also wait for connections without calls, which a peer
 * that says nothing could make last for ever: those are broken, and not waited for.
 */
async function close(server: Server, calls: OpenCalls): Promise<void> {
  const shutDown = new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  await calls.idle();
  let timer: NodeJS.Timeout | undefined;
  const grace = new Promise<void>((resolve) => (timer = setTimeout(resolve, CLOSE_GRACE)));
  await Promise.race([shutDown, grace]);
  clearTimeout(timer);
  server.forceShutdown();
}

/** Calls under way, so that an abort reaches their handlers and a close can wait for them. */
class OpenCalls {
  readonly #aborts = new Set<AbortController>();
  #onIdle: () => void = () => {};

  async idle(): Promise<void> {
    if (this.#aborts.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  open(): AbortController {
    const abort = new AbortController();
    this.#aborts.add(abort);
    return abort;
  }

  close(abort: AbortController): void {
    this.#aborts.delete(abort);
    if (this.#aborts.size === 0) this.#onIdle();
  }

  abortAll(): void {
    const reason = new WalbError('cancelled', 'the server is shutting down');
    for (const abort of this.#aborts) abort.abort(reason);
  }
}

function registerAll(
  server: Server,
  table: BindingTable,
  calls: OpenCalls,
  options: GrpcServerOptions,
): void {
  for (const [path, binding] of table) {
    const serve = (call: Call): void => void serveCall(call, binding, calls, options);
    server.register(path, serve, toBuffer, fromBuffer, 'bidi');
  }
}

/** Runs one call to its end; never rejects. */
async function serveCall(
  call: Call,
  binding: Binding,
  calls: OpenCalls,
  options: GrpcServerOptions,
): Promise<void> {
  const abort = calls.open();
  const stream = new GrpcStream(call, (error) => endWith(call, error));
  // A reset stream ends too, just before it is reported as cancelled: wait whether it was that.
  call.on('end', () => setImmediate(() => stream.peerEnded()));
  call.on('cancelled', () => {
    const error = new WalbError('unavailable', `the caller ${call.getPeer()} is gone`);
    stream.fail(error);
    abort.abort(error);
  });
  try {
    await runHandler(binding, stream, admit(call, abort.signal, options));
    call.end();
  } catch (error) {
    endWith(call, WalbError.from(error));
  } finally {
    stream.finish();
    calls.close(abort);
  }
}

/** grpc-js's way to end a server stream with a status: an `error` event that carries it. */
function endWith(call: Call, error: WalbError): void {
  if (!call.writableEnded) call.emit('error', statusOf(error));
}

/** Who calls; refuses, with a line in the log, whoever may not. No handler learns of these calls. */
function admit(call: Call, signal: AbortSignal, options: GrpcServerOptions): CallContext {
  try {
    return contextOf(call, signal, options);
  } catch (error) {
    options.log.warn({ peer: call.getPeer(), method: call.getPath(), err: error }, 'call refused');
    throw error;
  }
}

function contextOf(call: Call, signal: AbortSignal, options: GrpcServerOptions): CallContext {
  checkVersion(metadataText(call, VERSION_KEY));
  const clientId = metadataText(call, CLIENT_ID_KEY) ?? '';
  if (!isClientId(clientId)) {
    throw new WalbError('invalid-argument', 'the call carries no valid client id');
  }
  const identity =
    options.tls === undefined ? undefined : identityOf(call.getAuthContext().sslPeerCertificate);
  return { peer: call.getPeer(), clientId, identity, signal };
}

function metadataText(call: Call, key: string): string | undefined {
  const [value] = call.metadata.get(key);
  return typeof value === 'string' ? value : undefined;
}

async function bind(server: Server, address: string, tls: TlsOptions | undefined): Promise<number> {
  const security =
    tls === undefined
      ? ServerCredentials.createInsecure()
      : ServerCredentials.createSsl(
          Buffer.from(tls.ca),
          [{ private_key: Buffer.from(tls.privateKey), cert_chain: Buffer.from(tls.certificate) }],
          true,
        );
  return await new Promise((resolve, reject) => {
    server.bindAsync(address, security, (error, port) => {
      if (error === null) resolve(port);
      else reject(bindError(address, error));
    });
  });
}

function bindError(address: string, error: Error): WalbError {
  const code = error.message.includes('EADDRINUSE')
    ? 'busy'
    : error.message.includes('EACCES')
      ? 'permission-denied'
      : 'invalid-argument';
  const message = `can not listen at ${address}: ${error.message}`;
  return new WalbError(code, message, { details: { address }, cause: error });
}

/** A socket file whose server was killed stays behind and would block the next start. */
async function removeStaleSocket(address: Address): Promise<void> {
  if (address.kind !== 'unix') return;
  const { path } = address;
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const inUse = await new Promise<boolean>((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
  if (!inUse) rmSync(path);
}
