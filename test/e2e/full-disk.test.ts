/** Full disks: a clear error, nothing lost, and on it goes once there is room again. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { notice } from '../support/tools.ts';
import {
  randomBytes,
  SmallFileSystem,
  SOON,
  TestGroup,
  type TestGroupOptions,
  until,
  VOLUME,
} from './support.ts';

const FILE_SYSTEM = 48 << 20;

/** A group in which one server has a file system of its own, or undefined where that is forbidden. */
async function withSmallDisk(
  server: 'p0' | 'a0',
  options: TestGroupOptions,
  use: (group: TestGroup, disk: SmallFileSystem) => Promise<void>,
): Promise<void> {
  using disk = SmallFileSystem.make(FILE_SYSTEM);
  if (disk === undefined) {
    notice('loop mounts do not work on this machine: full disks are not tested');
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'walb-e2e-'));
  symlinkSync(disk.path, join(folder, server));
  await using group = await TestGroup.start({ ...options, folder });
  await use(group, disk);
}

/** Takes all the room there is; returns how to give it back. */
function fill(disk: SmallFileSystem): () => void {
  const path = join(disk.path, 'ballast');
  const piece = Buffer.alloc(64 << 10, 1);
  for (const step of [piece, piece.subarray(0, 4096), piece.subarray(0, 512)]) {
    try {
      for (;;) writeFileSync(path, step, { flag: 'a' });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  }
  return () => rmSync(path);
}

describe.skipIf(process.getuid?.() !== 0)('a full disk', () => {
  test('at the proxy: the storage keeps its log and says why', async () => {
    const storage = ['-wl', '4', '-delay', '1', '-maxdelay', '1'];
    await withSmallDisk('p0', { storage }, async (test, disk) => {
      const { walbc, group } = test;
      await test.backUp();
      const free = fill(disk);
      await using client = await group.connect();
      await client.write(0, new Uint8Array(2 << 20).fill(5));
      const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
      await until('the reason is in the status', async () => {
        return /last error.*disk has \d+ bytes free/.test(await test.status(test.s0));
      });
      expect(await walbc.get_restorable_gid(test.a0, VOLUME)).not.toContain(gid);
      expect(await walbc.get_state(test.s0, VOLUME)).toBe('Target');
      free();
      await walbc.kick_all([test.s0]);
      await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
      await test.expectArrival();
    });
  });

  test('at the archive: diffs wait at the proxy; a restore fails whole', async () => {
    await withSmallDisk('a0', {}, async (test, disk) => {
      const { walbc, group } = test;
      await using client = await group.connect();
      await client.write(0, new Uint8Array(12 << 20).fill(3));
      const base = await test.backUp();
      const free = fill(disk);
      await client.write(4 << 20, randomBytes(2 << 20));
      const gid = await walbc.snapshot_nbk(test.s0, VOLUME);
      await until('the diff waits at the proxy', async () => {
        const waiting = await walbc.run_ctl(test.p0, ['get', 'proxy-diff', VOLUME, 'a0']);
        return waiting.includes(`-->|${gid}|`);
      });
      await expect(walbc.restore(test.a0, VOLUME, base, SOON)).rejects.toMatchObject({
        code: 'no-space',
      });
      expect(await walbc.get_restored(test.a0, VOLUME)).toEqual([]);
      expect(await walbc.get_state(test.a0, VOLUME)).toBe('Archived');
      free();
      await walbc.kick_all([test.p0]);
      await walbc.wait_for_restorable(test.a0, VOLUME, gid, SOON);
      await test.expectArrival();
      await walbc.restore(test.a0, VOLUME, base, SOON);
    });
  });
});
