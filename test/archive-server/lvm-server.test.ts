/** An archive whose images are (modelled) logical volumes, as operators see it: D.1, D.3.1, D.6. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { imageParts } from '../../src/archive-server/image-parts.ts';
import { hasCode, KIB, LB_SIZE } from '../../src/core/index.ts';
import { checksum } from '../../src/kernels/index.ts';
import {
  ArchiveRpc,
  CompressionKind,
  ControlRpc,
  type FullSyncUp,
  HostType,
  StopMode,
  stateToMessage,
} from '../../src/rpc/index.ts';
import { metaState, snapshot } from '../../src/wdiff/index.ts';
import { LvmModel } from './lvm-model.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
} from './support.ts';

const EXTENT = 64 * KIB;
const SIZE = 4 * EXTENT;
const UUID = new Uint8Array(16).fill(2);
const volume = VOLUME;

let devices: string;
let model: LvmModel;
let host: TestArchive | undefined;

beforeEach(() => {
  devices = mkdtempSync(join(tmpdir(), 'walb-lvm-server-'));
  model = new LvmModel(devices, { extentSize: EXTENT });
  model.createPool('tp');
});

afterEach(async () => {
  await host?.[Symbol.asyncDispose]();
  host = undefined;
  rmSync(devices, { recursive: true });
});

async function start(pool: string, group = 'vg'): Promise<TestArchive> {
  const lvm = { group, pool };
  host = await testArchive({
    config: { lvm },
    parts: (env) => imageParts(env, { lvm }, model, devices),
  });
  await host.channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  return host;
}

describe.each(['', 'tp'])('archive in a volume group, pool %j', (pool) => {
  it('goes on with an interrupted full backup, also where old bytes lie behind it', async () => {
    const { channel } = await start(pool);
    const image = Buffer.alloc(SIZE);
    image.fill(1, 0, EXTENT);
    image.fill(2, 3 * EXTENT);
    const sizeLb = SIZE / LB_SIZE;
    const extentLb = EXTENT / LB_SIZE;
    const open = async (resume: boolean) => {
      const stream = channel.bidi(ArchiveRpc.fullSync, { timeout: 20_000 });
      const more = { timestamp: 1, bulkLb: extentLb, compression: undefined };
      const hello = { volume, hostType: HostType.STORAGE, sizeLb, ...more };
      await stream.send({ message: { $case: 'hello', value: hello } });
      await stream.receive();
      const begin = { uuid: UUID, gidB: 0n, ...(resume ? { resume } : {}) };
      await stream.send({ message: { $case: 'start', value: begin } });
      const answer = (await stream.receive())?.message;
      return { stream, startLb: answer?.$case === 'started' ? answer.value.startLb : -1 };
    };
    const chunk = (extent: number, data: Uint8Array): FullSyncUp => {
      const isZero = data.every((byte) => byte === 0);
      const bulk = isZero
        ? { compression: CompressionKind.UNSPECIFIED, checksum: 0, data: new Uint8Array(0) }
        : { compression: CompressionKind.NONE, checksum: checksum(data, 0), data };
      const bulks = [{ blocks: extentLb, ...bulk }];
      return { message: { $case: 'chunk', value: { offsetLb: extent * extentLb, bulks } } };
    };
    const at = (extent: number) => image.subarray(extent * EXTENT, (extent + 1) * EXTENT);

    const first = await open(false);
    await first.stream.send(chunk(0, at(0)));
    await first.stream.send({ message: { $case: 'settled', value: { doneLb: extentLb } } });
    // Written, but not settled: other bytes than the volume has in the end.
    await first.stream.send(chunk(1, Buffer.alloc(EXTENT, 9)));
    await first.stream.end();
    await expect(first.stream.receive()).rejects.toMatchObject({ code: 'unavailable' });

    const { stream, startLb } = await open(true);
    expect(startLb).toBe(extentLb);
    for (const extent of [1, 2, 3]) await stream.send(chunk(extent, at(extent)));
    await stream.send({ message: { $case: 'scanEnd', value: {} } });
    await stream.send({ message: { $case: 'end', value: { gidB: 0n, gidE: 1n } } });
    for (;;) if ((await stream.receive())?.message?.$case === 'ack') break;
    const written = readFileSync(model.device(`wb_${volume}`)).subarray(0, SIZE);
    expect(written.equals(image)).toBe(true);
  });

  it('restores what was backed up, zeros included', async () => {
    const { channel } = await start(pool);
    const image = Buffer.alloc(SIZE);
    image.fill(1, EXTENT, 2 * EXTENT);
    await fullBackup(channel, { image, uuid: UUID });
    const data = Buffer.alloc(LB_SIZE, 7);
    await sendDiff(channel, {
      uuid: UUID,
      diff: cleanDiff(0n, 1n, { timestamp: 1_700_000_000 }),
      ios: [dataIo(9, data)],
      sizeLb: SIZE / LB_SIZE,
    });
    image.set(data, 9 * LB_SIZE);
    await finished(channel, await channel.unary(ArchiveRpc.restore, { volume, gid: 1n }));
    const { images } = await channel.unary(ArchiveRpc.getRestored, { volume });
    expect(images.map(({ path }) => path)).toEqual([model.device(`wr_${volume}_1`)]);
    expect(
      readFileSync(model.device(`wr_${volume}_1`))
        .subarray(0, SIZE)
        .equals(image),
    ).toBe(true);
  });

  it('refuses a size it can not make before the storage gives up its log', async () => {
    const { channel } = await start(pool);
    const stream = channel.bidi(ArchiveRpc.fullSync);
    const sizeLb = (SIZE + EXTENT / 2) / LB_SIZE;
    const hello = { volume, hostType: 'storage', sizeLb, timestamp: 1, bulkLb: 8 } as const;
    await stream.send({ message: { $case: 'hello', value: { ...hello, compression: undefined } } });
    await expect(stream.receive()).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(`extent size ${EXTENT}`),
    });
    expect((await channel.unary(ControlRpc.getState, { volume })).state).toBe('SyncReady');
  });

  it('refuses an image of such a size from another archive, and keeps what it has', async () => {
    const { channel, archive } = await start(pool);
    const stream = channel.bidi(ArchiveRpc.serveReplication, { timeout: 20_000 });
    const archiveUuid = new Uint8Array(16).fill(3);
    const hello = { volume, hostType: HostType.ARCHIVE, archiveUuid, doResync: false };
    await stream.send({ message: { $case: 'hello', value: { ...hello, client: undefined } } });
    const image = { sizeLb: (SIZE + EXTENT / 2) / LB_SIZE, bulkLb: 8, compression: undefined };
    const base = stateToMessage(metaState(snapshot(5n), 1));
    const full = { ...image, base, uuid: UUID, archiveUuid };
    await stream.send({ message: { $case: 'full', value: full } });
    const answers: string[] = [];
    const read = async (): Promise<void> => {
      for (;;) answers.push((await stream.receive())?.message?.$case ?? 'nothing');
    };
    await expect(read()).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(`extent size ${EXTENT}`),
    });
    expect(answers).not.toContain('fullFrom');
    await expect.poll(() => archive.server.state(volume)).toBe('SyncReady');
    expect(model.ran.filter((command) => command.startsWith('lvcreate'))).toEqual([]);
  });

  it('refuses a volume whose devices can have no name before anything is given up', async () => {
    const { channel } = await start(pool);
    const long = `v${'-'.repeat(60)}`;
    await channel.unary(ControlRpc.initVolume, { volume: long, devicePath: '' });
    const stream = channel.bidi(ArchiveRpc.fullSync, { timeout: 20_000 });
    const size = { sizeLb: SIZE / LB_SIZE, timestamp: 1, bulkLb: 8, compression: undefined };
    const hello = { volume: long, hostType: HostType.STORAGE, ...size };
    await stream.send({ message: { $case: 'hello', value: hello } });
    await expect(stream.receive()).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('hyphens count twice'),
    });
  });

  it('says where images are', async () => {
    const { channel, archive } = await start(pool);
    expect((await channel.unary(ArchiveRpc.getVolumeGroup, {})).name).toBe('vg');
    expect((await channel.unary(ArchiveRpc.getThinpool, {})).name).toBe(pool);
    const status = await archive.server.status('');
    expect(status).toMatchObject({
      $case: 'archive',
      value: {
        volumeGroup: 'vg',
        thinpool: pool,
        imageStore: pool === '' ? 'lvm' : 'lvm-thin',
      },
    });
  });

  it('removes all of a cleared volume, and nothing while a restored image is mounted', async () => {
    const { channel } = await start(pool);
    await fullBackup(channel, { image: Buffer.alloc(SIZE, 1), uuid: UUID });
    const diff = cleanDiff(0n, 1n, { timestamp: 1_700_000_000 });
    await sendDiff(channel, { uuid: UUID, diff, ios: [], sizeLb: SIZE / LB_SIZE });
    await finished(channel, await channel.unary(ArchiveRpc.restore, { volume, gid: 1n }));
    const restored = model.volumes.get(`wr_${volume}_1`);
    if (restored === undefined) throw new Error('nothing was restored');
    restored.use = 'mounted';
    await expect(channel.unary(ArchiveRpc.delRestored, { volume, gid: 1n })).rejects.toSatisfy(
      (error) => hasCode(error, 'busy'),
    );
    restored.use = '';
    await channel.unary(ControlRpc.stop, { volume, mode: StopMode.GRACEFUL });
    await expect.poll(() => host?.archive.server.state(volume)).toBe('Stopped');
    await channel.unary(ControlRpc.clearVolume, { volume });
    expect([...model.volumes.keys()]).toEqual(['tp']);
  });

  it('refuses the backup of a volume that is no multiple of the extent size', async () => {
    const { channel, archive } = await start(pool);
    await expect(
      fullBackup(channel, { image: Buffer.alloc(SIZE + LB_SIZE, 1), uuid: UUID }),
    ).rejects.toThrow(/extent size 65536/);
    expect(archive.server.state(volume)).toBe('SyncReady');
    expect([...model.volumes.keys()]).toEqual(['tp']);
  });
});

describe('archive without its volume group', () => {
  it('does not start (D.1)', async () => {
    await expect(start('tp', 'other')).rejects.toThrow(/"other" not found/);
    await expect(start('other')).rejects.toThrow(/no vg\/other/);
  });
});
