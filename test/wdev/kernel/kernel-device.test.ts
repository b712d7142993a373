/** The kernel driver's devices behind VolumeDevice, with a sysfs made of files and a recording `wdevc`. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { KernelDevice, openUncached } from '../../../src/wdev/kernel/index.ts';
import { kernelPaths, parseLsids } from '../../../src/wdev/kernel/sysfs.ts';
import { describeGolden, golden } from '../../golden/golden.ts';
import { testEnv } from '../support/test-env.ts';

const LSIDS = `latest 30
completed 30
flush 30
permanent 30
written 20
prev_written 10
oldest 0
`;

const text = (content: string) => new TextEncoder().encode(content);

function setUp() {
  const env = testEnv();
  env.files.put('/dev/walb/vol', golden.read('kernel/pbs512/basic.live.ddev'));
  env.files.put('/dev/walb/Lvol', golden.read('kernel/pbs512/basic.live.ldev'));
  const info = golden.read('kernel/pbs512/basic.live.info.txt').toString();
  const lsids = /\[sysfs lsids\]\n([^[]*)/.exec(info)![1]!;
  env.files.put('/sys/block/walb!vol/walb/lsids', text(lsids));
  env.files.put('/sys/block/walb!vol/walb/status', text('read_only 0\nlog_overflow 0\n'));
  env.files.put('/sys/block/walb!vol/size', text('65536\n'));
  const runWdevc = vi.fn(async (_args: readonly string[]) => '');
  const openLog = (path: string) => env.files.open(path, 'read');
  const options = { runWdevc, openUncached: openLog };
  return { env, runWdevc, device: new KernelDevice(env, '/dev/walb/vol', options) };
}

test('cli.md 3: device paths name the log device and the sysfs folder', () => {
  expect(kernelPaths('/dev/walb/0')).toEqual({
    name: '0',
    device: '/dev/walb/0',
    logDevice: '/dev/walb/L0',
    sysfs: '/sys/block/walb!0',
  });
  for (const bad of ['/dev/sda', '/dev/walb/', '/dev/walb/a/b', '/dev/walb/..', 'vol']) {
    expect(() => kernelPaths(bad)).toThrow(/walb device/);
  }
});

test('lsids that are missing or no numbers are refused with the file and field', () => {
  expect(parseLsids(LSIDS, 'f').prevWritten).toBe(10n);
  expect(() => parseLsids(LSIDS.replace('written 20', 'written x'), 'f')).toThrow(
    /f: written is x/,
  );
  expect(() => parseLsids('', 'f')).toThrow(/latest is missing/);
});

describeGolden('a device of the kernel driver', () => {
  test('B.4: tells what it is and reads its log whole', async () => {
    const { device } = setUp();
    const info = await device.info();
    expect(info).toMatchObject({
      name: 'vol',
      path: '/dev/walb/vol',
      sizeLb: 65536,
      pbs: 512,
      ringPb: 16374,
    });
    const { permanent, oldest } = await device.lsids();
    let next = oldest;
    for await (const pack of device.readLog(0n)) {
      expect(pack.lsid).toBe(next);
      next += 1n + BigInt(pack.data.length / 512);
    }
    expect(next).toBe(permanent);
    const block = new Uint8Array(512);
    await device.readBlocks(80, block);
    expect(block.some((byte) => byte !== 0)).toBe(true);
    await expect(device.readBlocks(65536, block)).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  test('control goes to wdevc; its failure is passed on', async () => {
    const { device, runWdevc } = setUp();
    await device.takeCheckpoint();
    await device.setOldestLsid(7n);
    await device.resize(70000);
    await device.resetLog();
    expect(runWdevc.mock.calls.map(([args]) => args.join(' '))).toEqual([
      'force-checkpoint /dev/walb/vol',
      'set-oldest-lsid /dev/walb/vol 7',
      'resize /dev/walb/vol 70000',
      'reset-wal /dev/walb/vol',
    ]);
    runWdevc.mockRejectedValueOnce(new Error('no such ioctl'));
    await expect(device.takeCheckpoint()).rejects.toThrow('no such ioctl');
  });

  test('W2: log that is gone or overflowed is refused', async () => {
    const { env, device } = setUp();
    env.files.put('/sys/block/walb!vol/walb/lsids', text(LSIDS.replace('oldest 0', 'oldest 9')));
    const read = async () => {
      for await (const _ of device.readLog(0n));
    };
    await expect(read()).rejects.toMatchObject({ code: 'overflow' });
    env.files.put('/sys/block/walb!vol/walb/lsids', text(LSIDS));
    env.files.put('/sys/block/walb!vol/walb/status', text('log_overflow 1\n'));
    expect(await device.isOverflow()).toBe(true);
    await expect(read()).rejects.toMatchObject({ code: 'overflow' });
  });

  test('B.3: watchers hear of moved positions, and only of those', async () => {
    const { env, device } = setUp();
    let calls = 0;
    const cancel = device.watch(() => calls++);
    env.clock.advance(500);
    expect(calls).toBe(0);
    env.files.put('/sys/block/walb!vol/walb/lsids', text(LSIDS));
    env.clock.advance(500);
    expect(calls).toBe(1);
    env.files.remove('/sys/block/walb!vol/walb/lsids');
    env.clock.advance(100);
    expect(calls, 'a device that went away').toBe(2);
    cancel();
    expect(env.clock.timers).toBe(0);
    await device.close();
  });
});

test('the log device is read past the page cache, at any position', () => {
  const folder = mkdtempSync(join(import.meta.dirname, 'uncached-'));
  try {
    const path = join(folder, 'file');
    const content = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7) ^ (i >> 9));
    writeFileSync(path, content);
    const file = openUncached(path);
    for (const [position, length] of [
      [0, 512],
      [4096, 4096],
      [1537, 2_000_001],
      [2_999_990, 100],
    ] as const) {
      const into = new Uint8Array(length);
      const got = file.read(into, position);
      const expected = content.subarray(position, position + length);
      expect(Buffer.compare(into.subarray(0, got), expected)).toBe(0);
    }
    expect(() => file.punch(0, 1)).toThrow(/reading only/);
    file.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
