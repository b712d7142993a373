/** What calls lose, told from facts (controller-api.md 5). */
import { describe, expect, test } from 'vitest';
import { TaskKind, VolumeState } from '../../../src/rpc/index.ts';
import {
  Device,
  K_ARCHIVE,
  K_PROXY,
  K_STORAGE,
  ServerConnectionParam,
} from '../../../src/walbc/index.ts';
import { type Facts, NO_FACTS } from '../../../src/walbc/safety/facts.ts';
import type { Plan } from '../../../src/walbc/safety/plan.ts';
import { planOf } from '../../../src/walbc/safety/preview.ts';
import * as fact from './facts.ts';

const [s0, s1, p0, p1, a0, a1] = (
  [
    ['s0', K_STORAGE],
    ['s1', K_STORAGE],
    ['p0', K_PROXY],
    ['p1', K_PROXY],
    ['a0', K_ARCHIVE],
    ['a1', K_ARCHIVE],
  ] as const
).map(([name, kind], i) => new ServerConnectionParam(name, 'localhost', 10_000 + i, kind)) as [
  ServerConnectionParam,
  ServerConnectionParam,
  ServerConnectionParam,
  ServerConnectionParam,
  ServerConnectionParam,
  ServerConnectionParam,
];

function plan(facts: Facts, member: string, ...args: unknown[]): Plan {
  return planOf({ className: 'Controller', target: undefined, member, args }, facts);
}

describe('clear', () => {
  test('of an archive: image, diffs, snapshots with times, restored and cold images', () => {
    const at = fact.archive('a0', { restored: [2n], cold: [1n] });
    const { losses, undo } = plan(fact.facts(at), 'clear', a0, 'vol');
    expect(losses).toEqual([
      'base image of vol at a0, 64 MiB',
      '4 diffs (4 MiB)',
      'restorable: 4 snapshots, gid 1 (2026-01-31T00:00:00) to gid 4 (2026-01-31T00:00:00)',
      '1 restored image: gid 2',
      '1 cold snapshot: gid 1',
      'no other archive that answers holds vol: this is the only copy',
    ]);
    expect(undo).toEqual(['none for these snapshots']);
  });

  test('of an archive while another one follows: what that one keeps, and how to get it back', () => {
    const facts = fact.facts(fact.archive('a0'), fact.archive('a1'), fact.storage('s0'));
    const { losses, stays, undo } = plan(facts, 'clear', a0, 'vol');
    expect(losses.join()).not.toContain('only copy');
    expect(stays[0]).toMatch(/^a1 keeps 4 snapshots, gid 1 /);
    expect(undo).toEqual([
      "walbc.replicate_once(a1, 'vol', a0) brings what a1 has",
      "walbc.full_backup(s0, 'vol') begins anew from s0",
    ]);
  });

  test('of an archive without data loses nothing', () => {
    const made = plan(fact.facts(fact.emptyArchive('a0')), 'clear', a0, 'vol');
    expect(made.isDangerous()).toBe(false);
    expect(made.obstacles).toEqual(['a0 holds no data of vol (Clear)']);
  });

  test('of a storage: log and snapshots that were not delivered', () => {
    const record = (gid: bigint) => ({ lsid: 0n, gid, isMergeable: false, timestamp: 0 });
    const at = fact.storage('s0', { lagPb: 512, queue: [record(5n), record(6n), record(7n)] });
    const { losses, stays, undo } = plan(fact.facts(at, fact.archive('a0')), 'clear', s0, 'vol');
    expect(losses).toEqual([
      '2 MiB of log of vol at s0 that was not delivered',
      '2 snapshots not delivered: gid 6, 7',
      'the link to the archives: backup of vol from s0 ends',
      's0 forgets vol (Target)',
    ]);
    expect(stays).toContain('what a0 holds');
    expect(undo[0]).toBe("walbc.init_storage(s0, 'vol', '/dev/walb/0')");
  });

  test('of a proxy: diffs that wait for each archive', () => {
    const facts = fact.facts(fact.storage('s0'), fact.proxy('p0', { a0: 0, a1: 3 }));
    const { losses, stays, undo } = plan(facts, 'clear', p0, 'vol');
    expect(losses[0]).toBe('3 diffs of vol for a1 at p0, 3 MiB, gid 5 to 9: not delivered yet');
    expect(stays).toEqual(['a0 has got everything from p0']);
    expect(undo[0]).toContain("walbc.hash_backup(s0, 'vol')");
  });

  test('of a server that does not answer: nobody knows, so it is asked about', () => {
    const made = plan(fact.facts(fact.silent('a0')), 'clear', a0, 'vol');
    expect(made.losses).toEqual([]);
    expect(made.unknown).toEqual(['a0 did not answer: no answer within 5 s']);
    expect(made.isDangerous()).toBe(true);
  });

  test('of all servers: each of them, and those that do not answer', () => {
    const facts = fact.facts(fact.storage('s0'), fact.silent('p0'), fact.archive('a0'));
    const { losses, unknown } = plan(facts, '_force_clear', 'vol');
    expect(losses).toContain('s0 forgets vol (Target)');
    expect(losses).toContain('base image of vol at a0, 64 MiB');
    expect(unknown).toHaveLength(1);
  });
});

describe('snapshots at an archive', () => {
  const facts = fact.facts(fact.archive('a0', { restored: [2n, 9n] }));

  test('apply: those before the gid, and which were kept on purpose', () => {
    const { losses, stays } = plan(facts, 'apply', a0, 'vol', 4);
    expect(losses).toEqual([
      'not restorable any more at a0: 3 snapshots, gid 1 (2026-01-31T00:00:00) to gid 3 (2026-01-31T00:00:00) of vol',
      'of them kept on purpose: gid 1, 2',
    ]);
    expect(stays).toContain('4 diffs (4 MiB) go into the base image');
  });

  test('apply of the first gid, and up to a gid there is no diff for, lose nothing', () => {
    expect(plan(facts, 'apply', a0, 'vol', 1n).isDangerous()).toBe(false);
    expect(plan(facts, 'apply', a0, 'vol', 77n).obstacles[0]).toContain('they end at 1, 2, 3, 4');
  });

  test('_apply_all goes up to the last', () => {
    expect(plan(facts, '_apply_all', a0, 'vol').losses[0]).toContain('3 snapshots');
  });

  test('merge: implicit snapshots within; kept ones make it fail', () => {
    expect(plan(facts, 'merge', a0, 'vol', 2, 4).losses).toEqual([
      'between gid 2 and 4 of vol at a0: 1 snapshot, gid 3 (2026-01-31T00:00:00)',
    ]);
    const refused = plan(facts, 'merge', a0, 'vol', 0, 4);
    expect(refused.isDangerous()).toBe(false);
    expect(refused.obstacles[0]).toContain('gid 1, 2; disable_snapshot comes first');
  });

  test('disable_snapshot: which diffs may be merged then', () => {
    const { losses, undo, obstacles } = plan(facts, 'disable_snapshot', a0, 'vol', [2, 99]);
    expect(losses).toEqual([
      'gid 2 (2026-01-31T00:00:00) is not kept any more: |1|-->|2| and |2|-->|3| may be merged, then it is gone',
    ]);
    expect(undo[0]).toContain("walbc.enable_snapshot(a0, 'vol', [2])");
    expect(obstacles).toEqual(['not restorable at a0: gid 99']);
  });

  test('del_restored: the image, and whether it can be made again', () => {
    expect(plan(facts, 'del_restored', a0, 'vol', 2).undo[0]).toContain('walbc.restore(a0');
    expect(plan(facts, 'del_restored', a0, 'vol', 9).undo[0]).toContain('can not be restored');
    expect(plan(facts, 'del_restored', a0, 'vol', 5).isDangerous()).toBe(false);
    expect(plan(facts, '_del_restored_all', a0, 'vol').losses).toHaveLength(2);
    expect(plan(facts, 'del_cold', a0, 'vol', 2).obstacles[0]).toContain('no cold snapshot');
  });

  test('gc_diff: diffs before the base image or replaced by a merged one', () => {
    const [first, ...rest] = fact.chain(4);
    const merged = fact.diff('|1|-->|4| -- 2026-01-31T00:00:09 100');
    const base = { snapB: { gidB: 1n, gidE: 1n }, snapE: undefined, timestamp: 0 };
    const at = fact.archive('a0', {
      diffs: [first!, merged, ...rest],
      applicable: [merged],
      status: { base },
    });
    expect(plan(fact.facts(at), 'gc_diff', a0, 'vol').losses).toEqual([
      '4 diffs (4 MiB) which no snapshot needs',
    ]);
    expect(plan(facts, 'gc_diff', a0, 'vol').isDangerous()).toBe(false);
  });

  test('a replication loses something with doResync only', () => {
    const lost = plan(facts, 'replicate_once', a1, 'vol', a0, 10, true).losses;
    expect(lost[0]).toBe('base image of vol at a0, 64 MiB');
    expect(plan(facts, 'replicate_once', a1, 'vol', a0, 10).isDangerous()).toBe(false);
    expect(plan(facts, 'replicate_once_nbk', a1, 'vol', a0, true).isDangerous()).toBe(true);
    expect(plan(facts, 'replicate', a1, 'vol', a0, true, 10, true).isDangerous()).toBe(true);
  });

  test('growing can not be undone', () => {
    expect(plan(facts, 'resize_archive', a0, 'vol', 128, false).losses[0]).toContain('64 MiB');
    expect(plan(facts, 'resize_archive', a0, 'vol', 64, false).isDangerous()).toBe(false);
    expect(plan(facts, 'resize_archive', a0, 'vol', 32, false).obstacles[0]).toContain(
      'not shrink',
    );
    const both = fact.facts(fact.storage('s0'), fact.archive('a0'));
    expect(plan(both, 'resize', 'vol', 128).losses).toHaveLength(2);
    expect(plan(both, 'resize_storage', s0, 'vol', 128).losses).toHaveLength(1);
  });
});

describe('storages and proxies', () => {
  test('reset drops the log', () => {
    const facts = fact.facts(fact.storage('s0', { state: VolumeState.STOPPED, lagPb: 256 }));
    expect(plan(facts, 'reset', s0, 'vol').losses).toEqual([
      '1 MiB of log of vol at s0 that was not delivered',
      'the link to the archives: backup of vol from s0 ends',
    ]);
  });

  test('init_storage discards what the device holds', () => {
    const facts = fact.facts(fact.storage('s0', { state: VolumeState.CLEAR }));
    expect(plan(facts, 'init_storage', s0, 'vol', '/dev/walb/1').losses[0]).toContain(
      '/dev/walb/1',
    );
    const known = plan(fact.facts(fact.storage('s0')), 'init_storage', s0, 'vol', '/dev/walb/1');
    expect(known.obstacles).toEqual(['s0 knows vol already (Target)']);
  });

  test('stop by force breaks off what runs; what waits is kept', () => {
    const progress = {
      kind: TaskKind.FULL_BACKUP,
      taskId: 1,
      done: 50,
      total: 200,
      inBytes: false,
      began: 0,
      peer: '',
    };
    const running = fact.facts(fact.storage('s0', { progress: [progress] }));
    expect(plan(running, 'stop', s0, 'vol', 'force').losses[0]).toMatch(/is broken off at 25%$/);
    expect(plan(running, 'stop', s0, 'vol').isDangerous()).toBe(false);
    const waiting = plan(fact.facts(fact.proxy('p0', { a0: 2 })), 'stop_nbk', p0, 'vol', 'force');
    expect(waiting.losses).toEqual([]);
    expect(waiting.stays).toEqual(['2 diffs for a0, 2 MiB, wait in the spool']);
  });

  test('stop_synchronizing and del_archive_from_proxy drop what waits for that archive', () => {
    const facts = fact.facts(fact.proxy('p0', { a0: 1, a1: 3 }), fact.proxy('p1', { a1: 2 }));
    const stopped = plan(facts, 'stop_synchronizing', a1, 'vol').losses;
    expect(stopped.map((text) => text.slice(0, 30))).toEqual([
      '3 diffs of vol for a1 at p0, 3',
      '2 diffs of vol for a1 at p1, 2',
      'a1 does not follow vol any mor',
    ]);
    expect(plan(facts, 'del_archive_from_proxy', p0, 'vol', a1).losses).toHaveLength(1);
    expect(plan(facts, 'del_archive_from_proxy', p0, 'vol', a1, true).isDangerous()).toBe(false);
  });

  test('a backup drops the log of a stopped volume and what other archives wait for', () => {
    const facts = fact.facts(
      fact.storage('s0', { state: VolumeState.STOPPED, lagPb: 256 }),
      fact.proxy('p0', { a0: 0, a1: 3 }),
      fact.archive('a0'),
      fact.archive('a1'),
    );
    const { losses, undo } = plan(facts, 'hash_backup', s0, 'vol');
    expect(losses).toEqual([
      '1 MiB of log of vol at s0 that was not delivered',
      '3 diffs of vol for a1 at p0, 3 MiB, gid 5 to 9: not delivered yet',
      'a1 does not follow vol any more',
    ]);
    expect(undo).toEqual(["walbc.synchronize(a0, 'vol', a1) makes a1 follow again"]);
    const target = plan(fact.facts(fact.storage('s0')), 'full_backup', s0, 'vol');
    expect(target.obstacles).toEqual(['vol at s0 is Target: stop it first']);
  });

  test('go_standby of a target ends its backup; of a volume that is ready it loses nothing', () => {
    const target = fact.facts(fact.storage('s0'), fact.proxy('p0', { a0: 1 }), fact.archive('a0'));
    expect(plan(target, 'go_standby', s0, 'vol').losses).toEqual([
      'the link to the archives: backup of vol from s0 ends',
      '1 diff of vol for a0 at p0, 1 MiB, gid 5 to 9: not delivered yet',
      'a0 does not follow vol any more',
    ]);
    const ready = fact.facts(fact.storage('s1', { state: VolumeState.SYNC_READY }));
    expect(plan(ready, 'go_standby', s1, 'vol').isDangerous()).toBe(false);
  });
});

describe('servers and devices', () => {
  const server = (name: string, serverKind: 0 | 1 | 2) => ({
    ...fact.storageServer(name),
    serverKind,
    reply: { server: undefined, now: 0, status: undefined },
  });
  const group = (...list: Facts['group']): Facts => ({ ...NO_FACTS, group: list });

  test('the last proxy: log usage and time to overflow of each volume', () => {
    const facts = group(fact.storageServer('s0', 0.5), server('p0', 1), server('a0', 2));
    expect(plan(facts, 'shutdown', p0).losses).toEqual([
      'the last proxy: log stays at the storages until one is back',
      'log of vol at s0: 25% full (1 MiB of 4 MiB), overflows in 26 min at the present rate',
    ]);
  });

  test('one of two proxies: the other goes on; a silent one does not count', () => {
    const silent = { kind: 'silent', server: 'p1', serverKind: 1, why: 'no answer' } as const;
    expect(plan(group(server('p0', 1), server('p1', 1)), 'shutdown', p0).isDangerous()).toBe(false);
    expect(plan(group(server('p0', 1), silent), 'shutdown', p0).isDangerous()).toBe(true);
    expect(plan(group(server('p0', 1), server('p1', 1)), 'shutdown_list', [p0, p1]).losses[0]).toBe(
      'the last proxy: log stays at the storages until one is back',
    );
    expect(plan(group(server('p0', 1), server('a0', 2)), 'shutdown_all').losses).toHaveLength(2);
  });

  test('devices: log, the device itself, its size', () => {
    const device = new Device('0', '/dev/log', '/dev/data', '/bin/wdevc');
    const facts: Facts = {
      ...NO_FACTS,
      device: { path: device.path, exists: true, sizeMb: 64, logPb: 12 },
    };
    const of = (member: string, ...args: unknown[]): Plan =>
      planOf({ className: 'Device', target: device, member, args }, facts);
    expect(of('reset').losses).toEqual(['all log in /dev/log: 12 physical blocks not erased yet']);
    expect(of('format_ldev').losses).toHaveLength(1);
    expect(of('run_wdevc', ['reset-wal', '/dev/walb/0']).losses).toHaveLength(1);
    expect(of('delete').losses[0]).toContain('/dev/walb/0');
    expect(of('resize', 128).losses[0]).toContain('from 64 MiB to 128 MiB');
    expect(of('delete').call).toBe("Device('0').delete()");
  });

  test('an export: what was written to it', () => {
    const one = {
      exportId: 'e1',
      volume: 'vol',
      gid: 4n,
      address: '',
      name: '',
      uri: '',
      sizeLb: 1,
      readOnly: false,
      began: 0,
      connections: 1,
      overlayBytes: 4096,
      fillTaskId: 0,
    };
    const facts = { ...NO_FACTS, exports: [one] };
    expect(plan(facts, 'close_export', a0, 'e1').losses).toEqual([
      '4 KiB written to the export of gid 4 of vol',
      'the connection of 1 client',
    ]);
    expect(plan(facts, 'close_export', a0, 'e2').obstacles).toEqual(['there is no export e2']);
  });
});

test('a plan prints as the call and its facts', () => {
  const facts = fact.facts(fact.archive('a0'), fact.archive('a1'));
  expect(String(plan(facts, 'del_restored', a0, 'vol', 5))).toBe(
    [
      "walbc.del_restored(a0, 'vol', 5)",
      '  nothing is lost',
      '  but      there is no restored image of gid 5 at a0',
    ].join('\n'),
  );
});
