/**
 * Retention at a real archive: snapshots over ten days are pruned, by `walb prune` and by the worker,
 * and each one that stays is restored and compared with what the volume held then.
 *
 * Names of wdiff files are their metadata (semantics.md A.6), so the archive is stopped and its diffs
 * are renamed to have been taken long ago.
 */
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { formatTimestampDigits } from '../../src/core/index.ts';
import { workerConfig } from '../../src/walbc/worker/config.ts';
import { configTree } from '../../src/walbc/worker/config-tree.ts';
import { ROOT, SOON, TestGroup, VOLUME, walb } from './support.ts';

const HOUR = 3600;
const DAY = 24 * HOUR;
const SNAPSHOTS = 21;

/** A volume with explicit snapshots every twelve hours up to now, and what it held at each. */
interface AgedArchive extends AsyncDisposable {
  readonly group: TestGroup;
  /** gid -> sha256, ascending. */
  readonly images: ReadonlyMap<bigint, string>;
  /** Writes a configuration file; returns its path. */
  config(name: string, sections: object): string;
}

async function agedArchive(): Promise<AgedArchive> {
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
  await group.group.startMember('a0');
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

function basic({ group }: AgedArchive): object {
  return {
    general: { addr: group.a0.address, port: group.a0.port, kick_interval: 1 },
    merge: { interval: 1 },
  };
}

const RETENTION = { keep_all: '2d', daily: '5d', min_restorable: 2 };

async function expectImages(aged: AgedArchive, gids: readonly bigint[]): Promise<void> {
  for (const gid of gids) expect(await aged.group.restoredHash(gid)).toBe(aged.images.get(gid));
}

/** Five in two days, then the first of each day, which are those at 11:00. */
const KEPT = [10, 12, 14, 16, 17, 18, 19, 20];

test('prune shows what goes, changes nothing without --yes, then keeps exactly what it showed', async () => {
  await using aged = await agedArchive();
  const { walbc, a0 } = aged.group;
  const gids = [...aged.images.keys()];
  const file = aged.config('worker.yaml', { ...basic(aged), retention: RETENTION });
  const before = await walbc.get_restorable_gid(a0, VOLUME);
  const preview = await walb('walb', 'prune', '-f', file);
  expect(preview).toMatchObject({ code: 0, err: '' });
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toEqual(before);

  const rows = preview.out.split('\n').filter((line) => /^ *\d+ {2}/.test(line));
  const kept = rows
    .filter((row) => / keep/.test(row))
    .map((row) => BigInt(row.trim().split(' ')[0] ?? ''));
  expect(kept).toEqual(KEPT.map((i) => gids[i]));
  expect(rows.find((row) => row.trim().startsWith(`${gids[11]} `))).toMatch(
    /DROP +no rule; merged/,
  );
  expect(preview.out).toContain(`${VOLUME}: move the base image to gid ${gids[10]}: frees`);
  expect(preview.out).toContain(`${VOLUME}: afterwards 8 snapshots can be restored`);
  expect(preview.out).toContain('nothing was changed; --yes does it');

  const real = await walb('walb', 'prune', '-f', file, '--yes', VOLUME);
  expect(real).toMatchObject({ code: 0, err: '' });
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toEqual(kept);
  expect((await walbc.get_base(a0, VOLUME)).B.gidB).toBe(kept[0]);
  expect(await walbc.get_num_diff(a0, VOLUME)).toBe(kept.length - 1);
  await expectImages(aged, kept);

  const again = await walb('walb', 'prune', '-f', file);
  expect(again.out).toContain(`${VOLUME}: nothing to do`);
  expect((await walb('walb', 'prune', '-f', file, '--yes', 'nosuch')).out).toContain(
    'left alone: it is Clear',
  );
});

test('the worker carries retention out and ends on SIGTERM; every snapshot kept is what it was', async () => {
  await using aged = await agedArchive();
  const { walbc, a0 } = aged.group;
  const gids = [...aged.images.keys()];
  const file = aged.config('worker.yaml', { ...basic(aged), apply: { interval: 0 } });
  const unreachable = { servers: { a9: { addr: '127.0.0.1', port: 1, interval: 1 } } };
  const args = ['worker', '-f', file, '-f', '-', '-vv'];
  const worker = execa(join(ROOT, 'bin/walb'), args, {
    input: JSON.stringify({ retention: RETENTION, repl: unreachable }),
    reject: false,
    timeout: 60_000,
  });
  let out = '';
  await new Promise<void>((resolve) => {
    worker.stdout?.on('data', (data: Buffer) => {
      out += data.toString();
      // The merges of dropped snapshots come one each second.
      if (/ DEBUG no task\n/.test(out.slice(out.lastIndexOf('endTask:name=merge')))) resolve();
    });
    worker.finally(() => resolve());
  });
  worker.kill('SIGTERM');
  const ended = await worker;
  expect(ended.exitCode).toBe(0);

  const lines = ended.stdout.split('\n');
  expect(lines[0]).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6} INFO start walb-worker$/);
  expect(lines.at(-1)).toMatch(/ INFO end walb-worker$/);
  const text = lines.slice(lines.indexOf('>>>') + 1, lines.indexOf('<<<')).join('\n');
  const config = workerConfig([parse(text)]);
  expect(config).toEqual(workerConfig([JSON.parse(JSON.stringify(configTree(config)))]));
  expect(config.retention?.general).toMatchObject({ keepAll: 2 * DAY, minRestorable: 2 });
  expect(config.repl.servers[0]).toMatchObject({ name: 'a9', port: 1 });
  expect(ended.stdout).toMatch(/ WARN destination can not be reached:a9:/);
  expect(ended.stdout).toMatch(/ DEBUG volume:vol=vol numDiff=\d+ restorable=\d+/);
  expect(ended.stdout).toMatch(
    / DEBUG selected:step 2 apply old snapshots:name=apply vol=vol ax=a0/,
  );
  expect(ended.stdout).toMatch(/ INFO endTask:name=disable-snapshot vol=vol ax=a0 gids=/);
  expect(ended.stdout).not.toMatch(/ ERROR /);

  const kept = KEPT.map((i) => gids[i] as bigint);
  expect(await walbc.get_restorable_gid(a0, VOLUME)).toEqual(kept);
  await expectImages(aged, kept);
});
