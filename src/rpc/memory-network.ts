/**
 * `Network` in memory, for the simulator and tests: several named hosts in one process. Messages and
 * errors are really encoded and decoded; what is late, lost or cut off is up to the hooks.
 *
 * The hook interface is small on purpose:
 *
 *     const net = new MemoryNetwork({
 *       scheduler: clock,                              // anything with `after(ms, fn)`
 *       faults: { transit: ({ from, to }) => random.u32() % 5 },
 *     });
 *     const s0 = net.host('s0');                       // a Network; addresses are `name:port`
 *     net.partition('s0', 'p0');                       // until heal('s0', 'p0')
 *     net.crash('p0');                                 // as kill -9; net.host('p0') starts it again
 *
 * `transit` is asked for each message (openings and ends of calls too) and answers how many
 * milliseconds it takes, or 'lose' to break the connection. A connection is one channel with all its
 * calls: on it messages never overtake each other; across connections they do as the delays say.
 * `noticeLoss` says how long a host takes to learn that a connection is gone, or can not be made.
 *
 * A crashed host's pending operations never settle and its signals never fire: nothing runs in a dead
 * process. The other ends see a lost connection.
 */
import {
  type Binding,
  type Channel,
  type Listener,
  type Millis,
  type Network,
  WalbError,
} from '../core/index.ts';
import { RealClock } from '../core/real-clock.ts';
import { type Address, isLocal, parseAddress, withPort } from './address.ts';
import { cancelled } from './call-state.ts';
import { channelOver } from './channel.ts';
import { checkClientId } from './client-id.ts';
import { type BindingTable, bindingTable, runHandler, unknownMethod } from './dispatch.ts';
import {
  type Acceptor,
  type Environment,
  type Incoming,
  MemoryConnection,
  type Process,
  type Scheduler,
  type Transit,
} from './memory-connection.ts';

export type { Scheduler, Transit };

export interface Faults {
  /** Omitted = no delay. */
  transit?(message: Transit): Millis | 'lose';
  /** Omitted = at once. */
  noticeLoss?(host: string): Millis;
}

export interface MemoryNetworkOptions {
  readonly scheduler?: Scheduler;
  readonly faults?: Faults;
}

/** First port for a listener that asks for port 0. */
const FIRST_FREE_PORT = 49152;

const realClock = new RealClock();

/** Without a clock of its own the network lives in real time. */
const realScheduler: Scheduler = {
  after: (delay, fn) => {
    if (delay > 0) return realClock.after(delay, fn);
    const immediate = setImmediate(fn);
    return () => clearImmediate(immediate);
  },
};

export class MemoryNetwork {
  readonly #hosts = new Map<string, MemoryHost>();
  readonly #partitions = new Set<string>();
  readonly #connections = new Set<MemoryConnection>();
  readonly #env: Environment;

  constructor({ scheduler = realScheduler, faults = {} }: MemoryNetworkOptions = {}) {
    this.#env = {
      scheduler,
      transit: (message) => faults.transit?.(message) ?? 0,
      noticeDelay: (host) => faults.noticeLoss?.(host) ?? 0,
      find: (from, address) => this.#find(from, address),
      forget: (connection) => this.#connections.delete(connection),
    };
  }

  /** The network as this host sees it; after `crash` that of its next incarnation. */
  host(name: string): Network {
    const host = this.#hosts.get(name) ?? this.#start(name);
    return {
      connect: (address, { clientId }) => host.connect(address, clientId),
      listen: async (address, bindings) => host.listen(address, bindings),
    };
  }

  #start(name: string): MemoryHost {
    const host = new MemoryHost(name, this.#env, this.#connections);
    this.#hosts.set(name, host);
    return host;
  }

  /** Breaks the connections between two hosts and allows none until `heal`. */
  partition(one: string, other: string): void {
    this.#partitions.add(pairOf(one, other));
    this.disconnect(one, other);
  }

  heal(one: string, other: string): void {
    this.#partitions.delete(pairOf(one, other));
  }

  /** Breaks the connections there are between two hosts. */
  disconnect(one: string, other: string): void {
    const pair = pairOf(one, other);
    for (const connection of [...this.#connections]) {
      if (pairOf(connection.client.name, connection.to) === pair) connection.lose();
    }
  }

  /** The process of this host is gone; see the file header. */
  crash(name: string): void {
    this.#hosts.get(name)?.die();
    this.#hosts.delete(name);
    for (const connection of [...this.#connections]) {
      if (connection.client.name === name || connection.to === name) connection.lose();
    }
  }

  #find(from: string, address: string): Acceptor {
    const parsed = parseAddress(address);
    const to = targetOf(from, parsed);
    const cut = this.#partitions.has(pairOf(from, to));
    const listener = cut ? undefined : this.#hosts.get(to)?.listeners.get(portOf(parsed));
    if (listener !== undefined) return listener;
    const reason = cut ? 'the network between is cut' : 'nobody listens there';
    throw new WalbError('unavailable', `no connection to ${address}: ${reason}`, {
      details: { address },
    });
  }
}

class MemoryHost implements Process {
  readonly name: string;
  /** By port or socket path. */
  readonly listeners = new Map<number | string, MemoryListener>();
  dead = false;
  readonly #env: Environment;
  readonly #connections: Set<MemoryConnection>;
  #nextPort = FIRST_FREE_PORT;

  constructor(name: string, env: Environment, connections: Set<MemoryConnection>) {
    this.name = name;
    this.#env = env;
    this.#connections = connections;
  }

  connect(address: string, clientId: string): Channel {
    parseAddress(address);
    checkClientId(clientId);
    let current: MemoryConnection | undefined;
    let closed = false;
    return channelOver({
      address,
      open: (path, options) => {
        if (options.signal?.aborted === true) throw cancelled(options.signal.reason);
        if (closed) throw new WalbError('cancelled', `the channel to ${address} is closed`);
        if (current === undefined || current.lost) current = this.#open(address, clientId);
        return current.open(path, options);
      },
      close: () => {
        closed = true;
        current?.close();
      },
    });
  }

  #open(address: string, clientId: string): MemoryConnection {
    const to = targetOf(this.name, parseAddress(address));
    const connection = new MemoryConnection(this.#env, this, to, { address, clientId });
    this.#connections.add(connection);
    return connection;
  }

  listen(address: string, bindings: readonly Binding[]): Listener {
    const parsed = parseAddress(address, { allowPortZero: true });
    const port = parsed.kind === 'tcp' && parsed.port === 0 ? this.#nextPort++ : portOf(parsed);
    if (this.listeners.has(port)) {
      throw new WalbError('busy', `can not listen at ${address}: the address is in use`);
    }
    const real = withPort(parsed, Number(port));
    const listener = new MemoryListener(this, port, real, bindingTable(bindings));
    this.listeners.set(port, listener);
    return listener;
  }

  die(): void {
    this.dead = true;
    this.listeners.clear();
  }
}

class MemoryListener implements Listener, Acceptor {
  readonly address: string;
  readonly process: MemoryHost;
  readonly #port: number | string;
  readonly #table: BindingTable;
  readonly #running = new Map<Incoming, AbortController>();
  #onIdle: () => void = () => {};

  constructor(process: MemoryHost, port: number | string, address: string, table: BindingTable) {
    this.process = process;
    this.#port = port;
    this.address = address;
    this.#table = table;
  }

  accept(call: Incoming): void {
    const abort = new AbortController();
    this.#running.set(call, abort);
    call.stream.whenOver((error) => {
      if (error !== undefined) abort.abort(error);
    });
    void this.#serve(call, abort.signal).then((error) => {
      this.#running.delete(call);
      call.finish(error);
      if (this.#running.size === 0) this.#onIdle();
    });
  }

  /** Runs the handler; the error the caller is to see, or undefined. */
  async #serve(call: Incoming, signal: AbortSignal): Promise<WalbError | undefined> {
    const { path, peer, clientId } = call;
    const binding = this.#table.get(path);
    if (binding === undefined) return unknownMethod(path, this.address);
    try {
      await runHandler(binding, call.stream, { peer, clientId, identity: undefined, signal });
      return undefined;
    } catch (error) {
      return WalbError.from(error);
    }
  }

  async close(): Promise<void> {
    this.#stopAccepting();
    if (this.#running.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
  }

  abort(): void {
    this.#stopAccepting();
    const reason = new WalbError('cancelled', 'the server is shutting down');
    for (const [call, abort] of [...this.#running]) {
      abort.abort(reason);
      call.stream.fail(reason);
      call.finish(new WalbError('unavailable', `the server at ${this.address} is shutting down`));
    }
  }

  #stopAccepting(): void {
    const { listeners } = this.process;
    if (listeners.get(this.#port) === this) listeners.delete(this.#port);
  }
}

function portOf(address: Address): number | string {
  return address.kind === 'unix' ? address.path : address.port;
}

/** The host an address means; loopback and unix sockets are the caller's own. */
function targetOf(from: string, address: Address): string {
  return address.kind === 'unix' || isLocal(address) ? from : address.host;
}

function pairOf(one: string, other: string): string {
  return [one, other].sort().join(' ');
}
