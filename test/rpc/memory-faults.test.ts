import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Channel, hasCode, type Method, type Network } from '../../src/core/index.ts';
import { handle, MemoryNetwork, type Scheduler, type Transit } from '../../src/rpc/index.ts';

const bytes = { encode: (message: Uint8Array) => message, decode: (data: Uint8Array) => data };
const Echo: Method<Uint8Array, Uint8Array, 'bidi'> = {
  path: '/walb.test.Faults/Echo',
  kind: 'bidi',
  request: bytes,
  response: bytes,
};
const byte = (value: number): Uint8Array => Uint8Array.of(value);

/** Virtual time: runs what is due, in order of time, then of scheduling. */
class VirtualTime implements Scheduler {
  now = 0;
  #sequence = 0;
  #events: { at: number; sequence: number; fn: () => void }[] = [];

  after(delay: number, fn: () => void): () => void {
    const event = { at: this.now + delay, sequence: this.#sequence++, fn };
    this.#events.push(event);
    return () => {
      this.#events = this.#events.filter((other) => other !== event);
    };
  }

  /** Runs until nothing is left to happen. */
  async run(): Promise<void> {
    for (;;) {
      // Lets every promise chain come to rest first.
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#events.toSorted((a, b) => a.at - b.at || a.sequence - b.sequence)[0];
      if (next === undefined) return;
      this.#events = this.#events.filter((event) => event !== next);
      this.now = next.at;
      next.fn();
    }
  }
}

function echoServer(network: Network, seen: number[] = []): Promise<unknown> {
  return network.listen('s:1', [
    handle(Echo, async (stream) => {
      for (let m = await stream.receive(); m !== undefined; m = await stream.receive()) {
        seen.push(m[0]!);
        await stream.send(m);
      }
    }),
  ]);
}

async function send(channel: Channel, values: readonly number[]): Promise<number[]> {
  const call = channel.bidi(Echo);
  for (const value of values) await call.send(byte(value));
  await call.end();
  const answers: number[] = [];
  for (let m = await call.receive(); m !== undefined; m = await call.receive()) {
    answers.push(m[0]!);
  }
  return answers;
}

const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    (value) => value,
    (error: unknown) => error,
  );

describe('delays', () => {
  test('never reorder one connection, but connections among each other', async () => {
    const property = fc.asyncProperty(
      fc.infiniteStream(fc.integer({ min: 0, max: 20 })),
      async (delays) => {
        const time = new VirtualTime();
        const faults = { transit: () => delays.next().value as number };
        const net = new MemoryNetwork({ scheduler: time, faults });
        const seen: number[] = [];
        await echoServer(net.host('s'), seen);
        const ids = Array.from({ length: 10 }, (_, i) => i);
        const calls = [0, 100].map((base) =>
          send(
            net.host('c').connect('s:1', { clientId: 'c' }),
            ids.map((i) => base + i),
          ),
        );
        const done = Promise.all(calls);
        await time.run();
        expect(await done).toEqual([ids, ids.map((i) => 100 + i)]);
        expect(seen.filter((value) => value < 100)).toEqual(ids);
      },
    );
    await fc.assert(property, { numRuns: 50, seed: 3 });
  });

  test('are asked for with both hosts and the length, and add up', async () => {
    const time = new VirtualTime();
    const asked: Transit[] = [];
    const faults = {
      transit: (message: Transit) => {
        asked.push(message);
        return message.to === 's' ? 30 : 7;
      },
    };
    const net = new MemoryNetwork({ scheduler: time, faults });
    await echoServer(net.host('s'));
    const answer = send(net.host('c').connect('s:1', { clientId: 'c' }), [5]);
    await time.run();
    expect(await answer).toEqual([5]);
    expect(time.now).toBe(37);
    expect(asked).toContainEqual({ from: 'c', to: 's', length: 1 });
    expect(asked).toContainEqual({ from: 's', to: 'c', length: 1 });
  });
});

describe('losses', () => {
  test('break all calls of the connection on both ends, each told in its time', async () => {
    const time = new VirtualTime();
    const net = new MemoryNetwork({
      scheduler: time,
      faults: {
        transit: ({ length }) => (length === 2 ? 'lose' : 1),
        noticeLoss: (host) => (host === 's' ? 5000 : 10),
      },
    });
    const events: string[] = [];
    await net.host('s').listen('s:1', [
      handle(Echo, async (stream, { signal }) => {
        signal.addEventListener('abort', () => events.push(`server signal at ${time.now}`));
        try {
          while ((await stream.receive()) !== undefined);
        } catch {
          events.push(`server at ${time.now}`);
        }
      }),
    ]);
    const channel = net.host('c').connect('s:1', { clientId: 'c' });
    const first = channel.bidi(Echo);
    const second = channel.bidi(Echo);
    await second.send(new Uint8Array(1));
    await time.run();
    const results = [first, second].map((call) =>
      outcome(call.receive()).then((error) => {
        expect(hasCode(error, 'unavailable')).toBe(true);
        events.push(`client at ${time.now}`);
      }),
    );
    await first.send(new Uint8Array(2));
    await time.run();
    await Promise.all(results);
    const lost = Number(/\d+/.exec(events.find((line) => line.startsWith('client'))!)![0]);
    expect(events.filter((line) => line === `client at ${lost}`)).toHaveLength(2);
    expect(events).toContain(`server at ${lost + 4990}`);
    expect(events).toContain(`server signal at ${lost + 4990}`);
    const again = send(channel, [1]);
    await time.run();
    expect(await again).toEqual([]);
  });

  test('by partition last until it is healed', async () => {
    const net = new MemoryNetwork();
    await echoServer(net.host('s'));
    const channel = net.host('c').connect('s:1', { clientId: 'c' });
    const other = net.host('d').connect('s:1', { clientId: 'd' });
    const call = channel.bidi(Echo);
    await call.send(byte(1));
    expect(await call.receive()).toEqual(byte(1));
    net.partition('s', 'c');
    expect(hasCode(await outcome(call.receive()), 'unavailable')).toBe(true);
    const refused = await outcome(send(channel, [2]));
    expect(refused).toMatchObject({ code: 'unavailable', message: /the network between is cut/ });
    expect(await send(other, [3])).toEqual([3]);
    net.heal('c', 's');
    expect(await send(channel, [4])).toEqual([4]);
  });
});

describe('a crash', () => {
  test('silences the dead process and is a lost connection for the others', async () => {
    const net = new MemoryNetwork();
    const served: string[] = [];
    const listening = net.host('s').listen('s:1', [
      handle(Echo, async (stream, { signal }) => {
        signal.addEventListener('abort', () => served.push('signal'));
        await stream.send(byte(1));
        try {
          await stream.receive();
        } finally {
          served.push('went on');
        }
      }),
    ]);
    await listening;
    const channel = net.host('c').connect('s:1', { clientId: 'c' });
    const call = channel.bidi(Echo);
    await call.receive();
    net.crash('s');
    expect(hasCode(await outcome(call.receive()), 'unavailable')).toBe(true);
    expect(hasCode(await outcome(send(channel, [1])), 'unavailable')).toBe(true);
    expect(served).toEqual([]);
    await echoServer(net.host('s'));
    expect(await send(channel, [9])).toEqual([9]);
    expect(served).toEqual([]);
  });

  test('of a client is a lost caller for the server, and its own calls never settle', async () => {
    const net = new MemoryNetwork();
    const seen = Promise.withResolvers<unknown>();
    await net.host('s').listen('s:1', [
      handle(Echo, async (stream) => {
        await stream.send(byte(1));
        seen.resolve(await outcome(stream.receive()));
      }),
    ]);
    const channel = net.host('c').connect('s:1', { clientId: 'c' });
    const call = channel.bidi(Echo);
    await call.receive();
    let settled = false;
    void outcome(call.receive()).then(() => (settled = true));
    net.crash('c');
    void outcome(send(channel, [1])).then(() => (settled = true));
    expect(hasCode(await seen.promise, 'unavailable')).toBe(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect(settled).toBe(false);
  });
});
