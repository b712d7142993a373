/** What every implementation of `Network` must do; run by grpc-network.test.ts and memory-network.test.ts. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  type Binding,
  type CallContext,
  type Channel,
  type Codec,
  ERROR_CODES,
  type ErrorCode,
  type ErrorDetail,
  hasCode,
  type Listener,
  type Method,
  MIB,
  type Network,
  WalbError,
} from '../../src/core/index.ts';
import { ControlRpc, handle, MAX_FRAME, StorageRpc } from '../../src/rpc/index.ts';

export interface World {
  readonly server: Network;
  readonly client: Network;
  /** Where the server shall listen. */
  readonly address: string;
  dispose?(): Promise<void>;
}

const bytes: Codec<Uint8Array> = { encode: (message) => message, decode: (data) => data };
type Bytes = Uint8Array;
const RawUnary = raw<'unary'>('unary');
const RawStream = raw<'server-stream'>('server-stream');
const RawBidi = raw<'bidi'>('bidi');

function raw<Kind extends Method<Bytes, Bytes>['kind']>(kind: Kind): Method<Bytes, Bytes, Kind> {
  return { path: `/walb.test.Raw/${kind}`, kind, request: bytes, response: bytes };
}

const byte = (value: number): Uint8Array => Uint8Array.of(value);

/** The error a promise rejects with. */
async function failure(promise: Promise<unknown>): Promise<WalbError> {
  const thrown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(WalbError);
  return thrown as WalbError;
}

function aborted(signal: AbortSignal): Promise<unknown> {
  if (signal.aborted) return Promise.resolve(signal.reason);
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(signal.reason), { once: true });
  });
}

export function networkSuite(name: string, makeWorld: () => Promise<World>): void {
  describe(name, () => {
    let world: World;
    const listeners: Listener[] = [];
    const channels: Channel[] = [];

    beforeEach(async () => {
      world = await makeWorld();
    });

    afterEach(async () => {
      for (const channel of channels.splice(0)) channel.close();
      for (const listener of listeners.splice(0)) listener.abort();
      await world.dispose?.();
    });

    async function listen(...bindings: Binding[]): Promise<Listener> {
      return await listenAt(world.address, ...bindings);
    }

    async function listenAt(address: string, ...bindings: Binding[]): Promise<Listener> {
      const listener = await world.server.listen(address, bindings);
      listeners.push(listener);
      return listener;
    }

    function connect(address: string, clientId = 'tester'): Channel {
      const channel = world.client.connect(address, { clientId });
      channels.push(channel);
      return channel;
    }

    async function serve(...bindings: Binding[]): Promise<Channel> {
      return connect((await listen(...bindings)).address);
    }

    describe('unary calls', () => {
      test('carry request, answer and who calls', async () => {
        let seen: CallContext | undefined;
        const channel = await serve(
          handle(StorageRpc.snapshot, async ({ volume }, context) => {
            seen = context;
            return { gid: BigInt(volume.length) };
          }),
        );
        expect(await channel.unary(StorageRpc.snapshot, { volume: 'vol' })).toEqual({ gid: 3n });
        expect(seen?.clientId).toBe('tester');
        expect(seen?.peer).not.toBe('');
      });

      test('run side by side', async () => {
        const all = Promise.withResolvers<void>();
        let waiting = 0;
        const channel = await serve(
          handle(RawUnary, async (request) => {
            if (++waiting === 50) all.resolve();
            await all.promise;
            return request;
          }),
        );
        const calls = Array.from({ length: 50 }, (_, i) => channel.unary(RawUnary, byte(i)));
        const answers = await Promise.all(calls);
        expect(answers.map((answer) => answer[0])).toEqual(calls.map((_, i) => i));
      });

      test('of an unknown method are unsupported', async () => {
        const channel = await serve();
        const error = await failure(channel.unary(ControlRpc.getState, { volume: 'v' }));
        expect(error.code).toBe('unsupported');
        expect(error.message).toContain('/walb.v1.Control/GetState');
      });
    });

    describe('errors', () => {
      const detail = fc.oneof(
        fc.string(),
        fc.double(),
        fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }),
        fc.boolean(),
        fc.constant(undefined),
      );
      const errors = fc.record({
        code: fc.constantFrom(...(Object.keys(ERROR_CODES) as ErrorCode[])),
        message: fc.string({ unit: 'grapheme' }),
        details: fc.dictionary(fc.string(), detail, { maxKeys: 5 }),
      });

      test('cross unchanged: code, message and details', async () => {
        let next = new WalbError('internal', '');
        const channel = await serve(
          handle(RawUnary, async () => {
            throw next;
          }),
        );
        const property = fc.asyncProperty(errors, async ({ code, message, details }) => {
          next = new WalbError(code, message, { details });
          const error = await failure(channel.unary(RawUnary, byte(0)));
          expect(error.code).toBe(code);
          expect(error.message).toBe(message);
          expect(error.details).toEqual({ ...details });
        });
        await fc.assert(property, { numRuns: 60, seed: 11 });
      });

      test('that are no WalbError get the code of the system error, or internal', async () => {
        const thrown: unknown[] = [
          Object.assign(new Error('gone'), { code: 'ENOENT' }),
          new TypeError('a defect'),
          'a string',
        ];
        const channel = await serve(
          handle(RawUnary, async () => {
            throw thrown.shift();
          }),
        );
        const call = (): Promise<WalbError> => failure(channel.unary(RawUnary, byte(0)));
        expect(await call()).toMatchObject({ code: 'not-found', message: 'gone' });
        expect(await call()).toMatchObject({ code: 'internal', message: 'a defect' });
        expect(await call()).toMatchObject({ code: 'internal', message: 'a string' });
      });

      test('too big to travel are cut, not lost', async () => {
        const details: Record<string, ErrorDetail> = {};
        for (let i = 0; i < 200; i++) details[`key${i}`] = 'x'.repeat(1000);
        const channel = await serve(
          handle(RawUnary, async () => {
            throw new WalbError('io', `disk \ud800 ${'y'.repeat(100_000)}`, { details });
          }),
        );
        const error = await failure(channel.unary(RawUnary, byte(0)));
        expect(error.code).toBe('io');
        expect(error.message).toMatch(/^disk \ufffd y+…$/);
        expect(Object.keys(error.details).length).toBeGreaterThan(5);
      });

      test('of a stream come after the messages sent before', async () => {
        const channel = await serve(
          handle(RawStream, async function* () {
            yield byte(1);
            yield byte(2);
            throw new WalbError('conflict', 'late');
          }),
          handle(RawBidi, async (stream) => {
            await stream.send(byte(7));
            throw new WalbError('overflow', 'ring');
          }),
        );
        const seen: number[] = [];
        const reading = (async () => {
          for await (const message of channel.serverStream(RawStream, byte(0))) {
            seen.push(message[0]!);
          }
        })();
        expect(await failure(reading)).toMatchObject({ code: 'conflict', message: 'late' });
        expect(seen).toEqual([1, 2]);
        const call = channel.bidi(RawBidi);
        expect(await call.receive()).toEqual(byte(7));
        expect(await failure(call.receive())).toMatchObject({ code: 'overflow' });
        expect(await failure(call.receive())).toMatchObject({ code: 'overflow' });
        expect(await failure(call.send(byte(1)))).toMatchObject({ code: 'overflow' });
      });
    });

    describe('cancellation', () => {
      test('by signal reaches caller and handler', async () => {
        const started = Promise.withResolvers<AbortSignal>();
        const channel = await serve(
          handle(RawUnary, async (_, { signal }) => {
            started.resolve(signal);
            await aborted(signal);
            return byte(0);
          }),
        );
        const abort = new AbortController();
        const call = failure(channel.unary(RawUnary, byte(0), { signal: abort.signal }));
        const signal = await started.promise;
        abort.abort();
        expect((await call).code).toBe('cancelled');
        expect(hasCode(await aborted(signal), 'unavailable')).toBe(true);
      });

      test('before the call starts nothing', async () => {
        let calls = 0;
        const channel = await serve(
          handle(RawUnary, async (request) => {
            calls++;
            return request;
          }),
        );
        const signal = AbortSignal.abort(new WalbError('timeout', 'too late'));
        expect(await failure(channel.unary(RawUnary, byte(0), { signal }))).toMatchObject({
          code: 'timeout',
          message: 'too late',
        });
        await channel.unary(RawUnary, byte(0));
        expect(calls).toBe(1);
      });

      test('of a bidi call rejects what is pending on both sides, with the reason here', async () => {
        const served = Promise.withResolvers<WalbError>();
        const channel = await serve(
          handle(RawBidi, async (stream) => {
            await stream.send(byte(1));
            served.resolve(await failure(stream.receive()));
          }),
        );
        const call = channel.bidi(RawBidi);
        await call.receive();
        const pending = failure(call.receive());
        call.cancel(new WalbError('wrong-state', 'stopping'));
        expect(await pending).toMatchObject({ code: 'wrong-state', message: 'stopping' });
        expect(await failure(call.send(byte(0)))).toMatchObject({ code: 'wrong-state' });
        expect((await served.promise).code).toBe('unavailable');
      });

      test('by leaving the loop over a stream ends the handler', async () => {
        const left = Promise.withResolvers<void>();
        const channel = await serve(
          handle(RawStream, async function* (_, { signal }) {
            try {
              yield byte(1);
              await aborted(signal);
              yield byte(2);
            } finally {
              left.resolve();
            }
          }),
        );
        for await (const message of channel.serverStream(RawStream, byte(0))) {
          expect(message).toEqual(byte(1));
          break;
        }
        await left.promise;
      });

      test('by closing the channel is a lost caller for the handler, never a clean end', async () => {
        const served = Promise.withResolvers<WalbError>();
        const channel = await serve(
          handle(RawBidi, async (stream, { signal }) => {
            await stream.send((await stream.receive())!);
            served.resolve(await failure(stream.receive()));
            expect(signal.aborted).toBe(true);
          }),
        );
        const call = channel.bidi(RawBidi);
        await call.send(byte(1));
        await call.receive();
        const pending = failure(call.receive());
        channel.close();
        expect((await served.promise).code).toBe('unavailable');
        expect((await pending).code).toBe('cancelled');
        expect((await failure(channel.unary(RawUnary, byte(0)))).code).toBe('cancelled');
      });
    });

    test('a deadline ends the call with timeout on the caller and a signal for the handler', async () => {
      const signals = Promise.withResolvers<AbortSignal>();
      const channel = await serve(
        handle(RawUnary, async (_, { signal }) => {
          signals.resolve(signal);
          await aborted(signal);
          return byte(0);
        }),
      );
      const error = await failure(channel.unary(RawUnary, byte(0), { timeout: 100 }));
      expect(error.code).toBe('timeout');
      expect(error.message).toContain(RawUnary.path);
      await aborted(await signals.promise);
    });

    describe('streams', () => {
      test('deliver in order, both directions at once', async () => {
        const channel = await serve(
          handle(RawBidi, async (stream) => {
            for (let m = await stream.receive(); m !== undefined; m = await stream.receive()) {
              await stream.send(byte(m[0]! + 100));
            }
            await stream.send(byte(255));
          }),
        );
        const call = channel.bidi(RawBidi);
        for (let i = 0; i < 100; i++) await call.send(byte(i));
        await call.end();
        const seen: number[] = [];
        for (let m = await call.receive(); m !== undefined; m = await call.receive()) {
          seen.push(m[0]!);
        }
        expect(seen).toEqual([...Array.from({ length: 100 }, (_, i) => i + 100), 255]);
        expect(await call.receive()).toBeUndefined();
      });

      test('may be answered before they end: later sends fail, the answer arrives', async () => {
        const channel = await serve(handle(RawBidi, async (stream) => await stream.send(byte(9))));
        const call = channel.bidi(RawBidi);
        expect(await call.receive()).toEqual(byte(9));
        expect(await call.receive()).toBeUndefined();
        expect((await failure(call.send(byte(1)))).code).toBe('unavailable');
      });

      test('do not let a sender run ahead of a slow reader: upwards', async () => {
        const go = Promise.withResolvers<void>();
        const channel = await serve(
          handle(RawBidi, async (stream) => {
            await go.promise;
            let count = 0;
            while ((await stream.receive()) !== undefined) count++;
            await stream.send(byte(count));
          }),
        );
        const call = channel.bidi(RawBidi);
        const { sent, done } = pump((message) => call.send(message));
        await settled(sent);
        expect(sent()).toBeLessThan(MAX_BUFFERED);
        go.resolve();
        await done;
        await call.end();
        expect(await call.receive()).toEqual(byte(PUMPED));
      });

      test('do not let a sender run ahead of a slow reader: downwards', async () => {
        let sent = (): number => 0;
        const channel = await serve(
          handle(RawBidi, async (stream) => {
            const pumped = pump((message) => stream.send(message));
            sent = pumped.sent;
            await pumped.done;
          }),
        );
        const call = channel.bidi(RawBidi);
        await call.receive();
        await settled(sent);
        expect(sent()).toBeLessThan(MAX_BUFFERED);
        let count = 1;
        while ((await call.receive()) !== undefined) count++;
        expect(count).toBe(PUMPED);
      });
    });

    describe('limits', () => {
      test('a request that is too big fails before it is sent', async () => {
        const channel = await serve(handle(RawUnary, async (request) => request));
        const error = await failure(channel.unary(RawUnary, new Uint8Array(MAX_FRAME + 1)));
        expect(error).toMatchObject({ code: 'limit-exceeded', details: { limit: MAX_FRAME } });
        expect(await channel.unary(RawUnary, byte(1))).toEqual(byte(1));
      });

      test('so does an answer', async () => {
        const channel = await serve(
          handle(RawUnary, async (request) => (request[0] === 0 ? new Uint8Array(9e6) : request)),
        );
        expect((await failure(channel.unary(RawUnary, byte(0)))).code).toBe('limit-exceeded');
        expect(await channel.unary(RawUnary, byte(1))).toEqual(byte(1));
      });

      test('the biggest message passes', async () => {
        const channel = await serve(handle(RawUnary, async (request) => request));
        const message = new Uint8Array(MAX_FRAME).fill(0xa5);
        expect(Buffer.compare(await channel.unary(RawUnary, message), message)).toBe(0);
      });
    });

    test('hostile bytes get an error and leave the server well', async () => {
      const channel = await serve(
        handle(StorageRpc.resize, async () => ({})),
        handle(ControlRpc.watch, async function* () {}),
      );
      const hostile = { ...StorageRpc.resize, request: bytes };
      const hostileStream = { ...ControlRpc.watch, request: bytes };
      const property = fc.asyncProperty(fc.uint8Array({ maxLength: 40 }), async (garbage) => {
        let expected: unknown;
        try {
          StorageRpc.resize.request.decode(garbage);
        } catch (error) {
          expected = error;
        }
        const call = channel.unary(hostile, garbage);
        if (expected === undefined) expect(await call).toEqual({});
        else expect(await failure(call)).toMatchObject({ code: 'corrupt' });
      });
      await fc.assert(property, { numRuns: 100, seed: 5 });
      const events = channel.serverStream(hostileStream, Uint8Array.of(0x0a, 0xff));
      const first = events[Symbol.asyncIterator]().next();
      expect((await failure(first)).code).toBe('corrupt');
      expect(await channel.unary(StorageRpc.resize, { volume: 'v', sizeLb: 1 })).toEqual({});
    });

    test('an answer that does not decode is corrupt', async () => {
      const broken = { ...StorageRpc.snapshot, response: bytes };
      const channel = await serve(handle(broken, async () => Uint8Array.of(0xff)));
      const error = await failure(channel.unary(StorageRpc.snapshot, { volume: 'v' }));
      expect(error.code).toBe('corrupt');
    });

    describe('life of a server', () => {
      test('nobody listening is unavailable, and the same channel works once somebody does', async () => {
        const first = await listen(handle(RawUnary, async (request) => request));
        const { address } = first;
        const channel = connect(address);
        await first.close();
        for (let i = 0; i < 3; i++) {
          const error = await failure(channel.unary(RawUnary, byte(1)));
          expect(error.code).toBe('unavailable');
          expect(error.message).toContain(address);
        }
        await listenAt(
          address,
          handle(RawUnary, async () => byte(2)),
        );
        expect(await channel.unary(RawUnary, byte(1))).toEqual(byte(2));
      });

      test('a channel connects again after a server was replaced', async () => {
        const first = await listen(handle(RawUnary, async () => byte(1)));
        const channel = connect(first.address);
        expect(await channel.unary(RawUnary, byte(0))).toEqual(byte(1));
        first.abort();
        await listenAt(
          first.address,
          handle(RawUnary, async () => byte(2)),
        );
        // The loss may show itself only in the first call after it.
        const answer = await channel
          .unary(RawUnary, byte(0))
          .catch(() => channel.unary(RawUnary, byte(0)));
        expect(answer).toEqual(byte(2));
      });

      test('an address in use is busy', async () => {
        const { address } = await listen();
        expect((await failure(world.server.listen(address, []))).code).toBe('busy');
      });

      test('close lets running calls finish and takes no new ones', async () => {
        const started = Promise.withResolvers<void>();
        const go = Promise.withResolvers<void>();
        const listener = await listen(
          handle(RawUnary, async (request, { signal }) => {
            started.resolve();
            await go.promise;
            expect(signal.aborted).toBe(false);
            return request;
          }),
        );
        const channel = connect(listener.address);
        const call = channel.unary(RawUnary, byte(5));
        await started.promise;
        let closed = false;
        const closing = listener.close().then(() => (closed = true));
        const late = connect(listener.address);
        expect((await failure(late.unary(RawUnary, byte(6)))).code).toBe('unavailable');
        expect(closed).toBe(false);
        go.resolve();
        expect(await call).toEqual(byte(5));
        await closing;
      });

      test('abort breaks running calls at once', async () => {
        const started = Promise.withResolvers<AbortSignal>();
        const served = Promise.withResolvers<WalbError>();
        const listener = await listen(
          handle(RawBidi, async (stream, { signal }) => {
            started.resolve(signal);
            served.resolve(await failure(stream.receive()));
          }),
        );
        const call = connect(listener.address).bidi(RawBidi);
        const pending = failure(call.receive());
        const signal = await started.promise;
        listener.abort();
        expect(signal.aborted).toBe(true);
        expect((await pending).code).toBe('unavailable');
        await served.promise;
      });
    });

    test('client ids and addresses are checked where they are given', async () => {
      const { address } = await listen();
      for (const clientId of ['', 'two words', 'caf\u00e9', 'x'.repeat(300), 'a\nb']) {
        expect(() => connect(address, clientId)).toThrow(/client id/);
      }
      for (const bad of ['', 'host', 'host:', 'host:99999', ':1', 'unix:relative', 'a b:1']) {
        expect(() => connect(bad)).toThrow(WalbError);
        expect((await failure(world.server.listen(bad, []))).code).toBe('invalid-argument');
      }
    });
  });
}

const PUMPED = 100;
/** Messages of 1 MiB that may be under way: send window, transport buffers, read-ahead. */
const MAX_BUFFERED = 20;

function pump(send: (message: Uint8Array) => Promise<void>): {
  sent: () => number;
  done: Promise<void>;
} {
  let count = 0;
  const message = new Uint8Array(MIB);
  const done = (async () => {
    for (; count < PUMPED; count++) await send(message);
  })();
  return { sent: () => count, done };
}

/** Resolves when the counter has stood still for 20 turns of the event loop with real I/O between. */
async function settled(counter: () => number): Promise<void> {
  let last = -1;
  for (let still = 0; still < 20; still++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    if (counter() !== last) still = 0;
    last = counter();
  }
}
