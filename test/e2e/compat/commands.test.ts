/**
 * Every command at real servers: what it takes, what it prints, how it ends (cli.md 1.4). The tests
 * are the life of one volume, in order.
 */
import { createHash } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { aDuringReplicate, type Controller, type ServerParam } from '../../../src/walbc/index.ts';
import { walbc } from '../../support/walbc.ts';
import { Cluster, SIZE, SOON, VOLUME } from '../scenarios/support/cluster.ts';
import { until } from '../support.ts';
import { answer, at, misuse, pattern, refusal, writeAndSnapshot } from './walbc.ts';

const MAX_GID = '18446744073709551615';

let cluster: Cluster;
let controller: Controller;
let s0: ServerParam;
let p0: ServerParam;
let a0: ServerParam;
let a1: ServerParam;

beforeAll(async () => {
  cluster = await Cluster.start({
    archives: 2,
    storage: ['-allow-exec', '/bin/sh,/bin/echo', '-snapintvl', '3600'],
  });
  ({ s0, p0, a0, a1, walbc: controller } = cluster);
});

afterAll(async () => {
  await cluster?.[Symbol.asyncDispose]();
});

/** A command that prints nothing. */
async function silent(server: ServerParam, ...words: string[]): Promise<void> {
  expect([words, await answer(server, ...words)]).toEqual([words, '']);
}

/** With something new in it; arrived at a0. */
const snapshot = async (): Promise<string> => String(await writeAndSnapshot(cluster));

const stateOf = async (server: ServerParam): Promise<string> =>
  (await answer(server, 'get', 'state', VOLUME)).trim();

describe('what a command takes', () => {
  it.each([
    ['status v1 v2', 'redundant argVal:v2'],
    ['init-vol', 'param is necessary:VOL'],
    ['init-vol v d x', 'redundant argVal:x'],
    ['clear-vol', 'param is necessary:VOL'],
    ['clear-vol v x', 'redundant argVal:x'],
    ['reset-vol v x', 'bad value:GID:x'],
    ['full-bkp v 64X', 'bad value:BULK:64X'],
    ['hash-bkp', 'param is necessary:VOL'],
    ['restore v', 'param is necessary:GID'],
    ['restore v 1 2', 'redundant argVal:2'],
    ['restore v 1k', 'bad value:GID:1k'],
    ['del-restored v', 'param is necessary:GID'],
    ['del-cold v', 'param is necessary:GID'],
    ['start', 'param is necessary:VOL'],
    ['stop v force x', 'redundant argVal:x'],
    ['archive-info', 'param is necessary:list|get|add|update|delete'],
    ['archive-info list', 'param is necessary:VOL ARGS'],
    ['snapshot', 'param is necessary:VOL'],
    ['snapshot v w', 'redundant argVal:w'],
    ['disable-snapshot v', 'param is necessary:GID'],
    ['enable-snapshot v x', 'bad value:GID:x'],
    ['replicate v gid 5', 'param is necessary:HOSTPORT'],
    ['replicate v gid 5 h:1 yes', 'bad value:DO_RESYNC:yes'],
    ['apply v', 'param is necessary:GID'],
    ['merge v 0 gid', 'param is necessary:PARAM'],
    ['resize v', 'param is necessary:SIZE'],
    ['resize v x', 'bad value:SIZE:x'],
    ['set-full-scan-bps', 'param is necessary:SIZE'],
    ['bhash v', 'param is necessary:GID'],
    ['virt-full-scan stdout v', 'param is necessary:GID'],
    ['get', 'param is necessary:TARGET'],
    ['get state', 'param is necessary:VOL'],
    ['get state v w', 'redundant argVal:w'],
    ['get diff v x', 'bad value:GID0:x'],
    ['get exists-diff v 0 0 1', 'param is necessary:E1'],
    ['exec', 'param is necessary:CMD'],
    ['gc-diff', 'param is necessary:VOL'],
    ['dbg-reload-metadata', 'param is necessary:VOL'],
    ['dbg-dump-logpack-header v x', 'bad value:LSID:x'],
    ['version x', 'redundant argVal:x'],
    ['sleep x', 'bad value:SEC:x'],
    ['status -to 5', 'bad opt:-to'],
    ['snapshot -debug v', 'bad opt:-debug'],
    ['nonsense', 'bad opt:nonsense'],
  ])('%s', async (words, reason) => {
    expect(await misuse(a0, ...words.split(' '))).toBe(`OptionError:${reason}`);
  });

  it.each([
    ['snapshot', ''],
    ['get state', ''],
    ['get num-action v', ''],
    ['archive-info list', ''],
  ])('%s with an empty argument is refused here', async (words, last) => {
    expect(await refusal(a0, ...words.split(' '), last)).toMatch(/empty/);
  });

  it('-h after a command explains it, and does nothing', async () => {
    const { code, stdout, stderr } = await at(p0, 'shutdown', '-h');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain('shutdown [MODE=graceful]');
    await answer(p0, 'get', 'pid');
  });

  it.each([
    [['get', 'pid', '-h'], 0],
    [['exec', '/bin/echo', '-h'], 0],
  ])('%j', async (words, code) => {
    expect((await at(s0, ...words)).code).toBe(code);
  });
});

test('a command that another kind of server has: bad protocol', async () => {
  const missing: readonly (readonly [ServerParam, readonly string[]])[] = [
    [s0, ['archive-info list v', 'restore v 1', 'apply v 1', 'gc-diff v', 'del-cold v 1']],
    [s0, ['merge v 0 gid 1', 'disable-snapshot v 1', 'bhash v 1', 'virt-full-scan stdout v 1']],
    [p0, ['init-vol v', 'reset-vol v', 'snapshot v', 'full-bkp v', 'hash-bkp v', 'restore v 1']],
    [p0, ['replicate v gid 1 localhost:1', 'set-full-scan-bps 0', 'dbg-reload-metadata v']],
    [a0, ['kick', 'snapshot v', 'full-bkp v', 'set-full-scan-bps 0', 'archive-info list v']],
    [a0, ['dbg-dump-logpack-header v 0']],
  ];
  for (const [server, lines] of missing) {
    for (const line of lines) {
      const words = line.split(' ');
      expect(await refusal(server, ...words)).toMatch(`bad protocol:${words[0]}:ctl`);
    }
  }
});

test('init-vol and start take what their kind of server needs, no more', async () => {
  expect(await refusal(s0, 'init-vol', VOLUME)).toMatch(/path/);
  expect(await refusal(a0, 'init-vol', VOLUME, '/dev/walb/x')).toMatch(/only the volume/);
  expect(await refusal(s0, 'init-vol', 'a_b', cluster.disk().path)).toMatch(/a_b/);
  expect(await refusal(s0, 'init-vol', 'v'.repeat(65), cluster.disk().path)).toMatch(/64/);
  await silent(a0, 'init-vol', VOLUME);
  expect(await refusal(a0, 'init-vol', VOLUME)).toMatch(/SyncReady/);
  await silent(s0, 'init-vol', VOLUME, cluster.disk().path);
  expect(await refusal(s0, 'start', VOLUME)).toMatch(/target or standby/);
  expect(await refusal(s0, 'start', VOLUME, 'master')).toMatch(/target or standby/);
  expect(await refusal(a0, 'start', VOLUME, 'target')).toMatch(/without a role/);
  expect(await refusal(p0, 'start', VOLUME, 'target')).toMatch(/without a role/);
  expect(await refusal(p0, 'start', VOLUME)).toMatch(/Clear/);
});

test('archive-info: every form (compression and delay go back to the defaults)', async () => {
  const info = (...words: string[]): Promise<string> => answer(p0, 'archive-info', ...words);
  const host = a0.get_host_port();
  expect(await info('list', VOLUME)).toBe('');
  expect(await info('add', VOLUME, 'a0', host)).toBe('');
  expect(await stateOf(p0)).toBe('Stopped');
  expect(await info('get', VOLUME, 'a0')).toBe(`${host} snappy:0:1 0\n`);
  expect(await info('update', VOLUME, 'a0', host, 'gzip:9:2', '5')).toBe('');
  expect(await info('get', VOLUME, 'a0')).toBe(`${host} gzip:9:2 5\n`);
  expect(await info('update', VOLUME, 'a0', host, 'none:0:1')).toBe('');
  expect(await info('get', VOLUME, 'a0')).toBe(`${host} none:0:1 0\n`);
  expect(await info('update', VOLUME, 'a0', host)).toBe('');
  expect(await info('get', VOLUME, 'a0')).toBe(`${host} snappy:0:1 0\n`);
  for (const type of ['lz4', 'zstd', 'lzma']) {
    await info('update', VOLUME, 'a0', host, `${type}:1:4`, '1');
    expect(await info('get', VOLUME, 'a0')).toBe(`${host} ${type}:1:4 1\n`);
  }
  await info('update', VOLUME, 'a0', host);
  // An update of an unknown archive makes it; names are sorted.
  expect(await info('update', VOLUME, 'B', 'localhost:1')).toBe('');
  expect(await info('add', VOLUME, 'a1', a1.get_host_port(), 'snappy:0:1', '0')).toBe('');
  expect(await info('list', VOLUME)).toBe('B\na0\na1\n');
  expect(await refusal(p0, 'archive-info', 'add', VOLUME, 'a1', 'localhost:2')).toMatch(/a1/);
  expect(await info('get', VOLUME, 'a1')).toBe(`${a1.get_host_port()} snappy:0:1 0\n`);
  expect(await refusal(p0, 'archive-info', 'get', VOLUME, 'zz')).toMatch(
    'archive info not exists:zz',
  );
  expect(await info('delete', VOLUME, 'zz')).toBe('');
  expect(await info('delete', VOLUME, 'a1')).toBe('');
  expect(await info('delete', VOLUME, 'B')).toBe('');
  expect(await info('delete', VOLUME, 'a0')).toBe('');
  // The last one takes the volume with it.
  expect(await stateOf(p0)).toBe('Clear');
  for (const wrong of ['localhost', 'localhost:', ':1', 'a:b:1', 'localhost:0', 'localhost:x']) {
    expect(await refusal(p0, 'archive-info', 'add', VOLUME, 'a0', wrong)).not.toBe('');
  }
  for (const wrong of ['rar:0:1', 'snappy:10:1', 'snappy:0:0', 'snappy:0:256', 'snappy:x:1']) {
    expect(await refusal(p0, 'archive-info', 'add', VOLUME, 'a0', host, wrong)).not.toBe('');
  }
  expect(await refusal(p0, 'archive-info', 'add', VOLUME, 'a0', host, 'none:0:1', 'x')).toMatch(
    'x',
  );
  expect(await refusal(p0, 'archive-info', 'rename', VOLUME, 'a0')).toMatch('rename');
  expect(await stateOf(p0)).toBe('Clear');
  await info('add', VOLUME, 'a0', host);
  await silent(p0, 'start', VOLUME);
  expect(await refusal(p0, 'archive-info', 'update', VOLUME, 'a0', host)).toMatch(/Stopped/);
});

test('full-bkp: accepted, then the volume becomes a target', async () => {
  await silent(s0, 'set-full-scan-bps', '1M');
  await silent(s0, 'full-bkp', VOLUME, '64K');
  const progress = async (): Promise<number> => Number(await answer(a0, 'get', 'progress', VOLUME));
  await until('blocks have arrived', async () => (await progress()) > 0);
  expect([await stateOf(s0), await stateOf(a0)]).toEqual(['FullSync', 'FullSync']);
  expect(await answer(a0, 'status', VOLUME)).toMatch(/^progressLb [1-9]\d*$/m);
  expect(await refusal(s0, 'clear-vol', VOLUME)).toMatch(/FullSync/);
  // The limit holds for the scan that runs, too.
  await silent(s0, 'set-full-scan-bps', '0');
  await controller.wait_for_restorable(a0, VOLUME, 1, SOON);
  await controller._wait_for_state(s0, VOLUME, ['Target'], SOON);
  expect(await stateOf(a0)).toBe('Archived');
  expect(await progress()).toBe(0);
  expect(await refusal(s0, 'full-bkp', VOLUME)).toMatch(/Target/);
  expect(await refusal(s0, 'hash-bkp', VOLUME)).toMatch(/Target/);
  for (const bulk of ['511', '5M', '0']) {
    expect(await refusal(s0, 'full-bkp', VOLUME, bulk)).toMatch(/bulk size/);
  }
});

test('set-full-scan-bps: bytes with a unit, kept in blocks', async () => {
  const limit = async (): Promise<string | undefined> =>
    /^fullScanLbPerSec (.*)$/m.exec(await answer(s0, 'status'))?.[1];
  for (const [size, blocks] of [
    ['10M', '20480'],
    ['1k', '2'],
    ['1023', '1'],
    ['511', '0'],
    ['0', '0'],
  ] as const) {
    await silent(s0, 'set-full-scan-bps', size);
    expect(await limit()).toBe(blocks);
  }
});

test('snapshot prints its gid; disable and enable', async () => {
  // Nothing was written: no implicit one comes between.
  expect(await answer(s0, 'snapshot', VOLUME)).toBe('2\n');
  expect(await snapshot()).toBe('3');
  expect(await snapshot()).toBe('4');
  await silent(a0, 'disable-snapshot', VOLUME, '2', '3');
  expect(await answer(a0, 'get', 'restorable', VOLUME)).toMatch(
    pattern('1 {time} 1', '4 {time} 1'),
  );
  expect(await answer(a0, 'get', 'restorable', VOLUME, 'all')).toMatch(
    pattern('1 {time} 1', '2 {time} 0', '3 {time} 0', '4 {time} 1'),
  );
  expect(await answer(a0, 'get', 'diff', VOLUME, '2')).toMatch(
    pattern('|2|-->|3| M- {time} {n}', '|3|-->|4| M- {time} {n}'),
  );
  // One that fails does not keep the others.
  expect(await refusal(a0, 'enable-snapshot', VOLUME, '2', '77', '3')).toMatch(/77/);
  expect(await answer(a0, 'get', 'restorable', VOLUME)).toMatch(
    pattern('1 {time} 1', '2 {time} 1', '3 {time} 1', '4 {time} 1'),
  );
  await silent(a0, 'disable-snapshot', VOLUME, '2', '3');
});

test('bhash and virt-full-scan read the same image, whatever the bulk size', async () => {
  const image = join(cluster.folder, 'image');
  const whole = await answer(a0, 'virt-full-scan', 'stdout', VOLUME, '4');
  expect(whole.length).toBe(SIZE);
  expect(createHash('sha256').update(Buffer.from(whole, 'latin1')).digest('hex')).toBe(
    await cluster.disk().hash(),
  );
  for (const more of [[], ['64K'], ['4M', '12M'], ['1M', '12M', '50']]) {
    await silent(a0, 'virt-full-scan', image, VOLUME, '4', ...more);
    expect(readFileSync(image, 'latin1') === whole).toBe(true);
  }
  expect(statSync(image).mode & 0o777).toBe(0o644 & ~process.umask());
  writeFileSync(image, 'old and longer'.repeat(100_000));
  await silent(a0, 'virt-full-scan', image, VOLUME, '4', '256K', '1M');
  expect(readFileSync(image, 'latin1') === whole.slice(0, 2 ** 20)).toBe(true);

  const hash = await answer(a0, 'bhash', VOLUME, '4');
  expect(hash).toMatch(pattern('{hex}'));
  expect(await answer(a0, 'bhash', VOLUME, '4', '256K')).toBe(hash);
  expect(await answer(a0, 'bhash', VOLUME, '4', '256K', '12M')).toBe(hash);
  expect(await answer(a0, 'bhash', VOLUME, '4', '64K')).not.toBe(hash);
  expect(await answer(a0, 'bhash', VOLUME, '4', '256K', '1M')).not.toBe(hash);
  expect(await answer(a0, 'bhash', VOLUME, '3')).not.toBe(hash);
});

test('bhash and virt-full-scan refuse what can not be read', async () => {
  for (const words of [['bhash'], ['virt-full-scan', 'stdout']]) {
    expect(await refusal(a0, ...words, VOLUME, '99')).toMatch(/99/);
    expect(await refusal(a0, ...words, VOLUME, '4', '256')).toMatch(/bulk size/);
    expect(await refusal(a0, ...words, VOLUME, '4', '64K', '13M')).toMatch(
      /26624 blocks .* has 24576/,
    );
    expect(await refusal(a0, ...words, 'unknown', '4')).toMatch(/unknown/);
  }
  expect(await refusal(a0, 'virt-full-scan', 'stdout', VOLUME, '4', '64K', '12M', '100')).toMatch(
    /99/,
  );
  const nowhere = join(cluster.folder, 'no', 'where');
  expect(await refusal(a0, 'virt-full-scan', nowhere, VOLUME, '4')).toMatch(nowhere);
});

test('restore, del-restored, del-cold', async () => {
  await silent(a0, 'restore', VOLUME, '4');
  await controller.wait_for_restored(a0, VOLUME, 4, SOON);
  await silent(a0, 'restore', VOLUME, '3');
  await controller.wait_for_restored(a0, VOLUME, 3, SOON);
  expect(await answer(a0, 'get', 'restored', VOLUME)).toBe('3\n4\n');
  expect(await answer(a0, 'status', VOLUME)).toContain('\nnumRestored 2\n');
  expect(await answer(a0, 'get', 'all-actions')).toMatch(
    pattern(
      `${VOLUME} Merge 0 --- Apply 0 --- Restore 0 {time} ReplSyncAsClient 0 --- Resize 0 ---`,
    ),
  );
  await silent(a0, 'del-restored', VOLUME, '3');
  await silent(a0, 'del-restored', VOLUME, '4');
  expect(await answer(a0, 'get', 'restored', VOLUME)).toBe('');
  expect(await refusal(a0, 'del-restored', VOLUME, '4')).toMatch(/4/);
  expect(await refusal(a0, 'del-cold', VOLUME, '4')).toMatch(/cold/);
});

test('merge by gid and by size', async () => {
  expect(await refusal(a0, 'merge', VOLUME, '4', 'gid', '1')).toMatch(/gid/);
  expect(await refusal(a0, 'merge', VOLUME, '4', 'gid', '4')).toMatch(/gid/);
  expect(await refusal(a0, 'merge', VOLUME, '1', 'until', '4')).toMatch(/gid or size/);
  await silent(a0, 'merge', VOLUME, '1', 'gid', '3');
  await controller._wait_for_no_action(a0, VOLUME, 'Merge', SOON);
  expect(await answer(a0, 'get', 'exists-diff', VOLUME, '1', '1', '3', '3')).toBe('1\n');
  await silent(a0, 'merge', VOLUME, '1', 'size', '100');
  await controller._wait_for_no_action(a0, VOLUME, 'Merge', SOON);
  expect(await answer(a0, 'get', 'diff', VOLUME, '1')).toMatch(pattern('|1|-->|4| -- {time} {n}'));
});

test('apply: then the base is the snapshot, listed as implicit', async () => {
  await silent(a0, 'apply', VOLUME, '1');
  await controller._wait_for_no_action(a0, VOLUME, 'Apply', SOON);
  expect(await answer(a0, 'get', 'base', VOLUME)).toMatch(pattern('<|1|>-{digits}'));
  expect(await answer(a0, 'get', 'base-all')).toMatch(
    pattern(`name:${VOLUME}\tmetastate:<|1|>-{digits}`),
  );
  expect(await answer(a0, 'get', 'restorable', VOLUME)).toMatch(
    pattern('1 {time} 0', '4 {time} 1'),
  );
  expect(await answer(a0, 'status', VOLUME)).toContain('\nbase <|1|>\nlatest |4|\n');
  expect(await answer(a0, 'get', 'meta-state', VOLUME, '1')).toMatch(
    pattern('<|1|-->|4|>-{digits}'),
  );
});

test('gc-diff, dbg-reload-metadata', async () => {
  const before = await answer(a0, 'get', 'diff', VOLUME);
  await silent(a0, 'gc-diff', VOLUME);
  await silent(a0, 'dbg-reload-metadata', VOLUME);
  expect(await answer(a0, 'get', 'diff', VOLUME)).toBe(before);
  expect(await refusal(a0, 'gc-diff', 'unknown')).toMatch(/Clear/);
});

describe('replicate', () => {
  const destination = (): string => a1.get_host_port();
  const replicated = async (gid: number): Promise<void> => {
    await controller._wait_for_no_action(a0, VOLUME, 'ReplSyncAsClient', SOON);
    await controller._wait_for_not_state(a1, VOLUME, aDuringReplicate, SOON);
    expect(await answer(a1, 'get', 'meta-snap', VOLUME)).toBe(`|${gid}|\n`);
  };

  it('gid, with the defaults, to a volume that is ready for it', async () => {
    expect(await refusal(a0, 'replicate', VOLUME, 'gid', '4', destination())).toMatch(/Clear/);
    await silent(a1, 'init-vol', VOLUME);
    await silent(a0, 'replicate', VOLUME, 'gid', '4', destination());
    await replicated(4);
  });

  it('gid, with all flags and sizes', async () => {
    await snapshot();
    const flags = ['0', '1', 'gzip:1:2', '64M', '64K'];
    await silent(a0, 'replicate', VOLUME, 'gid', '5', destination(), ...flags);
    await replicated(5);
  });

  it('size, with a resync allowed', async () => {
    await snapshot();
    await silent(a0, 'replicate', VOLUME, 'size', '0', destination(), '1', '0', 'lz4:0:1', '1G');
    await replicated(6);
    expect(await answer(a1, 'bhash', VOLUME, '6')).toBe(await answer(a0, 'bhash', VOLUME, '6'));
  });

  it.each([
    ['until 6', /gid or size/],
    ['gid 6 nowhere', /nowhere/],
    ['gid 6 localhost:1 0 0 rar:0:1', /rar/],
    ['gid 6 localhost:1 0 0 snappy:0:1 1G 5M', /bulk size/],
  ])('%s is refused', async (line, reason) => {
    const words = line.split(' ');
    if (words.length === 2) words.push(destination());
    expect(await refusal(a0, 'replicate', VOLUME, ...words)).toMatch(reason);
  });
});

test('resize: bytes with a unit, in an archive also with zeroclear', async () => {
  expect(await refusal(a1, 'resize', VOLUME, '511')).toMatch(/512/);
  expect(await refusal(a1, 'resize', VOLUME, '1M')).toMatch(/shrink|smaller/);
  expect(await refusal(a1, 'resize', VOLUME, '13M', 'zero')).toMatch(/zeroclear/);
  expect(await refusal(s0, 'resize', VOLUME, '0')).toMatch(/512/);
  expect(await refusal(s0, 'resize', VOLUME, '13M', 'zeroclear')).toMatch(/archives/);
  expect(await refusal(s0, 'resize', VOLUME, '1M')).toMatch(/can only grow/);
  await silent(a1, 'resize', VOLUME, '13M');
  expect(await answer(a1, 'get', 'vol-size', VOLUME)).toBe('26624\n');
  await silent(a1, 'resize', VOLUME, '14m', 'zeroclear');
  await controller._wait_for_no_action(a1, VOLUME, 'Resize', SOON);
  expect(await answer(a1, 'get', 'vol-size', VOLUME)).toBe('28672\n');
  expect(await answer(a1, 'status', VOLUME)).toContain('\nsizeLb 28672\nsize 14m\n');
  await silent(a0, 'resize', VOLUME, '13631488');
  await silent(s0, 'resize', VOLUME, '13312k');
  expect(await answer(s0, 'status', VOLUME)).toContain('\nsizeLb 26624\nsize 13m\n');
});

test('kick: a storage ignores what follows, a proxy does not', async () => {
  for (const words of [[], [VOLUME], [VOLUME, 'a0'], ['unknown', 'zz']]) {
    await silent(s0, 'kick', ...words);
  }
  for (const words of [[], [VOLUME], [VOLUME, 'a0']]) await silent(p0, 'kick', ...words);
  expect(await refusal(p0, 'kick', VOLUME, 'zz')).toMatch(/zz/);
  expect(await misuse(p0, 'kick', VOLUME, 'a0', 'x')).toBe('OptionError:redundant argVal:x');
});

test('proxy-diff shows what waits for an archive that is away', async () => {
  await silent(p0, 'stop', VOLUME);
  await controller.wait_for_stopped(p0, VOLUME);
  await silent(p0, 'archive-info', 'add', VOLUME, 'away', 'localhost:1');
  await silent(p0, 'start', VOLUME);
  const gid = await snapshot();
  const before = `|${Number(gid) - 1}|-->|${gid}| -- {time} {n}`;
  expect(await answer(p0, 'get', 'proxy-diff', VOLUME, 'away')).toMatch(pattern(before));
  expect(await answer(p0, 'get', 'proxy-diff', VOLUME, 'a0')).toBe('');
  expect(await answer(p0, 'get', 'latest-snap', VOLUME)).toMatch(
    pattern(
      `name:${VOLUME}\tkind:proxy\tarchive:a0\tgid:\ttimestamp:`,
      `name:${VOLUME}\tkind:proxy\tarchive:away\tgid:${gid}\ttimestamp:{time}`,
    ),
  );
  expect(await answer(p0, 'status')).toMatch(
    /\n {2}archive away action \w+ numDiff 1 totalSize \S+ minGid \d+ maxGid \d+ ---\n/,
  );
  expect(await answer(p0, 'status', VOLUME)).toContain('\n  archive away\n  host localhost:1\n');
});

test('stop: only the first letter of the mode counts', async () => {
  expect(await refusal(s0, 'stop', VOLUME, 'empty')).toMatch(/graceful or force/);
  expect(await refusal(a0, 'stop', VOLUME, 'e')).toMatch(/graceful or force/);
  for (const mode of ['f', 'forced', 'graceful', 'nonsense']) {
    await silent(p0, 'stop', VOLUME, mode);
    await controller.wait_for_stopped(p0, VOLUME);
    await silent(p0, 'start', VOLUME);
  }
  await silent(p0, 'stop', VOLUME, 'force');
  await controller.wait_for_stopped(p0, VOLUME);
  await silent(p0, 'archive-info', 'delete', VOLUME, 'away');
  await silent(p0, 'start', VOLUME);
  await silent(p0, 'stop', VOLUME, 'e');
  await controller.wait_for_stopped(p0, VOLUME);
  await silent(p0, 'start', VOLUME);
  await silent(a0, 'stop', VOLUME);
  await controller.wait_for_stopped(a0, VOLUME);
  expect(await answer(a0, 'get', 'restorable', VOLUME)).toBe('');
  expect(await answer(a0, 'get', 'restored', VOLUME)).toBe('');
  await silent(a0, 'start', VOLUME);
});

test('hash-bkp after the log was dropped; reset-vol with a gid', async () => {
  await silent(s0, 'stop', VOLUME, 'force');
  await controller.wait_for_stopped(s0, VOLUME, 'Target');
  expect(await stateOf(s0)).toBe('Stopped');
  await silent(s0, 'reset-vol', VOLUME, '1000');
  expect(await stateOf(s0)).toBe('SyncReady');
  expect(await answer(s0, 'status')).toContain(' oldestGid 1000 latestGid 1000 ');
  await silent(s0, 'hash-bkp', VOLUME, '128K');
  await controller._wait_for_state(s0, VOLUME, ['Target'], SOON);
  const gid = await snapshot();
  // What differs: from the latest snapshot to the dirty one at the end of the scan.
  expect(await answer(a0, 'get', 'diff', VOLUME)).toMatch(/^\|\d+\|-->\|\d+,\d+\| --/m);
  const hash = createHash('sha256');
  const image = await answer(a0, 'virt-full-scan', 'stdout', VOLUME, gid);
  expect(hash.update(Buffer.from(image, 'latin1')).digest('hex')).toBe(await cluster.disk().hash());
});

test('debug commands of an archive that is stopped', async () => {
  await silent(a1, 'stop', VOLUME, 'force');
  await controller.wait_for_stopped(a1, VOLUME);
  await silent(a1, 'dbg-set-uuid', VOLUME, '0123456789abcdef'.repeat(2));
  await silent(a1, 'dbg-set-base', VOLUME, '<|0|>-20260102030405');
  await silent(a1, 'dbg-set-state', VOLUME, 'Archived');
  expect(await stateOf(a1)).toBe('Archived');
  expect(await answer(a1, 'get', 'uuid', VOLUME)).toBe(`${'0123456789abcdef'.repeat(2)}\n`);
  expect(await answer(a1, 'get', 'base', VOLUME)).toBe('<|0|>-20260102030405\n');
  expect(await refusal(a1, 'dbg-set-state', VOLUME, 'Resync')).toMatch(/Resync/);
  expect(await refusal(a1, 'dbg-set-uuid', VOLUME, 'abc')).toMatch(/abc/);
  expect(await refusal(a1, 'dbg-set-base', VOLUME, '|0|')).toMatch(/0/);
});

test('dbg-dump-logpack-header writes a file in the directory of the volume', async () => {
  await silent(p0, 'stop', VOLUME, 'force');
  await controller.wait_for_stopped(p0, VOLUME);
  const oldest = async (): Promise<string> =>
    /oldestLsid (\d+)/.exec(await answer(s0, 'status'))?.[1] as string;
  const lsid = await oldest();
  await cluster.disk().write();
  expect(await oldest()).toBe(lsid);
  await silent(s0, 'dbg-dump-logpack-header', VOLUME, lsid);
  const file = join(cluster.dataFolder('s0'), VOLUME, `logpackheader-${lsid}`);
  expect(statSync(file).size).toBe(512);
  expect(await refusal(s0, 'dbg-dump-logpack-header', VOLUME, MAX_GID)).toMatch(/lsid/);
  await silent(p0, 'start', VOLUME);
});

test('reset-vol and clear-vol at every kind', async () => {
  expect(await refusal(a1, 'reset-vol', VOLUME)).toMatch(/Archived/);
  expect(await refusal(a1, 'clear-vol', VOLUME)).toMatch(/Archived/);
  await silent(a1, 'stop', VOLUME);
  await controller.wait_for_stopped(a1, VOLUME);
  expect(await refusal(a1, 'reset-vol', VOLUME, '5')).toMatch(/without a gid/);
  await silent(a1, 'reset-vol', VOLUME);
  expect(await stateOf(a1)).toBe('SyncReady');
  await silent(a1, 'clear-vol', VOLUME);
  expect(await answer(a1, 'get', 'vol')).toBe('');
  expect(await refusal(s0, 'clear-vol', VOLUME)).toMatch(/Target/);
  await silent(s0, 'stop', VOLUME, 'f');
  await controller.wait_for_stopped(s0, VOLUME, 'Target');
  await silent(s0, 'reset-vol', VOLUME);
  expect(await answer(s0, 'status')).toContain(' oldestGid 0 latestGid 0 ');
  await silent(s0, 'clear-vol', VOLUME);
  expect(await answer(s0, 'get', 'vol')).toBe('');
  expect(await refusal(p0, 'clear-vol', VOLUME)).toMatch(/Started|WlogRecv/);
  await silent(p0, 'stop', VOLUME, 'f');
  await controller.wait_for_stopped(p0, VOLUME);
  await silent(p0, 'clear-vol', VOLUME);
  expect(await stateOf(p0)).toBe('Clear');
});

describe('exec', () => {
  it('prints lines, drops empty ones, passes options through', async () => {
    expect(await answer(s0, 'exec', '/bin/echo', '-n', 'a  b', '-x')).toBe('a  b -x\n');
    const script = 'printf "one\\n\\n  two\\n \\n\\nthree"; echo to-stderr >&2';
    expect(await answer(s0, 'exec', '/bin/sh', '-c', script)).toBe('one\n  two\n \nthree\n');
    expect(await answer(s0, 'exec', '/bin/sh', '-c', ':')).toBe('');
    // No shell between: nothing is expanded.
    expect(await answer(s0, 'exec', '/bin/echo', '$HOME', '*')).toBe('$HOME *\n');
  });

  it('a program that fails', async () => {
    const message = await refusal(s0, 'exec', '/bin/sh', '-c', 'echo out; echo why >&2; exit 3');
    expect(message).toMatch(/3.*why/);
  });

  it('is off, and for programs that were not named', async () => {
    expect(await refusal(p0, 'exec', '/bin/echo')).toMatch('exec command is disabled');
    expect(await refusal(s0, 'exec', '/bin/true')).toMatch('not allowed');
    expect(await refusal(s0, 'exec', 'echo')).toMatch('not allowed');
  });
});

describe('sleep and shutdown', () => {
  it('sleep takes its time', async () => {
    const began = performance.now();
    await silent(p0, 'sleep');
    expect(performance.now() - began).toBeGreaterThan(950);
    await silent(p0, 'sleep', '0');
  });

  it('shutdown takes two words', async () => {
    for (const word of ['empty', 'now', 'g']) {
      expect(await refusal(p0, 'shutdown', word)).toMatch('expected graceful or force');
    }
  });

  it('force ends a sleep early', async () => {
    const sleeping = at(p0, 'sleep', '100');
    await answer(p0, 'get', 'pid');
    await silent(p0, 'shutdown', 'force');
    await sleeping;
    const { code, stdout, stderr } = await at(p0, 'get', 'pid');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/ERROR walbc error: /);
  });

  it('graceful is the default', async () => {
    const working = at(a1, 'sleep', '1');
    await answer(a1, 'get', 'pid');
    await silent(a1, 'shutdown');
    expect((await working).code).toBe(0);
  });
});

test('-retry: as many more attempts, each with its reason (cli.md 1.2)', async () => {
  const address = ['-a', a1.address, '-p', String(a1.port)];
  for (const [retry, count] of [
    [[], 2],
    [['-retry', '0'], 0],
    [['-retry', '1'], 1],
  ] as const) {
    const { code, stdout, stderr } = await walbc(...address, ...retry, 'get', 'pid');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    const attempts = Array.from({ length: count }, (_, i) => `error: .*\\nretry ${i + 1}\\n`);
    expect(stderr).toMatch(
      new RegExp(`^${attempts.join('')}[-0-9: .]{23} ERROR walbc error: .*\\n$`),
    );
  }
  const { code, stdout, stderr } = await walbc(...address, '-retry', '1', 'snapshot', VOLUME);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toContain('-retry is for status and get only');
});
