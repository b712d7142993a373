/** The demo as a newcomer meets it: it shows what it says, and leaves nothing behind however it ends. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { processesNaming, ROOT, until, walb } from './support.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-demo-test-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** `walb demo` with our folder as its temporary one. */
function demo(...args: string[]) {
  return execa(join(ROOT, 'bin/walb'), ['demo', ...args], {
    cwd: tmpdir(),
    env: { TMPDIR: folder },
    reject: false,
    stdin: 'ignore',
    timeout: 60_000,
  });
}

async function expectNothingLeft(): Promise<void> {
  await until('all processes are gone', () => processesNaming(folder).length === 0);
  await until('the folder is removed', () => readdirSync(folder).length === 0);
}

test('--no-shell: two snapshots are equal, exit code 0, nothing is left', async () => {
  const { exitCode, stdout, stderr } = await demo('--no-shell', '--size', '32m');
  expect(stderr).toBe('');
  expect(stdout).toContain('2 of 2 restored snapshots are equal to what was on the volume.');
  expect(stdout).toMatch(/full backup while writes go on +32 MiB +[\d.]+ s +\d+ MB\/s +gid \d+/);
  expect(stdout.match(/sha256 \w{8}\.\. equal/g)).toHaveLength(2);
  expect(exitCode).toBe(0);
  expect(processesNaming(folder)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test('--dir keeps what was made; a second run there is refused', async () => {
  const dir = join(folder, 'kept');
  const first = await demo('--no-shell', '--size', '16m', '--dir', dir);
  expect(first.exitCode).toBe(0);
  expect(readdirSync(dir)).toEqual(expect.arrayContaining(['a0', 'devices', 'logs', 'p0', 's0']));
  const second = await demo('--no-shell', '--dir', dir);
  expect(second.exitCode).toBe(3);
  expect(second.stderr).toContain('is not empty');
  expect(processesNaming(folder)).toEqual([]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s in the middle ends everything', async (signal, code) => {
  const running = demo('--no-shell', '--size', '64m');
  await until('servers run', () => processesNaming(folder).length >= 3);
  running.kill(signal);
  expect((await running).exitCode).toBe(code);
  expect(processesNaming(folder)).toEqual([]);
  expect(readdirSync(folder)).toEqual([]);
});

test('kill -9 of the demo: its keeper ends everything', async () => {
  const running = demo('--no-shell', '--size', '64m');
  await until('servers run', () => processesNaming(folder).length >= 3);
  running.kill('SIGKILL');
  await running;
  await expectNothingLeft();
});

test('a server that dies ends the demo with an error that names it', async () => {
  const running = demo('--no-shell', '--size', '64m');
  const archive = () => processesNaming('archive-server/main').filter(isOurs);
  await until('all servers run', () => processesNaming('storage-server/main').some(isOurs));
  for (const pid of archive()) process.kill(pid, 'SIGKILL');
  const { exitCode, stderr } = await running;
  expect(exitCode).not.toBe(0);
  expect(stderr).toMatch(/a0/);
  await expectNothingLeft();
});

function isOurs(pid: number): boolean {
  return processesNaming(folder).includes(pid);
}

test('wrong options and folders: clear messages', async () => {
  expect(await walb('walb', 'demo', '--size', '1m')).toMatchObject({
    code: 2,
    err: expect.stringContaining('at least 16m'),
  });
  const file = join(folder, 'file');
  writeFileSync(file, '');
  const { code, err } = await walb('walb', 'demo', '--no-shell', '--dir', join(file, 'x'));
  expect(code).toBe(3);
  expect(err).toContain(`can not use ${file}/x`);
  const deep = join(folder, 'd'.repeat(100));
  mkdirSync(deep);
  expect(await walb('walb', 'demo', '--no-shell', '--dir', deep)).toMatchObject({
    code: 2,
    err: expect.stringContaining('unix socket'),
  });
});
