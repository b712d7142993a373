/**
 * The proxies of a storage server in the operator's order of priority, and which of them are alive.
 *
 * Every second the one that was checked least recently, if that is more than ten seconds ago, is asked
 * for its host type. A failed transfer does not change availability: the next heartbeat decides.
 *
 * Source: semantics.md B.5; systems.md W3.
 */
import {
  type CancelTimer,
  type Channel,
  type Env,
  hasCode,
  type Millis,
  type UnixSeconds,
  WalbError,
} from '../core/index.ts';
import { ControlRpc, HostType, type LastError, type ProxyLink } from '../rpc/index.ts';
import { nextFailure } from '../server/failures.ts';
import type { ServerCore } from '../server/server-core.ts';

const CHECK_INTERVAL_MS: Millis = 1_000;
/** A proxy checked more recently than this is left alone. */
const CHECK_AGE_MS: Millis = 10_000;
const CHECK_TIMEOUT_MS: Millis = 3_000;
/**
 * A proxy that answered its heartbeat but not a transfer is asked last for so long: each transfer would
 * wait for it again before the spare gets its turn.
 */
const AVOID_MS: Millis = 60_000;

interface Proxy {
  readonly address: string;
  isAvailable: boolean;
  /** Monotonic; undefined = due. */
  lastCheck: Millis | undefined;
  /** Monotonic; until then others are preferred. */
  avoidUntil: Millis;
  nodeId: string;
  lastSuccess: UnixSeconds;
  lastTransfer: UnixSeconds;
  lastError: LastError | undefined;
}

export class ProxyPool {
  readonly #core: ServerCore;
  readonly #env: Env;
  readonly #proxies: Proxy[];
  /** Called when a proxy became available that was not: waiting transfers may go on (W3). */
  readonly #onReturn: () => void;
  #timer: CancelTimer | undefined;
  #isChecking = false;

  constructor(core: ServerCore, addresses: readonly string[], onReturn: () => void) {
    this.#core = core;
    this.#env = core.env;
    this.#onReturn = onReturn;
    this.#proxies = addresses.map((address) => ({
      address,
      isAvailable: true,
      lastCheck: undefined,
      avoidUntil: 0,
      nodeId: '',
      lastSuccess: 0,
      lastTransfer: 0,
      lastError: undefined,
    }));
  }

  start(): void {
    this.#timer = this.#env.clock.after(CHECK_INTERVAL_MS, () => {
      void this.#checkOne().finally(() => {
        if (!this.#core.isShuttingDown) this.start();
      });
    });
  }

  stop(): void {
    this.#timer?.();
  }

  /** Addresses of the available proxies, the preferred one first; those that hang last. */
  available(): string[] {
    const now = this.#env.clock.monotonic();
    const hangs = ({ avoidUntil }: Proxy): number => (avoidUntil > now ? 1 : 0);
    return this.#proxies
      .filter(({ isAvailable }) => isAvailable)
      .sort((a, b) => hangs(a) - hangs(b))
      .map(({ address }) => address);
  }

  /** The proxy neither took nor refused a transfer. */
  unanswered(address: string): void {
    const proxy = this.#proxies.find((p) => p.address === address);
    if (proxy !== undefined) proxy.avoidUntil = this.#env.clock.monotonic() + AVOID_MS;
  }

  /** A kick: all are due for a check, and with none available one is asked at once. */
  async kick(): Promise<void> {
    for (const proxy of this.#proxies) {
      proxy.lastCheck = undefined;
      proxy.avoidUntil = 0;
    }
    if (this.available().length === 0) await this.#checkAll();
  }

  transferred(address: string): void {
    const proxy = this.#proxies.find((p) => p.address === address);
    if (proxy === undefined) return;
    proxy.lastTransfer = this.#core.now();
    proxy.lastError = undefined;
  }

  links(): ProxyLink[] {
    const now = this.#env.clock.monotonic();
    return this.#proxies.map((proxy) => ({
      address: proxy.address,
      nodeId: proxy.nodeId,
      isAvailable: proxy.isAvailable,
      timeToNextCheckSec: Math.round(
        ((proxy.lastCheck ?? now - CHECK_AGE_MS) + CHECK_AGE_MS - now) / 1000,
      ),
      lastSuccess: proxy.lastSuccess,
      lastError: proxy.lastError,
      lastTransfer: proxy.lastTransfer,
    }));
  }

  async #checkOne(): Promise<void> {
    if (this.#isChecking) return;
    const age = ({ lastCheck }: Proxy): Millis =>
      lastCheck === undefined ? Number.POSITIVE_INFINITY : this.#env.clock.monotonic() - lastCheck;
    const [oldest] = [...this.#proxies].sort((a, b) => age(b) - age(a));
    if (oldest === undefined || age(oldest) <= CHECK_AGE_MS) return;
    this.#isChecking = true;
    try {
      await this.#check(oldest);
    } finally {
      this.#isChecking = false;
    }
  }

  async #checkAll(): Promise<void> {
    await Promise.all(this.#proxies.map((proxy) => this.#check(proxy)));
  }

  async #check(proxy: Proxy): Promise<void> {
    proxy.lastCheck = this.#env.clock.monotonic();
    const before = proxy.isAvailable;
    let channel: Channel | undefined;
    try {
      channel = this.#env.network.connect(proxy.address, { clientId: this.#core.identity.nodeId });
      const options = { timeout: CHECK_TIMEOUT_MS, signal: this.#core.stopping };
      const identity = await channel.unary(ControlRpc.getHostType, {}, options);
      if (identity.hostType !== HostType.PROXY) {
        throw new WalbError(
          'conflict',
          `${proxy.address} is a ${identity.hostType} server, not a proxy`,
        );
      }
      proxy.nodeId = identity.nodeId;
      proxy.isAvailable = true;
      proxy.lastSuccess = this.#core.now();
      proxy.lastError = undefined;
    } catch (thrown) {
      if (hasCode(thrown, 'cancelled')) return;
      this.#failed(proxy, WalbError.from(thrown));
    } finally {
      channel?.close();
    }
    if (before !== proxy.isAvailable) this.#changed(proxy);
  }

  #failed(proxy: Proxy, error: WalbError): void {
    proxy.isAvailable = false;
    proxy.lastError = nextFailure(proxy.lastError, error, this.#core.now(), proxy.address);
  }

  #changed(proxy: Proxy): void {
    const { address, isAvailable, lastError } = proxy;
    const fields = { peer: address, isAvailable, reason: lastError?.error?.message };
    if (isAvailable) this.#core.log.info(fields, 'proxy is available again');
    else this.#core.log.warn(fields, 'proxy is not available');
    if (isAvailable) this.#onReturn();
  }
}
