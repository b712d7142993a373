/** A TCP link that can be cut and mended: stands between two servers. */

import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class FaultProxy implements AsyncDisposable {
  readonly address: string;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #target: { host: string; port: number };
  #isCut = false;
  /** Bytes forwarded so far, both ways. */
  forwarded = 0;
  readonly #waiting: { bytes: number; resolve: () => void }[] = [];

  private constructor(server: Server, target: { host: string; port: number }) {
    this.#server = server;
    this.#target = target;
    this.address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /** Forwards to `target`, `host:port`. */
  static async to(target: string): Promise<FaultProxy> {
    const [host = '', port = ''] = target.split(':');
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server, { host, port: Number(port) });
  }

  /** Breaks every connection and refuses new ones. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  /** Resolves when so many more bytes have gone through. */
  afterBytes(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ bytes: this.forwarded + bytes, resolve });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(near: Socket): void {
    if (this.#isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.#target);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on('data', (data) => this.#count(data.length));
      from.pipe(to);
    }
  }

  #count(bytes: number): void {
    this.forwarded += bytes;
    const reached = this.#waiting.filter((waiting) => waiting.bytes <= this.forwarded);
    for (const waiting of reached) {
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      waiting.resolve();
    }
  }
}
