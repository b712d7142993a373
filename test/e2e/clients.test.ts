/** Real file systems and real clients on both ends: what went in comes out. */
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeWith, has, notice } from '../support/tools.ts';
import { hashFile, ROOT, run, SOON, TestGroup, until, VOLUME } from './support.ts';

/** A block device on an NBD export, by FUSE and loop. */
class LoopDevice implements AsyncDisposable {
  readonly device: string;
  readonly #fuse: string;
  readonly #folder: string;

  private constructor(device: string, fuse: string, folder: string) {
    this.device = device;
    this.#fuse = fuse;
    this.#folder = folder;
  }

  /** Undefined where FUSE or loop devices are forbidden. */
  static async of(uri: string): Promise<LoopDevice | undefined> {
    const folder = mkdtempSync(join(tmpdir(), 'walb-fuse-'));
    const fuse = join(folder, 'fuse');
    mkdirSync(fuse);
    let ended = false;
    spawn('nbdfuse', [`${fuse}/disk`, uri], { stdio: 'ignore' }).once('exit', () => (ended = true));
    const isThere = () =>
      run('test', '-e', `${fuse}/disk`).then(...([() => true, () => false] as const));
    await until('nbdfuse mounts or ends', async () => ended || (await isThere()));
    if (!ended) {
      const device = await run('losetup', '--find', '--show', `${fuse}/disk`).catch(
        () => undefined,
      );
      if (device !== undefined) return new LoopDevice(device, fuse, folder);
      await run('fusermount3', '-u', '-z', fuse);
    }
    notice('nbdfuse or loop devices do not work on this machine: a test proves nothing here');
    rmSync(folder, { recursive: true, force: true });
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('losetup', '-d', this.device).catch(() => {});
    await run('fusermount3', '-u', '-z', this.#fuse).catch(() => {});
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A file system mounted for the time of a block. */
class Mount implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
  }

  static async of(source: string, ...options: string[]): Promise<Mount> {
    const path = mkdtempSync(join(tmpdir(), 'walb-mount-'));
    await run('mount', ...options, source, path);
    return new Mount(path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run('umount', this.path).catch(() => run('umount', '-l', this.path));
    rmSync(this.path, { recursive: true, force: true });
  }
}

const canMount =
  process.getuid?.() === 0 &&
  has('nbdfuse', 'fusermount3', 'losetup', 'mkfs.ext4', 'fsck.ext4', 'sqlite3');

function sqlite(database: string, sql: string): Promise<string> {
  return run('sqlite3', database, sql);
}

describe.skipIf(!canMount)('a file system on the volume', () => {
  test('files and a database come back as they were at the snapshot', async () => {
    await using group = await TestGroup.start({ size: 64 << 20 });
    const { walbc, s0, a0 } = group;
    await using loop = await LoopDevice.of(group.group.nbdUri);
    if (loop === undefined) return;
    await run('mkfs.ext4', '-q', '-F', loop.device);
    await group.backUp();
    let gid: bigint;
    let early: string;
    {
      await using mount = await Mount.of(loop.device);
      await run('cp', '-r', join(ROOT, 'docs'), mount.path);
      const database = join(mount.path, 'accounts.db');
      await sqlite(database, 'CREATE TABLE t (id INTEGER PRIMARY KEY, note TEXT)');
      await sqlite(database, `${insertRows(1, 500)}`);
      await run('sync', '-f', mount.path);
      gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
      early = await sqlite(database, 'SELECT count(*), sum(id) FROM t');
      await sqlite(database, `${insertRows(501, 900)}; DELETE FROM t WHERE id < 100`);
      await run('rm', '-r', join(mount.path, 'docs'));
      await run('sync', '-f', mount.path);
    }
    const last = await walbc.snapshot(s0, VOLUME, [a0], SOON);
    for (const wanted of [gid, last]) await walbc.restore(a0, VOLUME, wanted, SOON);
    const image = await walbc.get_restored_path(a0, VOLUME, gid);
    // The snapshot was taken while it was mounted: the journal is replayed first, as after a power cut.
    await run('fsck.ext4', '-p', image).catch(() => {});
    await run('fsck.ext4', '-f', '-n', image);
    {
      await using restored = await Mount.of(image, '-o', 'loop,ro');
      await run('diff', '-r', join(ROOT, 'docs'), join(restored.path, 'docs'));
      const database = `file:${join(restored.path, 'accounts.db')}?immutable=1`;
      expect(await sqlite(database, 'PRAGMA integrity_check')).toBe('ok');
      expect(await sqlite(database, 'SELECT count(*), sum(id) FROM t')).toBe(early);
    }
    const later = await walbc.get_restored_path(a0, VOLUME, last);
    await run('fsck.ext4', '-f', '-n', later);
    await using restored = await Mount.of(later, '-o', 'loop,ro');
    await expect(run('ls', join(restored.path, 'docs'))).rejects.toThrow('No such file');
    const database = `file:${join(restored.path, 'accounts.db')}?immutable=1`;
    expect(await sqlite(database, 'SELECT count(*), min(id), max(id) FROM t')).toBe('801|100|900');
  });
});

function insertRows(from: number, to: number): string {
  return `WITH RECURSIVE n(i) AS (SELECT ${from} UNION ALL SELECT i + 1 FROM n WHERE i < ${to}) INSERT INTO t SELECT i, 'row ' || i FROM n`;
}

describeWith(['nbdcopy', 'qemu-img', 'qemu-io', 'nbdinfo'], 'a snapshot served over NBD', () => {
  test('is the restored image for nbdcopy and qemu-img, and may be written to', async () => {
    await using group = await TestGroup.start();
    const { walbc, s0, a0, folder } = group;
    const uri = group.group.nbdUri;
    await run('qemu-io', '-f', 'raw', '-c', 'write -P 0x11 0 4M', uri);
    await group.backUp();
    const io = [
      '-c',
      'write -P 0x22 2M 3M',
      '-c',
      'discard 1M 64k',
      '-c',
      'write -z 8M 64k',
      '-c',
      'flush',
    ];
    await run('qemu-io', '-f', 'raw', ...io, uri);
    const gid = await walbc.snapshot(s0, VOLUME, [a0], SOON);
    await run('qemu-io', '-f', 'raw', '-c', 'write -P 0x33 0 8M', uri);
    await walbc.restore(a0, VOLUME, gid, SOON);
    const image = await walbc.get_restored_path(a0, VOLUME, gid);
    const wanted = await hashFile(image);
    const served = await walbc.export_snapshot(a0, VOLUME, gid, `unix:${folder}/export.sock`);
    expect(JSON.parse(await run('nbdinfo', '--json', served.uri)).exports[0]).toMatchObject({
      'export-size': 16 << 20,
      is_read_only: false,
    });
    // What was never written is a hole, so that a client need not read it.
    const map = JSON.parse(await run('nbdinfo', '--map', '--json', served.uri)) as {
      readonly offset: number;
      readonly type: number;
    }[];
    const HOLE_AND_ZERO = 3;
    expect(map.at(-1)).toMatchObject({ type: HOLE_AND_ZERO });
    expect(map.at(-1)?.offset).toBeLessThanOrEqual(9 << 20);
    const same = await run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, served.uri);
    expect(same).toContain('identical');
    const copy = join(folder, 'copy');
    await run('nbdcopy', served.uri, copy);
    expect(await hashFile(copy)).toBe(wanted);
    // What is written to the export is its own: neither the image nor the next export shows it.
    await run(
      'qemu-io',
      '-f',
      'raw',
      '-c',
      'write -P 0x44 1M 1M',
      '-c',
      'read -P 0x44 1M 1M',
      served.uri,
    );
    await walbc.close_export(a0, served.exportId);
    expect(await walbc.list_exports(a0, VOLUME)).toEqual([]);
    const again = await walbc.export_snapshot(a0, VOLUME, gid, '127.0.0.1:0', true);
    const still = await run('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', image, again.uri);
    expect(still).toContain('identical');
  });
});
