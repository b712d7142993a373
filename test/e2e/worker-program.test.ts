/** `walb worker` and `walb prune` as programs: options, configuration from several places, exit codes (worker.md 1). */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { ROOT, SOON, TestGroup, VOLUME, walb } from './support.ts';

function file(folder: string, name: string, sections: object): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(sections));
  return path;
}

const KEEPING = { apply: { keep_period: '1d' }, merge: { interval: '1h' } };

test('refuses what it can not use: exit code 2, one line that says what and where', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'walb-worker-'));
  const general = { addr: '127.0.0.1', port: 1 };
  const good = file(folder, 'good.yaml', { general, ...KEEPING });
  const bad = file(folder, 'bad.yaml', { apply: { keep_perod: '1d' } });
  const list = file(folder, 'list.yaml', []);
  const cases: [string[], RegExp][] = [
    [['worker'], /at least one configuration file/],
    [['worker', '-f', good, '-f', bad], /apply\.keep_perod is not a known key/],
    [['worker', '-f', list], /list\.yaml: must hold sections/],
    [['worker', '-f', good, '-step', '6'], /--step takes 1 to 5/],
    [['worker', '-f', good, '-lifetime', 'x'], /--lifetime takes a number/],
    [['worker', '-f', good, '--archive', 'a0'], /--layout and --archive go together/],
    [['prune', '-f', good, '--yes', '--dry-run'], /contradict each other/],
  ];
  for (const [words, message] of cases) {
    const { code, out, err } = await walb('walb', ...words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toMatch(new RegExp(`^walb: .*${message.source}`));
  }
  const unknown = await walb('walb', 'worker', '-f', good, '-frobnicate');
  expect(unknown.code).not.toBe(0);
  const missing = await walb('walb', 'worker', '-f', join(folder, 'none.yaml'));
  expect(missing).toMatchObject({ code: 3 });
  rmSync(folder, { recursive: true });
});

test('takes the archive from a layout, and ends on SIGINT when its task is done', async () => {
  await using group = await TestGroup.start();
  const { s0, p0, a0, walbc } = group;
  await group.backUp();
  const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  const entry = ({ name, address, port }: typeof s0) => [{ name, address, port }];
  const layout = file(group.folder, 'layout.yaml', {
    storage: entry(s0),
    proxy: entry(p0),
    archive: entry(a0),
  });
  const keeping = { apply: { keep_period: 1, interval: 0 }, merge: { interval: 1 } };
  const config = file(group.folder, 'worker.yaml', keeping);
  const words = ['worker', '--layout', layout, '--archive', 'a0', '-f', config, '-step', '2'];
  const worker = execa(join(ROOT, 'bin/walb'), words, { reject: false, timeout: 60_000 });
  await new Promise<void>((resolve) => {
    worker.stdout?.on('data', (data: Buffer) => {
      if (data.toString().includes(' INFO startTask:name=apply')) resolve();
    });
    worker.finally(() => resolve());
  });
  worker.kill('SIGINT');
  const { exitCode, stdout } = await worker;
  expect(exitCode).toBe(0);
  expect(stdout).toMatch(
    / INFO endTask:name=apply vol=vol ax=a0 gid=\d+\n(.*\n)*.* INFO end walb-worker$/,
  );
  expect((await walbc.get_base(a0, VOLUME)).B.gidB).toBe(gid);
  const log = await walb('walbc', 'audit', '--json');
  const entries = log.out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(entries).toContainEqual(
    expect.objectContaining({
      interface: 'worker',
      call: `walb worker ${a0.get_host_port()} name=apply vol=vol ax=a0 gid=${gid}`,
    }),
  );

  const plain = await walb('walb', 'prune', '--layout', layout, '--archive', 'a0', '-f', config);
  expect(plain.code).toBe(1);
  expect(plain.err).toContain('the configuration has no section retention');
});
