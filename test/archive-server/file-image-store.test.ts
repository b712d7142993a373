import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { FileImageStore } from '../../src/archive-server/file-image-store.ts';
import { RealFiles } from '../../src/core/real-files.ts';
import { has, notice } from '../support/tools.ts';
import { imageStoreSuite, type StoreTraits } from './image-store-suite.ts';

const FILE_TRAITS: StoreTraits = {
  kind: 'file',
  sizeStep: 512,
  newBaseIsZero: true,
  keepsCold: false,
  growsWithRestored: true,
  givesBack: true,
};

/** mkfs.xfs makes nothing smaller. */
const XFS_SIZE = 300 * 1024 * 1024;

const files = new RealFiles();

function runOn(name: string, parent: string): void {
  imageStoreSuite(name, FILE_TRAITS, async () => {
    const directory = fs.mkdtempSync(path.join(parent, 'walb-images-'));
    const make = (volume: string) => {
      files.makeDirectory(`${directory}/${volume}`);
      return new FileImageStore(files, `${directory}/${volume}`);
    };
    return {
      store: make('one'),
      neighbour: make('two'),
      restart: async () => make('one'),
      use: undefined,
      dispose: async () => fs.rmSync(directory, { recursive: true }),
    };
  });
}

runOn('files', os.tmpdir());

if (fs.existsSync('/dev/shm')) runOn('files in memory (tmpfs)', '/dev/shm');

const xfs = mountXfs();
if (xfs !== undefined) {
  afterAll(xfs.unmount);
  runOn('files on XFS with reflink', xfs.directory);

  it('shares blocks between base and restored images on XFS', async () => {
    const directory = fs.mkdtempSync(path.join(xfs.directory, 'walb-images-'));
    const store = new FileImageStore(files, directory);
    await store.createBase(1024 * 1024);
    const base = store.openBase('update');
    base.write(new Uint8Array(1024 * 1024).fill(1), 0);
    await base.sync();
    base.close();
    const free = files.freeBytes(directory);
    for (const gid of [1n, 2n, 3n, 4n]) {
      const handle = await store.beginRestore(gid, new AbortController().signal);
      await store.commitRestore(gid, handle);
    }
    expect(free - files.freeBytes(directory)).toBeLessThan(1024 * 1024);
  });
}

/** A small XFS on a loop device; undefined where the machine does not let us. */
function mountXfs(): { directory: string; unmount: () => void } | undefined {
  if (!has('mkfs.xfs', 'losetup', 'mount', 'umount')) return undefined;
  const place = fs.mkdtempSync(path.join(os.tmpdir(), 'walb-xfs-'));
  const [image, directory] = [path.join(place, 'image'), path.join(place, 'mnt')];
  try {
    fs.writeFileSync(image, '');
    fs.truncateSync(image, XFS_SIZE);
    fs.mkdirSync(directory);
    const options = { stdio: 'pipe' } as const;
    execFileSync('mkfs.xfs', ['-q', '-m', 'reflink=1', image], options);
    execFileSync('mount', ['-t', 'xfs', '-o', 'loop', image, directory], options);
  } catch (error) {
    notice(`image store tests on XFS are skipped: ${String(error).split('\n')[0]}`);
    fs.rmSync(place, { recursive: true });
    return undefined;
  }
  const unmount = () => {
    execFileSync('umount', [directory]);
    fs.rmSync(place, { recursive: true });
  };
  return { directory, unmount };
}
