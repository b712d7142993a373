/** D.3, D.5, W7: what an archive accepts, what it answers to the rest, and what a failure leaves. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LB_SIZE, type WalbError } from '../../src/core/index.ts';
import {
  ArchiveRpc,
  ControlRpc,
  diffToMessage,
  HostType,
  type WdiffAnswer,
} from '../../src/rpc/index.ts';
import { diffOf, snapshot } from '../../src/wdiff/index.ts';
import {
  cleanDiff,
  dataIo,
  fullBackup,
  hashBackup,
  hurried,
  packsOf,
  restorable,
  scanned,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
  viewWhere,
} from './support.ts';

const SIZE_LB = 64;
const UUID = new Uint8Array(16).fill(9);
const OTHER_UUID = new Uint8Array(16).fill(8);

let host: TestArchive;
let image: Buffer;

beforeEach(async () => {
  host = await testArchive();
  image = Buffer.alloc(SIZE_LB * LB_SIZE, 0x11);
  await host.channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
});

afterEach(() => host[Symbol.asyncDispose]());

const names = () =>
  readdirSync(join(host.directory, VOLUME)).filter((name) => /wdiff|tmp/.test(name));

async function archived(): Promise<void> {
  await fullBackup(host.channel, { image, uuid: UUID });
}

function answerTo(more: Partial<Parameters<typeof sendDiff>[1]>): Promise<WdiffAnswer> {
  const diff = cleanDiff(0n, 1n);
  const sent = { uuid: UUID, diff, ios: [], sizeLb: SIZE_LB, ...more };
  return sendDiff(host.channel, sent).then(({ answer }) => answer);
}

describe('a wdiff', () => {
  it('is judged in the order of D.5', async () => {
    expect(await answerTo({ volume: 'nobody' })).toBe('archive-not-found');
    // SyncReady.
    expect(await answerTo({ uuid: OTHER_UUID, sizeLb: SIZE_LB + 1 })).toBe('other');
    await archived();
    const tooNew = cleanDiff(5n, 6n);
    const wrong = { uuid: OTHER_UUID, sizeLb: SIZE_LB + 1, diff: tooNew };
    expect(await answerTo(wrong)).toBe('different-uuid');
    expect(await answerTo({ ...wrong, uuid: UUID })).toBe('smaller-lv-size');
    expect(await answerTo({ diff: tooNew })).toBe('too-new-diff');
    expect(await answerTo({})).toBe('accept');
    expect(await answerTo({})).toBe('too-old-diff');
    const { machine } = host.volume;
    {
      using _change = machine.begin('wdiff-recv');
      expect(await answerTo(wrong)).toBe('wdiff-recv');
    }
    {
      using _change = machine.begin('hash-sync');
      expect(await answerTo(wrong)).toBe('syncing');
    }
    machine.force('Stopped');
    expect(await answerTo(wrong)).toBe('stopped');
    machine.force('Archived');
  });

  it('from another archive is not asked for its uuid, and a compared one must fit exactly', async () => {
    await archived();
    await answerTo({});
    const hostType = HostType.ARCHIVE;
    const compared = diffOf(snapshot(0n), snapshot(9n), { isCompared: true });
    expect(await answerTo({ uuid: OTHER_UUID, hostType, diff: compared })).toBe('other');
    const fits = diffOf(snapshot(1n), snapshot(9n), { isCompared: true });
    expect(await answerTo({ uuid: OTHER_UUID, hostType, diff: fits })).toBe('accept');
    expect(await restorable(host.channel)).toEqual([1n, 9n]);
  });

  it('from neither is refused', async () => {
    await archived();
    await expect(answerTo({ hostType: HostType.STORAGE })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  it('grows the base only when that is allowed', async () => {
    await archived();
    expect(await answerTo({ sizeLb: SIZE_LB + 16 })).toBe('smaller-lv-size');
    await host.restart({ config: { autoResize: true } });
    const ios = [dataIo(SIZE_LB + 8, new Uint8Array(LB_SIZE).fill(7))];
    expect(await answerTo({ sizeLb: SIZE_LB + 16, ios })).toBe('accept');
    const size = await host.channel.unary(ArchiveRpc.getVolSize, { volume: VOLUME });
    expect(size.value).toBe(SIZE_LB + 16);
    expect((await scanned(host.channel, 1n))[(SIZE_LB + 8) * LB_SIZE]).toBe(7);
  });

  it('that reaches beyond the base is refused as a whole and leaves nothing', async () => {
    await archived();
    const ios = [dataIo(SIZE_LB - 1, new Uint8Array(2 * LB_SIZE))];
    await expect(answerTo({ ios })).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(names()).toEqual([]);
    const { lastError, state } = await viewWhere(host.channel, () => true);
    expect(state).toBe('Archived');
    expect(lastError?.error?.message).toMatch(/reaches to block 65/);
    expect(await answerTo({})).toBe('accept');
    expect((await viewWhere(host.channel, () => true)).lastError).toBeUndefined();
  });

  it.each([
    ['a flipped bit', (packs: Buffer) => packs.fill(0x5a, 4100, 4101)],
    ['a missing end', (packs: Buffer) => packs.subarray(0, -4096)],
    ['half a pack', (packs: Buffer) => packs.subarray(0, 1000)],
  ])('with %s is refused and leaves nothing', async (_what, damage) => {
    await archived();
    const data = Buffer.alloc(8 * LB_SIZE).map((_, i) => (i * 7) & 0xff);
    const packs = damage(Buffer.concat(packsOf([dataIo(0, data)], UUID)));
    const stream = host.channel.bidi(ArchiveRpc.transferWdiff, { timeout: 10_000 });
    const diff = diffToMessage(cleanDiff(0n, 1n));
    const hello = { volume: VOLUME, hostType: HostType.PROXY, uuid: UUID, sizeLb: SIZE_LB, diff };
    await stream.send({ message: { $case: 'hello', value: hello } });
    await stream.receive();
    await stream.send({ message: { $case: 'packs', value: { pieces: [packs] } } });
    await stream.send({ message: { $case: 'end', value: {} } });
    await expect(stream.receive()).rejects.toMatchObject({ code: 'corrupt' });
    expect(names()).toEqual([]);
    expect(host.volume.state).toBe('Archived');
  });

  it('whose sender goes away, or that is force-stopped, leaves nothing', async () => {
    await archived();
    const begin = async () => {
      const stream = host.channel.bidi(ArchiveRpc.transferWdiff, { timeout: 10_000 });
      const diff = diffToMessage(cleanDiff(0n, 1n));
      const hello = { volume: VOLUME, hostType: HostType.PROXY, uuid: UUID, sizeLb: SIZE_LB, diff };
      await stream.send({ message: { $case: 'hello', value: hello } });
      await stream.receive();
      return stream;
    };
    (await begin()).cancel();
    await host.volume.machine.until(['Archived']);
    expect(names()).toEqual([]);
    const stream = await begin();
    const stop = host.channel.unary(ControlRpc.stop, { volume: VOLUME, mode: 'force' });
    await expect(stream.receive()).rejects.toMatchObject({ code: 'cancelled' });
    await stop;
    await host.volume.machine.until(['Stopped']);
    expect(names()).toEqual([]);
  });
});

it('a sender that stays connected, but sends nothing more, makes room for others', async () => {
  await using quick = await testArchive({}, (env) => hurried(env, 10_000));
  const { channel } = quick;
  await channel.unary(ControlRpc.initVolume, { volume: VOLUME, devicePath: '' });
  await fullBackup(channel, { image, uuid: UUID });
  const sent = { uuid: UUID, diff: cleanDiff(0n, 1n), ios: [], sizeLb: SIZE_LB };
  const stream = channel.bidi(ArchiveRpc.transferWdiff);
  const { uuid, sizeLb } = sent;
  const hello = { volume: VOLUME, hostType: HostType.PROXY, uuid, sizeLb };
  const diff = diffToMessage(sent.diff);
  await stream.send({ message: { $case: 'hello', value: { ...hello, diff } } });
  expect((await stream.receive())?.message?.$case).toBe('answer');
  expect((await sendDiff(channel, sent)).answer).toBe('wdiff-recv');
  await expect(stream.receive()).rejects.toMatchObject({ code: 'timeout' });
  expect((await sendDiff(channel, sent)).answer).toBe('accept');
});

describe('a gap', () => {
  it('is named in view, status and answer, and forgotten when the diff comes (W7)', async () => {
    await archived();
    await answerTo({});
    const late = cleanDiff(2n, 3n);
    const sent = { uuid: UUID, diff: late, ios: [], sizeLb: SIZE_LB };
    const reply = await sendDiff(host.channel, sent);
    expect(reply).toMatchObject({ answer: 'too-new-diff', latest: { gidB: 1n, gidE: 1n } });
    const { gaps } = await viewWhere(host.channel, () => true);
    expect(gaps).toMatchObject([{ expected: { gidB: 1n }, found: { snapB: { gidB: 2n } } }]);
    expect(gaps[0]?.advice).toMatch(/gid 1.*hash_backup/);
    const { status } = await host.channel.unary(ControlRpc.status, { volume: '' });
    expect(status).toMatchObject({ value: { volumes: [{ gaps: [{ peer: 'client' }] }] } });
    expect(await answerTo({ diff: cleanDiff(1n, 2n) })).toBe('accept');
    expect((await viewWhere(host.channel, () => true)).gaps).toEqual([]);
  });

  it('in what is stored is named in errors too, and ends with a hash backup', async () => {
    await archived();
    for (const from of [0n, 1n, 2n, 3n]) {
      const ios = [dataIo(Number(from), Buffer.alloc(LB_SIZE, Number(from)))];
      await answerTo({ diff: cleanDiff(from, from + 1n), ios });
    }
    const lost = host.volume.catalogue.diffs.find(cleanDiff(1n, 2n));
    await host.volume.catalogue.remove([lost as NonNullable<typeof lost>]);
    await host.restart();
    const { gaps } = await viewWhere(host.channel, () => true);
    expect(gaps[0]?.advice).toMatch(/from gid 1 to 2 are missing/);
    const restore = host.channel.unary(ArchiveRpc.restore, { volume: VOLUME, gid: 4n });
    await expect(restore).rejects.toMatchObject({
      code: 'not-found',
      details: { gapFrom: 1n, gapTo: 2n },
    });
    // The new history gives the gids 2, 3 and 4 again: nothing of the old diffs may show there.
    const next = Buffer.alloc(SIZE_LB * LB_SIZE, 0x77);
    await hashBackup(host.channel, { image: next, uuid: OTHER_UUID });
    await answerTo({ uuid: OTHER_UUID, diff: cleanDiff(2n, 3n) });
    await answerTo({ uuid: OTHER_UUID, diff: cleanDiff(3n, 4n) });
    expect((await viewWhere(host.channel, () => true)).gaps).toEqual([]);
    expect(Buffer.compare(await scanned(host.channel, 3n), next)).toBe(0);
    expect(Buffer.compare(await scanned(host.channel, 4n), next)).toBe(0);
  });
});

describe('a full backup', () => {
  it('refuses a larger base before the storage gives up its log', async () => {
    await expect(
      fullBackup(host.channel, { image: image.subarray(0, 512), uuid: UUID, gidB: 9n, gidE: 1n }),
    ).rejects.toThrow();
    expect(host.volume.state).toBe('SyncReady');
    await host.volume.images.createBase(2 * image.length);
    const refused = fullBackup(host.channel, { image, uuid: UUID });
    await expect(refused).rejects.toMatchObject({ code: 'conflict' });
    await host.channel.unary(ControlRpc.resetVolume, { volume: VOLUME, gid: 0n });
    await archived();
  });

  it('that fails half-way is repeated from the start', async () => {
    const short = image.subarray(0, -LB_SIZE * 8);
    const stream = host.channel.bidi(ArchiveRpc.fullSync, { timeout: 10_000 });
    const hello = {
      volume: VOLUME,
      hostType: HostType.STORAGE,
      sizeLb: SIZE_LB,
      timestamp: 1,
      bulkLb: 8,
      compression: undefined,
    };
    await stream.send({ message: { $case: 'hello', value: hello } });
    await stream.receive();
    await stream.send({ message: { $case: 'start', value: { uuid: UUID, gidB: 0n } } });
    await stream.receive();
    const bulk = {
      blocks: 8,
      compression: 'none' as const,
      checksum: 1,
      data: short.subarray(0, 4096),
    };
    await stream.send({ message: { $case: 'chunk', value: { offsetLb: 0, bulks: [bulk] } } });
    await expect(stream.receive()).rejects.toMatchObject({ code: 'corrupt' });
    const { state, lastError } = await viewWhere(host.channel, () => true);
    expect(state).toBe('SyncReady');
    expect(lastError?.error?.message).toMatch(/damaged on the way/);
    await archived();
    expect((await viewWhere(host.channel, () => true)).lastError).toBeUndefined();
  });
});

describe('a hash backup', () => {
  it('transfers only what differs', async () => {
    await archived();
    await answerTo({});
    const next = Buffer.from(image);
    next.fill(0x22, 9 * LB_SIZE, 10 * LB_SIZE);
    next.fill(0, 40 * LB_SIZE, 48 * LB_SIZE);
    const { gidB, gidE, sent } = await hashBackup(host.channel, { image: next, uuid: OTHER_UUID });
    expect({ gidB, gidE, sent }).toEqual({ gidB: 2n, gidE: 3n, sent: 2 });
    // Dirty until the first diff of the new history.
    expect(await restorable(host.channel)).toEqual([1n]);
    expect(await answerTo({ diff: cleanDiff(1n, 2n) })).toBe('different-uuid');
    expect(await answerTo({ uuid: OTHER_UUID, diff: cleanDiff(2n, 3n) })).toBe('accept');
    expect(Buffer.compare(await scanned(host.channel, 3n), next)).toBe(0);
    expect(Buffer.compare(await scanned(host.channel, 1n), image)).toBe(0);
  });

  it('ends on both sides when either fails, and leaves everything as it was', async () => {
    await archived();
    await answerTo({});
    const unhandled: unknown[] = [];
    const note = (error: unknown) => void unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const boom = () => {
        throw new Error('the device failed');
      };
      const backup = hashBackup(host.channel, { image, uuid: OTHER_UUID, onHashes: boom });
      await expect(backup).rejects.toThrow('the device failed');
      // The storage's process ends: its connection breaks while the archive waits for packs.
      host.network.crash('client');
      await host.volume.machine.until(['Archived']);
      const channel = host.network.host('client').connect('a0:1', { clientId: 'client' });
      const mode = 'force';
      const waiting = channel.bidi(ArchiveRpc.hashSync, { timeout: 10_000 });
      const hello = {
        volume: VOLUME,
        hostType: HostType.STORAGE,
        sizeLb: SIZE_LB,
        timestamp: 1,
        bulkLb: 8,
        compression: undefined,
      };
      await waiting.send({ message: { $case: 'hello', value: hello } });
      await waiting.receive();
      await waiting.send({ message: { $case: 'start', value: { uuid: OTHER_UUID, gidB: 2n } } });
      await channel.unary(ControlRpc.stop, { volume: VOLUME, mode });
      const failed = async () => {
        while ((await waiting.receive()) !== undefined);
      };
      await expect(failed()).rejects.toMatchObject({ code: 'cancelled' });
      await host.volume.machine.until(['Stopped']);
      await new Promise((resolve) => setImmediate(resolve));
      expect(unhandled).toEqual([]);
      expect(names()).toEqual([expect.stringMatching(/0-1\.wdiff$/)]);
      expect(host.volume.catalogue.uuid).toEqual(UUID);
      channel.close();
    } finally {
      process.off('unhandledRejection', note);
    }
  });

  it('that would need too many open diffs is refused before the storage gives up its log', async () => {
    await archived();
    await answerTo({});
    await answerTo({ diff: cleanDiff(1n, 2n) });
    await host.restart({ config: { maxOpenDiffsVirtual: 1 } });
    const backup = hashBackup(host.channel, { image, uuid: OTHER_UUID });
    await expect(backup).rejects.toMatchObject({ code: 'limit-exceeded' });
    expect(host.volume.state).toBe('Archived');
    expect(host.volume.catalogue.uuid).toEqual(UUID);
  });

  it('of a larger volume needs -autoresize', async () => {
    await archived();
    await answerTo({});
    const larger = Buffer.concat([image, Buffer.alloc(8 * LB_SIZE, 5)]);
    const refused = await hashBackup(host.channel, { image: larger, uuid: OTHER_UUID }).then(
      () => undefined,
      (error: WalbError) => error,
    );
    expect(refused).toMatchObject({ code: 'conflict' });
    await host.restart({ config: { autoResize: true } });
    await hashBackup(host.channel, { image: larger, uuid: OTHER_UUID });
    await answerTo({ uuid: OTHER_UUID, diff: cleanDiff(2n, 3n), sizeLb: SIZE_LB + 8 });
    expect(Buffer.compare(await scanned(host.channel, 3n), larger)).toBe(0);
  });
});
