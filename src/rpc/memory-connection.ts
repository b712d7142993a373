/** One connection of the in-memory network, with the calls that travel on it. */
import { type CallOptions, type CancelTimer, type Millis, WalbError } from '../core/index.ts';
import { watchSignal } from './call-state.ts';
import type { RawStream } from './channel.ts';
import { decodeError, encodeError } from './error-codec.ts';
import { CallEnd } from './memory-call.ts';

export interface Scheduler {
  /** Calls `fn` once after `delay`; 0 = in a later turn. Equal times run in the order of the calls. */
  after(delay: Millis, fn: () => void): CancelTimer;
}

export interface Transit {
  readonly from: string;
  readonly to: string;
  /** Bytes; 0 for openings and good ends of calls. */
  readonly length: number;
}

/** A process as its connections see it. */
export interface Process {
  readonly name: string;
  readonly dead: boolean;
}

/** The server's end of a call on its way to a handler. */
export interface Incoming {
  readonly path: string;
  readonly stream: CallEnd;
  /** Ends the call: with the error, or well. */
  finish(error: WalbError | undefined): void;
  readonly peer: string;
  readonly clientId: string;
}

/** Where new calls go. */
export interface Acceptor {
  readonly process: Process;
  accept(call: Incoming): void;
}

export interface Environment {
  readonly scheduler: Scheduler;
  transit(message: Transit): Millis | 'lose';
  noticeDelay(host: string): Millis;
  /** Throws `unavailable` when nobody can be reached. */
  find(from: string, address: string): Acceptor;
  forget(connection: MemoryConnection): void;
}

interface Parcel {
  arrived: boolean;
  readonly deliver: () => void;
}

interface OpenCall {
  readonly client: CallEnd;
  readonly server: CallEnd;
}

export class MemoryConnection {
  readonly to: string;
  readonly client: Process;
  lost = false;
  readonly #env: Environment;
  readonly #address: string;
  readonly #clientId: string;
  readonly #calls = new Set<OpenCall>();
  readonly #parcels: { readonly up: Parcel[]; readonly down: Parcel[] } = { up: [], down: [] };
  /** The process that accepted the first call. */
  #server: Process | undefined;

  constructor(
    env: Environment,
    client: Process,
    to: string,
    target: { readonly address: string; readonly clientId: string },
  ) {
    this.#env = env;
    this.client = client;
    this.to = to;
    this.#address = target.address;
    this.#clientId = target.clientId;
  }

  open(path: string, options: CallOptions): RawStream {
    const client = new CallEnd({
      carry: (length, deliver) => this.#carry('up', length, deliver),
      isDead: () => this.client.dead,
    });
    const server = new CallEnd({
      carry: (length, deliver) => this.#carry('down', length, deliver),
      isDead: () => this.#server?.dead ?? false,
    });
    const call = { client, server };
    const finish = (error: WalbError | undefined): void => this.#finish(call, error);
    const gone = new WalbError('unavailable', `the caller ${this.client.name} is gone`);
    client.join(server, () => this.#carry('up', 0, () => server.fail(gone)));
    server.join(client, finish);
    const stops = [watchSignal(client, options.signal), this.#watchDeadline(client, path, options)];
    client.whenOver(() => {
      for (const stop of stops) stop();
    });
    this.#calls.add(call);
    this.#carry('up', 0, () => this.#arrive(call, path, finish));
    return client;
  }

  #arrive(call: OpenCall, path: string, finish: Incoming['finish']): void {
    try {
      const acceptor = this.#env.find(this.client.name, this.#address);
      this.#server = acceptor.process;
      const { name: peer } = this.client;
      acceptor.accept({ path, stream: call.server, finish, peer, clientId: this.#clientId });
    } catch (error) {
      this.#calls.delete(call);
      call.client.fail(WalbError.from(error));
    }
  }

  /** The server ends the call; its error crosses as bytes, as everything does. */
  #finish(call: OpenCall, error: WalbError | undefined): void {
    call.server.finish();
    const bytes = error === undefined ? undefined : encodeError(error);
    this.#carry('down', bytes?.length ?? 0, () => {
      this.#calls.delete(call);
      if (bytes === undefined) call.client.finish();
      else call.client.fail(decodeError(bytes));
    });
  }

  /** Delivers after the transit delay, but never before what was sent earlier the same way. */
  #carry(way: 'up' | 'down', length: number, deliver: () => void): void {
    const sender = way === 'up' ? this.client : this.#server;
    if (this.lost || sender?.dead === true) return;
    const [from, to] = way === 'up' ? [this.client.name, this.to] : [this.to, this.client.name];
    const delay = this.#env.transit({ from, to, length });
    if (delay === 'lose') {
      this.lose();
      return;
    }
    const parcel: Parcel = { arrived: false, deliver };
    this.#parcels[way].push(parcel);
    this.#env.scheduler.after(delay, () => {
      parcel.arrived = true;
      this.#unload(way);
    });
  }

  #unload(way: 'up' | 'down'): void {
    const parcels = this.#parcels[way];
    while (!this.lost && parcels[0]?.arrived === true) parcels.shift()?.deliver();
  }

  /** Breaks: what is under way is gone, and each end is told in its own time. */
  lose(): void {
    if (this.lost) return;
    this.lost = true;
    this.#env.forget(this);
    const error = new WalbError('unavailable', `the connection to ${this.#address} was lost`, {
      details: { address: this.#address },
    });
    const calls = [...this.#calls];
    const tell = (host: string, end: keyof OpenCall): void => {
      this.#env.scheduler.after(this.#env.noticeDelay(host), () => {
        for (const call of calls) call[end].fail(error);
      });
    };
    tell(this.client.name, 'client');
    tell(this.to, 'server');
  }

  /** Ends all calls from the client's side. */
  close(): void {
    for (const call of [...this.#calls]) call.client.cancel(new Error('the channel was closed'));
    this.#env.forget(this);
  }

  #watchDeadline(client: CallEnd, path: string, { timeout }: CallOptions): () => void {
    if (timeout === undefined) return () => {};
    return this.#env.scheduler.after(timeout, () => {
      const message = `${this.#address} did not finish ${path} in time (${timeout} ms)`;
      const details = { address: this.#address, path };
      client.cancel(new WalbError('timeout', message, { details }));
    });
  }
}
