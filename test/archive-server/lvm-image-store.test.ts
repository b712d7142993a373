import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { LvmImageStore } from '../../src/archive-server/lvm-image-store.ts';
import { LvmVolumeGroup } from '../../src/archive-server/lvm-volume-group.ts';
import { type Clock, hasCode } from '../../src/core/index.ts';
import { RealFiles } from '../../src/core/real-files.ts';
import { imageStoreSuite } from './image-store-suite.ts';
import { LvmModel } from './lvm-model.ts';

const EXTENT = 64 * 1024;
const SIZE = 4 * EXTENT;
const NEVER = new AbortController().signal;

const files = new RealFiles();
const silent = {
  trace() {},
  debug() {},
  info() {},
  warn: vi.fn(),
  error() {},
  child: () => silent,
};

let time = 0;
const clock = { monotonic: () => time } as Clock;
const directories: string[] = [];

afterEach(() => {
  silent.warn.mockClear();
  for (const directory of directories.splice(0)) fs.rmSync(directory, { recursive: true });
});

async function makeModel(pool: string): Promise<LvmModel> {
  const devices = fs.mkdtempSync(path.join(os.tmpdir(), 'walb-lvm-'));
  directories.push(devices);
  const model = new LvmModel(devices, { extentSize: EXTENT });
  if (pool !== '') model.createPool(pool);
  return model;
}

function groupOf(model: LvmModel, pool: string, group = model.group): LvmVolumeGroup {
  const place = { group, pool, devices: model.devices };
  return new LvmVolumeGroup(place, model, { clock, log: silent as never });
}

async function open(model: LvmModel, pool = '', volume = 'vol'): Promise<LvmImageStore> {
  const group = groupOf(model, pool);
  await group.load();
  return new LvmImageStore(group, files, volume);
}

async function underTest(pool: string) {
  const model = await makeModel(pool);
  const group = groupOf(model, pool);
  await group.load();
  return {
    store: new LvmImageStore(group, files, 'vol'),
    neighbour: new LvmImageStore(group, files, 'vol-2'),
    restart: () => open(model, pool),
    use: async (device: string) => {
      const volume = model.volumes.get(path.basename(device));
      if (volume === undefined) throw new Error(`no volume behind ${device}`);
      volume.use = 'mounted';
      return async () => {
        volume.use = '';
      };
    },
    dispose: async () => {},
  };
}

imageStoreSuite(
  'model of a thin pool',
  {
    kind: 'lvm-thin',
    sizeStep: EXTENT,
    newBaseIsZero: true,
    keepsCold: true,
    growsWithRestored: true,
    givesBack: true,
  },
  () => underTest('tp'),
);

imageStoreSuite(
  'model of a plain volume group',
  {
    kind: 'lvm',
    sizeStep: EXTENT,
    newBaseIsZero: false,
    keepsCold: false,
    growsWithRestored: false,
    givesBack: false,
  },
  () => underTest(''),
);

describe('LvmImageStore', () => {
  it('names devices as operators know them (D.1)', async () => {
    const model = await makeModel('tp');
    const store = await open(model, 'tp');
    await store.createBase(SIZE);
    const handle = await store.beginRestore(8n, NEVER);
    expect(handle.path).toBe(model.device('wr_vol_8_tmp'));
    await store.coldImages?.keep(8n, handle);
    const { path: restored } = await store.commitRestore(8n, handle);
    expect(restored).toBe(model.device('wr_vol_8'));
    expect([...model.volumes.keys()].sort()).toEqual(['tp', 'wb_vol', 'wc_vol_8', 'wr_vol_8']);
  });

  it('gives a plain snapshot 1.2 times the base for changes (D.6)', async () => {
    const model = await makeModel('');
    const store = await open(model);
    await store.createBase(6 * EXTENT);
    (await store.beginRestore(8n, NEVER)).close();
    expect(model.volumes.get('wr_vol_8_tmp')?.size).toBe(8 * EXTENT);
  });

  it('refuses ids that device-mapper could not name', async () => {
    const store = await open(await makeModel('tp'), 'tp', '-'.repeat(64));
    await expect(store.createBase(SIZE)).rejects.toThrow(/shorter id/);
  });

  it('does not take an operator’s snapshot of the base along', async () => {
    const model = await makeModel('');
    const store = await open(model);
    await store.createBase(SIZE);
    await model.run({
      program: 'lvcreate',
      args: ['--snapshot', '--extents', '4', '--name', 'mine', 'vg/wb_vol'],
    });
    await expect(store.destroy()).rejects.toThrow(/mine/);
    expect(model.volumes.has('mine')).toBe(true);
    expect(store.baseSize()).toBe(SIZE);
  });

  it('says what to do when the group is full', async () => {
    const model = await makeModel('');
    const store = await open(model);
    model.extents = 3;
    await expect(store.createBase(SIZE)).rejects.toSatisfy((error) => hasCode(error, 'no-space'));
    await expect(store.createBase(SIZE)).rejects.toThrow(/extend the volume group/);
  });

  it('zeroes a plain extension at the next start when a crash came before it', async () => {
    const model = await makeModel('');
    let store = await open(model);
    await store.createBase(SIZE);
    model.before = ({ program }) => {
      if (program === 'blkdiscard') throw new Error('crash');
    };
    await expect(store.growBase(2 * SIZE)).rejects.toThrow('crash');
    model.before = () => {};
    expect(fs.readFileSync(model.device('wb_vol')).subarray(SIZE).includes(0xee)).toBe(true);
    store = await open(model);
    await store.cleanTemporary();
    expect(
      fs
        .readFileSync(model.device('wb_vol'))
        .subarray(SIZE)
        .every((b) => b === 0),
    ).toBe(true);
    expect(model.volumes.get('wb_vol')?.tags.size).toBe(0);
  });

  it('zeroes all that was ever added when growing fails and is repeated', async () => {
    const model = await makeModel('');
    const store = await open(model);
    await store.createBase(SIZE);
    model.before = ({ program }) => {
      if (program === 'blkdiscard') throw new Error('failure');
    };
    await expect(store.growBase(2 * SIZE)).rejects.toThrow('failure');
    model.before = () => {};
    await store.growBase(3 * SIZE);
    expect(
      fs
        .readFileSync(model.device('wb_vol'))
        .subarray(SIZE)
        .every((b) => b === 0),
    ).toBe(true);
  });

  it('comes through a crash at every command of a promotion (D.7)', async () => {
    const outcomes: string[] = [];
    for (let crashAt = 1; ; crashAt++) {
      const model = await makeModel('tp');
      let store = await open(model, 'tp');
      await store.createBase(SIZE);
      const handle = await store.beginRestore(8n, NEVER);
      handle.write(new Uint8Array(4096).fill(2), 0);
      await store.coldImages?.keep(8n, handle);
      await store.abandonRestore(8n, handle);
      await store.growBase(2 * SIZE);
      let commands = 0;
      model.before = ({ program }) => {
        if (program !== 'vgs' && ++commands === crashAt) throw new Error('crash');
      };
      const crashed = await promote(store, 8n).then(
        () => false,
        () => true,
      );
      model.before = () => {};
      store = await open(model, 'tp');
      await store.cleanTemporary();
      const goOn = await store.coldImages?.recoverPromotion(0n);
      if (goOn !== undefined) await store.coldImages?.finishPromotion(goOn);
      const isPromoted = fs.readFileSync(model.device('wb_vol'))[0] === 2;
      expect(store.cold()).toHaveLength(isPromoted ? 0 : 1);
      expect(model.volumes.get('wc_vol_8')?.isReadOnly).toBe(isPromoted ? undefined : true);
      expect(store.baseSize()).toBe(2 * SIZE);
      expect([...model.volumes.keys()].some((name) => name.endsWith('_tmp'))).toBe(false);
      outcomes.push(isPromoted ? 'new' : 'old');
      if (!crashed) break;
    }
    expect(outcomes).toEqual(['old', 'old', 'old', 'old', 'new', 'new']);
  });

  it('drops what was prepared when the base is past it (D.7)', async () => {
    const model = await makeModel('tp');
    const store = await open(model, 'tp');
    await store.createBase(SIZE);
    const handle = await store.beginRestore(8n, NEVER);
    await store.coldImages?.keep(8n, handle);
    await store.abandonRestore(8n, handle);
    await model.run({ program: 'lvrename', args: ['vg', 'wc_vol_8', 'wb_vol_8_tmp'] });
    const restarted = await open(model, 'tp');
    expect(await restarted.coldImages?.recoverPromotion(8n)).toBeUndefined();
    expect([...model.volumes.keys()]).toEqual(['tp', 'wb_vol']);
  });
});

async function promote(store: LvmImageStore, gid: bigint): Promise<void> {
  await store.coldImages?.beginPromotion(gid);
  await store.coldImages?.finishPromotion(gid);
}

describe('LvmVolumeGroup', () => {
  it('needs its group and its pool at start (D.1)', async () => {
    const model = await makeModel('tp');
    await expect(groupOf(model, '', 'other').load()).rejects.toSatisfy((error) =>
      hasCode(error, 'not-found'),
    );
    await expect(groupOf(model, 'other').load()).rejects.toThrow(/lvcreate --type thin-pool/);
    await model.run({
      program: 'lvcreate',
      args: ['--name', 'plain', '--size', `${EXTENT}b`, 'vg'],
    });
    await expect(groupOf(model, 'plain').load()).rejects.toThrow(/no thin pool/);
  });

  it('refuses a pool that shows old bytes', async () => {
    const model = await makeModel('tp');
    (model.volumes.get('tp') as { zeroes: boolean }).zeroes = false;
    await expect(groupOf(model, 'tp').load()).rejects.toThrow(/lvchange --zero y vg\/tp/);
  });

  it('refuses images of the other kind', async () => {
    const model = await makeModel('tp');
    await (await open(model, 'tp')).createBase(SIZE);
    await expect(open(model, '')).rejects.toThrow(/in thin pool tp/);
    const plain = await makeModel('');
    await (await open(plain)).createBase(SIZE);
    plain.createPool('tp');
    await expect(open(plain, 'tp')).rejects.toThrow(/a plain volume/);
  });

  it('activates images that the host left inactive', async () => {
    const model = await makeModel('tp');
    await (await open(model, 'tp')).createBase(SIZE);
    (model.volumes.get('wb_vol') as { isActive: boolean }).isActive = false;
    await open(model, 'tp');
    expect(model.volumes.get('wb_vol')?.isActive).toBe(true);
    expect(silent.warn).toHaveBeenCalledOnce();
  });

  it('leaves volumes of others alone', async () => {
    const model = await makeModel('');
    await model.run({
      program: 'lvcreate',
      args: ['--name', 'root', '--size', `${EXTENT}b`, 'vg'],
    });
    const store = await open(model);
    await store.createBase(SIZE);
    await store.destroy();
    expect([...model.volumes.keys()]).toEqual(['root']);
  });

  it('notices after a while what an operator removed', async () => {
    const model = await makeModel('tp');
    const store = await open(model, 'tp');
    await store.createBase(SIZE);
    await store.commitRestore(8n, await store.beginRestore(8n, NEVER));
    await model.run({ program: 'lvremove', args: ['--force', 'vg/wr_vol_8'] });
    expect(store.restored()).toHaveLength(1);
    time += 11_000;
    store.restored();
    await vi.waitFor(() => expect(store.restored()).toEqual([]));
  });

  it('asks LVM no more than it has to: a start-up of many volumes would take minutes', async () => {
    const model = await makeModel('tp');
    const group = groupOf(model, 'tp');
    await group.load();
    model.ran.length = 0;
    for (const volume of ['a', 'b', 'c']) {
      const store = new LvmImageStore(group, files, volume);
      await store.cleanTemporary();
      await store.coldImages?.recoverPromotion(0n);
    }
    expect(model.ran).toEqual([]);
    await new LvmImageStore(group, files, 'a').createBase(SIZE);
    expect(model.ran.map((line) => line.split(' ')[0])).toEqual(['lvcreate', 'vgs']);
  });

  it('tells the free space of the pool, or of the group', async () => {
    const thin = groupOf(await makeModel('tp'), 'tp');
    await thin.load();
    expect(thin.freeBytes()).toBe(Math.floor(1024 * EXTENT * 0.875));
    const plain = groupOf(await makeModel(''), '');
    await plain.load();
    expect(plain.freeBytes()).toBe(4096 * EXTENT);
  });

  it('keeps the list of before when listing fails after a failed command', async () => {
    const model = await makeModel('tp');
    const store = await open(model, 'tp');
    await store.createBase(SIZE);
    let fails = false;
    model.before = ({ program }) => {
      if (program === 'lvremove') fails = true;
      if (fails) throw new Error(`${program} crashed`);
    };
    await expect(store.destroy()).rejects.toThrow('lvremove crashed');
    expect(store.baseSize()).toBe(SIZE);
    expect(silent.warn).toHaveBeenCalled();
  });
});
