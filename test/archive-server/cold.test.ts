/** A.8, D.6, D.7: cold snapshots in a (modelled) thin pool: made, used, promoted, removed, recovered. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { imageParts } from '../../src/archive-server/image-parts.ts';
import { LB_SIZE } from '../../src/core/index.ts';
import { ArchiveRpc, ControlRpc } from '../../src/rpc/index.ts';
import { LvmModel } from './lvm-model.ts';
import {
  cleanDiff,
  dataIo,
  finished,
  fullBackup,
  hashBackup,
  restorable,
  scanned,
  sendDiff,
  type TestArchive,
  testArchive,
  VOLUME,
} from './support.ts';

const EXTENT = 64 * 1024;
const SIZE_LB = (2 * EXTENT) / LB_SIZE;
const UUID = new Uint8Array(16).fill(2);
/** More than taking a cold snapshot as the base needs. */
const MOST_COMMANDS = 6;
const volume = VOLUME;
const lvm = { group: 'vg', pool: 'tp' };

let devices: string;
let model: LvmModel;
let host: TestArchive;
let images: Buffer[];

beforeEach(async () => {
  devices = mkdtempSync(join(tmpdir(), 'walb-cold-'));
  mkdirSync(join(devices, 'vg'));
  model = new LvmModel(devices, { extentSize: EXTENT });
  model.createPool('tp');
  host = await testArchive({ parts: (env) => imageParts(env, { lvm }, model, devices) });
  const image = Buffer.alloc(SIZE_LB * LB_SIZE, 0x33);
  await host.channel.unary(ControlRpc.initVolume, { volume, devicePath: '' });
  await fullBackup(host.channel, { image, uuid: UUID });
  images = [];
  for (let from = 0; from < 5; from += 1) {
    const data = Buffer.alloc(4 * LB_SIZE, 0x50 + from);
    image.set(data, from * 3 * LB_SIZE);
    images[from + 1] = Buffer.from(image);
    const timestamp = 1_700_000_000 + from;
    const diff = cleanDiff(BigInt(from), BigInt(from + 1), { timestamp });
    await sendDiff(host.channel, {
      uuid: UUID,
      diff,
      ios: [dataIo(from * 3, data)],
      sizeLb: SIZE_LB,
    });
  }
});

afterEach(async () => {
  await host[Symbol.asyncDispose]();
  rmSync(devices, { recursive: true, force: true });
});

const coldGids = async () => (await host.channel.unary(ArchiveRpc.getCold, { volume })).gids;
const coldFiles = () =>
  readdirSync(join(host.directory, volume)).filter((name) => name.endsWith('.cold'));

async function restore(gid: bigint): Promise<Buffer> {
  const { channel } = host;
  await finished(channel, await channel.unary(ArchiveRpc.restore, { volume, gid }));
  const found = await channel.unary(ArchiveRpc.getRestored, { volume });
  return readFileSync(found.images.find((image) => image.gid === gid)?.path ?? '');
}

async function apply(gid: bigint): Promise<void> {
  const { channel } = host;
  await finished(channel, await channel.unary(ArchiveRpc.apply, { volume, gid }));
}

async function check(...gids: number[]): Promise<void> {
  for (const gid of gids) {
    expect(Buffer.compare(await scanned(host.channel, BigInt(gid)), images[gid] as Buffer)).toBe(0);
  }
}

describe('a restore', () => {
  it('leaves a cold snapshot, from which later ones begin', async () => {
    expect(Buffer.compare(await restore(2n), images[2] as Buffer)).toBe(0);
    expect(await coldGids()).toEqual([2n]);
    expect(coldFiles()).toEqual(['2.cold']);
    // Nothing before the cold snapshot is read any more.
    const before = model.ran.length;
    expect(Buffer.compare(await restore(4n), images[4] as Buffer)).toBe(0);
    const snapshots = model.ran.slice(before).filter((line) => line.includes('--snapshot'));
    expect(snapshots[0]).toMatch(/wc_vol_2/);
    expect(await coldGids()).toEqual([2n, 4n]);
    await check(1, 2, 3, 4, 5);
    // The restored image is the operator's; the cold one stays as it was.
    const { images: restored } = await host.channel.unary(ArchiveRpc.getRestored, { volume });
    writeFileSync(restored[0]?.path ?? '', Buffer.alloc(SIZE_LB * LB_SIZE));
    await check(2, 3);
  });

  it('keeps only the newest when asked for', async () => {
    await host.restart({ config: { keepOneColdSnapshot: true } });
    for (const gid of [1n, 3n, 2n]) await restore(gid);
    expect(await coldGids()).toEqual([3n]);
    expect(coldFiles()).toEqual(['3.cold']);
  });
});

describe('del-cold', () => {
  it('removes one, and knows the others', async () => {
    await restore(1n);
    await restore(3n);
    const { channel } = host;
    await channel.unary(ArchiveRpc.delCold, { volume, gid: 1n });
    expect(await coldGids()).toEqual([3n]);
    const again = channel.unary(ArchiveRpc.delCold, { volume, gid: 1n });
    await expect(again).rejects.toMatchObject({ code: 'not-found', message: /there are: 3/ });
  });
});

describe('apply', () => {
  it('takes a cold snapshot as the new base', async () => {
    await restore(1n);
    await restore(3n);
    await apply(4n);
    const { snapB } = await host.channel.unary(ArchiveRpc.getBase, { volume });
    expect(snapB).toEqual({ gidB: 4n, gidE: 4n });
    expect(model.ran.some((line) => line.includes('lvrename vg wc_vol_3'))).toBe(true);
    expect(await coldGids()).toEqual([]);
    expect(coldFiles()).toEqual([]);
    expect(await restorable(host.channel)).toEqual([4n, 5n]);
    await check(4, 5);
    await host.restart();
    await check(4, 5);
  });

  const crashes = Array.from({ length: MOST_COMMANDS }, (_, index) => index + 1);
  it.each(crashes)('that a crash stops at LVM command %i goes on at the next start', async (at) => {
    await restore(3n);
    let commands = 0;
    model.before = ({ program }) => {
      // Lists are read whenever somebody looks.
      if (program !== 'vgs') commands += 1;
      if (commands >= at) throw new Error('crash');
    };
    await apply(3n).catch(() => undefined);
    model.before = () => {};
    await host.restart();
    const [oldest] = await restorable(host.channel);
    expect([1n, 3n]).toContain(oldest);
    await check(3, 4, 5);
    await apply(4n);
    await check(4, 5);
    expect(await coldGids()).toEqual([]);
    if (at === MOST_COMMANDS) expect(commands).toBeLessThan(at);
  });
});

describe('cold snapshots of another life', () => {
  it('go with a hash backup over a gap', async () => {
    await restore(4n);
    const lost = host.volume.catalogue.diffs.find(cleanDiff(1n, 2n));
    await host.volume.catalogue.remove([lost as NonNullable<typeof lost>]);
    const next = Buffer.alloc(SIZE_LB * LB_SIZE, 0x99);
    const uuid = new Uint8Array(16).fill(7);
    await hashBackup(host.channel, { image: next, uuid });
    expect(await coldGids()).toEqual([]);
    for (const from of [2n, 3n, 4n]) {
      const diff = cleanDiff(from, from + 1n);
      await sendDiff(host.channel, { uuid, diff, ios: [], sizeLb: SIZE_LB });
    }
    expect(Buffer.compare(await scanned(host.channel, 5n), next)).toBe(0);
    expect(Buffer.compare(await restore(5n), next)).toBe(0);
  });

  it('that are incomplete go at start-up', async () => {
    await restore(2n);
    await restore(4n);
    rmSync(join(host.directory, volume, '2.cold'));
    writeFileSync(join(host.directory, volume, '3.cold'), Buffer.of(1));
    await host.restart();
    expect(await coldGids()).toEqual([4n]);
    expect(coldFiles()).toEqual(['4.cold']);
    await check(2, 4, 5);
  });
});
