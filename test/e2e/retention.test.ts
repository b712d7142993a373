/**
 * Retention at a real archive: snapshots over ten days are pruned, by `walb prune` and by the worker,
 * and each one that stays is restored and compared with what the volume held then.
 */
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { workerConfig } from '../../src/walbc/worker/config.ts';
import { configTree } from '../../src/walbc/worker/config-tree.ts';
import { type AgedArchive, agedArchive, expectImages } from './aged-archive.ts';
import { ROOT, VOLUME, walb } from './support.ts';

const DAY = 24 * 3600;

function basic({ group }: AgedArchive): object {
  return {
    general: { addr: group.a0.address, port: group.a0.port, kick_interval: 1 },
    merge: { interval: 1 },
  };
}

const RETENTION = { keep_all: '2d', daily: '5d', min_restorable: 2 };

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
