/**
 * What a storage may send in a backup: refused with a cause, and nothing that was there is lost. A stream
 * whose peer has fallen silent ends at once when it is told to.
 */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BidiStream, LB_SIZE, MIB, WalbError } from '../../src/core/index.ts';
import { checksum } from '../../src/kernels/index.ts';
import {
  ArchiveRpc,
  type BackupHello,
  CompressionKind,
  ControlRpc,
  diffToMessage,
  type FullSyncDown,
  type FullSyncUp,
  type HashSyncDown,
  type HashSyncUp,
  HostType,
  StopMode,
} from '../../src/rpc/index.ts';
import {
  cleanDiff,
  dataIo,
  fullBackup,
  hashBackup,
  packsOf,
  restorable,
  scanned,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
  viewWhere,
} from './support.ts';

type Message = NonNullable<FullSyncUp['message']>;
type HashMessage = NonNullable<HashSyncUp['message']>;

const SIZE_LB = 64;
const UUID = new Uint8Array(16).fill(3);
const OTHER_UUID = new Uint8Array(16).fill(4);
const image = Buffer.alloc(SIZE_LB * LB_SIZE, 7);

let host: TestArchive;

beforeEach(async () => {
  host = await testArchive();
  await host.channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
});

afterEach(() => host[Symbol.asyncDispose]());

const hello = (wish: Partial<BackupHello> = {}): { $case: 'hello'; value: BackupHello } => ({
  $case: 'hello',
  value: {
    volume: VOLUME,
    hostType: HostType.STORAGE,
    sizeLb: SIZE_LB,
    timestamp: 1,
    bulkLb: 8,
    compression: undefined,
    ...wish,
  },
});
const start = (uuid = UUID, gidB = 0n, resume = false): Message => ({
  $case: 'start',
  value: { uuid, gidB, ...(resume ? { resume } : {}) },
});
const settled = (doneLb: number): Message => ({ $case: 'settled', value: { doneLb } });
const scanEnd: Message = { $case: 'scanEnd', value: {} };

/** Of the image, from this block on. */
const chunk = (offsetLb: number, blocks = 8): Message => {
  const data = image.subarray(offsetLb * LB_SIZE, (offsetLb + blocks) * LB_SIZE);
  return bulk(offsetLb, blocks, data);
};

function bulk(
  offsetLb: number,
  blocks: number,
  data: Uint8Array,
  compression: CompressionKind = CompressionKind.NONE,
): Message {
  const one = { blocks, compression, checksum: checksum(data, 0), data };
  return { $case: 'chunk', value: { offsetLb, bulks: [one] } };
}

type Full = BidiStream<FullSyncUp, FullSyncDown>;

function openFull(): Full {
  return host.channel.bidi(ArchiveRpc.fullSync, { timeout: 20_000 });
}

async function untilEnd(stream: { receive(): Promise<unknown> }): Promise<WalbError> {
  try {
    for (;;) if ((await stream.receive()) === undefined) break;
  } catch (error) {
    return WalbError.from(error);
  }
  throw new Error('the archive took it');
}

/** Sends all, says that nothing follows, and reads until the archive ends the call. */
async function errorOf(messages: readonly Message[]): Promise<WalbError> {
  const stream = openFull();
  try {
    for (const message of messages) await stream.send({ message });
    await stream.end();
  } catch (error) {
    return WalbError.from(error);
  }
  return await untilEnd(stream);
}

async function expectQuiet(state: 'SyncReady' | 'Archived'): Promise<void> {
  await viewWhere(host.channel, (view) => view.state === state);
  expect(host.archive.core.foreground.running).toBe(0);
  expect(host.volume.catalogue.cleanTemporary()).toEqual([]);
  expect(host.volume.progressLb).toBe(0);
}

describe('a full backup', () => {
  const huge = Buffer.alloc(16 * LB_SIZE, 1);
  const cases: readonly (readonly [string, string, readonly Message[]])[] = [
    ['that is not a storage', 'invalid-argument', [hello({ hostType: HostType.PROXY })]],
    ['of no volume', 'invalid-argument', [hello({ volume: '../x' })]],
    ['of no blocks', 'invalid-argument', [hello({ sizeLb: 0 })]],
    ['in bulks of nothing', 'invalid-argument', [hello({ bulkLb: 0 })]],
    ['in huge bulks', 'invalid-argument', [hello({ bulkLb: (4 * MIB) / LB_SIZE + 1 })]],
    ['with data before its start', 'invalid-argument', [hello(), chunk(0)]],
    ['with half a uuid', 'invalid-argument', [hello(), start(UUID.subarray(8))]],
    [
      'that asks twice to go on',
      'invalid-argument',
      [hello(), start(UUID, 0n, true), start(UUID, 0n, true)],
    ],
    ['with a gap', 'invalid-argument', [hello(), start(), chunk(0), chunk(16)]],
    ['with overlapping data', 'invalid-argument', [hello(), start(), chunk(0), chunk(4)]],
    ['in the wrong order', 'invalid-argument', [hello(), start(), chunk(8)]],
    ['beyond the end', 'invalid-argument', [hello({ sizeLb: 4 }), start(), chunk(0)]],
    [
      'with empty chunks',
      'invalid-argument',
      [hello(), start(), { $case: 'chunk', value: { offsetLb: 0, bulks: [] } }],
    ],
    ['with empty bulks', 'invalid-argument', [hello(), start(), bulk(0, 0, new Uint8Array(0))]],
    ['with bulks too long', 'corrupt', [hello(), start(), bulk(0, 8, huge)]],
    ['with bulks too short', 'corrupt', [hello(), start(), bulk(0, 32, huge)]],
    [
      'that does not say how it is compressed',
      'invalid-argument',
      [hello(), start(), bulk(0, 8, huge, CompressionKind.UNSPECIFIED)],
    ],
    [
      'that is not what it says',
      'corrupt',
      [hello(), start(), bulk(0, 8, huge, CompressionKind.SNAPPY)],
    ],
    [
      'that settles what it has not sent',
      'invalid-argument',
      [hello(), start(), chunk(0), settled(9)],
    ],
    [
      'that settles backwards',
      'invalid-argument',
      [hello(), start(), chunk(0), settled(8), settled(4)],
    ],
    ['that ends early', 'corrupt', [hello(), start(), chunk(0), scanEnd]],
    ['that goes away', 'unavailable', [hello(), start(), chunk(0)]],
    [
      'with another snapshot at its end',
      'invalid-argument',
      [
        hello({ sizeLb: 8 }),
        start(),
        chunk(0),
        scanEnd,
        { $case: 'end', value: { gidB: 5n, gidE: 6n } },
      ],
    ],
  ];
  it.each(cases)('%s is refused: %s', async (_what, code, messages) => {
    const error = await errorOf(messages);
    expect(error).toMatchObject({ code });
    expect(error.message.length).toBeGreaterThan(10);
    await expectQuiet('SyncReady');
    // And goes on afterwards.
    await host.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    await fullBackup(host.channel, { image, uuid: UUID });
    await expectQuiet('Archived');
  });
});

describe('a resume that discarded the base', () => {
  /** A full backup that was broken off behind block 16. */
  async function breakOff(): Promise<void> {
    const error = await errorOf([hello(), start(), chunk(0), chunk(8), settled(16), chunk(16)]);
    expect(error).toMatchObject({ code: 'unavailable' });
    await expectQuiet('SyncReady');
  }

  /** Asks to go on; gives the stream and the answer. */
  async function goOn(uuid = UUID, gidB = 0n, wish = {}) {
    const stream = openFull();
    for (const message of [hello(wish), start(uuid, gidB, true)]) await stream.send({ message });
    await stream.receive();
    const answer = (await stream.receive())?.message;
    if (answer?.$case !== 'started') throw new Error(`${answer?.$case} came in place of started`);
    return { stream, ...answer.value };
  }

  async function finish(stream: Full, from: number): Promise<void> {
    for (let at = from; at < SIZE_LB; at += 8) await stream.send({ message: chunk(at) });
    const end = { $case: 'end', value: { gidB: 0n, gidE: 1n } } as const;
    for (const message of [scanEnd, end]) await stream.send({ message });
    for (;;) if ((await stream.receive())?.message?.$case === 'ack') break;
    await sendDiff(host.channel, { uuid: UUID, diff: cleanDiff(0n, 1n), ios: [], sizeLb: SIZE_LB });
    expect(Buffer.compare(await scanned(host.channel, 1n), image)).toBe(0);
  }

  it('does not: what was settled and stored is not sent again', async () => {
    await breakOff();
    const { stream, startLb } = await goOn();
    expect(startLb).toBe(16);
    expect((await viewWhere(host.channel, () => true)).progress[0]).toMatchObject({ done: 16 });
    await finish(stream, 16);
  });

  it('not even after a restart of the archive', async () => {
    await breakOff();
    await host.restart();
    const { stream, startLb } = await goOn();
    expect(startLb).toBe(16);
    await finish(stream, 16);
  });

  it('nor when it fails again and again', async () => {
    await breakOff();
    for (const at of [16, 24, 32]) {
      const { stream, startLb } = await goOn();
      expect(startLb).toBe(at);
      await stream.send({ message: chunk(at) });
      await stream.send({ message: settled(at + 8) });
      // Damaged on the way.
      await stream.send({ message: bulk(at + 8, 8, image.subarray(0, LB_SIZE)) });
      expect(await untilEnd(stream)).toMatchObject({ code: 'corrupt' });
      await expectQuiet('SyncReady');
    }
    const { stream, startLb } = await goOn();
    await finish(stream, startLb);
  });

  const strangers: readonly (readonly [string, RegExp, () => ReturnType<typeof goOn>])[] = [
    ['another log history', /another log history/, () => goOn(OTHER_UUID)],
    ['another first gid', /begins at gid 0/, () => goOn(UUID, 5n)],
    ['another size', /64 blocks, not 72/, () => goOn(UUID, 0n, { sizeLb: 72 })],
  ];
  it.each(strangers)('nor when it is asked to go on with %s', async (_what, refusal, ask) => {
    await breakOff();
    const wrong = await ask();
    expect(wrong).toMatchObject({ startLb: 0, refusal: expect.stringMatching(refusal) });
    // The storage dies before it begins anew.
    wrong.stream.cancel(new WalbError('unavailable', 'gone'));
    await expectQuiet('SyncReady');
    const { stream, startLb } = await goOn();
    expect(startLb).toBe(16);
    await finish(stream, 16);
  });

  it('begins anew for a storage that does', async () => {
    await breakOff();
    const { stream } = await goOn(OTHER_UUID);
    await stream.send({ message: start(OTHER_UUID, 0n) });
    const answer = (await stream.receive())?.message;
    expect(answer).toEqual({ $case: 'started', value: { startLb: 0 } });
    stream.cancel(new WalbError('unavailable', 'gone'));
    await expectQuiet('SyncReady');
    expect(await goOn()).toMatchObject({ startLb: 0, refusal: expect.any(String) });
  });

  it.each(['reset-vol', 'a full backup'])('is refused after %s', async (what) => {
    await breakOff();
    if (what === 'reset-vol') {
      await host.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    } else {
      await fullBackup(host.channel, { image, uuid: OTHER_UUID });
      await host.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: StopMode.GRACEFUL });
      await viewWhere(host.channel, ({ state }) => state === 'Stopped');
      await host.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    }
    expect(await goOn()).toMatchObject({ startLb: 0, refusal: expect.any(String) });
  });

  it('does not touch a volume that is archived: base and diffs stay as they are', async () => {
    await fullBackup(host.channel, { image, uuid: UUID });
    const diff = { uuid: UUID, diff: cleanDiff(0n, 1n), ios: [], sizeLb: SIZE_LB };
    await sendDiff(host.channel, diff);
    const base = readFileSync(`${host.directory}/${VOLUME}/images/base.img`);
    expect(await errorOf([hello(), start(UUID, 0n, true)])).toMatchObject({ code: 'wrong-state' });
    await expectQuiet('Archived');
    expect(await restorable(host.channel)).toEqual([1n]);
    expect(readFileSync(`${host.directory}/${VOLUME}/images/base.img`).equals(base)).toBe(true);
  });
});

describe('a hash backup', () => {
  beforeEach(async () => {
    await fullBackup(host.channel, { image, uuid: UUID });
    const diff = { uuid: UUID, diff: cleanDiff(0n, 1n), ios: [], sizeLb: SIZE_LB };
    await sendDiff(host.channel, diff);
  });

  const begin: HashMessage = { $case: 'start', value: { uuid: OTHER_UUID, gidB: 2n } };
  const packs = (...pieces: Uint8Array[]): HashMessage => ({ $case: 'packs', value: { pieces } });
  const progress = (doneLb: number): HashMessage => ({ $case: 'progress', value: { doneLb } });
  const end = (gidB = 2n, gidE = 3n): HashMessage => ({ $case: 'end', value: { gidB, gidE } });
  const data = Buffer.alloc(8 * LB_SIZE, 9);
  const good = packsOf([dataIo(0, data)], OTHER_UUID);
  const cases: readonly (readonly [string, string, readonly HashMessage[]])[] = [
    [
      'with half a uuid',
      'invalid-argument',
      [{ $case: 'start', value: { uuid: UUID.subarray(8), gidB: 2n } }],
    ],
    ['with data before its start', 'invalid-argument', [packs(...good)]],
    ['that ends without data', 'corrupt', [begin, end()]],
    [
      'beyond the end',
      'invalid-argument',
      [begin, packs(...packsOf([dataIo(SIZE_LB - 4, data)], OTHER_UUID)), end()],
    ],
    [
      'with damaged data',
      'corrupt',
      [begin, packs(...good.map((part, i) => (i === 1 ? part.map((b) => b ^ 1) : part))), end()],
    ],
    ['with bytes behind the end', 'corrupt', [begin, packs(...good, data), end()]],
    ['that never ends', 'invalid-argument', [begin, progress(8), progress(8)]],
    ['that goes backwards', 'invalid-argument', [begin, progress(8), progress(4)]],
    ['with progress beyond the end', 'invalid-argument', [begin, progress(SIZE_LB + 1)]],
    ['that goes away', 'unavailable', [begin, packs(...good)]],
    ['whose snapshot is older', 'invalid-argument', [begin, packs(...good), end(0n, 0n)]],
  ];
  it.each(cases)('%s is refused, and nothing is lost: %s', async (_what, code, messages) => {
    const stream: BidiStream<HashSyncUp, HashSyncDown> = host.channel.bidi(ArchiveRpc.hashSync, {
      timeout: 20_000,
    });
    const error = await (async () => {
      for (const message of [hello(), ...messages]) await stream.send({ message });
      await stream.end();
      return await untilEnd(stream);
    })().catch((thrown: unknown) => WalbError.from(thrown));
    expect(error).toMatchObject({ code });
    await expectQuiet('Archived');
    expect(host.volume.catalogue.uuid).toEqual(UUID);
    expect(await restorable(host.channel)).toEqual([1n]);
    expect(Buffer.compare(await scanned(host.channel, 1n), image)).toBe(0);
    await hashBackup(host.channel, { image, uuid: OTHER_UUID });
    await expectQuiet('Archived');
  });
});

describe('a forced stop ends at once, though the peer is silent,', () => {
  async function forceStop(): Promise<number> {
    const began = performance.now();
    const request = { volume: VOLUME, mode: StopMode.FORCE };
    await host.channel.unary(ControlRpc.stop, request);
    await viewWhere(host.channel, ({ state, stopState }) => {
      return ['SyncReady', 'Stopped'].includes(state) && stopState === 'NotStopping';
    });
    return performance.now() - began;
  }
  /** Far below any time-out. */
  const AT_ONCE = 5_000;

  it('a full backup', async () => {
    const stream = openFull();
    for (const message of [hello(), start(), chunk(0)]) await stream.send({ message });
    await viewWhere(host.channel, ({ state }) => state === 'FullSync');
    expect(await forceStop()).toBeLessThan(AT_ONCE);
    expect(await untilEnd(stream)).toMatchObject({ code: 'cancelled' });
    await expectQuiet('SyncReady');
  });

  it('a hash backup', async () => {
    await fullBackup(host.channel, { image, uuid: UUID });
    const stream = host.channel.bidi(ArchiveRpc.hashSync, { timeout: 20_000 });
    await stream.send({ message: hello() });
    await viewWhere(host.channel, ({ state }) => state === 'HashSync');
    expect(await forceStop()).toBeLessThan(AT_ONCE);
    expect(await untilEnd(stream)).toMatchObject({ code: 'cancelled' });
  });

  it('a diff', async () => {
    await fullBackup(host.channel, { image, uuid: UUID });
    const stream = host.channel.bidi(ArchiveRpc.transferWdiff, { timeout: 20_000 });
    const diff = diffToMessage(cleanDiff(0n, 1n));
    const value = { volume: VOLUME, hostType: HostType.PROXY, uuid: UUID, sizeLb: SIZE_LB, diff };
    await stream.send({ message: { $case: 'hello', value } });
    await viewWhere(host.channel, ({ state }) => state === 'WdiffRecv');
    expect(await forceStop()).toBeLessThan(AT_ONCE);
    expect(await untilEnd(stream)).toMatchObject({ code: 'cancelled' });
    expect(host.volume.catalogue.cleanTemporary()).toEqual([]);
  });

  it.each(['FullSync', 'WdiffRecv'])('and a forced shutdown in %s', async (state) => {
    if (state === 'FullSync') {
      const stream = openFull();
      for (const message of [hello(), start(), chunk(0)]) await stream.send({ message });
    } else {
      await fullBackup(host.channel, { image, uuid: UUID });
      const stream = host.channel.bidi(ArchiveRpc.transferWdiff, { timeout: 20_000 });
      const diff = diffToMessage(cleanDiff(0n, 1n));
      const value = { volume: VOLUME, hostType: HostType.PROXY, uuid: UUID, sizeLb: SIZE_LB, diff };
      await stream.send({ message: { $case: 'hello', value } });
    }
    await viewWhere(host.channel, (view) => view.state === state);
    const { volume } = host;
    const began = performance.now();
    host.archive.core.requestShutdown('force');
    await volume.machine.until(['SyncReady', 'Archived']);
    expect(performance.now() - began).toBeLessThan(AT_ONCE);
  });
});
