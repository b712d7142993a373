/**
 * The network of a world: the in-memory network of src/rpc under virtual time, with delays, lost
 * connections and partitions drawn from the seed.
 *
 * Every process has a network name of its own, so an address is `<process>:<port>`; a process that
 * is gone takes its connections along, whatever else runs on its host. Partitions are between hosts.
 */
import type { Network } from '../../src/core/network.ts';
import type { Millis } from '../../src/core/units.ts';
import { type Faults, MemoryNetwork } from '../../src/rpc/memory-network.ts';
import type { Schedule } from './schedule.ts';
import type { SimHost } from './sim-host.ts';
import type { SimRandom } from './sim-random.ts';

export interface LinkFaults {
  /** Every message takes between these; different connections overtake each other. */
  readonly latency: readonly [least: Millis, most: Millis];
  /** Chance of each message to break the connection it travels on. */
  readonly loss: number;
  /** An end learns between these after a loss that its connection is gone; the two ends separately. */
  readonly notice: readonly [least: Millis, most: Millis];
}

/** A local network in good order. */
export const HEALTHY_LINKS: LinkFaults = { latency: [0.05, 0.5], loss: 0, notice: [0, 5] };

/** What links need to know of a process. */
interface Endpoint {
  readonly name: string;
  readonly host: SimHost;
  onGone(fn: () => void): void;
}

export class SimLinks {
  readonly #net: MemoryNetwork;
  readonly #random: SimRandom;
  readonly #endpoints = new Map<string, Endpoint>();
  readonly #cut = new Set<string>();
  #faults = HEALTHY_LINKS;
  #lost = 0;

  constructor(schedule: Schedule, random: SimRandom, trace: (who: string, what: string) => void) {
    this.#random = random;
    const after = (delay: Millis, fn: () => void) => {
      const event = schedule.afterInOrder(delay * 1000, fn);
      return () => {
        event.cancelled = true;
      };
    };
    const faults: Faults = {
      transit: ({ from, to, length }) => {
        const answer = this.#transit(from, to);
        const what = answer === 'lose' ? 'connection lost' : `${answer.toFixed(3)} ms`;
        trace('link', `${from} > ${to} ${length} bytes: ${what}`);
        return answer;
      },
      noticeLoss: () => this.#draw(this.#faults.notice),
    };
    this.#net = new MemoryNetwork({ scheduler: { after }, faults });
  }

  /** Connections broken by chance so far. */
  get lost(): number {
    return this.#lost;
  }

  networkOf(process: Endpoint): Network {
    this.#endpoints.set(process.name, process);
    process.onGone(() => this.#net.crash(process.name));
    return this.#net.host(process.name);
  }

  setFaults(faults: Partial<LinkFaults>): void {
    this.#faults = { ...this.#faults, ...faults };
  }

  /** Breaks what connects two hosts and lets nothing through until `heal`. */
  partition(one: SimHost, other: SimHost): void {
    this.#cut.add(pairOf(one, other));
    for (const [from, to] of this.#pairs(one, other)) this.#net.disconnect(from, to);
  }

  heal(one: SimHost, other: SimHost): void {
    this.#cut.delete(pairOf(one, other));
  }

  /** Breaks what connects two hosts, once; they may connect again at once. */
  disconnect(one: SimHost, other: SimHost): void {
    for (const [from, to] of this.#pairs(one, other)) this.#net.disconnect(from, to);
  }

  #transit(from: string, to: string): Millis | 'lose' {
    const source = this.#endpoints.get(from)?.host;
    const target = this.#endpoints.get(to)?.host;
    if (source !== undefined && target !== undefined && this.#cut.has(pairOf(source, target))) {
      return 'lose';
    }
    if (this.#random.chance(this.#faults.loss)) {
      this.#lost++;
      return 'lose';
    }
    return this.#draw(this.#faults.latency);
  }

  #draw([least, most]: readonly [Millis, Millis]): Millis {
    return least + this.#random.fraction() * (most - least);
  }

  #pairs(one: SimHost, other: SimHost): [string, string][] {
    const on = (host: SimHost) => [...this.#endpoints.values()].filter((e) => e.host === host);
    return on(one).flatMap((a) => on(other).map((b): [string, string] => [a.name, b.name]));
  }
}

function pairOf(one: SimHost, other: SimHost): string {
  return [one.name, other.name].sort().join('|');
}
