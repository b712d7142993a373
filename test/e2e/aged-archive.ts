/**
 * An archive with explicit snapshots every twelve hours over ten days, and what the volume held at each.
 *
 * Names of wdiff files are their metadata (semantics.md A.6), so the archive is stopped and its diffs
 * are renamed to have been taken long ago.
 */
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { formatTimestampDigits } from '../../src/core/index.ts';
import { SOON, TestGroup, VOLUME } from './support.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const SNAPSHOTS = 21;

/** A volume with explicit snapshots every twelve hours up to now, and what it held at each. */
export interface AgedArchive extends AsyncDisposable {
  readonly group: TestGroup;
  /** gid -> sha256, ascending. */
  readonly images: ReadonlyMap<bigint, string>;
  /** Writes a configuration file; returns its path. */
  config(name: string, sections: object): string;
}

export async function agedArchive(): Promise<AgedArchive> {
  const group = await TestGroup.start();
  const images = new Map<bigint, string>();
  await group.backUp();
  const client = await group.group.connect();
  for (let i = 1; i <= SNAPSHOTS; i += 1) {
    // Each block is written several times over the days, so that a lost diff shows.
    for (const place of [i, i * 7, 3]) {
      await client.write((place % 512) * 4096, new Uint8Array(4096).fill(i + place));
    }
    const gid = await group.walbc.snapshot(group.s0, VOLUME, [group.a0], SOON);
    images.set(gid, await group.volumeHash());
  }
  await client[Symbol.asyncDispose]();
  for (const name of ['s0', 'p0', 'a0'] as const) await group.group.stopMember(name);
  age(join(group.folder, 'a0', VOLUME), [...images.keys()]);
  for (const name of ['a0', 'p0', 's0'] as const) await group.group.startMember(name);
  return {
    group,
    images,
    config: (name, sections) => {
      const path = join(group.folder, name);
      writeFileSync(path, JSON.stringify(sections));
      return path;
    },
    [Symbol.asyncDispose]: () => group[Symbol.asyncDispose](),
  };
}

/** What can be restored of each is what the volume held. */
export async function expectImages(aged: AgedArchive, gids: readonly bigint[]): Promise<void> {
  for (const gid of gids) expect(await aged.group.restoredHash(gid)).toBe(aged.images.get(gid));
}

/** The last snapshot was taken yesterday at 11:00 UTC, the one before twelve hours earlier, and so on. */
function age(folder: string, gids: readonly bigint[]): void {
  const last = Math.floor(Date.now() / 1000 / DAY) * DAY + 11 * HOUR - DAY;
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.wdiff'))) {
    const end = BigInt(name.replace('.wdiff', '').split('-').at(-1) as string);
    const index = gids.findIndex((gid) => gid >= end);
    const time = last - (gids.length - 1 - index) * 12 * HOUR;
    renameSync(join(folder, name), join(folder, formatTimestampDigits(time) + name.slice(14)));
  }
}
