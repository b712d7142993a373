/**
 * A TCP link between servers that can be cut and slowed down. It listens where the others believe the
 * server to be, and passes everything on to where the server really is.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';

export class FaultProxy implements AsyncDisposable {
  /** Where the server behind it really listens, `host:port`; nobody is let through without. */
  target: string | undefined;
  /** Bytes per second in each direction of each connection; undefined = as fast as it goes. */
  bytesPerSec: number | undefined;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: { readonly bytes: number; readonly resolve: () => void }[] = [];
  #isCut = false;
  #frozen: PromiseWithResolvers<void> | undefined;
  #passed = 0;

  private constructor(server: Server) {
    this.#server = server;
    server.on('connection', (client) => this.#accept(client));
  }

  static async listen(): Promise<FaultProxy> {
    const server = createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** All connections break, and new ones do so at once. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Connections stay and are accepted, but nothing comes through: a hung machine, a lost route. */
  freeze(): void {
    this.#frozen ??= Promise.withResolvers();
  }

  mend(): void {
    this.#isCut = false;
    this.#frozen?.resolve();
    this.#frozen = undefined;
  }

  /** Resolves once so many more bytes have been passed on, in either direction. */
  passed(bytes: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ bytes: this.#passed + bytes, resolve });
    });
  }

  /** Bytes passed on so far, in both directions. */
  get total(): number {
    return this.#passed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.mend();
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(client: Socket): void {
    const { target } = this;
    if (this.#isCut || target === undefined) {
      client.destroy();
      return;
    }
    const colon = target.lastIndexOf(':');
    const server = connect(Number(target.slice(colon + 1)), target.slice(0, colon));
    for (const socket of [client, server]) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('error', () => {});
      socket.on('close', () => {
        this.#sockets.delete(socket);
        (socket === client ? server : client).destroy();
      });
    }
    // Either end going away ends both (above); what a pipeline says of that is no news.
    pipeline(client, (bytes) => this.#paced(bytes), server).catch(() => {});
    pipeline(server, (bytes) => this.#paced(bytes), client).catch(() => {});
  }

  async *#paced(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const bytes of source) {
      if (this.bytesPerSec !== undefined) await sleep((1000 * bytes.length) / this.bytesPerSec);
      if (this.#frozen !== undefined) await this.#frozen.promise;
      yield bytes;
      this.#count(bytes.length);
    }
  }

  #count(bytes: number): void {
    this.#passed += bytes;
    const reached = this.#waiting.filter((one) => one.bytes <= this.#passed);
    for (const one of reached) {
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
      one.resolve();
    }
  }
}
