/**
 * The conformance suite of image stores on LVM itself: run as root in the guest of tools/test-rig.ts,
 * which prepares the thin pool `walbthin/tp` and the plain group `walbplain`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { execa } from 'execa';
import { describe, expect, it } from 'vitest';
import { LvmImageStore } from '../../src/archive-server/lvm-image-store.ts';
import { systemLvm } from '../../src/archive-server/lvm-runner.ts';
import { LvmVolumeGroup } from '../../src/archive-server/lvm-volume-group.ts';
import { hasCode } from '../../src/core/index.ts';
import { RealClock } from '../../src/core/real-clock.ts';
import { RealFiles } from '../../src/core/real-files.ts';
import { imageStoreSuite, opened } from '../archive-server/image-store-suite.ts';

const EXTENT = 4 * 1024 * 1024;
const THIN = { group: 'walbthin', pool: 'tp' };
const PLAIN = { group: 'walbplain', pool: '' };
const NEVER = new AbortController().signal;

const files = new RealFiles();
const log = { trace() {}, debug() {}, info() {}, warn() {}, error() {}, child: () => log };
let volumes = 0;

type Place = typeof THIN;

async function load(place: Place): Promise<LvmVolumeGroup> {
  const parts = { clock: new RealClock(), log: log as never };
  const group = new LvmVolumeGroup({ ...place, devices: '/dev' }, systemLvm, parts);
  await group.load();
  return group;
}

async function open(place: Place, volume: string): Promise<LvmImageStore> {
  return new LvmImageStore(await load(place), files, volume);
}

async function underTest(place: Place) {
  const volume = `v${++volumes}`;
  const group = await load(place);
  return {
    store: new LvmImageStore(group, files, volume),
    neighbour: new LvmImageStore(group, files, `${volume}-neighbour`),
    restart: () => open(place, volume),
    use: mounted,
    dispose: () => removeAll(place),
  };
}

/** With one command: LVM in an emulated machine is slow. */
async function removeAll({ group }: Place): Promise<void> {
  const { stdout } = await execa('lvs', ['--noheadings', '-o', 'lv_name', group]);
  const images = stdout.split(/\s+/).filter((name) => /^w[brc]_/.test(name));
  if (images.length === 0) return;
  // Snapshots first: otherwise they go with their base, and are not found any more.
  const order = images.sort((a, b) => Number(a.startsWith('wb_')) - Number(b.startsWith('wb_')));
  await execa('lvremove', ['--force', ...order.map((name) => `${group}/${name}`)]);
}

/** Makes a file system on the device and mounts it. */
async function mounted(device: string): Promise<() => Promise<void>> {
  const directory = fs.mkdtempSync('/tmp/mounted-');
  await execa('mkfs.ext4', ['-q', '-F', device]);
  await execa('mount', [device, directory]);
  return async () => {
    await execa('umount', [directory]);
  };
}

imageStoreSuite(
  'LVM thin pool',
  {
    kind: 'lvm-thin',
    sizeStep: EXTENT,
    newBaseIsZero: true,
    keepsCold: true,
    growsWithRestored: true,
    givesBack: true,
  },
  () => underTest(THIN),
);

imageStoreSuite(
  'LVM plain volume group',
  {
    kind: 'lvm',
    sizeStep: EXTENT,
    newBaseIsZero: false,
    keepsCold: false,
    growsWithRestored: false,
    givesBack: false,
  },
  () => underTest(PLAIN),
);

describe('LVM itself', () => {
  const size = 2 * EXTENT;

  async function withStore(
    place: Place,
    body: (store: LvmImageStore, volume: string) => Promise<void>,
  ) {
    const volume = `v${++volumes}`;
    const store = await open(place, volume);
    try {
      await body(store, volume);
    } finally {
      await store.destroy();
    }
  }

  async function filledBase(store: LvmImageStore, bytes: number): Promise<void> {
    await store.createBase(bytes);
    using base = opened(store.openBase('update'));
    base.handle.write(new Uint8Array(bytes).fill(7), 0);
    await base.handle.sync();
  }

  function contentOf(store: LvmImageStore): Buffer {
    using base = opened(store.openBase('read'));
    const bytes = Buffer.alloc(base.handle.size());
    base.handle.read(bytes, 0);
    return bytes;
  }

  it('answers what is missing at start (D.1)', async () => {
    await expect(open({ group: 'nothere', pool: '' }, 'v')).rejects.toSatisfy((error) =>
      hasCode(error, 'not-found'),
    );
    await expect(open({ group: THIN.group, pool: 'nothere' }, 'v')).rejects.toThrow(/thin-pool/);
  });

  it('does not remove what a process has open', async () => {
    await withStore(THIN, async (store) => {
      await store.createBase(size);
      const { path } = await store.commitRestore(1n, await store.beginRestore(1n, NEVER));
      const holder = spawn('sh', ['-c', 'exec <"$0"; echo open; exec sleep 600', path]);
      await once(holder.stdout, 'data');
      await expect(store.deleteRestored(1n)).rejects.toThrow(/has the device open/);
      holder.kill();
      await once(holder, 'exit');
      await store.deleteRestored(1n);
    });
  });

  it('does not remove a cold snapshot that is open', async () => {
    await withStore(THIN, async (store) => {
      await store.createBase(size);
      const handle = await store.beginRestore(1n, NEVER);
      await store.coldImages?.keep(1n, handle);
      await store.commitRestore(1n, handle);
      const cold = store.coldImages?.open(1n);
      await expect(store.coldImages?.delete(1n)).rejects.toThrow(/has the device open/);
      expect(store.cold()).toHaveLength(1);
      cold?.close();
      await store.coldImages?.delete(1n);
      expect(store.cold()).toEqual([]);
    });
  });

  it('takes what is not there from the pool only when it is written', async () => {
    await withStore(THIN, async (store) => {
      await store.createBase(size);
      expect(store.baseAllocated()).toBe(0);
      const base = store.openBase('update');
      base.write(new Uint8Array(EXTENT).fill(1), 0);
      await base.sync();
      base.close();
      await store.growBase(2 * size);
      expect(store.baseAllocated()).toBe(EXTENT);
    });
  });

  it('has back what was punched, also after the host was started again', async () => {
    await withStore(THIN, async (store, volume) => {
      await filledBase(store, 16 * EXTENT);
      using base = opened(store.openBase('update'));
      // Blocks of this pool have 64 KiB: the one that is cut stays, and reads as zeros where it was punched.
      base.handle.punch(0, 15 * EXTENT + 4096);
      await base.handle.sync();
      base.handle.close();
      await execa('vgchange', ['--activate', 'n', THIN.group]);
      const again = await open(THIN, volume);
      expect(again.baseAllocated()).toBe(EXTENT);
      expect(contentOf(again).indexOf(7)).toBe(15 * EXTENT + 4096);
    });
  });

  it('reads zeros where discards meet other I/O on the same blocks', async () => {
    await withStore(THIN, async (store) => {
      await filledBase(store, 16 * EXTENT);
      const { path } = await store.commitRestore(1n, await store.beginRestore(1n, NEVER));
      // Each write makes the snapshot take a block of its own, which keeps the shared one busy.
      const dd = ['if=/dev/zero', `of=${path}`, 'bs=4k', 'seek=1', 'count=16000', 'oflag=direct'];
      const writer = execa('dd', dd);
      using base = opened(store.openBase('update'));
      for (let at = 0; at < 16 * EXTENT; at += EXTENT) {
        base.handle.punch(at, EXTENT);
        await base.handle.sync();
      }
      await writer;
      base.handle.close();
      expect(contentOf(store).every((byte) => byte === 0)).toBe(true);
    });
  });

  it('writes zeros where the pool ignores discards', async () => {
    const place = { group: THIN.group, pool: 'tpi' };
    const pool = ['--type', 'thin-pool', '--size', '64m', '--discards', 'ignore', '--name', 'tpi'];
    await execa('lvcreate', ['--yes', ...pool, THIN.group]);
    try {
      await withStore(place, async (store) => {
        await filledBase(store, size);
        using base = opened(store.openBase('update'));
        base.handle.punch(4096, size);
        await base.handle.sync();
        base.handle.close();
        expect(contentOf(store).lastIndexOf(7)).toBe(4095);
      });
    } finally {
      await execa('lvremove', ['--force', `${place.group}/${place.pool}`]);
    }
  });

  it('fails with no-space when the group is full, and leaves nothing', async () => {
    await withStore(PLAIN, async (store) => {
      const huge = 1024 * 1024 * EXTENT;
      await expect(store.createBase(huge)).rejects.toSatisfy((error) => hasCode(error, 'no-space'));
      expect(store.baseSize()).toBeUndefined();
    });
  });

  it('activates what the host left inactive', async () => {
    await withStore(THIN, async (store) => {
      await store.createBase(size);
      const base = store.openBase('read');
      const { path } = base;
      base.close();
      await execa('vgchange', ['--activate', 'n', THIN.group]);
      expect(fs.existsSync(path)).toBe(false);
      await open(THIN, 'any');
      store.openBase('read').close();
    });
  });

  it('has the name of a committed restore on disk', async () => {
    await withStore(THIN, async (store) => {
      await store.createBase(size);
      await store.commitRestore(1n, await store.beginRestore(1n, NEVER));
      // The metadata as the disk has it, past every cache.
      const { stdout } = await execa(
        'dd',
        ['if=/dev/disk/by-id/virtio-d0', 'bs=1M', 'count=1', 'iflag=direct'],
        { encoding: 'latin1' },
      );
      expect(stdout).toMatch(/wr_v[0-9]+_1 \{/);
    });
  });
});
