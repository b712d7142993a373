/** The runbook for cron at a real group: what is due when, the lock, and what is left (worker.md 6). */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { type AgedArchive, agedArchive, expectImages } from './aged-archive.ts';
import { type Ran, ROOT, VOLUME, walb } from './support.ts';

const BOOKS = join(ROOT, 'examples/cron');

function cron(aged: AgedArchive, now: string, ...words: string[]): Promise<Ran> {
  const lock = ['--lock', join(aged.group.folder, 'lock')];
  return runBook(aged, 'walb-cron.ts', words, ['--now', now, ...lock]);
}

/** The one in Python takes the time as its only word; flock(1) of the crontab is its lock. */
function pythonCron(aged: AgedArchive, now: string, ...words: string[]): Promise<Ran> {
  return runBook(aged, 'walb-cron.py', words, [now]);
}

function runBook(
  aged: AgedArchive,
  book: string,
  words: readonly string[],
  args: readonly string[],
): Promise<Ran> {
  const { s0, p0, a0 } = aged.group;
  const entry = ({ name, address, port }: typeof s0) => [{ name, address, port }];
  const layout = aged.config('layout.yaml', {
    storage: entry(s0),
    proxy: entry(p0),
    archive: entry(a0),
  });
  const path = join(BOOKS, book);
  return walb('walbc', 'run', '--layout', layout, ...words, path, '--', ...args);
}

/** The calls it made. */
const callsOf = ({ out }: Ran): string[] =>
  [...out.matchAll(/^do: walbc\.(\w+)\(/gm)].map(([, name]) => name as string);

test('cron: snapshots first, then what is due; never two at once; what stays is what it was', async () => {
  await using aged = await agedArchive();
  const { walbc, a0, folder } = aged.group;
  const restorable = () => walbc.get_restorable_gid(a0, VOLUME);
  const before = await restorable();

  const idle = await cron(aged, '2026-06-01T10:07');
  expect(idle).toMatchObject({ code: 0 });
  expect(idle.out).toContain('nothing is due at 2026-06-01T10:07 UTC');

  const misused = await cron(aged, 'noon');
  expect(misused.code).toBe(2);
  expect(misused.out).toContain("--now takes YYYY-MM-DDThh:mm, not 'noon'");

  const other = new DatabaseSync(join(folder, 'lock'));
  other.exec('BEGIN EXCLUSIVE');
  const second = await cron(aged, '2026-06-01T10:10');
  other.close();
  expect(second).toMatchObject({ code: 0 });
  expect(second.out).toContain('locked');

  const dry = await cron(aged, '2026-06-01T00:00', '--dry-run');
  expect(dry.code, dry.out + dry.err).toBe(0);
  expect(dry.out).toMatch(/would do: walbc\.snapshot_nbk\(s0, 'vol'\)/);
  expect(dry.out).toMatch(/would do: walbc\.apply\(a0, 'vol', \d+\)/);
  const dryPython = await pythonCron(aged, '2026-06-01T00:00', '--dry-run');
  expect(dryPython.code, dryPython.out + dryPython.err).toBe(0);
  const wouldDo = ({ out }: Ran) => out.match(/^would do: .*$/gm)?.toSorted();
  expect(wouldDo(dryPython)).toEqual(wouldDo(dry));
  expect(await restorable()).toEqual(before);

  const often = await cron(aged, '2026-06-01T10:10');
  expect(often.code, often.out + often.err).toBe(0);
  expect(callsOf(often)).toEqual(['snapshot_nbk']);
  expect(await restorable()).toEqual([...before, expect.anything()]);

  const hourly = await pythonCron(aged, '2026-06-01T05:00');
  expect(hourly.code, hourly.out + hourly.err).toBe(0);
  expect(new Set(callsOf(hourly))).toEqual(new Set(['snapshot_nbk', 'disable_snapshot', 'merge']));
  expect((await walbc.get_base(a0, VOLUME)).B.gidB).toBeLessThan(before[1] as bigint);

  const daily = await cron(aged, '2026-06-01T00:00');
  expect(daily.code, daily.out + daily.err).toBe(0);
  expect(callsOf(daily)).toContain('apply');
  const left = await restorable();
  expect((await walbc.get_base(a0, VOLUME)).B.gidB).toBe(left[0]);
  const kept = left.filter((gid) => aged.images.has(gid));
  // The first of each of the last three days; one fewer when this test runs over midnight.
  const gids = [...aged.images.keys()];
  expect([gids[16], gids[18], gids[20]]).toEqual(expect.arrayContaining(kept));
  expect(kept.length).toBeGreaterThanOrEqual(2);
  await expectImages(aged, kept);
});
