/** What a power cut may and must not do to a simulated disk. */
import { describe, expect, it } from 'vitest';
import { DiskFaults } from './disk-faults.ts';
import { SimDisk } from './sim-disk.ts';
import { SimRandom } from './sim-random.ts';

const SEEDS = Array.from({ length: 200 }, (_, seed) => String(seed));

function diskOf(seed: string): SimDisk {
  const random = new SimRandom(seed);
  const disk = new SimDisk({ now: () => 0, random, faults: new DiskFaults(random.fork('faults')) });
  disk.makeDirectory('/d');
  disk.makeDirectory('/e');
  disk.settle();
  return disk;
}

function put(disk: SimDisk, path: string, bytes: Uint8Array, position = 0): void {
  disk.write(
    disk.find(path) === undefined ? disk.create(path) : disk.needFile(path),
    path,
    bytes,
    position,
  );
}

function sync(disk: SimDisk, path: string): void {
  const { content } = disk.needFile(path);
  content.settle(content.changesMade);
}

function contentOf(disk: SimDisk, path: string): Uint8Array {
  const { cached } = disk.needFile(path).content;
  const bytes = new Uint8Array(cached.size);
  cached.read(bytes, 0);
  return bytes;
}

/** The different outcomes of one story over all seeds. */
function outcomes(story: (disk: SimDisk) => void, look: (disk: SimDisk) => string): Set<string> {
  const seen = new Set<string>();
  for (const seed of SEEDS) {
    const disk = diskOf(seed);
    story(disk);
    disk.powerCut();
    seen.add(look(disk));
  }
  return seen;
}

const names = (disk: SimDisk) =>
  ['/d', '/e'].map((path) => [...disk.needDirectory(path).names.keys()].sort().join()).join(' ');

describe('names after a power cut', () => {
  it('survive as a prefix of what was done in a directory', () => {
    const story = (disk: SimDisk) => {
      for (const name of ['a', 'b', 'c']) disk.create(`/d/${name}`);
    };
    expect([...outcomes(story, names)].sort()).toEqual([' ', 'a ', 'a,b ', 'a,b,c ']);
  });

  it('of different directories are independent', () => {
    const story = (disk: SimDisk) => {
      disk.create('/d/a');
      disk.create('/e/b');
    };
    expect([...outcomes(story, names)].sort()).toEqual([' ', ' b', 'a ', 'a b']);
  });

  it('survive a directory sync, with all that they build on', () => {
    const story = (disk: SimDisk) => {
      disk.create('/d/a');
      disk.rename('/d/a', '/e/b');
      disk.create('/d/c');
      disk.tree.settle(disk.needDirectory('/e'), disk.tree.changesMade);
    };
    expect([...outcomes(story, names)].sort()).toEqual([' b', 'c b']);
  });

  it('that came after a directory sync began are not covered by it', () => {
    const story = (disk: SimDisk) => {
      const mark = disk.tree.changesMade;
      disk.create('/d/a');
      disk.tree.settle(disk.needDirectory('/d'), mark);
    };
    expect([...outcomes(story, names)].sort()).toEqual([' ', 'a ']);
  });

  it('move as a whole: never both, never none', () => {
    const story = (disk: SimDisk) => {
      disk.create('/d/a');
      disk.settle();
      disk.rename('/d/a', '/e/a');
    };
    expect([...outcomes(story, names)].sort()).toEqual([' a', 'a ']);
  });

  it('come back when their removal was not synced', () => {
    const story = (disk: SimDisk) => {
      put(disk, '/d/a', new Uint8Array(3).fill(1));
      disk.settle();
      disk.unlink('/d/a');
    };
    const look = (disk: SimDisk) =>
      names(disk) + (disk.find('/d/a') ? contentOf(disk, '/d/a') : '');
    expect([...outcomes(story, look)].sort()).toEqual([' ', 'a 1,1,1']);
  });
});

describe('content after a power cut', () => {
  const versions = (disk: SimDisk) => {
    const bytes = contentOf(disk, '/d/f');
    const sectors: string[] = [];
    for (let at = 0; at < bytes.length; at += 512) {
      const values = new Set(bytes.subarray(at, at + 512));
      sectors.push([...values].join('+'));
    }
    return sectors.join(' ');
  };

  it('keeps what was synced', () => {
    const story = (disk: SimDisk) => {
      put(disk, '/d/f', new Uint8Array(1024).fill(1));
      disk.tree.settleAll();
      sync(disk, '/d/f');
    };
    expect([...outcomes(story, versions)]).toEqual(['1 1']);
  });

  it('tears an unsynced write at sectors, in any order', () => {
    const story = (disk: SimDisk) => {
      put(disk, '/d/f', new Uint8Array(1024).fill(1));
      disk.settle();
      put(disk, '/d/f', new Uint8Array(1024).fill(2));
    };
    expect([...outcomes(story, versions)].sort()).toEqual(['1 1', '1 2', '2 1', '2 2']);
  });

  it('keeps one of the versions of a sector, not a mix of later without earlier bytes', () => {
    const story = (disk: SimDisk) => {
      put(disk, '/d/f', new Uint8Array(512).fill(1));
      disk.settle();
      put(disk, '/d/f', new Uint8Array(256).fill(2));
      put(disk, '/d/f', new Uint8Array(256).fill(3), 256);
    };
    expect([...outcomes(story, versions)].sort()).toEqual(['1', '2+1', '2+3']);
  });

  it('may have the length without the data, and a part of the length', () => {
    const story = (disk: SimDisk) => {
      disk.create('/d/f');
      disk.settle();
      put(disk, '/d/f', new Uint8Array(1024).fill(1));
    };
    const all = ['', '0', '0 0', '0 1', '1', '1 0', '1 1'];
    expect([...outcomes(story, versions)].sort()).toEqual(all);
  });

  it('does not show writes that followed a lost truncation', () => {
    const story = (disk: SimDisk) => {
      put(disk, '/d/f', new Uint8Array(512).fill(1));
      disk.settle();
      disk.truncate(disk.needFile('/d/f'), 0);
      put(disk, '/d/f', new Uint8Array(512).fill(2));
    };
    expect([...outcomes(story, versions)].sort()).toEqual(['', '0', '1', '2']);
  });

  it('of a new name without a sync of its data may be empty', () => {
    const story = (disk: SimDisk) => {
      put(disk, '/d/tmp', new Uint8Array(512).fill(1));
      disk.rename('/d/tmp', '/d/f');
      disk.tree.settleAll();
    };
    expect(outcomes(story, versions).has('')).toBe(true);
  });

  it('shows a killed process nothing of this: the page cache stays', () => {
    const disk = diskOf('1');
    put(disk, '/d/f', new Uint8Array(1024).fill(1));
    disk.unlockAll({});
    expect(versions(disk)).toBe('1 1');
  });
});
