/**
 * A node socket as a `Transport`: received bytes go straight into the connection's buffers
 * (`onread`), writes are handed over as they are.
 */
import net from 'node:net';
import tls from 'node:tls';
import { KIB } from '../../core/index.ts';
import type { ByteConsumer, ByteSink, Transport } from './transport.ts';

/** Certificates for mutual TLS, PEM. Both ends prove who they are. */
export interface NbdTls {
  readonly certificate: string;
  readonly key: string;
  /** Only peers with a certificate of this authority are let in. */
  readonly authority: string;
}

/** Turns a plain socket into a TLS one whose other end has proven who it is, or destroys it. */
export type TlsUpgrade = (plain: net.Socket, ready: (secure: tls.TLSSocket) => void) => void;

export class SocketTransport implements Transport {
  readonly peer: string;
  readonly #upgrade: TlsUpgrade | undefined;
  #socket: net.Socket;
  #consumer: ByteConsumer | undefined;
  #error: Error | undefined;

  constructor(socket: net.Socket, peer: string, upgrade: TlsUpgrade | undefined) {
    this.#socket = socket;
    this.peer = peer;
    this.#upgrade = upgrade;
  }

  /** From here on the consumer hears of the end. Bytes come by `onreadInto` or `copyFrom`. */
  attach(consumer: ByteConsumer): void {
    this.#consumer = consumer;
    this.#watch(this.#socket);
    this.#socket.on('close', () => consumer.closed(this.#error));
  }

  /** For sockets without a receive buffer. */
  copyFrom(socket: net.Socket): void {
    socket.on('data', (chunk: Buffer) => copyInto(this.#consumer, chunk));
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
    if (this.#upgrade === undefined) {
      plain.destroy();
      return;
    }
    plain.removeAllListeners('data');
    this.#upgrade(plain, (secure) => this.#secured(secure));
  }

  end(): void {
    this.#socket.end(() => this.#socket.destroy());
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #secured(secure: tls.TLSSocket): void {
    this.#socket = secure;
    this.#watch(secure);
    this.copyFrom(secure);
    this.#consumer?.secured(String(secure.getPeerCertificate().subject?.CN));
  }

  #watch(socket: net.Socket): void {
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    // Who hangs up does not wait for answers any more.
    socket.on('end', () => socket.destroy());
  }
}

/** Accepts clients with a certificate of the same authority only. */
export function serverTlsUpgrade(security: NbdTls): TlsUpgrade {
  const waiting = new WeakMap<net.Socket, (secure: tls.TLSSocket) => void>();
  // Never listened on: it is handed sockets that were accepted elsewhere.
  const server = tls.createServer({ ...tlsOptions(security), requestCert: true });
  server.on('secureConnection', (secure) => {
    const plain = (secure as unknown as { readonly _parent?: net.Socket })._parent;
    const ready = plain === undefined ? undefined : waiting.get(plain);
    if (ready === undefined) secure.destroy();
    else ready(secure);
  });
  server.on('tlsClientError', (_error, socket) => socket.destroy());
  return (plain, ready) => {
    waiting.set(plain, ready);
    server.emit('connection', plain);
  };
}

/** Talks to a server with a certificate of the same authority and this name only. */
export function clientTlsUpgrade(security: NbdTls, serverName: string): TlsUpgrade {
  return (plain, ready) => {
    const options = { ...tlsOptions(security), socket: plain, host: serverName };
    const secure = tls.connect(
      net.isIP(serverName) ? options : { ...options, servername: serverName },
    );
    secure.once('secureConnect', () => ready(secure));
    secure.once('error', (error) => plain.destroy(error));
  };
}

function tlsOptions(security: NbdTls) {
  return {
    cert: security.certificate,
    key: security.key,
    ca: security.authority,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  } as const;
}

/** Node asks for the first buffer before there is a consumer; the first message is short anyway. */
const FIRST_READ = 4 * KIB;

/** Options of `net` that deliver straight into the consumer's buffers. */
export function onreadInto(consumer: () => ByteSink | undefined): net.OnReadOpts {
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
export function copyInto(consumer: ByteSink | undefined, chunk: Uint8Array): void {
  let at = 0;
  while (consumer !== undefined && at < chunk.length) {
    const part = consumer.space();
    const count = Math.min(part.length, chunk.length - at);
    part.set(chunk.subarray(at, at + count));
    consumer.received(count);
    at += count;
  }
}
