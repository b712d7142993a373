/**
 * A node socket as a `Transport`: received bytes go straight into the connection's buffers
 * (`onread`), writes are handed over as they are.
 */
import type net from 'node:net';
import tls from 'node:tls';
import { KIB } from '../../core/index.ts';
import type { ByteConsumer, Transport } from './transport.ts';

/** Certificates for mutual TLS, PEM. Both ends prove who they are. */
export interface NbdTls {
  readonly certificate: string;
  readonly key: string;
  /** Only peers with a certificate of this authority are let in. */
  readonly authority: string;
}

export class SocketTransport implements Transport {
  readonly peer: string;
  readonly #secure: tls.Server | undefined;
  #socket: net.Socket;
  #consumer: ByteConsumer | undefined;
  #error: Error | undefined;

  /** `secure` is never listened on: it only turns accepted sockets into TLS ones. */
  constructor(socket: net.Socket, peer: string, secure: tls.Server | undefined) {
    this.#socket = socket;
    this.peer = peer;
    this.#secure = secure;
  }

  /** From here on the consumer gets what arrives and hears of the end. */
  attach(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    this.#watch(this.#socket);
    this.#socket.on('close', () => consumer.closed(this.#error));
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#socket.destroyed || this.#socket.writableEnded) process.nextTick(done);
    else this.#socket.write(bytes, () => done());
  }

  pauseReading(): void {
    this.#socket.pause();
  }

  resumeReading(): void {
    this.#socket.resume();
  }

  startTls(): void {
    const plain = this.#socket;
    const secure = this.#secure;
    if (secure === undefined) {
      plain.destroy();
      return;
    }
    pendingTls.set(plain, (socket) => this.#secured(socket));
    secure.emit('connection', plain);
  }

  end(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #secured(socket: tls.TLSSocket): void {
    const consumer = this.#consumer;
    this.#socket = socket;
    this.#watch(socket);
    consumer?.secured(String(socket.getPeerCertificate().subject?.CN));
    socket.on('data', (chunk: Buffer) => copyInto(consumer, chunk));
  }

  #watch(socket: net.Socket): void {
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    // The other end has said all it will: answer what is under way no longer, as it may be gone.
    socket.on('end', () => socket.destroy());
  }
}

/** Who waits for the TLS form of a socket. */
const pendingTls = new WeakMap<net.Socket, (socket: tls.TLSSocket) => void>();

/** A TLS server for `SocketTransport`: it checks that clients are of the same authority. */
export function createTlsUpgrader(security: NbdTls): tls.Server {
  const server = tls.createServer({
    cert: security.certificate,
    key: security.key,
    ca: security.authority,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  });
  server.on('secureConnection', (socket) => {
    const plain = (socket as unknown as { readonly _parent?: net.Socket })._parent;
    const waiting = plain === undefined ? undefined : pendingTls.get(plain);
    if (waiting === undefined) socket.destroy();
    else waiting(socket);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return server;
}

/** Node asks for the first buffer before there is a consumer; the first message is short anyway. */
const FIRST_READ = 4 * KIB;

/** Options of `net` that deliver straight into the consumer's buffers. */
export function onreadInto(consumer: () => ByteConsumer | undefined): net.OnReadOpts {
  const first = Buffer.alloc(FIRST_READ);
  return {
    buffer: () => consumer()?.space() ?? first,
    callback: (count: number, buffer: Uint8Array) => {
      if (buffer === first) copyInto(consumer(), first.subarray(0, count));
      else consumer()?.received(count);
      return true;
    },
  };
}

/** Delivers bytes that already lie elsewhere. */
export function copyInto(consumer: ByteConsumer | undefined, chunk: Uint8Array): void {
  let at = 0;
  while (consumer !== undefined && at < chunk.length) {
    const part = consumer.space();
    const count = Math.min(part.length, chunk.length - at);
    part.set(chunk.subarray(at, at + count));
    consumer.received(count);
    at += count;
  }
}
