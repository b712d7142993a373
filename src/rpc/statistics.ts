/** Counts and latencies of handled calls, for `get handler-stat` (cli.md 1.5). */
import { type Clock, type Millis, toUnixSeconds } from '../core/index.ts';
import type { GetHandlerStatReply } from './generated/walb/v1/control.ts';
import type { Interceptor } from './service.ts';

/** Client ids are the callers' choice: beyond so many (method, client) pairs they share one entry. */
const MAX_PAIRS = 1000;
const OTHER_CLIENTS = '(other)';

interface Count {
  readonly method: string;
  readonly clientId: string;
  count: number;
  failed: number;
}

interface Latency {
  count: number;
  total: Millis;
  max: Millis;
}

export class HandlerStatistics {
  readonly #clock: Clock;
  #counts = new Map<string, Count>();
  #latencies = new Map<string, Latency>();
  #since: Millis;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#since = clock.now();
  }

  readonly interceptor: Interceptor = ({ method, context }) => {
    const name = method.path.slice(1);
    const count = this.#count(name, context.clientId);
    count.count++;
    const began = this.#clock.monotonic();
    return (error) => {
      if (error !== undefined) count.failed++;
      // A stream lasts as long as its reader: its length is no latency.
      if (method.kind === 'unary') this.#addLatency(name, this.#clock.monotonic() - began);
    };
  };

  /** The counters; with `reset` they start anew. */
  report(reset: boolean): GetHandlerStatReply {
    const reply: GetHandlerStatReply = {
      counts: [...this.#counts.values()].map((count) => ({ ...count })),
      latencies: [...this.#latencies].map(([method, { count, total, max }]) => ({
        method,
        averageSec: total / count / 1000,
        maxSec: max / 1000,
      })),
      since: toUnixSeconds(this.#since),
    };
    if (reset) {
      this.#counts = new Map();
      this.#latencies = new Map();
      this.#since = this.#clock.now();
    }
    return reply;
  }

  #count(method: string, clientId: string): Count {
    const key = `${method} ${clientId}`;
    const known = this.#counts.get(key);
    if (known !== undefined) return known;
    if (this.#counts.size >= MAX_PAIRS && clientId !== OTHER_CLIENTS) {
      return this.#count(method, OTHER_CLIENTS);
    }
    const fresh = { method, clientId, count: 0, failed: 0 };
    this.#counts.set(key, fresh);
    return fresh;
  }

  #addLatency(method: string, took: Millis): void {
    const latency = this.#latencies.get(method) ?? { count: 0, total: 0, max: 0 };
    latency.count++;
    latency.total += took;
    latency.max = Math.max(latency.max, took);
    this.#latencies.set(method, latency);
  }
}
