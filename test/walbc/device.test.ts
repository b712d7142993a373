/** `Device` (controller-api.md 3): with the driver's sysfs, and with a device of ours in user space. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WalbError } from '../../src/core/index.ts';
import { Device } from '../../src/walbc/device.ts';
import { run_local_command } from '../../src/walbc/run-command.ts';

const BIN = fileURLToPath(new URL('../../bin/', import.meta.url));

describe('a device of the driver', () => {
  /** What sysfs would hold; every command is noted. */
  function device(files: Readonly<Record<string, string>>): { wdev: Device; ran: string[] } {
    const ran: string[] = [];
    const wdev = new Device('d', '/l', '/d', '/w/wdevc', async (args) => {
      ran.push(args.join(' '));
      const text = files[args.at(-1) ?? ''];
      if (text === undefined) throw new WalbError('io', `command failed: ${args.join(' ')}`);
      return text;
    });
    return { wdev, ran };
  }

  test('is read from sysfs with /bin/cat, and nothing else is run', async () => {
    const { wdev, ran } = device({
      '/sys/block/walb!d/size': '4096\n',
      '/sys/block/walb!Ld/size': '2048',
      '/sys/block/walb!d/walb/lsids': 'latest 9\ncompleted 7\noldest 7\n',
    });
    expect(await wdev.get_size_lb()).toBe(4096);
    expect(await wdev.get_size_mb()).toBe(2);
    expect(await wdev.get_log_size_lb()).toBe(2048);
    await wdev.wait_for_log_empty();
    expect(new Set(ran.map((line) => line.split(' ')[0]))).toEqual(new Set(['/bin/cat']));
  });

  test('that is not there: the error is about sysfs, as the original says it', async () => {
    const { wdev } = device({});
    await expect(wdev.get_size_lb()).rejects.toThrow('/bin/cat /sys/block/walb!d/size');
    expect(await wdev.exists().catch(() => 'failed')).toBe('failed');
  });

  test('a log that does not become empty: what it is at', async () => {
    const { wdev } = device({ '/sys/block/walb!d/walb/lsids': 'completed 7\noldest 5\n' });
    await expect(wdev.wait_for_log_empty(0)).rejects.toThrow(
      /still has log.*completed 7, oldest 5/,
    );
  });
});

describe('a device in user space', () => {
  let folder: string;
  let wdev: Device;
  const walb = (...words: string[]): void => {
    const env = { ...process.env, WALB_DEVICE_DIR: folder };
    const { status, stderr } = spawnSync(`${BIN}walb`, words, { env, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  };

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'walbc-device-'));
    walb('wdev', 'create', 'disk0', '--size', '8m', '--log-size', '4m');
    // The folder is said to every command, as an operator's environment would.
    const run = (args: readonly string[]): Promise<string> =>
      run_local_command(['/usr/bin/env', `WALB_DEVICE_DIR=${folder}`, ...args], false, true);
    const log = join(folder, 'disk0', 'log');
    wdev = new Device('disk0', log, join(folder, 'disk0', 'data'), `${BIN}wdevc`, run);
  });
  afterAll(() => {
    spawnSync(`${BIN}walb`, ['wdev', 'delete', 'disk0', '--force', '--with-data'], {
      env: { ...process.env, WALB_DEVICE_DIR: folder },
    });
    rmSync(folder, { recursive: true, force: true });
  });

  test('is there, and has its size', async () => {
    expect(await wdev.exists()).toBe(true);
    expect(await wdev.get_size_lb()).toBe(16_384);
    expect(await wdev.get_size_mb()).toBe(8);
  });

  test('its log has a size, and is waited for', async () => {
    expect(await wdev.get_log_size_lb()).toBe(8192);
    await wdev.wait_for_log_empty(10);
  });

  test('another name is not there', async () => {
    const other = new Device('disk1', '/l', '/d', wdev.wdevcPath, wdev.runCommand);
    expect(await other.exists()).toBe(false);
  });
});
