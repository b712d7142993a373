/**
 * What a server process is apart from its volumes: identity, limits, and how it ends.
 *
 * Graceful shutdown accepts nothing new and lets running work finish; force also aborts `forced`,
 * which every long loop watches.
 */
import {
  type Env,
  type Logger,
  Notifier,
  toHex,
  toUnixSeconds,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import type { HostType, ServerIdentity } from '../rpc/index.ts';
import { ChangeHub } from './change-hub.ts';
import { ForegroundLimit } from './foreground.ts';
import { History } from './history.ts';
import type { VolumeHost } from './volume.ts';

export type ShutdownKind = 'graceful' | 'force';

export interface ServerCoreOptions {
  readonly hostType: HostType;
  /** The `-id` of the server. */
  readonly nodeId: string;
  /** `-fg`. */
  readonly maxForegroundTasks: number;
  readonly pid: number;
}

export class ServerCore implements VolumeHost {
  readonly env: Env;
  readonly log: Logger;
  readonly identity: ServerIdentity;
  readonly hub = new ChangeHub();
  /** Opened by the server once it knows its base directory. */
  readonly history: History;
  readonly foreground: ForegroundLimit;
  readonly pid: number;
  readonly started: UnixSeconds;
  readonly #stopping = new AbortController();
  readonly #forced = new AbortController();
  readonly #shutdownAsked = new Notifier();
  #shutdown: ShutdownKind | undefined;
  #taskIds = 0;

  constructor(env: Env, options: ServerCoreOptions) {
    this.env = env;
    this.log = env.log;
    this.identity = {
      hostType: options.hostType,
      nodeId: options.nodeId,
      instance: toHex(env.random.bytes(8)),
    };
    this.foreground = new ForegroundLimit(options.maxForegroundTasks);
    this.history = new History(env);
    this.pid = options.pid;
    this.started = this.now();
  }

  get clock(): Env['clock'] {
    return this.env.clock;
  }

  /**
   * Throws `permission-denied` for an address that this server may never talk to (beyond this machine,
   * without TLS), `invalid-argument` for one that is none. Nobody is asked.
   */
  checkPeerAddress(address: string): void {
    this.env.network.connect(address, { clientId: this.identity.nodeId }).close();
  }

  readonly nextTaskId = (): number => {
    this.#taskIds += 1;
    return this.#taskIds;
  };

  now(): UnixSeconds {
    return toUnixSeconds(this.env.clock.now());
  }

  /** Aborts as soon as a shutdown of any kind is asked for. */
  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  /** Aborts when the shutdown is by force: long loops give up. */
  get forced(): AbortSignal {
    return this.#forced.signal;
  }

  get isShuttingDown(): boolean {
    return this.#shutdown !== undefined;
  }

  /** A second request may turn a graceful shutdown into one by force. */
  requestShutdown(kind: ShutdownKind): void {
    if (this.#shutdown === 'force' || this.#shutdown === kind) return;
    this.#shutdown = kind;
    this.log.info({ mode: kind }, 'shutdown asked for');
    const reason = new WalbError('cancelled', 'the server is shutting down');
    this.#stopping.abort(reason);
    if (kind === 'force') this.#forced.abort(reason);
    this.#shutdownAsked.notify();
  }

  /** Resolves when a shutdown is asked for. */
  async untilShutdown(): Promise<ShutdownKind> {
    await this.#shutdownAsked.until(() => this.isShuttingDown);
    return this.#shutdown as ShutdownKind;
  }
}
