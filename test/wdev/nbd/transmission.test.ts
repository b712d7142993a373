import { describe, expect, test } from 'vitest';
import type { LogFields, Logger } from '../../../src/core/index.ts';
import { encodeGo, encodeMetaContext } from '../../../src/wdev/nbd/options.ts';
import {
  Allocation,
  BASE_ALLOCATION,
  Command,
  CommandFlag,
  Info,
  NbdError,
  ReplyType,
} from '../../../src/wdev/nbd/protocol.ts';
import { ManualClock } from './manual-clock.ts';
import {
  connect,
  type MemoryTransport,
  memoryServer,
  requestBytes,
  settle,
  simpleAnswers,
  startTransmission,
} from './memory-transport.ts';
import { diskFailure, diskFull, RamBackend, type RamOptions } from './ram-backend.ts';

const SIZE = 64 << 20;

async function served(options: Partial<RamOptions> & { structured?: boolean; log?: Logger } = {}) {
  const clock = new ManualClock();
  const server = memoryServer(options.log === undefined ? { clock } : { clock, log: options.log });
  const backend = new RamBackend({ size: SIZE, ...options });
  server.addExport('ram', backend);
  const transport = connect(server);
  const go = encodeGo('ram', [Info.BLOCK_SIZE]);
  const meta = encodeMetaContext('ram', [BASE_ALLOCATION]);
  const extra = options.structured === true ? { structured: true, meta } : {};
  await startTransmission(transport, 'ram', { go, ...extra });
  return { clock, server, backend, transport };
}

async function answersTo(transport: MemoryTransport, ...requests: Uint8Array[]) {
  transport.forget();
  transport.feed(Buffer.concat(requests));
  await settle();
  return transport.output();
}

const pattern = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 7) & 0xff);

describe('data', () => {
  test.each([1, 7, 28, 4096, 1 << 20])('writes and reads in pieces of %i bytes', async (piece) => {
    const { transport, backend } = await served();
    const data = pattern(8192, 1);
    transport.feed(requestBytes({ type: Command.WRITE, offset: 4096, length: 8192 }, data), piece);
    transport.feed(requestBytes({ type: Command.READ, offset: 4096, length: 8192 }), piece);
    await settle();
    const output = transport.output();
    expect(output.length).toBe(16 + 16 + 8192);
    expect(output.subarray(32).equals(data)).toBe(true);
    expect(backend.content.subarray(4096, 12288)).toEqual(data);
  });

  test.each(['sync', 'async'] as const)('payloads of every kind of size, %s', async (mode) => {
    const { transport, backend } = await served({ mode });
    const sizes = [512, 128 << 10, (128 << 10) + 512, 1 << 20, 32 << 20];
    for (const [seed, length] of sizes.entries()) {
      const data = Buffer.alloc(length, pattern(1009, seed));
      transport.feed(requestBytes({ type: Command.WRITE, offset: 512, length }, data), 200_000);
      await settle();
      const output = await answersTo(
        transport,
        requestBytes({ type: Command.READ, offset: 512, length, cookieLow: 9, cookieHigh: 8 }),
      );
      expect(output.readUInt32BE(8)).toBe(8);
      expect(output.readUInt32BE(12)).toBe(9);
      expect(output.subarray(16).equals(data)).toBe(true);
    }
    expect(backend.calls.submit).toBe(sizes.length);
  });

  test('offsets beyond 4 GiB', async () => {
    const { transport, backend } = await served({ readOnly: false });
    Object.defineProperty(backend, 'size', { value: 2 ** 40 });
    const seen: number[] = [];
    backend.read = (offset) => {
      seen.push(offset);
      return undefined;
    };
    await answersTo(
      transport,
      requestBytes({ type: Command.READ, offset: 2 ** 39 + 512, length: 512 }),
    );
    expect(seen).toEqual([2 ** 39 + 512]);
  });

  test('a batch is one call of the backend and one write', async () => {
    const { transport, backend } = await served();
    const requests = Array.from({ length: 32 }, (_, i) =>
      requestBytes(
        { type: Command.WRITE, offset: i * 512, length: 512, cookieLow: i },
        pattern(512, i),
      ),
    );
    requests.push(
      requestBytes({ type: Command.TRIM, offset: 1 << 20, length: 1 << 20, cookieLow: 32 }),
    );
    requests.push(requestBytes({ type: Command.FLUSH, cookieLow: 33 }));
    requests.push(requestBytes({ type: Command.FLUSH, cookieLow: 34 }));
    const output = await answersTo(transport, ...requests);
    expect(backend.calls).toMatchObject({ submit: 1, changes: 33, flush: 1 });
    expect(transport.written).toHaveLength(1);
    expect(simpleAnswers(output)).toEqual(
      Array.from({ length: 35 }, (_, cookie) => ({ errno: 0, cookie })),
    );
  });

  test('a write in flight keeps its bytes while more arrive', async () => {
    const { transport, backend } = await served({ mode: 'held' });
    for (let i = 0; i < 200; i++) {
      const data = Buffer.alloc(4096, i + 1);
      transport.feed(requestBytes({ type: Command.WRITE, offset: i * 4096, length: 4096 }, data));
    }
    expect(backend.heldCalls).toBe(200);
    backend.release();
    await settle();
    for (let i = 0; i < 200; i++) {
      expect(backend.content[i * 4096]).toBe((i + 1) & 0xff);
      expect(backend.content[i * 4096 + 4095]).toBe((i + 1) & 0xff);
    }
  });

  test('FUA, NO_HOLE and FAST_ZERO reach the backend', async () => {
    const { transport, backend } = await served();
    const { FUA, NO_HOLE, FAST_ZERO } = CommandFlag;
    const seen: unknown[] = [];
    const submit = backend.submit.bind(backend);
    backend.submit = (changes) => {
      for (const { kind, fua, mayPunch, fast } of changes) seen.push([kind, fua, mayPunch, fast]);
      return submit(changes);
    };
    await answersTo(
      transport,
      requestBytes({ type: Command.WRITE, flags: FUA, length: 512 }, pattern(512, 1)),
      requestBytes({ type: Command.WRITE_ZEROES, flags: NO_HOLE, length: 4096 }),
      requestBytes({ type: Command.WRITE_ZEROES, flags: FAST_ZERO, length: 4096 }),
      requestBytes({ type: Command.TRIM, flags: FUA, length: 4096 }),
    );
    expect(seen).toEqual([
      ['write', true, true, false],
      ['zero', false, false, false],
      ['zero', false, true, true],
      ['trim', true, true, false],
    ]);
    expect(backend.fua).toBe(2);
  });

  test('requests of no bytes succeed without the backend', async () => {
    const { transport, backend } = await served();
    const types = [Command.READ, Command.WRITE, Command.TRIM, Command.WRITE_ZEROES];
    const output = await answersTo(transport, ...types.map((type) => requestBytes({ type })));
    expect(simpleAnswers(output).map(({ errno }) => errno)).toEqual([0, 0, 0, 0]);
    expect(backend.calls).toMatchObject({ read: 0, submit: 0 });
  });

  test('CACHE is a hint', async () => {
    const { transport, backend } = await served();
    const output = await answersTo(transport, requestBytes({ type: Command.CACHE, length: 4096 }));
    expect(simpleAnswers(output)).toEqual([{ errno: 0, cookie: 0 }]);
    expect(backend.calls.prefetch).toBe(1);
  });
});

describe('structured replies', () => {
  test('a READ is one chunk with its offset', async () => {
    const { transport, backend } = await served({ structured: true });
    backend.content.set(pattern(512, 3), 1024);
    const output = await answersTo(transport, requestBytes({ offset: 1024, length: 512 }));
    expect(output.readUInt32BE(0)).toBe(0x668e33ef);
    expect([output.readUInt16BE(4), output.readUInt16BE(6)]).toEqual([1, ReplyType.OFFSET_DATA]);
    expect(output.readUInt32BE(16)).toBe(520);
    expect(output.readBigUInt64BE(20)).toBe(1024n);
    expect(output.subarray(28).equals(pattern(512, 3))).toBe(true);
  });

  test('errors have a text', async () => {
    const { transport, backend } = await served({ structured: true, mode: 'async' });
    backend.failure = diskFailure();
    const output = await answersTo(transport, requestBytes({ length: 512 }));
    expect(output.readUInt16BE(6)).toBe(ReplyType.ERROR);
    expect(output.readUInt32BE(20)).toBe(NbdError.EIO);
    expect(output.subarray(26).toString()).toBe('the RAM disk failed on request');
    expect(output.readUInt16BE(24)).toBe(output.length - 26);
  });

  test('BLOCK_STATUS tells data from holes, one extent when one is wanted', async () => {
    const { transport } = await served({ structured: true });
    const data = pattern(4096, 1);
    await answersTo(
      transport,
      requestBytes({ type: Command.WRITE, offset: 8192, length: 4096 }, data),
    );
    const ask = { type: Command.BLOCK_STATUS, length: 1 << 20 };
    const all = await answersTo(transport, requestBytes(ask));
    expect(extents(all)).toEqual([
      [8192, Allocation.HOLE | Allocation.ZERO],
      [4096, 0],
      [(1 << 20) - 12288, Allocation.HOLE | Allocation.ZERO],
    ]);
    const one = await answersTo(transport, requestBytes({ ...ask, flags: CommandFlag.REQ_ONE }));
    expect(extents(one)).toEqual([[8192, 3]]);
  });

  test('without nextData everything is data', async () => {
    const { transport, backend } = await served({ structured: true });
    Object.defineProperty(backend, 'nextData', { value: undefined });
    const ask = requestBytes({ type: Command.BLOCK_STATUS, length: 1 << 20 });
    expect(extents(await answersTo(transport, ask))).toEqual([[1 << 20, 0]]);
  });
});

describe('refusals', () => {
  const beyond = { offset: SIZE - 512, length: 1024 };
  const data = new Uint8Array(1024);
  test.each([
    ['READ beyond the end', requestBytes({ type: Command.READ, ...beyond }), NbdError.EINVAL],
    [
      'WRITE beyond the end',
      requestBytes({ type: Command.WRITE, ...beyond }, data),
      NbdError.ENOSPC,
    ],
    [
      'WRITE_ZEROES beyond the end',
      requestBytes({ type: Command.WRITE_ZEROES, ...beyond }),
      NbdError.ENOSPC,
    ],
    ['TRIM beyond the end', requestBytes({ type: Command.TRIM, ...beyond }), NbdError.EINVAL],
    [
      'offset beyond 2^53',
      requestBytes({ type: Command.READ, offset: 2 ** 63, length: 512 }),
      NbdError.EINVAL,
    ],
    [
      'misaligned offset',
      requestBytes({ type: Command.READ, offset: 1, length: 512 }),
      NbdError.EINVAL,
    ],
    [
      'misaligned length',
      requestBytes({ type: Command.WRITE, length: 100 }, new Uint8Array(100)),
      NbdError.EINVAL,
    ],
    ['READ of 33 MiB', requestBytes({ type: Command.READ, length: 33 << 20 }), NbdError.EINVAL],
    ['unknown command', requestBytes({ type: 77 }), NbdError.EINVAL],
    [
      'unknown flag',
      requestBytes({ type: Command.READ, flags: 1 << 9, length: 512 }),
      NbdError.EINVAL,
    ],
    [
      'NO_HOLE on a WRITE',
      requestBytes({ type: Command.WRITE, flags: 2, length: 1024 }, data),
      NbdError.EINVAL,
    ],
    [
      'DF without structured replies',
      requestBytes({ type: Command.READ, flags: 4, length: 512 }),
      NbdError.EINVAL,
    ],
    [
      'BLOCK_STATUS not agreed on',
      requestBytes({ type: Command.BLOCK_STATUS, length: 512 }),
      NbdError.EINVAL,
    ],
    [
      'WRITE of 33 MiB',
      requestBytes({ type: Command.WRITE, length: 33 << 20 }, new Uint8Array(33 << 20)),
      NbdError.EINVAL,
    ],
  ])('%s: refused, the next request served', async (_what, bytes, errno) => {
    const { transport, backend } = await served();
    const output = await answersTo(
      transport,
      bytes,
      requestBytes({ type: Command.FLUSH, cookieLow: 5 }),
    );
    expect(simpleAnswers(output)).toEqual([
      { errno, cookie: 0 },
      { errno: 0, cookie: 5 },
    ]);
    expect(backend.calls).toMatchObject({ read: 0, submit: 0, flush: 1 });
    expect(transport.isEnded).toBe(false);
  });

  test('changes of a read-only export', async () => {
    const { transport } = await served({ readOnly: true });
    const output = await answersTo(
      transport,
      requestBytes({ type: Command.WRITE, length: 512 }, new Uint8Array(512)),
      requestBytes({ type: Command.TRIM, length: 512 }),
      requestBytes({ type: Command.WRITE_ZEROES, length: 512 }),
      requestBytes({ type: Command.FLUSH }),
    );
    const { EPERM } = NbdError;
    expect(simpleAnswers(output).map(({ errno }) => errno)).toEqual([EPERM, EPERM, EPERM, 0]);
  });

  test('FAST_ZERO where zeros are slow', async () => {
    const { transport } = await served({ canFastZero: false });
    const flags = CommandFlag.FAST_ZERO;
    const output = await answersTo(
      transport,
      requestBytes({ type: Command.WRITE_ZEROES, flags, length: 512 }),
    );
    expect(simpleAnswers(output)[0]?.errno).toBe(NbdError.ENOTSUP);
  });

  test.each([
    ['bad magic', new Uint8Array(28)],
    ['a refused WRITE of 4 GiB', requestBytes({ type: Command.WRITE, length: 0xffff_fe00 })],
  ])('%s ends the connection after the answers before it', async (_what, bytes) => {
    const { transport, backend } = await served();
    const read = requestBytes({ type: Command.READ, length: 512 });
    const output = await answersTo(transport, read, bytes, read);
    expect(output.length).toBe(528);
    expect(transport.isEnded).toBe(true);
    expect(backend.calls.read).toBe(1);
  });

  test('the device has grown: what was beyond its end is served', async () => {
    const { transport, backend } = await served();
    backend.size = SIZE - 4096;
    const read = requestBytes({ type: Command.READ, offset: SIZE - 512, length: 512 });
    expect(simpleAnswers(await answersTo(transport, read))[0]?.errno).toBe(NbdError.EINVAL);
    backend.size = SIZE;
    expect((await answersTo(transport, read)).length).toBe(528);
  });
});

describe('failures of the backend', () => {
  test.each(['sync', 'async'] as const)('EIO and ENOSPC, %s', async (mode) => {
    const { transport, backend } = await served({ mode });
    const requests = [
      requestBytes({ type: Command.READ, length: 512 }),
      requestBytes({ type: Command.WRITE, length: 512 }, new Uint8Array(512)),
      requestBytes({ type: Command.FLUSH }),
    ];
    for (const [failure, errno] of [
      [diskFailure(), NbdError.EIO],
      [diskFull(), NbdError.ENOSPC],
    ] as const) {
      backend.failure = failure;
      const answers = simpleAnswers(await answersTo(transport, ...requests));
      expect(answers.map((answer) => answer.errno)).toEqual([errno, errno, errno]);
    }
    backend.failure = undefined;
    expect((await answersTo(transport, ...requests)).length).toBe(16 * 3 + 512);
  });

  test('one change of a batch fails alone', async () => {
    const { transport, backend } = await served();
    backend.submit = (changes) => {
      changes[1]!.error = diskFull();
      return undefined;
    };
    const writes = [0, 1, 2].map((i) =>
      requestBytes(
        { type: Command.WRITE, offset: i * 512, length: 512, cookieLow: i },
        new Uint8Array(512),
      ),
    );
    const answers = simpleAnswers(await answersTo(transport, ...writes));
    expect(answers.map(({ errno }) => errno)).toEqual([0, NbdError.ENOSPC, 0]);
  });

  test('a thousand failures are one log line, and later one more with their number', async () => {
    const lines: LogFields[] = [];
    const log: Logger = {
      debug: () => {},
      info: () => {},
      warn: () => {},
      error: (fields) => lines.push(fields),
      child: () => log,
    };
    const { transport, backend, clock } = await served({ log });
    backend.failure = diskFailure();
    const read = requestBytes({ type: Command.READ, length: 512 });
    await answersTo(transport, ...Array.from({ length: 1000 }, () => read));
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ command: 'READ', offset: 0, length: 512, unlogged: 0 });
    clock.advance(10_000);
    await answersTo(transport, read);
    expect(lines[1]).toMatchObject({ unlogged: 999 });
  });
});

describe('bounds', () => {
  test('a client that does not read its data is not read from', async () => {
    const { transport, server, backend } = await served();
    transport.isStuck = true;
    const read = requestBytes({ type: Command.READ, length: 8 << 20 });
    transport.feed(Buffer.concat(Array.from({ length: 100 }, () => read)));
    expect(transport.isPaused).toBe(true);
    expect(server.memory).toBeLessThan(80 << 20);
    expect(backend.calls.read).toBeLessThan(10);
    transport.isStuck = false;
    let received = 0;
    for (let i = 0; i < 200 && received < 100; i++) {
      transport.drain();
      await settle();
      received += transport.output().length / (16 + (8 << 20));
      transport.forget();
    }
    expect([received, transport.isPaused]).toEqual([100, false]);
  });

  test('a slow backend holds back a fast client', async () => {
    const { transport, server, backend } = await served({ mode: 'held' });
    const data = new Uint8Array(8 << 20);
    const write = requestBytes({ type: Command.WRITE, length: data.length }, data);
    for (let i = 0; i < 20 && !transport.isPaused; i++) transport.feed(write, 100_000);
    expect(transport.isPaused).toBe(true);
    expect(server.memory).toBeLessThan(100 << 20);
    backend.release();
    await settle();
    expect(transport.isPaused).toBe(false);
  });

  test('buffers are given back when the client vanishes in the middle', async () => {
    const { transport, server, backend } = await served({ mode: 'held' });
    const data = new Uint8Array(1 << 20);
    const write = requestBytes({ type: Command.WRITE, length: data.length }, data);
    transport.feed(write);
    transport.feed(requestBytes({ type: Command.READ, length: 1 << 20 }));
    transport.feed(write.subarray(0, 500_000));
    transport.destroy();
    await settle();
    backend.release();
    await settle();
    expect(server.memory).toBe(0);
  });
});

describe('the end', () => {
  test('DISC: what is under way is finished, what follows is not read', async () => {
    const { transport, backend } = await served({ mode: 'held' });
    const write = requestBytes({ type: Command.WRITE, length: 512 }, pattern(512, 1));
    transport.feed(Buffer.concat([write, requestBytes({ type: Command.DISCONNECT }), write]));
    expect(transport.isEnded).toBe(false);
    backend.release();
    await settle();
    expect(transport.isEnded).toBe(true);
    expect(backend.calls.changes).toBe(1);
    expect(simpleAnswers(transport.output())).toHaveLength(1);
  });

  test('close: requests under way are finished, new ones get ESHUTDOWN', async () => {
    const { transport, server, backend } = await served({ mode: 'held' });
    transport.feed(requestBytes({ type: Command.READ, length: 512, cookieLow: 1 }));
    const closed = server.close();
    transport.feed(requestBytes({ type: Command.FLUSH, cookieLow: 2 }));
    await settle();
    expect(simpleAnswers(transport.output())).toEqual([{ errno: NbdError.ESHUTDOWN, cookie: 2 }]);
    transport.forget();
    backend.release();
    await closed;
    expect(transport.output().length).toBe(528);
    expect([transport.isEnded, transport.isDestroyed]).toEqual([true, false]);
  });

  test('close: a client that takes nothing is cut off after a while', async () => {
    const { transport, server, clock } = await served({ mode: 'held' });
    transport.feed(requestBytes({ type: Command.READ, length: 512 }));
    const closed = server.close();
    clock.advance(10_000);
    await closed;
    expect(transport.isDestroyed).toBe(true);
  });

  test('removeExport ends its clients only, and the name is free again', async () => {
    const { transport, server } = await served();
    server.addExport('other', new RamBackend({ size: SIZE }));
    const other = connect(server);
    await startTransmission(other, 'other', { go: encodeGo('other', []) });
    expect(server.clientsOf('ram')).toEqual(['memory']);
    await server.removeExport('ram');
    expect([transport.isEnded, other.isEnded]).toEqual([true, false]);
    expect(server.clientsOf('ram')).toEqual([]);
    server.addExport('ram', new RamBackend({ size: SIZE }));
  });

  test('two exports of one name, and block sizes that do not fit', () => {
    const server = memoryServer();
    const ram = (blockSizes: RamOptions['blockSizes'] = {}, size = SIZE) =>
      new RamBackend({ size, blockSizes });
    server.addExport('a', ram());
    const add = (backend: RamBackend) => () => server.addExport('b', backend);
    expect(() => server.addExport('a', ram())).toThrow(
      expect.objectContaining({ code: 'already-exists' }),
    );
    const invalid = expect.objectContaining({ code: 'invalid-argument' });
    expect(add(ram({ minimum: 3 }))).toThrow(invalid);
    expect(add(ram({ minimum: 8192 }))).toThrow(invalid);
    expect(add(ram({ maximum: 64 << 20 }))).toThrow(invalid);
    expect(add(ram({}, 1000))).toThrow(invalid);
    expect(() => server.addExport('n'.repeat(4097), ram())).toThrow(invalid);
  });
});

function extents(output: Buffer): [length: number, flags: number][] {
  expect(output.readUInt16BE(6)).toBe(ReplyType.BLOCK_STATUS);
  expect(output.readUInt32BE(20)).toBe(1);
  const found: [number, number][] = [];
  for (let at = 24; at < output.length; at += 8) {
    found.push([output.readUInt32BE(at), output.readUInt32BE(at + 4)]);
  }
  return found;
}
