/**
 * Which commands each flow of the controller gives to which server, in order, and what it refuses to
 * begin (controller-api.md 5.3-5.8), with servers that only remember.
 */
import { describe, expect, it, test } from 'vitest';
import { WalbError } from '../../../src/core/index.ts';
import { Action, VolumeState } from '../../../src/rpc/index.ts';
import { CMPR_GZIP, CompressOpt, SyncOpt } from '../../../src/walbc/index.ts';
import { FakeGroup, VOL } from './fakes.ts';

const { STOPPED, TARGET, STANDBY, SYNC_READY, ARCHIVED, STARTED, CLEAR } = VolumeState;

/** A volume that is backed up: s0 follows it, p0 delivers to a0, gids 1 and 2 are there. */
async function following(...more: string[]): Promise<FakeGroup> {
  const group = await FakeGroup.start('s0', 'p0', 'a0', ...more);
  group.get('s0').state = TARGET;
  group.get('s0').gids = [2n];
  group.get('p0').state = STARTED;
  group.get('p0').archives.set('a0', 'snappy 0');
  group.get('a0').state = ARCHIVED;
  group.get('a0').gids = [1n, 2n];
  return group;
}

describe('init_storage', () => {
  it('ends Standby', async () => {
    await using group = await FakeGroup.start('s0');
    await group.controller.init_storage(group.param('s0'), VOL, '/dev/walb/0');
    expect(group.steps()).toEqual(['s0 init-vol', 's0 start standby']);
    expect(group.get('s0').state).toBe(STANDBY);
  });
});

describe('full_backup', () => {
  it('from Standby, with nothing anywhere: every step once, in order', async () => {
    await using group = await FakeGroup.start('s0', 's1', 'p0', 'p1', 'a0', 'a1');
    group.get('s0').state = STANDBY;
    group.get('s1').state = STANDBY;
    expect(await group.controller.full_backup(group.param('s0'), VOL)).toBe(1n);
    expect(group.steps()).toEqual([
      's0 stop graceful',
      'a0 init-vol',
      ...['p0 add a0', 'p0 start', 'p1 add a0', 'p1 start'],
      ...['s0 kick', 's1 kick'],
      's0 full-bkp',
      ...['p0 kick a0', 'p1 kick a0'],
    ]);
  });

  it('other archives stop following, the primary is registered anew', async () => {
    await using group = await following('a1');
    group.get('s0').state = STOPPED;
    group.get('p0').archives.set('a1', 'snappy 0');
    group.get('a0').state = SYNC_READY;
    group.get('a0').gids = [];
    const syncOpt = new SyncOpt(new CompressOpt(CMPR_GZIP, 1, 2), 7);
    await group.controller.full_backup(group.param('s0'), VOL, 10, true, '1M', syncOpt);
    expect(group.steps()).toEqual([
      's0 reset-vol',
      ...['p0 stop force', 'p0 delete a0', 'p0 start', 's0 kick'],
      ...['p0 stop force', 'p0 delete a1', 's0 kick'],
      ...['p0 add a0', 'p0 start', 's0 kick'],
      's0 full-bkp',
      'p0 kick a0',
    ]);
    expect(group.get('p0').archives).toEqual(new Map([['a0', 'gzip 7']]));
  });

  it('block=False returns as soon as it was accepted', async () => {
    await using group = await FakeGroup.start('s0', 'p0', 'a0');
    group.get('s0').state = SYNC_READY;
    group.get('s0').holdsTasks = true;
    expect(await group.controller.full_backup(group.param('s0'), VOL, 10, false)).toBeNull();
    expect(group.steps().at(-1)).toBe('s0 full-bkp');
    group.get('s0').finish();
  });

  it.each([TARGET, CLEAR, VolumeState.FULL_SYNC, VolumeState.STOP_TARGET])(
    'refuses a storage that is %s, and does nothing',
    async (state) => {
      await using group = await FakeGroup.start('s0', 'p0', 'a0');
      group.get('s0').state = state;
      const backup = group.controller.full_backup(group.param('s0'), VOL);
      await expect(backup).rejects.toMatchObject({ code: 'wrong-state' });
      await expect(backup).rejects.toThrow('prepare_backup:bad state');
      expect(group.steps()).toEqual([]);
    },
  );

  it.each([TARGET, STOPPED, SYNC_READY])('refuses while another storage is %s', async (state) => {
    await using group = await FakeGroup.start('s0', 's1', 'p0', 'a0');
    group.get('s0').state = SYNC_READY;
    group.get('s1').state = state;
    await expect(group.controller.full_backup(group.param('s0'), VOL)).rejects.toThrow('s1');
    expect(group.steps()).toEqual([]);
  });

  it('throws why it failed', async () => {
    await using group = await FakeGroup.start('s0', 'p0', 'a0');
    const { s0 } = { s0: group.get('s0') };
    s0.state = SYNC_READY;
    s0.on['full-bkp'] = () => {
      throw new WalbError('unavailable', 'the archive is gone');
    };
    await expect(group.controller.full_backup(s0.param, VOL, 10)).rejects.toThrow(
      /full_backup.* failed at s0: .*the archive is gone/,
    );
  });
});

describe('hash_backup', () => {
  it('waits for a snapshot newer than those there were', async () => {
    await using group = await following('s1');
    group.get('s0').state = STANDBY;
    group.get('s1').state = STANDBY;
    expect(await group.controller.hash_backup(group.param('s1'), VOL)).toBe(3n);
    expect(group.steps()).toEqual([
      's1 stop graceful',
      ...['p0 stop force', 'p0 delete a0', 's0 kick', 's1 kick'],
      ...['p0 add a0', 'p0 start', 's0 kick', 's1 kick'],
      's1 hash-bkp',
      'p0 kick a0',
    ]);
  });
});

describe('go_standby', () => {
  it.each<[VolumeState, readonly string[]]>([
    [STANDBY, []],
    [SYNC_READY, ['s0 start standby']],
    [
      TARGET,
      [
        ...['s0 stop force', 'p0 stop force', 'p0 delete a0', 's0 kick'],
        ...['s0 reset-vol', 's0 start standby'],
      ],
    ],
  ])('%s', async (state, steps) => {
    await using group = await following();
    group.get('s0').state = state;
    await group.controller.go_standby(group.param('s0'), VOL);
    expect(group.steps()).toEqual(steps);
    expect(group.get('s0').state).toBe(STANDBY);
  });

  it.each([STOPPED, CLEAR, VolumeState.FULL_SYNC])('%s is refused', async (state) => {
    await using group = await following();
    group.get('s0').state = state;
    await expect(group.controller.go_standby(group.param('s0'), VOL)).rejects.toThrow(
      'go_standby:bad state',
    );
    expect(group.steps()).toEqual([]);
  });
});

describe('clear', () => {
  it.each<[string, VolumeState, readonly string[]]>([
    ['s0', CLEAR, []],
    ['s0', SYNC_READY, ['clear-vol']],
    ['s0', STOPPED, ['reset-vol', 'clear-vol']],
    ['s0', STANDBY, ['stop force', 'clear-vol']],
    ['s0', TARGET, ['stop force', 'reset-vol', 'clear-vol']],
    ['p0', CLEAR, []],
    ['p0', STOPPED, ['clear-vol']],
    ['p0', STARTED, ['stop force', 'clear-vol']],
    ['p0', VolumeState.WLOG_RECV, ['stop force', 'clear-vol']],
    ['a0', CLEAR, []],
    ['a0', SYNC_READY, ['clear-vol']],
    ['a0', STOPPED, ['clear-vol']],
    ['a0', ARCHIVED, ['stop force', 'clear-vol']],
  ])('%s %s', async (name, state, steps) => {
    await using group = await FakeGroup.start('s0', 'p0', 'a0');
    group.get(name).state = state;
    await group.controller.clear(group.param(name), VOL);
    expect(group.steps()).toEqual(steps.map((step) => `${name} ${step}`));
    expect(group.get(name).state).toBe(CLEAR);
  });

  it.each<[string, VolumeState]>([
    ['s0', VolumeState.FULL_SYNC],
    ['s0', VolumeState.HASH_SYNC],
    ['p0', VolumeState.STOP],
    ['a0', VolumeState.FULL_SYNC],
    ['a0', VolumeState.RESYNC],
  ])('%s %s is refused, and nothing is done', async (name, state) => {
    await using group = await FakeGroup.start('s0', 'p0', 'a0');
    group.get(name).state = state;
    const clearing = group.controller.clear(group.param(name), VOL);
    await expect(clearing).rejects.toMatchObject({ code: 'wrong-state' });
    expect(group.steps()).toEqual([]);
  });

  it('_force_clear: all servers of the layout, in its order', async () => {
    await using group = await following();
    await group.controller._force_clear(VOL);
    expect(group.steps().filter((step) => step.endsWith('clear-vol'))).toEqual([
      ...['s0 clear-vol', 'p0 clear-vol', 'a0 clear-vol'],
    ]);
  });
});

describe('start and stop', () => {
  it('a storage becomes a target', async () => {
    await using group = await following();
    for (const [name, command, state] of [
      ['s0', 'start target', TARGET],
      ['p0', 'start', STARTED],
      ['a0', 'start', ARCHIVED],
    ] as const) {
      group.get(name).state = STOPPED;
      await group.controller.start(group.param(name), VOL);
      expect(group.steps()).toEqual([`${name} ${command}`]);
      expect(group.get(name).state).toBe(state);
    }
  });

  it('what is Stopped is left as it is', async () => {
    await using group = await FakeGroup.start('s0', 'p0', 'a0');
    for (const server of group.all()) {
      server.state = STOPPED;
      await group.controller.stop(server.param, VOL);
      expect(await group.controller.stop_nbk(server.param, VOL, 'force')).toBe(STOPPED);
    }
    expect(group.steps()).toEqual([]);
  });

  it('modes', async () => {
    await using group = await following();
    for (const mode of ['graceful', 'force', 'empty'] as const) {
      group.get('p0').state = STARTED;
      await group.controller.stop(group.param('p0'), VOL, mode);
      expect(group.steps()).toEqual([`p0 stop ${mode}`]);
    }
    const wrong = group.controller.stop(group.param('p0'), VOL, 'gently' as 'force');
    await expect(wrong).rejects.toMatchObject({ code: 'invalid-argument' });
  });
});

describe('archives at proxies', () => {
  it('add_archive_to_proxy adds or updates, and starts unless told not to', async () => {
    await using group = await following('a1');
    const [p0, a0, a1] = [group.param('p0'), group.param('a0'), group.param('a1')];
    await group.controller.add_archive_to_proxy(p0, VOL, a1);
    expect(group.steps()).toEqual(['p0 stop force', 'p0 add a1', 'p0 start']);
    await group.controller.add_archive_to_proxy(p0, VOL, a0, false);
    expect(group.steps()).toEqual(['p0 stop force', 'p0 update a0']);
    await group.controller.add_archive_to_proxy(p0, VOL, a0);
    expect(group.steps()).toEqual(['p0 update a0', 'p0 start']);
  });

  it('del_archive_from_proxy stops empty on demand; the last one leaves it Clear', async () => {
    await using group = await following('a1');
    const [p0, a0, a1] = [group.param('p0'), group.param('a0'), group.param('a1')];
    group.get('p0').archives.set('a1', 'snappy 0');
    await group.controller.del_archive_from_proxy(p0, VOL, a1, true);
    expect(group.steps()).toEqual(['p0 stop empty', 'p0 delete a1', 'p0 start']);
    await group.controller.del_archive_from_proxy(p0, VOL, a1);
    expect(group.steps()).toEqual(['p0 stop force', 'p0 start']);
    await group.controller.del_archive_from_proxy(p0, VOL, a0);
    expect(group.steps()).toEqual(['p0 stop force', 'p0 delete a0']);
    expect(group.get('p0').state).toBe(CLEAR);
  });

  it('update_archive_info needs a Stopped volume and a registered archive', async () => {
    await using group = await following('a1');
    const [p0, a0, a1] = [group.param('p0'), group.param('a0'), group.param('a1')];
    const { controller } = group;
    const options = new SyncOpt(null, 3);
    await expect(controller.update_archive_info(p0, VOL, a0, options)).rejects.toThrow('Started');
    group.get('p0').state = STOPPED;
    await expect(controller.update_archive_info(p0, VOL, a1, options)).rejects.toThrow('a1');
    expect(group.steps()).toEqual([]);
    await controller.update_archive_info(p0, VOL, a0, options);
    expect(group.steps()).toEqual(['p0 update a0']);
    expect(group.get('p0').archives.get('a0')).toBe('snappy 3');
  });

  it('copy_archive_info: all archives with their options, then one start', async () => {
    await using group = await following('a1', 'p1');
    group.get('p0').archives.set('a1', 'gzip 9');
    await group.controller.copy_archive_info(group.param('p0'), VOL, group.param('p1'));
    expect(group.steps()).toEqual(['p1 add a0', 'p1 add a1', 'p1 start']);
    expect(group.get('p1').archives).toEqual(group.get('p0').archives);
  });

  it('start_ and stop_synchronizing: every proxy, then the storages are woken', async () => {
    await using group = await following('a1', 'p1', 's1');
    group.get('p1').state = STARTED;
    group.get('p1').archives.set('a0', 'snappy 0');
    const a1 = group.param('a1');
    await group.controller.start_synchronizing(a1, VOL);
    expect(group.steps()).toEqual([
      ...['p0 stop force', 'p0 add a1', 'p0 start', 'p1 stop force', 'p1 add a1', 'p1 start'],
      ...['s0 kick', 's1 kick'],
    ]);
    expect(await group.controller.is_synchronizing(a1, VOL)).toBe(true);
    await group.controller.stop_synchronizing(a1, VOL);
    expect(group.steps()).toEqual([
      ...['p0 stop force', 'p0 delete a1', 'p0 start', 'p1 stop force', 'p1 delete a1', 'p1 start'],
      ...['s0 kick', 's1 kick'],
    ]);
    expect(await group.controller.is_synchronizing(a1, VOL)).toBe(false);
    group.get('p0').archives.set('a1', 'snappy 0');
    await expect(group.controller.is_synchronizing(a1, VOL)).rejects.toThrow('p0');
  });
});

describe('synchronize', () => {
  it('all proxies are asked to stop before the first is waited for', async () => {
    await using group = await following('a1', 'p1');
    group.get('p1').state = STARTED;
    group.get('p1').archives.set('a0', 'snappy 0');
    await group.controller.synchronize(group.param('a0'), VOL, group.param('a1'));
    expect(group.steps()).toEqual([
      ...['p0 stop empty', 'p1 stop empty', 'p0 add a1', 'p1 add a1'],
      ...['a1 init-vol', 'a0 replicate 2 a1', 'p0 start', 'p1 start', 's0 kick'],
    ]);
  });

  it('a failure puts the proxies back as they were', async () => {
    await using group = await following('a1');
    group.get('a0').on['replicate'] = () => {
      throw new WalbError('conflict', 'other history');
    };
    const synchronizing = group.controller.synchronize(group.param('a0'), VOL, group.param('a1'));
    await expect(synchronizing).rejects.toThrow('other history');
    expect(group.steps().slice(-3)).toEqual(['a0 replicate 2 a1', 'p0 delete a1', 'p0 start']);
    expect([...group.get('p0').archives.keys()]).toEqual(['a0']);
    expect(group.get('p0').state).toBe(STARTED);
  });
});

describe('snapshot', () => {
  it('is taken once every archive of the list can receive it', async () => {
    await using group = await following();
    const [s0, a0] = [group.param('s0'), group.param('a0')];
    expect(await group.controller.snapshot(s0, VOL, [a0])).toBe(3n);
    expect(group.steps()).toEqual(['s0 snapshot']);
    group.get('a0').state = STOPPED;
    await expect(group.controller.snapshot(s0, VOL, [a0])).rejects.toThrow('a0');
    group.get('a0').state = ARCHIVED;
    group.get('s0').state = STOPPED;
    await expect(group.controller.snapshot(s0, VOL, [a0])).rejects.toThrow('s0');
    await expect(group.controller.snapshot(s0, VOL, a0 as never)).rejects.toThrow('list');
    expect(group.steps()).toEqual([]);
  });

  it('is not waited for once the log has overflowed before it left: hash_backup is the way on', async () => {
    await using group = await following();
    const [s0, a0] = [group.param('s0'), group.param('a0')];
    const storage = group.get('s0');
    storage.on['snapshot'] = (): void => {};
    const waiting = group.controller.snapshot(s0, VOL, [a0]);
    waiting.catch(() => {});
    await storage.watched();
    storage.isOverflow = true;
    storage.changed();
    await expect(waiting).rejects.toMatchObject({
      code: 'overflow',
      message: expect.stringContaining("walbc.hash_backup(s0, 'vol')") as string,
    });
    storage.state = STOPPED;
    await expect(group.controller.snapshot(s0, VOL, [a0])).rejects.toThrow(
      "no snapshot can be taken before walbc.hash_backup(s0, 'vol')",
    );
  });
});

describe('restore and its images', () => {
  it('restores what is not restored yet', async () => {
    await using group = await following();
    const a0 = group.param('a0');
    await group.controller.restore(a0, VOL, 1);
    expect(group.steps()).toEqual(['a0 restore 1']);
    await expect(group.controller.restore(a0, VOL, 1)).rejects.toMatchObject({
      code: 'already-exists',
    });
    expect(group.steps()).toEqual([]);
    expect(await group.controller._del_restored_all(a0, VOL)).toEqual([1n]);
    expect(group.steps()).toEqual(['a0 del-restored 1']);
  });

  it('a restore that ends without an image says so', async () => {
    await using group = await following();
    group.get('a0').on['restore'] = () => {};
    await expect(group.controller.restore(group.param('a0'), VOL, 1)).rejects.toThrow(
      'wait_for_restored:failed',
    );
  });

  it('del_restored tries three times while the image is in use', async () => {
    await using group = await following();
    const a0 = group.get('a0');
    a0.restored = [1n];
    let left = 2;
    a0.on['del-restored'] = () => {
      if (left-- > 0) throw new WalbError('busy', 'in use');
      a0.restored = [];
    };
    await group.controller.del_restored(a0.param, VOL, 1);
    expect(group.steps()).toEqual(Array.from({ length: 3 }, () => 'a0 del-restored 1'));
    a0.restored = [1n];
    left = 3;
    await expect(group.controller.del_restored(a0.param, VOL, 1)).rejects.toMatchObject({
      code: 'busy',
    });
    expect(group.steps()).toHaveLength(3);
  });

  it('del_restored of an image that vanished between two attempts is done', async () => {
    await using group = await following();
    const codes = ['busy', 'not-found'] as const;
    let attempt = 0;
    group.get('a0').on['del-restored'] = () => {
      throw new WalbError(codes[attempt++] ?? 'internal', 'no');
    };
    await group.controller.del_restored(group.param('a0'), VOL, 1);
    expect(attempt).toBe(2);
  });
});

describe('apply and merge', () => {
  const chain = [
    { b: 0n, e: 1n },
    { b: 1n, e: 2n, mergeable: true },
    { b: 2n, e: 3n, mergeable: true },
    { b: 3n, e: 4n },
  ];

  it('apply: only up to the end of a diff that can be applied', async () => {
    await using group = await following();
    const a0 = group.param('a0');
    group.get('a0').diffs = chain;
    await group.controller.apply(a0, VOL, 2);
    expect(await group.controller._apply_all(a0, VOL)).toBe(4n);
    expect(group.steps()).toEqual(['a0 apply 2', 'a0 apply 4']);
    await expect(group.controller.apply(a0, VOL, 7)).rejects.toThrow('gid is not restorable');
    group.get('a0').diffs = [];
    expect(await group.controller._apply_all(a0, VOL)).toBeNull();
    expect(group.steps()).toEqual([]);
    group.get('a0').diffs = chain;
    group.get('a0').on['apply'] = () => {};
    group.get('a0').base = 0n;
    await expect(group.controller.apply(a0, VOL, 3)).rejects.toThrow('wait_for_applied:failed');
  });

  it('merge: exact ranges, nothing explicit or compared between', async () => {
    await using group = await following();
    const a0 = group.param('a0');
    const { controller } = group;
    group.get('a0').diffs = chain;
    await expect(controller.merge(a0, VOL, 0, 5)).rejects.toThrow('specify exact ranges');
    await expect(controller.merge(a0, VOL, 3, 1)).rejects.toThrow('range');
    await expect(controller.merge(a0, VOL, 0, 4)).rejects.toThrow('explicit');
    group.get('a0').diffs = [{ b: 0n, e: 1n, compared: true }, ...chain.slice(1)];
    await expect(controller.merge(a0, VOL, 0, 2)).rejects.toThrow('compared');
    expect(group.steps()).toEqual([]);
    group.get('a0').diffs = chain;
    await controller.merge(a0, VOL, 0, 3);
    expect(group.steps()).toEqual(['a0 merge 0 3']);
    group.get('a0').diffs = chain;
    group.get('a0').on['merge'] = () => {};
    await expect(controller.merge(a0, VOL, 0, 3)).rejects.toThrow('wait_for_merged:failed');
  });
});

describe('resize', () => {
  it('archives first, then storages; Clear ones are left out', async () => {
    await using group = await following('a1', 's1');
    await group.controller.resize(VOL, 2, true);
    expect(group.steps()).toEqual(['a0 resize 4096 zeroclear', 's0 resize 4096']);
    await group.controller.resize(VOL, 2, true);
    expect(group.steps()).toEqual(['s0 resize 4096']);
  });

  it('never shrinks, and sees when nothing has happened', async () => {
    await using group = await following();
    const a0 = group.param('a0');
    group.get('a0').sizeLb = 8192;
    await expect(group.controller.resize_archive(a0, VOL, 3, false)).rejects.toThrow('shrink');
    await expect(group.controller.resize_archive(a0, VOL, 0, false)).rejects.toThrow('size');
    await expect(group.controller.resize_archive(a0, VOL, 1.5, false)).rejects.toThrow('size');
    expect(group.steps()).toEqual([]);
    group.get('a0').on['resize'] = () => {};
    await expect(group.controller.resize_archive(a0, VOL, 5, false)).rejects.toThrow(
      'size is not changed',
    );
    group.get('a0').state = VolumeState.FULL_SYNC;
    await expect(group.controller.resize_archive(a0, VOL, 5, false)).rejects.toThrow('FullSync');
  });
});

describe('replicate_once', () => {
  it('makes and grows the destination, and sends the newest explicit snapshot', async () => {
    await using group = await following('a1');
    const [a0, a1] = [group.param('a0'), group.param('a1')];
    expect(await group.controller.replicate_once(a0, VOL, a1)).toBe(2n);
    expect(group.steps()).toEqual(['a1 init-vol', 'a0 replicate 2 a1']);
    group.get('a0').sizeLb = 4096;
    group.get('a1').sizeLb = 2048;
    const args = [10, true, true, null, 1] as const;
    expect(await group.controller.replicate_once(a0, VOL, a1, ...args)).toBe(1n);
    expect(group.steps()).toEqual(['a1 resize 4096', 'a0 replicate 1 a1 resync dont-merge']);
  });

  it('refuses other data unless a resync is allowed, and a larger destination', async () => {
    await using group = await following('a1');
    const [a0, a1] = [group.param('a0'), group.param('a1')];
    group.get('a1').state = ARCHIVED;
    group.get('a1').gids = [1n];
    group.get('a1').archiveUuid = new Uint8Array(16).fill(1);
    await expect(group.controller.replicate_once(a0, VOL, a1)).rejects.toThrow(
      'Archive uuids differ. Try call this with doResync=True',
    );
    group.get('a1').sizeLb = 4096;
    await expect(group.controller.replicate_once(a0, VOL, a1, 10, true)).rejects.toThrow('shrink');
    expect(group.steps()).toEqual([]);
    group.get('a1').sizeLb = 2048;
    await group.controller.replicate_once(a0, VOL, a1, 10, true);
    expect(group.steps()).toEqual(['a0 replicate 2 a1 resync']);
  });

  it('nbk returns at once; wait_for_replicated waits, then looks at the destination', async () => {
    await using group = await following('a1');
    const [a0, a1] = [group.param('a0'), group.param('a1')];
    group.get('a0').holdsTasks = true;
    expect(await group.controller.replicate_once_nbk(a0, VOL, a1)).toBe(2n);
    group.get('a0').setRunning(Action.REPL_SYNC_AS_CLIENT, 1);
    const waiting = group.controller.wait_for_replicated(a0, VOL, a1, 2, 30);
    group.get('a0').finish();
    group.get('a0').setRunning(Action.REPL_SYNC_AS_CLIENT, 0);
    await waiting;
    await expect(group.controller.wait_for_replicated(a0, VOL, a1, 3, 30)).rejects.toThrow(
      'wait_for_replicated:replicate failed',
    );
  });

  it('a source without snapshots', async () => {
    await using group = await following('a1');
    group.get('a0').gids = [];
    const replicating = group.controller.replicate_once(group.param('a0'), VOL, group.param('a1'));
    await expect(replicating).rejects.toMatchObject({ code: 'not-found' });
  });
});

test('shutdown_all passes the mode on, and goes on past a dead server', async () => {
  await using group = await FakeGroup.start('s0', 'p0', 'a0');
  group.get('p0').crash();
  await group.controller.shutdown_all('force');
  expect(group.steps()).toEqual(['s0 shutdown force', 'a0 shutdown force']);
  expect(group.printed.join()).toContain('p0');
});

test('kick_all tries all, then throws the first failure', async () => {
  await using group = await FakeGroup.start('s0', 's1', 'p0');
  group.get('s0').crash();
  await expect(group.controller.kick_storage_all()).rejects.toThrow('s0');
  expect(group.steps()).toEqual(['s1 kick']);
});
