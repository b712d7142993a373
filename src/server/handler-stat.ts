/**
 * Counts and times the calls a server answers, and bounds how many are served at once.
 *
 * Source: cli.md 1.5 `get handler-stat`, 2 `-maxconn`. Watch streams are open for as long as someone
 * looks and cost nothing meanwhile; they count in the statistics but not towards the bound.
 */
import {
  type Binding,
  type CallContext,
  type Clock,
  toUnixSeconds,
  WalbError,
} from '../core/index.ts';
import { ControlRpc, type GetHandlerStatReply } from '../rpc/index.ts';

interface Count {
  method: string;
  clientId: string;
  count: number;
  failed: number;
}

interface Latency {
  calls: number;
  sum: number;
  max: number;
}

/** A call beyond the bound waits this long for a place before it is refused. */
const MAX_WAITING_FACTOR = 10;
/** Different method and client pairs remembered; a client can not fill the memory with names. */
const MAX_COUNTS = 10_000;

export class HandlerStatistics {
  readonly #clock: Clock;
  readonly #limit: number;
  #counts = new Map<string, Count>();
  #latencies = new Map<string, Latency>();
  #since: number;
  #running = 0;

  constructor(clock: Clock, maxCalls: number) {
    this.#clock = clock;
    this.#limit = maxCalls * MAX_WAITING_FACTOR;
    this.#since = toUnixSeconds(clock.now());
  }

  /** Calls being served now, watch streams left out. */
  get running(): number {
    return this.#running;
  }

  reply(reset: boolean): GetHandlerStatReply {
    const reply: GetHandlerStatReply = {
      counts: [...this.#counts.values()].map((count) => ({ ...count })),
      latencies: [...this.#latencies].map(([method, { calls, sum, max }]) => ({
        method,
        averageSec: sum / calls / 1000,
        maxSec: max / 1000,
      })),
      since: this.#since,
    };
    if (reset) {
      this.#counts = new Map();
      this.#latencies = new Map();
      this.#since = toUnixSeconds(this.#clock.now());
    }
    return reply;
  }

  /** The same binding, counted. */
  wrap(binding: Binding): Binding {
    const { method } = binding;
    const name = method.path.slice(1);
    const isFree = method.path === ControlRpc.watch.path;
    const call = binding.handler as (request: unknown, context: CallContext) => unknown;
    if (method.kind === 'server-stream') {
      const handler = (request: unknown, context: CallContext) =>
        this.#stream(name, context, isFree, () => call(request, context) as AsyncIterable<unknown>);
      return { method, handler };
    }
    const handler = (request: unknown, context: CallContext) =>
      this.#single(name, context, () => call(request, context) as Promise<unknown>);
    return { method, handler };
  }

  async #single(
    name: string,
    context: CallContext,
    work: () => Promise<unknown>,
  ): Promise<unknown> {
    const done = this.#begin(name, context, false);
    let failed = true;
    try {
      const result = await work();
      failed = false;
      return result;
    } finally {
      done(failed);
    }
  }

  async *#stream(
    name: string,
    context: CallContext,
    isFree: boolean,
    work: () => AsyncIterable<unknown>,
  ): AsyncGenerator<unknown> {
    const done = this.#begin(name, context, isFree);
    let failed = true;
    try {
      yield* work();
      failed = false;
    } finally {
      done(failed && !context.signal.aborted);
    }
  }

  #begin(name: string, { clientId }: CallContext, isFree: boolean): (failed: boolean) => void {
    if (!isFree && this.#running >= this.#limit) {
      throw new WalbError(
        'limit-exceeded',
        `${this.#running} calls are being served already (-maxconn); try again`,
        { details: { running: this.#running, limit: this.#limit } },
      );
    }
    if (!isFree) this.#running += 1;
    const began = this.#clock.monotonic();
    return (failed) => {
      if (!isFree) this.#running -= 1;
      this.#count(name, clientId, failed);
      const took = this.#clock.monotonic() - began;
      const latency = this.#latencies.get(name) ?? { calls: 0, sum: 0, max: 0 };
      latency.calls += 1;
      latency.sum += took;
      latency.max = Math.max(latency.max, took);
      this.#latencies.set(name, latency);
    };
  }

  #count(method: string, clientId: string, failed: boolean): void {
    const key = `${method} ${clientId}`;
    let count = this.#counts.get(key);
    if (count === undefined) {
      if (this.#counts.size >= MAX_COUNTS) return;
      count = { method, clientId, count: 0, failed: 0 };
      this.#counts.set(key, count);
    }
    count.count += 1;
    if (failed) count.failed += 1;
  }
}
