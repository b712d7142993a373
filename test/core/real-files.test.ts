import { execFile, execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { hasCode, type WalbError } from '../../src/core/errors.ts';
import { RealFiles } from '../../src/core/real-files.ts';
import { MIB } from '../../src/core/units.ts';
import { filesSuite } from './files-suite.ts';

function temporaryDirectory(parent = os.tmpdir()): string {
  return fs.mkdtempSync(path.join(parent, 'walb-files-'));
}

filesSuite('the operating system', () => {
  const directory = temporaryDirectory();
  const dispose = () => fs.rmSync(directory, { recursive: true });
  return { files: new RealFiles(), directory, reportsHoles: true, dispose };
});

describe('RealFiles', () => {
  const files = new RealFiles();
  const cleanups: (() => void)[] = [];

  afterEach(() => {
    vi.restoreAllMocks();
    for (const cleanup of cleanups.splice(0).reverse()) cleanup();
  });

  function workDirectory(): string {
    const directory = temporaryDirectory();
    cleanups.push(() => fs.rmSync(directory, { recursive: true }));
    return directory;
  }

  it('stays failed after a failed fdatasync: the kernel forgets lost pages', async () => {
    const handle = files.open(`${workDirectory()}/f`, 'create');
    const failure = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
    const broken = vi.spyOn(fs, 'fdatasync').mockImplementation((_fd, done) => {
      setImmediate(() => done(failure as NodeJS.ErrnoException));
    });
    const first = handle.sync();
    const second = handle.sync();
    await expect(first).rejects.toSatisfy((error) => hasCode(error, 'io'));
    await expect(second).rejects.toThrow(/sync .*\/f: EIO/);
    broken.mockRestore();
    await expect(handle.sync()).rejects.toSatisfy((error) => hasCode(error, 'io'));
    handle.close();
  });

  it('runs one fdatasync at a time and shares the next one', async () => {
    const handle = files.open(`${workDirectory()}/f`, 'create');
    let running = 0;
    let most = 0;
    let calls = 0;
    const real = fs.fdatasync.bind(fs);
    vi.spyOn(fs, 'fdatasync').mockImplementation((fd, done) => {
      calls++;
      most = Math.max(most, ++running);
      real(fd, (error) => {
        running--;
        done(error);
      });
    });
    await Promise.all([handle.sync(), handle.sync(), handle.sync(), handle.sync()]);
    expect({ most, calls }).toEqual({ most: 1, calls: 2 });
    handle.close();
  });

  it('goes on after short reads and writes', () => {
    const handle = files.open(`${workDirectory()}/f`, 'create');
    const write = fs.writeSync.bind(fs) as (...args: unknown[]) => number;
    vi.spyOn(fs, 'writeSync').mockImplementation(((fd: number, ...rest: unknown[]) => {
      const [from, offset, length, position] = rest as [Uint8Array, number, number, number];
      return write(fd, from, offset, Math.min(length, 3), position);
    }) as typeof fs.writeSync);
    const writev = fs.writevSync.bind(fs);
    vi.spyOn(fs, 'writevSync').mockImplementation((fd, parts, position) =>
      writev(fd, [(parts[0] as Uint8Array).subarray(0, 2)], position),
    );
    const read = fs.readSync.bind(fs) as (...args: unknown[]) => number;
    vi.spyOn(fs, 'readSync').mockImplementation(((fd: number, ...rest: unknown[]) => {
      const [into, offset, length, position] = rest as [Uint8Array, number, number, number];
      return read(fd, into, offset, Math.min(length, 3), position);
    }) as typeof fs.readSync);
    handle.write(Buffer.from('0123456789'), 0);
    handle.writev([Buffer.from('abc'), Buffer.from('d'), Buffer.from('efgh')], 5);
    const into = Buffer.alloc(13);
    expect(handle.read(into, 0)).toBe(13);
    expect(into.toString()).toBe('01234abcdefgh');
    handle.close();
  });

  it('reports a full file system as no-space with what to do', () => {
    const handle = files.open(`${workDirectory()}/f`, 'create');
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
    });
    vi.spyOn(fs, 'writeSync').mockImplementation(() => {
      throw full;
    });
    expect(() => handle.write(Buffer.alloc(1), 0)).toThrow(
      /cannot write .*\/f: ENOSPC.*free space/,
    );
    handle.close();
  });

  it('names the holder of a lock in another process and outlives its crash', async () => {
    const lock = `${workDirectory()}/lock`;
    const source = path.resolve(import.meta.dirname, '../../src/core/real-files.ts');
    const program = `
      import { RealFiles } from ${JSON.stringify(source)};
      new RealFiles().lock(${JSON.stringify(lock)});
      console.log('locked');
      setInterval(() => {}, 1000);`;
    const child = execFile(process.execPath, ['--input-type=module', '-e', program]);
    await new Promise((resolve) => child.stdout!.once('data', resolve));
    try {
      files.lock(lock);
      expect.unreachable('the lock is held');
    } catch (error) {
      expect(error).toMatchObject({ code: 'busy', details: { pid: child.pid } });
      expect((error as WalbError).message).toContain(`locked by process ${child.pid}`);
    }
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    files.lock(lock).release();
  });

  it('tells how far a copy is', async () => {
    const directory = workDirectory();
    const source = files.open(`${directory}/a`, 'create');
    // Data at both ends, a hole between.
    source.truncate(8 * MIB);
    for (const start of [0, 7 * MIB]) source.write(Buffer.alloc(MIB, 1), start);
    const error = Object.assign(new Error('ENOTSUP'), { code: 'ENOTSUP' });
    vi.spyOn(fs.promises, 'copyFile').mockRejectedValue(error);
    const told: number[] = [];
    const how = await files.clone(`${directory}/a`, `${directory}/b`, undefined, (position) =>
      told.push(position),
    );
    expect(how).toBe('copy');
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told).toContain(MIB);
    expect(told.at(-1)).toBe(8 * MIB);
    source.close();
  });

  it('clones in pieces that let others run, and stops in the middle', async () => {
    const directory = workDirectory();
    const source = files.open(`${directory}/a`, 'create');
    for (let i = 0; i < 8; i++) source.write(Buffer.alloc(MIB, 1), i * MIB);
    const stop = new AbortController();
    const plain = vi.spyOn(fs.promises, 'copyFile').mockImplementation(() => {
      setTimeout(() => stop.abort(), 0);
      return Promise.reject(Object.assign(new Error('ENOTSUP'), { code: 'ENOTSUP' }));
    });
    const clone = files.clone(`${directory}/a`, `${directory}/b`, stop.signal);
    await expect(clone).rejects.toSatisfy((error) => hasCode(error, 'cancelled'));
    expect(plain).toHaveBeenCalledOnce();
    expect(files.list(directory)).toEqual(['a']);
    source.close();
  });

  it('serves a block device', async (context) => {
    const device = loopDevice(workDirectory(), 8 * MIB, cleanups);
    if (device === undefined) return context.skip('no loop device (needs root)');
    const handle = files.open(device, 'update');
    cleanups.push(() => handle.close());
    expect(handle.isBlockDevice).toBe(true);
    expect(handle.size()).toBe(8 * MIB);
    expect(files.info(device)).toMatchObject({ kind: 'block-device', size: 8 * MIB });
    handle.write(Buffer.alloc(2 * MIB, 1), 0);
    handle.punch(1000, MIB);
    await handle.sync();
    const expected = Buffer.alloc(2 * MIB, 1).fill(0, 1000, 1000 + MIB);
    const into = Buffer.alloc(2 * MIB);
    expect(handle.read(into, 0)).toBe(2 * MIB);
    expect(into.equals(expected)).toBe(true);
    expect(handle.nextData(4096)).toEqual({ start: 4096, end: 8 * MIB });
    expect(() => handle.truncate(0)).toThrow(/block device/);
    expect(() => files.open(device, 'replace')).toThrow(/block device/);
    files.lock(device).release();
    const copy = `${workDirectory()}/copy`;
    expect(await files.clone(device, copy)).toBe('copy');
    expect(
      fs
        .readFileSync(copy)
        .subarray(0, 2 * MIB)
        .equals(expected),
    ).toBe(true);
    expect(files.info(copy)!.allocated).toBeLessThanOrEqual(2 * MIB);
  });

  it('shares blocks where the file system can', async (context) => {
    const mount = reflinkFileSystem(workDirectory(), cleanups);
    if (mount === undefined) return context.skip('no XFS with reflink here (needs root)');
    const source = files.open(`${mount}/a`, 'create');
    source.write(Buffer.alloc(MIB, 7), 0);
    source.close();
    expect(await files.clone(`${mount}/a`, `${mount}/b`)).toBe('reflink');
    expect(fs.readFileSync(`${mount}/b`).equals(Buffer.alloc(MIB, 7))).toBe(true);
    const again = files.clone(`${mount}/a`, `${mount}/b`);
    await expect(again).rejects.toSatisfy((error) => hasCode(error, 'already-exists'));
    const full = files.open(`${mount}/full`, 'create');
    const fill = () => {
      for (let at = 0; ; at += MIB) full.write(Buffer.alloc(MIB, 1), at);
    };
    expect(fill).toThrow(/cannot write .*ENOSPC.*free space/);
    full.close();
  });

  it('zeroes where the file system can not punch', (context) => {
    const directory = ramDirectory(cleanups);
    if (directory === undefined) return context.skip('no ramfs (needs root)');
    const handle = files.open(`${directory}/f`, 'create');
    handle.write(Buffer.alloc(3 * MIB, 1), 0);
    handle.punch(5, 2 * MIB);
    const into = Buffer.alloc(3 * MIB);
    handle.read(into, 0);
    expect(into.equals(Buffer.alloc(3 * MIB, 1).fill(0, 5, 5 + 2 * MIB))).toBe(true);
    expect(handle.nextData(0)).toEqual({ start: 0, end: 3 * MIB });
    handle.close();
  });

  it('loads no native library before it is needed', async () => {
    const source = path.resolve(import.meta.dirname, '../../src/core/real-files.ts');
    const program = `
      import { RealFiles } from ${JSON.stringify(source)};
      import { createRequire } from 'node:module';
      new RealFiles().open(process.execPath, 'read').size();
      const cache = Object.keys(createRequire(import.meta.url).cache);
      console.log(cache.filter((file) => file.includes('koffi')).length);`;
    const run = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
    expect(run.stdout.trim()).toBe('0');
  });
});

function loopDevice(directory: string, size: number, cleanups: (() => void)[]): string | undefined {
  const image = `${directory}/image`;
  fs.writeFileSync(image, '');
  fs.truncateSync(image, size);
  const setup = spawnSync('losetup', ['--find', '--show', image], { encoding: 'utf8' });
  if (setup.status !== 0) return undefined;
  const device = setup.stdout.trim();
  cleanups.push(() => execFileSync('losetup', ['--detach', device]));
  return device;
}

/** XFS of the smallest size mkfs takes, on a loop device. */
function reflinkFileSystem(directory: string, cleanups: (() => void)[]): string | undefined {
  const device = loopDevice(directory, 304 * MIB, cleanups);
  if (device === undefined) return undefined;
  if (spawnSync('mkfs.xfs', ['-q', '-m', 'reflink=1', device]).status !== 0) return undefined;
  return mount(['-t', 'xfs', device], temporaryDirectory(), cleanups);
}

/** ramfs can neither punch nor report holes. */
function ramDirectory(cleanups: (() => void)[]): string | undefined {
  return mount(['-t', 'ramfs', 'ramfs'], temporaryDirectory(), cleanups);
}

function mount(what: string[], on: string, cleanups: (() => void)[]): string | undefined {
  cleanups.push(() => fs.rmdirSync(on));
  if (spawnSync('mount', [...what, on]).status !== 0) return undefined;
  cleanups.push(() => execFileSync('umount', [on]));
  return on;
}
