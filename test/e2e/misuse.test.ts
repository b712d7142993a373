/** Wrong arguments, ports in use, unknown volumes, strange working directories and old Nodes. */

import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ROOT, TestGroup, VOLUME, walb } from './support.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-misuse-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const PROGRAMS = ['walb-storage', 'walb-proxy', 'walb-archive', 'walbc', 'wdevc', 'walb'] as const;

test.each(PROGRAMS)('%s -h prints help and ends with 0, from any folder', async (program) => {
  const { code, out, err } = await walb(program, '-h');
  expect({ code, err }).toEqual({ code: 0, err: '' });
  expect(out.toLowerCase()).toContain('usage');
  expect(out).toContain(program);
});

test.each(['walb-storage', 'walb-proxy', 'walb-archive'] as const)(
  '%s refuses unknown options with its usage on stdout',
  async (program) => {
    const { code, out } = await walb(program, '-nonsense');
    expect(code).toBe(1);
    expect(out).toMatch(/^OptionError:bad opt/);
  },
);

describe('a server that can not start says why and ends with 1', () => {
  test('its port is in use', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { code, err } = await walb('walb-proxy', '-p', String(port), '-b', join(folder, 'p'));
    server.close();
    expect(code).toBe(1);
    expect(err).toContain(`127.0.0.1:${port}`);
    expect(err).toMatch(/in use/);
  });

  test('another process has its base directory', async () => {
    const base = join(folder, 'shared');
    mkdirSync(base);
    const first = execa(join(ROOT, 'bin/walb-archive'), ['-p', '0', '-b', base], { reject: false });
    await once(first.stdout, 'data');
    const { code, err } = await walb('walb-archive', '-p', '0', '-b', base);
    first.kill();
    await first;
    expect(code).toBe(1);
    expect(err).toContain(base);
  });

  test.each([
    ['its log elsewhere', []],
    ['its log in it', ['-l', 'a0.log']],
    ['images in LVM', ['-vg', 'vg0']],
  ])('the base directory of an archive does not exist, %s', async (_, more) => {
    const base = join(folder, 'mnt', 'a0');
    const { code, out, err } = await walb('walb-archive', '-p', '0', '-b', base, ...more);
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`the base directory ${base} does not exist: mount its file system, or`);
    expect(existsSync(join(folder, 'mnt'))).toBe(false);
  });

  test('its base directory is a file', async () => {
    const file = join(folder, 'file');
    writeFileSync(file, '');
    const { code, err } = await walb('walb-archive', '-p', '0', '-b', file);
    expect(code).toBe(1);
    expect(err).toContain(file);
  });

  test('it shall listen beyond loopback without TLS', async () => {
    const { code, err } = await walb(
      ...(['walb-proxy', '-p', '0', '-listen', '0.0.0.0', '-b', join(folder, 'tls')] as const),
    );
    expect(code).toBe(1);
    expect(err).toMatch(/TLS/);
  });
});

test('unknown volumes, devices and states: a clear message each', async () => {
  await using group = await TestGroup.start();
  const { walbc, s0, p0, a0 } = group;
  expect(await walbc.get_state(s0, 'nobody')).toBe('Clear');
  await expect(walbc.snapshot_nbk(s0, 'nobody')).rejects.toMatchObject({
    message: expect.stringMatching(/^s0 .*nobody/),
  });
  await expect(walbc.init_storage(s0, VOLUME, '/dev/walb/nobody')).rejects.toMatchObject({
    code: 'not-found',
    message: expect.stringContaining('/dev/walb/nobody'),
  });
  expect(await walbc.get_state(s0, VOLUME)).toBe('Clear');
  await expect(walbc.restore(a0, VOLUME, 7)).rejects.toThrow(/vol/);
  await expect(walbc.start(p0, VOLUME)).rejects.toThrow(/Clear/);
  await group.backUp();
  await expect(walbc.full_backup(s0, VOLUME)).rejects.toMatchObject({ code: 'wrong-state' });
  await expect(walbc.restore(a0, VOLUME, 999)).rejects.toThrow(/999/);
  const [host = '', port = ''] = a0.get_host_port().split(':');
  const wrong = await walb('walbc', '-a', host, '-p', port, 'restore', VOLUME, '999');
  expect(wrong.code).toBe(1);
  expect(wrong.out).toBe('');
  expect(wrong.err).toMatch(/ERROR walbc error: .*999/);
  const state = await walb('walbc', '-a', host, '-p', port, 'get', 'state', VOLUME);
  expect(state).toMatchObject({ code: 0, out: 'Archived' });
});

test('programs find the Node of the package, whatever is in PATH, through links and spaces', async () => {
  const old = join(folder, 'old node', 'bin');
  mkdirSync(old, { recursive: true });
  writeFileSync(join(old, 'node'), '#!/bin/sh\necho "too old" >&2\nexit 1\n');
  chmodSync(join(old, 'node'), 0o755);
  symlinkSync(join(ROOT, 'bin/walb'), join(old, 'walb'));
  const { exitCode, stdout, stderr } = await execa('walb', ['--help'], {
    cwd: old,
    env: { PATH: `${old}:${process.env['PATH']}` },
    reject: false,
  });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  expect(stdout).toContain('Usage: walb');
});
