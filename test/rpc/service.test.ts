import { describe, expect, test } from 'vitest';
import {
  type Channel,
  type Clock,
  hasCode,
  type LogFields,
  type Logger,
  silentLogger,
  WalbError,
} from '../../src/core/index.ts';
import {
  type CallEnd,
  CallLimit,
  ControlRpc,
  HandlerStatistics,
  handle,
  type Interceptor,
  intercept,
  logCalls,
  MemoryNetwork,
  ProxyRpc,
  StorageRpc,
} from '../../src/rpc/index.ts';

/** Time stands still unless a test moves it. */
function manualClock(): Clock & { time: number } {
  const clock = {
    time: 1_700_000_000_000,
    now: () => clock.time,
    monotonic: () => clock.time,
    after: () => () => {},
    sleep: async () => {},
    yield: async () => {},
  };
  return clock;
}

const clock = manualClock();
let sleepFor = async (): Promise<void> => {};

const bindings = [
  handle(StorageRpc.snapshot, async ({ volume }) => {
    clock.time += 250;
    await sleepFor();
    if (volume === 'bad') throw new WalbError('wrong-state', 'volume bad is Stopped');
    if (volume === 'broken') throw new TypeError('a defect');
    return { gid: 1n };
  }),
  handle(ControlRpc.watch, async function* (_, { signal }) {
    yield { event: undefined };
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
  }),
  handle(ProxyRpc.transferWlog, async (stream) => {
    await stream.receive();
    throw new WalbError('overflow', 'ring');
  }),
];

async function serve(...interceptors: Interceptor[]): Promise<Channel> {
  const net = new MemoryNetwork();
  await net.host('s').listen('s:1', intercept(bindings, interceptors));
  return net.host('c').connect('s:1', { clientId: 'ctl' });
}

const snapshot = (channel: Channel, volume = 'vol'): Promise<unknown> =>
  channel.unary(StorageRpc.snapshot, { volume });

const outcome = (promise: Promise<unknown>): Promise<unknown> =>
  promise.catch((error: unknown) => error);

describe('interceptors', () => {
  test('wrap every kind of method, the first outermost, and see how the call ended', async () => {
    const seen: string[] = [];
    const ended: (() => void)[] = [];
    const named = (name: string): Interceptor => {
      return ({ method, context }): CallEnd => {
        seen.push(`${name} begins ${method.path.split('/')[2]} of ${context.clientId}`);
        return (error) => {
          seen.push(`${name} ends ${error?.code ?? 'well'}`);
          if (name === 'outer') ended.shift()?.();
        };
      };
    };
    const channel = await serve(named('outer'), named('inner'));
    const nextEnd = (): Promise<void> => new Promise((resolve) => ended.push(resolve));

    await snapshot(channel);
    expect(seen.splice(0)).toEqual([
      'outer begins Snapshot of ctl',
      'inner begins Snapshot of ctl',
      'inner ends well',
      'outer ends well',
    ]);

    await outcome(snapshot(channel, 'broken'));
    expect(seen.splice(0).slice(2)).toEqual(['inner ends internal', 'outer ends internal']);

    const left = nextEnd();
    for await (const _ of channel.serverStream(ControlRpc.watch, { volumes: [] })) break;
    await left;
    expect(seen.splice(0)[0]).toBe('outer begins Watch of ctl');

    const call = channel.bidi(ProxyRpc.transferWlog);
    await call.end();
    await outcome(call.receive());
    expect(seen.splice(0).slice(2)).toEqual(['inner ends overflow', 'outer ends overflow']);
  });

  test('refuse a call by throwing; the handler does not run', async () => {
    const before = clock.time;
    const channel = await serve(() => {
      throw new WalbError('permission-denied', 'not you');
    });
    expect(await outcome(snapshot(channel))).toMatchObject({ code: 'permission-denied' });
    expect(clock.time).toBe(before);
  });
});

describe('CallLimit', () => {
  test('lets so many calls run, the others wait in order, streams do not count', async () => {
    const gates: PromiseWithResolvers<void>[] = [];
    sleepFor = () => {
      const gate = Promise.withResolvers<void>();
      gates.push(gate);
      return gate.promise;
    };
    const limit = new CallLimit(2);
    const channel = await serve(limit.interceptor);
    const watch = channel.serverStream(ControlRpc.watch, { volumes: [] })[Symbol.asyncIterator]();
    await watch.next();
    const calls = [1, 2, 3, 4].map(() => snapshot(channel));
    const abort = new AbortController();
    const given = outcome(
      channel.unary(StorageRpc.snapshot, { volume: 'v' }, { signal: abort.signal }),
    );
    await turns();
    expect([gates.length, limit.running]).toEqual([2, 2]);
    abort.abort();
    expect(hasCode(await given, 'cancelled')).toBe(true);
    gates[0]!.resolve();
    await calls[0];
    await turns();
    expect([gates.length, limit.running]).toEqual([3, 2]);
    gates[1]!.resolve();
    gates[2]!.resolve();
    await turns();
    gates[3]!.resolve();
    await Promise.all(calls);
    await turns();
    expect([gates.length, limit.running]).toEqual([4, 0]);
    await watch.return?.();
    sleepFor = async () => {};
  });
});

/** Enough turns of the event loop for messages to cross the in-memory network. */
async function turns(): Promise<void> {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe('HandlerStatistics', () => {
  test('counts by method and client, measures unary calls, and starts anew on request', async () => {
    const statistics = new HandlerStatistics(clock);
    const since = Math.floor(clock.time / 1000);
    const channel = await serve(statistics.interceptor);
    await snapshot(channel);
    await outcome(snapshot(channel, 'bad'));
    for await (const _ of channel.serverStream(ControlRpc.watch, { volumes: [] })) break;
    const expected = {
      counts: [
        { method: 'walb.v1.Storage/Snapshot', clientId: 'ctl', count: 2, failed: 1 },
        { method: 'walb.v1.Control/Watch', clientId: 'ctl', count: 1, failed: 0 },
      ],
      latencies: [{ method: 'walb.v1.Storage/Snapshot', averageSec: 0.25, maxSec: 0.25 }],
      since,
    };
    expect(statistics.report(false)).toEqual(expected);
    expect(statistics.report(true)).toEqual(expected);
    expect(statistics.report(false)).toMatchObject({ counts: [], latencies: [] });
  });

  test('does not grow with the client ids that callers make up', () => {
    const statistics = new HandlerStatistics(clock);
    const signal = new AbortController().signal;
    for (let i = 0; i < 2000; i++) {
      const context = { peer: 'x', clientId: `client-${i}`, identity: undefined, signal };
      void statistics.interceptor({ method: StorageRpc.snapshot, context });
    }
    const { counts } = statistics.report(false);
    expect(counts.length).toBeLessThanOrEqual(1001);
    expect(counts.reduce((sum, { count }) => sum + count, 0)).toBe(2000);
  });
});

test('logCalls says who called what and how it ended, errors of the server loudest', async () => {
  const lines: [string, LogFields, string][] = [];
  const log: Logger = {
    ...silentLogger,
    debug: (fields, message) => lines.push(['debug', fields, message]),
    info: (fields, message) => lines.push(['info', fields, message]),
    error: (fields, message) => lines.push(['error', fields, message]),
  };
  const channel = await serve(logCalls({ log, clock }));
  await snapshot(channel);
  await outcome(snapshot(channel, 'bad'));
  await outcome(snapshot(channel, 'broken'));
  const common = { method: '/walb.v1.Storage/Snapshot', clientId: 'ctl', peer: 'c', ms: 250 };
  expect(lines).toEqual([
    ['debug', common, 'call done'],
    ['info', { ...common, code: 'wrong-state', reason: 'volume bad is Stopped' }, 'call refused'],
    ['error', { ...common, err: expect.any(WalbError) }, 'call failed'],
  ]);
});
