/**
 * The NBD server without its sockets: named exports, the connections that use them, bounds, and an
 * orderly end. `listenNbd` (server-socket.ts) feeds it; tests feed it from memory.
 */
import {
  type CancelTimer,
  type Clock,
  KIB,
  type Logger,
  type Millis,
  WalbError,
} from '../../core/index.ts';
import type { BlockBackend } from './backend.ts';
import { ServerConnection } from './connection.ts';
import type { ExportCatalogue, NbdExport } from './handshake.ts';
import { MAX_PAYLOAD, MAX_STRING } from './protocol.ts';
import { SlabStore } from './slabs.ts';
import type { ByteConsumer, Transport } from './transport.ts';

/** A client has this long to agree on an export; the protocol needs a few round trips. */
const HANDSHAKE_TIMEOUT: Millis = 30_000;
/** An orderly close waits this long for clients to take their last replies. */
const CLOSE_TIMEOUT: Millis = 10_000;
/** Connections of one server; QEMU, nbdcopy and fio open up to 16 each. */
const MAX_CONNECTIONS = 256;
const MAX_EXPORTS = 1024;
/** The protocol wants a minimum block size of at most 64 KiB. */
const MAX_MINIMUM_BLOCK = 64 * KIB;

export interface NbdServerOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly handshakeTimeout?: Millis;
  readonly closeTimeout?: Millis;
  readonly maxConnections?: number;
}

interface Client {
  readonly connection: ServerConnection;
  readonly peer: string;
  served: NbdExport | undefined;
  cancelTimer: CancelTimer;
}

export class NbdServer implements ExportCatalogue {
  readonly #options: NbdServerOptions;
  readonly #store = new SlabStore();
  readonly #exports = new Map<string, NbdExport>();
  readonly #clients = new Set<Client>();
  readonly #waiters = new Set<() => void>();
  #closing = false;

  constructor(options: NbdServerOptions) {
    this.#options = options;
  }

  /** Offers a device under a name; throws `already-exists` or `invalid-argument`. */
  addExport(name: string, backend: BlockBackend, description = ''): void {
    if (this.#exports.has(name)) {
      throw new WalbError('already-exists', `NBD export '${name}' exists already`, {
        details: { export: name },
      });
    }
    if (this.#exports.size >= MAX_EXPORTS) {
      throw new WalbError('limit-exceeded', `an NBD server has at most ${MAX_EXPORTS} exports`);
    }
    validateExport(name, backend, description);
    this.#exports.set(name, { name, description, backend });
  }

  /** Takes the export away; its clients finish what is under way. Resolves when they are gone. */
  async removeExport(name: string): Promise<void> {
    const removed = this.#exports.get(name);
    if (removed === undefined) return;
    this.#exports.delete(name);
    await this.#dismiss((client) => client.served === removed);
  }

  list(): readonly NbdExport[] {
    return [...this.#exports.values()];
  }

  find(name: string): NbdExport | undefined {
    const found = this.#exports.get(name);
    if (found !== undefined || name !== '' || this.#exports.size !== 1) return found;
    return this.#exports.values().next().value;
  }

  /** Peers that use the export now. */
  clientsOf(name: string): string[] {
    const found = this.#exports.get(name);
    const clients = [...this.#clients].filter((client) => client.served === found);
    return found === undefined ? [] : clients.map((client) => client.peer);
  }

  /** Bytes of buffers that connections hold now. */
  get memory(): number {
    return [...this.#clients].reduce((sum, client) => sum + client.connection.memory, 0);
  }

  /** Takes over a new connection, or undefined when there are too many. */
  accept(transport: Transport, tls: 'unavailable' | 'required'): ByteConsumer | undefined {
    const { clock } = this.#options;
    const log = this.#options.log.child({ peer: transport.peer });
    if (this.#closing || this.#clients.size >= this.#maxConnections) {
      if (!this.#closing) log.warn({}, `NBD: more than ${this.#maxConnections} connections`);
      transport.destroy();
      return undefined;
    }
    const connection = new ServerConnection(transport, {
      catalogue: this,
      tls,
      store: this.#store,
      log,
      monotonic: () => clock.monotonic(),
      onServing: (served) => this.#serving(client, served, log),
      onClosed: () => this.#gone(client),
    });
    const timeout = this.#options.handshakeTimeout ?? HANDSHAKE_TIMEOUT;
    const cancelTimer = clock.after(timeout, () => {
      log.warn({ timeout }, 'NBD client did not agree on an export in time; dropped');
      connection.destroy();
    });
    const client: Client = { connection, peer: transport.peer, served: undefined, cancelTimer };
    this.#clients.add(client);
    return connection;
  }

  /** Refuses new requests, finishes those under way, then closes every connection. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.#dismiss(() => true);
  }

  /** Breaks every connection at once. */
  abort(): void {
    this.#closing = true;
    for (const client of this.#clients) client.connection.destroy();
  }

  get #maxConnections(): number {
    return this.#options.maxConnections ?? MAX_CONNECTIONS;
  }

  #serving(client: Client, served: NbdExport, log: Logger): void {
    client.cancelTimer();
    client.served = served;
    log.debug({ export: served.name }, 'NBD client connected');
  }

  #gone(client: Client): void {
    client.cancelTimer();
    this.#clients.delete(client);
    for (const waiter of this.#waiters) waiter();
  }

  async #dismiss(chosen: (client: Client) => boolean): Promise<void> {
    const leaving = new Set([...this.#clients].filter(chosen));
    for (const client of leaving) client.connection.shutDown();
    const cancel = this.#options.clock.after(this.#options.closeTimeout ?? CLOSE_TIMEOUT, () => {
      for (const client of leaving) client.connection.destroy();
    });
    await new Promise<void>((resolve) => {
      const check = (): void => {
        if ([...leaving].some((client) => this.#clients.has(client))) return;
        this.#waiters.delete(check);
        resolve();
      };
      this.#waiters.add(check);
      check();
    });
    cancel();
  }
}

function validateExport(name: string, backend: BlockBackend, description: string): void {
  const tooLong = [name, description].some((text) => Buffer.byteLength(text) > MAX_STRING);
  if (tooLong) {
    throw new WalbError('invalid-argument', `NBD names have at most ${MAX_STRING} bytes`);
  }
  const { minimum, preferred, maximum } = backend.blockSizes;
  const powers = [minimum, preferred].every(
    (size) => size > 0 && Number.isInteger(Math.log2(size)),
  );
  const ordered = minimum <= preferred && preferred <= maximum && maximum <= MAX_PAYLOAD;
  const fits = backend.size % minimum === 0 && maximum % minimum === 0;
  if (!powers || !ordered || !fits || minimum > MAX_MINIMUM_BLOCK) {
    throw new WalbError(
      'invalid-argument',
      `NBD export '${name}': block sizes ${minimum}/${preferred}/${maximum} do not fit together ` +
        `or do not divide the size ${backend.size}`,
      { details: { export: name, minimum, preferred, maximum, size: backend.size } },
    );
  }
}
