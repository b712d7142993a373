/** `walbc check`, `walbc wait` and the table against real servers: well, dead, hanging, restarted. */
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ServerParam } from '../../src/walbc/index.ts';
import { blackHole } from '../support/black-hole.ts';
import { describeWith } from '../support/tools.ts';
import { onTerminal } from '../walbc/shell/support/terminal.ts';
import { Cluster, VOLUME as DISK } from './scenarios/support/cluster.ts';
import { writeLayout as layoutOfCluster } from './scenarios/support/run-book.ts';
import { viewWhere } from './scenarios/support/views.ts';
import { ROOT, randomBytes, SOON, TestGroup, until, VOLUME, walb } from './support.ts';

let group: TestGroup;
let layout: string;
let gid: bigint;

beforeAll(async () => {
  group = await TestGroup.start();
  gid = await group.backUp();
  layout = writeLayout('walb.yaml');
});

afterAll(async () => await group[Symbol.asyncDispose]());

/** The group's layout, with other ports where they are given. */
function writeLayout(name: string, ports: Readonly<Record<string, number>> = {}): string {
  const { storageL, proxyL, archiveL } = group.walbc.sLayout;
  const section = (servers: readonly ServerParam[]) =>
    servers.map((s) => ({ name: s.name, address: s.address, port: ports[s.name] ?? s.port }));
  const path = join(group.folder, name);
  // JSON is YAML.
  const layout = {
    storage: section(storageL),
    proxy: section(proxyL),
    archive: section(archiveL),
  };
  writeFileSync(path, JSON.stringify(layout));
  return path;
}

// The disk of the machine that runs the tests is not the subject.
const check = (...words: string[]) =>
  walb('walbc', 'check', '--layout', layout, '--disk-free', 'off', ...words);
const wait = (...words: string[]) => walb('walbc', 'wait', '--layout', layout, ...words);

/** Accepts connections and never says a word. */
async function mute(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(() => {});
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return { server, port: address.port };
}

describe('walbc check', () => {
  it('is OK for a group that is well', async () => {
    const { code, out, err } = await check('--vol', VOLUME);
    expect([code, err]).toEqual([0, '']);
    expect(out).toMatch(/^WALB OK - 3 servers up, 1 volume, .* \| .*'vol_s0_log_usage'=/);
    const json = JSON.parse((await check('--json')).out);
    expect(json).toMatchObject({ level: 'ok', exitCode: 0 });
    expect(json.group.archives[0]).toMatchObject({ volume: VOLUME, isSynchronizing: true });
  });

  it('is WARNING where a threshold is passed', async () => {
    const { code, out } = await check('--snapshot-age', 'off', '--log-usage', '0%:');
    expect(code).toBe(1);
    expect(out).toMatch(/^WALB WARNING - log of vol at s0 /);
  });

  it('is CRITICAL with a server down, and says since when what was last right', async () => {
    await group.group.kill('p0');
    const { code, out } = await check();
    expect(code).toBe(2);
    expect(out.split('\n')[0]).toMatch(/^WALB CRITICAL - p0 is down: connection refused/);
    await group.group.startMember('p0');
    await group.walbc.wait_for_up(group.p0, SOON);
    // The storage asks at once, and not only when it would have asked next.
    await group.walbc.kick_all([group.s0]);
    await until('s0 has found p0 again', async () => (await check()).code === 0);
  });

  it('does not hang on a server that does', async () => {
    const { server, port } = await mute();
    try {
      const hanging = writeLayout('hanging.yaml', { a0: port, s0: port });
      const began = performance.now();
      const words = ['check', '--layout', hanging, '--timeout', '2s', '--disk-free', 'off'];
      const { code, out } = await walb('walbc', ...words);
      expect(code).toBe(2);
      expect(out).toMatch(/s0 is down: no answer within 1.5 s; a0 is down: no answer within 1.5 s/);
      expect(performance.now() - began).toBeLessThan(8_000);
    } finally {
      server.close();
    }
  });

  it.each([
    [['--lag', 'much'], 'bad --lag'],
    [['--nonsense'], '--nonsense'],
    [['--timeout', '0s'], 'bad --timeout'],
    [['--layout', '/nowhere.yaml'], 'no layout file'],
    [['extra'], 'extra'],
    [['--vol', 'a|b'], 'bad volume id'],
  ])('is UNKNOWN for %s', async (words, reason) => {
    const { code, out } = await check(...words);
    expect(code).toBe(3);
    expect(out).toMatch(/^WALB UNKNOWN - /);
    expect(out).toContain(reason);
  });

  it('is UNKNOWN for a layout that can not be read', async () => {
    const path = join(group.folder, 'bad.yaml');
    writeFileSync(path, 'storage: [');
    const { code, out } = await check('--layout', path);
    expect(code).toBe(3);
    expect(out.split('\n')).toHaveLength(1);
  });

  it('is JSON with --json when nothing could be looked at, too', async () => {
    const { code, out } = await check('--json', '--lag', 'much');
    expect(code).toBe(3);
    expect(JSON.parse(out)).toMatchObject({
      level: 'unknown',
      exitCode: 3,
      findings: [{ level: 'unknown', text: expect.stringMatching(/^bad --lag 'much'/) }],
    });
  });

  it('needs neither an environment nor a place of its own', async () => {
    const program = join(ROOT, 'bin/walbc');
    const words = ['-i', program, 'check', '--layout', layout, '--disk-free', 'off'];
    const { exitCode, stdout } = await execa('env', words, { cwd: '/', reject: false });
    expect([exitCode, stdout]).toEqual([0, expect.stringMatching(/^WALB OK - /)]);
  });

  it('says what it found with its exit code where nothing can be printed', async () => {
    const away = writeLayout('unprinted.yaml', { p0: 1 });
    const line = `"$0" check --layout "$1" --disk-free off > /dev/full`;
    const words = ['-c', line, join(ROOT, 'bin/walbc'), away];
    const { exitCode, stderr } = await execa('sh', words, { reject: false });
    expect([exitCode, stderr]).toEqual([2, '']);
  });

  it('is done in time, and ends, when a host is off', async () => {
    using hole = await blackHole();
    const off = writeLayout('off.yaml', { a0: hole.port });
    const began = performance.now();
    const words = ['--layout', off, '--timeout', '2s'];
    const [checked, waited] = await Promise.all([
      walb('walbc', 'check', ...words, '--disk-free', 'off'),
      walb('walbc', 'wait', ...words, 'up'),
    ]);
    expect([checked.code, checked.out]).toEqual([
      2,
      expect.stringMatching(/a0 is down: no answer/),
    ]);
    expect([waited.code, waited.err]).toEqual([124, expect.stringMatching(/not within 2 s: /)]);
    // Otherwise the two minutes that the system goes on trying.
    expect(performance.now() - began).toBeLessThan(30_000);
  });

  it('explains itself', async () => {
    const { code, out } = await walb('walbc', 'check', '--help');
    expect(code).toBe(0);
    for (const word of ['--log-usage', '--gap', '--send-error', '3 UNKNOWN']) {
      expect(out).toContain(word);
    }
    for (const line of out.split('\n')) expect(line.length).toBeLessThan(121);
  });
});

describe('walbc wait', () => {
  it('ends at once for what is so', async () => {
    const conditions = [
      ['up'],
      ['up', 's0', 'a0'],
      ['state', 's0', VOLUME, 'Target,Stopped'],
      ['restorable', 'a0', VOLUME, String(gid)],
      ['lag-below', 'a0', VOLUME, '10m'],
      ['lag-below', 'a0', VOLUME, '1gb'],
      ['synchronized', VOLUME, 'a0'],
      ['idle', 'a0', VOLUME],
    ];
    const results = await Promise.all(conditions.map((words) => wait('-t', '30s', ...words)));
    expect(results.map(({ code, err }) => [code, err])).toEqual(conditions.map(() => [0, '']));
  });

  it('says what is missing when time runs out', async () => {
    const late = await wait('--timeout', '1s', 'state', 's0', VOLUME, 'Stopped');
    expect(late.code).toBe(124);
    expect(late.err).toBe('walbc wait: state Stopped of vol at s0: not within 1 s: state Target');
    const never = await wait('--timeout', '1s', 'lag-below', 'a0', 'other', '1m');
    expect([never.code, never.err]).toEqual([
      124,
      expect.stringContaining('a0 does not know volume other'),
    ]);
  });

  it('ends when it can not become so', async () => {
    const newer = await group.walbc.snapshot(group.s0, VOLUME, [group.a0], SOON);
    await group.walbc.apply(group.a0, VOLUME, newer, SOON);
    const { code, err } = await wait('restorable', 'a0', VOLUME, String(gid));
    expect([code, err]).toEqual([1, expect.stringContaining('was merged or applied')]);
  });

  it('refuses what it does not know', async () => {
    for (const words of [
      [],
      ['nothing'],
      ['state', 's0', VOLUME, 'Archived'],
      ['state', 'x9', VOLUME, 'Target'],
      ['restorable', 's0', VOLUME, '1'],
      ['restorable', 'a0', VOLUME, 'one'],
      ['lag-below', 'a0', VOLUME],
      ['lag-below', 'a0', VOLUME, '0'],
      ['idle', 's0', VOLUME],
      ['down'],
      ['-t', '-3', 'up'],
    ]) {
      const { code, err } = await wait(...words);
      expect([words, code]).toEqual([words, 2]);
      expect(err).toMatch(/^walbc wait: .*$/);
    }
  });

  it('waits for a server to come back, and for what was written to arrive', async () => {
    const down = wait('-t', '60s', 'down', 'a0');
    await group.group.kill('a0');
    expect((await down).code).toBe(0);
    await using disk = await group.group.connect();
    await disk.write(0, randomBytes(65_536));
    const up = wait('-t', '60s', 'up', 'a0');
    const synchronized = wait('-t', '60s', '-v', 'synchronized', VOLUME);
    await group.group.startMember('a0');
    expect((await up).code).toBe(0);
    await group.walbc.kick_all([group.p0]);
    const { code, err } = await synchronized;
    expect([code, err]).toEqual([0, expect.anything()]);
    const row = (await group.walbc.group_status(VOLUME)).archives[0];
    expect(row).toMatchObject({ isMissingData: false });
  });
});

describe('the state of the group', () => {
  it('knows the last successes of before a restart', async () => {
    const before = await group.walbc.group_status();
    expect(before.volumes[0]?.lastSent).toBeGreaterThan(0);
    for (const name of ['s0', 'p0', 'a0'] as const) {
      await group.walbc.shutdown(group.group.server(name));
      await group.group.stopMember(name);
      await group.group.startMember(name);
    }
    await group.walbc.wait_for_up(null, SOON);
    const after = await group.walbc.group_status();
    const times = ({ volumes, queues, archives }: typeof after) => [
      volumes[0]?.lastSent,
      volumes[0]?.lastBackup,
      queues[0]?.lastReceived,
      queues[0]?.lastSent,
      archives[0]?.lastReceived,
      archives[0]?.lastSync,
      archives[0]?.lastApply,
    ];
    expect(times(after)).toEqual(times(before));
    expect(times(after)).not.toContain(0);
  });

  it('costs one time-out whatever does not answer', async () => {
    const { server, port } = await mute();
    const { walbc } = group;
    const known = walbc.sLayout;
    try {
      const gone = (s: ServerParam) => Object.assign(Object.create(s), { port });
      walbc.set_server_layout(
        known.replace(known.storageL.map(gone), known.proxyL.map(gone), known.archiveL.map(gone)),
      );
      const began = performance.now();
      const { servers } = await walbc.group_status(null, 1);
      expect(performance.now() - began).toBeLessThan(2_500);
      expect(servers.map(({ isUp, reason }) => [isUp, reason])).toEqual(
        servers.map(() => [false, 'no answer within 1 s']),
      );
    } finally {
      walbc.set_server_layout(known);
      server.close();
    }
  });
});

describeWith(['python3'], 'the prompt on a terminal', () => {
  it('shows the group as a table, with colours for what must be seen', async () => {
    const away = writeLayout('away.yaml', { a0: 1 });
    const { screen, status, failed } = await onTerminal(
      new URL('../../src/walbc/main.ts', import.meta.url),
      [
        ['expect', 'walbc> '],
        ['type', 'walbc.status()\r'],
        ['expect', 'volume'],
        ['expect', 'CRITICAL: a0 is down'],
        ['expect', 'walbc> '],
        ['type', 'walbc.status(s0)\r'],
        ['expect', '-----StorageGlobal-----'],
        ['expect', 'walbc> '],
        ['type', 'walbc.group_status().volumes.map(row => row.state)\r'],
        ['expect', "['Target']"],
        ['expect', 'walbc> '],
        ['type', '\x04'],
      ],
      { WALB_LAYOUT: away, NO_COLOR: '' },
    );
    expect(failed, screen).toBeNull();
    expect(status, screen).toBe(0);
    expect(screen).toContain('\x1b[31mDOWN');
    const from = screen.indexOf('server  kind');
    const table = stripVTControlCharacters(screen.slice(from, screen.indexOf('walbc> ', from)));
    for (const line of table.split('\r\n')) expect(line.length).toBeLessThanOrEqual(100);
  });
});

it('W7: a lost diff is named wherever the operator looks', async () => {
  await using cluster = await Cluster.start();
  const { walbc, s0, p0, a0 } = cluster;
  await cluster.backUp();
  expect(await walbc.get_gaps(a0, DISK)).toEqual([]);
  await walbc.stop(a0, DISK, 'force');
  await cluster.disk().write();
  const lost = await walbc.snapshot_nbk(s0, DISK);
  await viewWhere(s0, `delivery of gid ${lost}`, ({ doneGid }) => (doneGid ?? 0n) >= lost);
  await cluster.kill('p0');
  cluster.loseData('p0');
  await walbc.start(a0, DISK);
  await cluster.start('p0');
  await walbc.start_synchronizing(a0, DISK);
  await cluster.disk().write();
  await walbc.snapshot_nbk(s0, DISK);
  await viewWhere(p0, 'a gap', ({ gaps }) => gaps.length > 0);

  const gaps = await walbc.get_gaps(a0, DISK);
  expect(gaps).toEqual([
    expect.objectContaining({ volume: DISK, archive: 'a0', reportedBy: ['a0', 'p0'] }),
  ]);
  const { gidB, gidE, advice } = gaps[0]!;
  expect(gidE).toBeGreaterThan(gidB);
  expect(advice).toContain('hash_backup');
  for (const server of [a0, p0]) {
    const text = await walbc.run_ctl(server, ['get', 'gaps', DISK]);
    expect(text).toMatch(new RegExp(`^name:${DISK}\tarchive:a0\tgid:${gidB}\tnext_gid:\\d+\t`));
  }
  await expect(walbc.run_ctl(s0, ['get', 'gaps', DISK])).rejects.toThrow('no such target');

  const path = layoutOfCluster(cluster);
  const words = ['check', '--layout', path, '--disk-free', 'off'];
  const { code, out } = await walb('walbc', ...words, '--gap', '0s:1h', '--failing', 'off');
  expect([code, out.split('\n')[0]]).toEqual([
    1,
    expect.stringMatching(`^WALB WARNING - GAP in ${DISK} at a0: diffs from gid ${gidB} to `),
  ]);
  expect((await walb('walbc', ...words, '--gap', ':0s', '--failing', 'off')).code).toBe(2);

  // A hash backup replaces what is lost.
  await walbc.stop(s0, DISK);
  await walbc.hash_backup(s0, DISK, SOON);
  expect(await walbc.get_gaps(a0, DISK)).toEqual([]);
  expect((await walb('walbc', ...words)).code).toBe(0);
});
