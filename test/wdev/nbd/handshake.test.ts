import { describe, expect, test } from 'vitest';
import {
  encodeGo,
  encodeMetaContext,
  encodeOption,
  viewOf,
} from '../../../src/wdev/nbd/options.ts';
import {
  BASE_ALLOCATION,
  Info,
  Option,
  OptionReply,
  TransmissionFlag,
} from '../../../src/wdev/nbd/protocol.ts';
import { ManualClock } from './manual-clock.ts';
import {
  CLIENT_FLAGS,
  connect,
  type MemoryTransport,
  memoryServer,
  optionAnswers,
  settle,
} from './memory-transport.ts';
import { RamBackend } from './ram-backend.ts';

const NOTHING = new Uint8Array(0);

function serverWith(...names: string[]) {
  const server = memoryServer();
  for (const name of names)
    server.addExport(name, new RamBackend({ size: 1 << 20 }), `about ${name}`);
  return server;
}

async function ask(transport: MemoryTransport, ...options: [number, Uint8Array][]) {
  for (const [option, payload] of options) transport.feed(encodeOption(option, payload));
  await settle();
  return optionAnswers(transport.output().subarray(18));
}

function started(server: ReturnType<typeof memoryServer>, tls = false): MemoryTransport {
  const transport = connect(server, tls);
  transport.feed(CLIENT_FLAGS);
  return transport;
}

describe('greeting', () => {
  test('says fixed newstyle and no zeroes', async () => {
    const transport = connect(serverWith('a'));
    await settle();
    expect(transport.output().toString('hex')).toBe('4e42444d4147494349484156454f50540003');
  });

  test('unknown client flags end the connection', async () => {
    const transport = connect(serverWith('a'));
    transport.feed(Uint8Array.of(0, 0, 0, 0x80));
    await settle();
    expect(transport.isEnded).toBe(true);
  });

  test('a client that says nothing is dropped when its time is over, one that agreed is not', async () => {
    const clock = new ManualClock();
    const server = memoryServer({ clock, handshakeTimeout: 1000 });
    server.addExport('a', new RamBackend({ size: 1 << 20 }));
    const silent = connect(server);
    const served = started(server);
    await ask(served, [Option.GO, encodeGo('a', [])]);
    clock.advance(1000);
    await settle();
    expect([silent.isDestroyed, served.isDestroyed]).toEqual([true, false]);
    expect(clock.timers).toBe(0);
  });
});

describe('options', () => {
  test('LIST names every export with its description', async () => {
    const answers = await ask(started(serverWith('a', 'bé')), [Option.LIST, NOTHING]);
    expect(answers.map(({ type }) => type)).toEqual([
      OptionReply.SERVER,
      OptionReply.SERVER,
      OptionReply.ACK,
    ]);
    const second = answers[1]!.payload;
    expect(second.subarray(4, 4 + second.readUInt32BE(0)).toString()).toBe('bé');
    expect(second.subarray(4 + second.readUInt32BE(0)).toString()).toBe('about bé');
  });

  test('INFO answers what was asked and stays in the negotiation', async () => {
    const infos = [Info.NAME, Info.DESCRIPTION, Info.BLOCK_SIZE, 999];
    const transport = started(serverWith('a'));
    const answers = await ask(
      transport,
      [Option.INFO, encodeGo('a', infos)],
      [Option.LIST, NOTHING],
    );
    const kinds = answers
      .filter(({ type }) => type === OptionReply.INFO)
      .map(({ payload }) => payload.readUInt16BE(0));
    expect(kinds).toEqual([Info.EXPORT, Info.NAME, Info.DESCRIPTION, Info.BLOCK_SIZE]);
    expect(answers.at(-1)).toMatchObject({ option: Option.LIST, type: OptionReply.ACK });
  });

  test('GO tells size, flags and block sizes', async () => {
    const go = encodeGo('a', [Info.BLOCK_SIZE]);
    const answers = await ask(started(serverWith('a')), [Option.GO, go]);
    const [facts, sizes] = answers.map(({ payload }) => payload);
    expect(facts!.readBigUInt64BE(2)).toBe(1n << 20n);
    const flags = facts!.readUInt16BE(10);
    expect(flags & TransmissionFlag.CAN_MULTI_CONN).not.toBe(0);
    expect(flags & TransmissionFlag.SEND_FAST_ZERO).not.toBe(0);
    // DF has no meaning without structured replies.
    expect(flags & TransmissionFlag.SEND_DF).toBe(0);
    expect([2, 6, 10].map((at) => sizes!.readUInt32BE(at))).toEqual([512, 4096, 32 << 20]);
  });

  test('a read-only export offers no changes', async () => {
    const server = memoryServer();
    server.addExport('r', new RamBackend({ size: 1 << 20, readOnly: true }));
    const [facts] = await ask(started(server), [Option.GO, encodeGo('r', [])]);
    const flags = facts!.payload.readUInt16BE(10);
    const changing =
      TransmissionFlag.SEND_TRIM |
      TransmissionFlag.SEND_WRITE_ZEROES |
      TransmissionFlag.SEND_FAST_ZERO;
    expect(flags & TransmissionFlag.READ_ONLY).not.toBe(0);
    expect(flags & changing).toBe(0);
  });

  test('the empty name is the only export, and none when there are two', async () => {
    const one = await ask(started(serverWith('a')), [Option.GO, encodeGo('', [])]);
    expect(one.at(-1)?.type).toBe(OptionReply.ACK);
    const two = await ask(started(serverWith('a', 'b')), [Option.GO, encodeGo('', [])]);
    expect(two.at(-1)?.type).toBe(OptionReply.ERR_UNKNOWN);
  });

  test('an export of large blocks is only for clients that know about them', async () => {
    const server = memoryServer();
    server.addExport('big', new RamBackend({ size: 1 << 20, blockSizes: { minimum: 4096 } }));
    const transport = started(server);
    const refused = await ask(transport, [Option.GO, encodeGo('big', [])]);
    expect(refused.at(-1)?.type).toBe(OptionReply.ERR_BLOCK_SIZE_REQD);
    const agreed = await ask(transport, [Option.GO, encodeGo('big', [Info.BLOCK_SIZE])]);
    expect(agreed.at(-1)?.type).toBe(OptionReply.ACK);
  });

  test.each([
    ['EXTENDED_HEADERS', Option.EXTENDED_HEADERS, NOTHING, OptionReply.ERR_UNSUP],
    ['an unknown option', 4711, NOTHING, OptionReply.ERR_UNSUP],
    ['STARTTLS without certificates', Option.STARTTLS, NOTHING, OptionReply.ERR_UNSUP],
    ['LIST with data', Option.LIST, Uint8Array.of(1), OptionReply.ERR_INVALID],
    [
      'STRUCTURED_REPLY with data',
      Option.STRUCTURED_REPLY,
      Uint8Array.of(1),
      OptionReply.ERR_INVALID,
    ],
    ['GO without data', Option.GO, NOTHING, OptionReply.ERR_INVALID],
    ['GO of an unknown export', Option.GO, encodeGo('zz', []), OptionReply.ERR_UNKNOWN],
    [
      'GO with a name beyond its data',
      Option.GO,
      Uint8Array.of(0, 0, 1, 0, 65),
      OptionReply.ERR_INVALID,
    ],
    [
      'GO with a count beyond its data',
      Option.GO,
      encodeGo('a', [1]).subarray(0, 8),
      OptionReply.ERR_INVALID,
    ],
    [
      'GO with a name that is no UTF-8',
      Option.GO,
      Uint8Array.of(0, 0, 0, 1, 0xff, 0, 0),
      OptionReply.ERR_INVALID,
    ],
    [
      'GO with a name of 4097 bytes',
      Option.GO,
      encodeGo('n'.repeat(4097), []),
      OptionReply.ERR_INVALID,
    ],
    [
      'SET_META_CONTEXT before STRUCTURED_REPLY',
      Option.SET_META_CONTEXT,
      encodeMetaContext('a', []),
      OptionReply.ERR_INVALID,
    ],
    ['an option of 100 KiB', Option.GO, new Uint8Array(100 << 10), OptionReply.ERR_TOO_BIG],
  ])('%s is refused and the next option answered', async (_what, option, payload, type) => {
    const transport = started(serverWith('a'));
    const answers = await ask(transport, [option, payload], [Option.LIST, NOTHING]);
    expect(answers[0]).toMatchObject({ option, type });
    expect(answers.at(-1)).toMatchObject({ option: Option.LIST, type: OptionReply.ACK });
    expect(transport.isEnded).toBe(false);
  });

  test.each([
    ['bad magic', new Uint8Array(16)],
    ['EXPORT_NAME of an unknown export', encodeOption(Option.EXPORT_NAME, Buffer.from('zz'))],
    ['EXPORT_NAME of 70 KiB', encodeOption(Option.EXPORT_NAME, new Uint8Array(70 << 10))],
    ['an option of 4 GiB', hugeOption()],
    ['ABORT', encodeOption(Option.ABORT, NOTHING)],
  ])('%s ends the connection', async (_what, bytes) => {
    const transport = started(serverWith('a'));
    transport.feed(bytes);
    await settle();
    expect(transport.isEnded).toBe(true);
  });

  test('EXPORT_NAME: 124 zeroes unless both sides go without', async () => {
    const lengths: number[] = [];
    for (const flags of [1, 3]) {
      const transport = connect(serverWith('a'));
      transport.feed(Uint8Array.of(0, 0, 0, flags));
      transport.feed(encodeOption(Option.EXPORT_NAME, Buffer.from('a')));
      await settle();
      const answer = transport.output().subarray(18);
      expect(answer.readBigUInt64BE(0)).toBe(1n << 20n);
      lengths.push(answer.length);
    }
    expect(lengths).toEqual([134, 10]);
  });
});

describe('metadata contexts', () => {
  const structured: [number, Uint8Array] = [Option.STRUCTURED_REPLY, NOTHING];

  async function contexts(option: number, queries: string[]): Promise<string[]> {
    const payload = encodeMetaContext('a', queries);
    const answers = await ask(started(serverWith('a')), structured, [option, payload]);
    expect(answers.at(-1)?.type).toBe(OptionReply.ACK);
    return answers
      .filter(({ type }) => type === OptionReply.META_CONTEXT)
      .map((answer) => answer.payload.subarray(4).toString());
  }

  test('LIST takes nothing, a namespace or a name; SET takes names', async () => {
    expect(await contexts(Option.LIST_META_CONTEXT, [])).toEqual([BASE_ALLOCATION]);
    expect(await contexts(Option.LIST_META_CONTEXT, ['base:'])).toEqual([BASE_ALLOCATION]);
    expect(await contexts(Option.LIST_META_CONTEXT, ['qemu:'])).toEqual([]);
    expect(await contexts(Option.SET_META_CONTEXT, ['x:y', BASE_ALLOCATION])).toEqual([
      BASE_ALLOCATION,
    ]);
    expect(await contexts(Option.SET_META_CONTEXT, [])).toEqual([]);
    expect(await contexts(Option.SET_META_CONTEXT, ['base:'])).toEqual([]);
  });

  test.each([
    ['fewer queries than counted', countedQueries(2)],
    ['four billion queries', countedQueries(0xffff_ffff)],
    ['bytes behind the queries', Buffer.concat([encodeMetaContext('a', []), Buffer.of(1)])],
  ])('%s is ERR_INVALID', async (_what, payload) => {
    const answers = await ask(started(serverWith('a')), structured, [
      Option.SET_META_CONTEXT,
      payload,
    ]);
    expect(answers.at(-1)?.type).toBe(OptionReply.ERR_INVALID);
  });
});

describe('TLS required (FORCEDTLS)', () => {
  test('nothing is told or served in the clear', async () => {
    const transport = started(serverWith('a'), true);
    const answers = await ask(
      transport,
      [Option.LIST, NOTHING],
      [Option.GO, encodeGo('a', [])],
      [Option.STARTTLS, Uint8Array.of(1)],
    );
    expect(answers.map(({ type }) => type)).toEqual([
      OptionReply.ERR_TLS_REQD,
      OptionReply.ERR_TLS_REQD,
      OptionReply.ERR_INVALID,
    ]);
    transport.feed(encodeOption(Option.EXPORT_NAME, Buffer.from('a')));
    await settle();
    expect(transport.isEnded).toBe(true);
  });

  test('after STARTTLS the haggling starts anew', async () => {
    const transport = started(serverWith('a'), true);
    await ask(transport, [Option.STARTTLS, NOTHING]);
    expect(transport.tlsStarted).toBe(true);
    transport.consumer?.secured('client');
    const answers = await ask(transport, [Option.GO, encodeGo('a', [])]);
    expect(answers.at(-1)).toMatchObject({ option: Option.GO, type: OptionReply.ACK });
    expect(transport.isEnded).toBe(false);
  });

  test('bytes in the clear behind STARTTLS are not taken for secured ones', async () => {
    const transport = started(serverWith('a'), true);
    const injected = encodeOption(Option.GO, encodeGo('a', []));
    transport.feed(Buffer.concat([encodeOption(Option.STARTTLS, NOTHING), injected]));
    await settle();
    expect([transport.tlsStarted, transport.isEnded]).toEqual([false, true]);
  });
});

describe('slow and greedy clients', () => {
  test('one byte at a time is understood', async () => {
    const transport = connect(serverWith('a'));
    transport.feed(CLIENT_FLAGS, 1);
    transport.feed(encodeOption(Option.STRUCTURED_REPLY, NOTHING), 1);
    transport.feed(encodeOption(Option.GO, encodeGo('a', [])), 1);
    await settle();
    expect(optionAnswers(transport.output().subarray(18)).at(-1)?.type).toBe(OptionReply.ACK);
  });

  test('a client that asks without reading is not read from, and goes on when it does', async () => {
    const server = serverWith(...Array.from({ length: 100 }, (_, i) => `${i}`.repeat(100)));
    const transport = started(server);
    transport.isStuck = true;
    const list = encodeOption(Option.LIST, NOTHING);
    transport.feed(Buffer.concat(Array.from({ length: 400 }, () => list)));
    expect(transport.isPaused).toBe(true);
    transport.isStuck = false;
    for (let i = 0; i < 100 && transport.isPaused; i++) {
      transport.drain();
      await settle();
    }
    const acks = optionAnswers(transport.output().subarray(18)).filter(
      ({ type }) => type === OptionReply.ACK,
    );
    expect(acks).toHaveLength(400);
  });

  test('more connections than allowed are refused', () => {
    const server = memoryServer({ maxConnections: 2 });
    const transports = [connect(server), connect(server), connect(server)];
    expect(transports.map(({ isDestroyed }) => isDestroyed)).toEqual([false, false, true]);
  });
});

function hugeOption(): Uint8Array {
  const bytes = encodeOption(Option.GO, NOTHING);
  viewOf(bytes).setUint32(12, 0xffff_ffff);
  return bytes;
}

function countedQueries(count: number): Uint8Array {
  const bytes = encodeMetaContext('a', [BASE_ALLOCATION]);
  viewOf(bytes).setUint32(5, count);
  return bytes;
}
