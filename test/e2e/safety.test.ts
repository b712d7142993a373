/** Dry runs and the audit log at real servers, as the program `walbc` does them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import type { ServerParam } from '../../src/walbc/index.ts';
import { readAudit } from '../../src/walbc/safety/audit-log.ts';
import { Cluster, SOON, VOLUME } from './scenarios/support/cluster.ts';
import { writeLayout } from './scenarios/support/run-book.ts';
import { ROOT } from './support.ts';

/** Everything that may lose something here, as it is typed. */
const CALLS = [
  'clear(s0, vol)',
  'clear(p0, vol)',
  'clear(a0, vol)',
  'reset(s0, vol)',
  'reset(a0, vol)',
  'apply(a0, vol, last)',
  'merge(a0, vol, first, last)',
  'gc_diff(a0, vol)',
  'disable_snapshot(a0, vol, [last])',
  'del_restored(a0, vol, first)',
  'stop(s0, vol, "force")',
  'stop(p0, vol, "force")',
  'stop_synchronizing(a0, vol)',
  'del_archive_from_proxy(p0, vol, a0)',
  'go_standby(s0, vol)',
  'hash_backup(s0, vol)',
  'init_storage(s0, "new", "/dev/walb/x")',
  'replicate(a0, vol, a1, False, doResync=True)',
  'resize(vol, 64, False)',
  'shutdown(p0)',
  'shutdown_all()',
  '_force_clear(vol)',
  'run_ctl(a0, ["clear-vol", vol])',
];

test('dry runs tell what is there and change nothing', async () => {
  await using cluster = await Cluster.start({ archives: 2 });
  const { walbc, s0, a0 } = cluster;
  await cluster.backUp();
  await cluster.disk().write(1 << 20, 0);
  const last = await walbc.snapshot(s0, VOLUME, [a0], SOON);
  const [first] = await walbc.get_restorable_gid(a0, VOLUME);
  await walbc.restore(a0, VOLUME, first!, SOON);
  const before = await pictureOf(cluster);

  const audit = join(cluster.folder, 'audit.log');
  const script = [
    `vol = '${VOLUME}'; first = ${first}n; last = ${last}n`,
    ...CALLS.map(
      (call) => `print(walbc.${call.replace(/\)$/, ', dry_run=True)').replace('(, ', '(')})`,
    ),
  ].join('\n');
  const { stdout } = await execa(join(ROOT, 'bin/walbc'), ['--layout', writeLayout(cluster)], {
    env: { WALB_AUDIT_LOG: audit },
    input: script,
  });
  const plans = stdout.split(/\n(?=walbc\.)/);
  expect(plans).toHaveLength(CALLS.length);
  const planOf = (start: string): string => plans.find((text) => text.startsWith(start)) ?? '';
  expect(planOf('walbc.clear(a0')).toMatch(/lost +base image of vol0 at a0, 12 MiB/);
  expect(planOf('walbc.clear(a0')).toContain(`1 restored image: gid ${first}`);
  expect(planOf('walbc.clear(a0')).toContain('this is the only copy');
  expect(planOf('walbc.apply(')).toContain(
    `not restorable any more at a0: 1 snapshot, gid ${first} (`,
  );
  expect(planOf('walbc.shutdown(p0')).toMatch(/log of vol0 at s0: \d+% full/);
  expect(planOf('walbc.replicate(')).toContain('nothing is lost');

  expect(await pictureOf(cluster)).toEqual(before);
  const records = readAudit(audit);
  expect(records).toHaveLength(2 * CALLS.length);
  expect(records.every(({ dryRun, interface: how }) => dryRun === true && how === 'script')).toBe(
    true,
  );
  const gid = await cluster.writeAndSnapshot();
  expect(await cluster.restoredHash(a0, gid)).toBe(await cluster.disk().hash());
});

test('what is done is recorded with its result, by the shell and by one-shot commands', async () => {
  await using cluster = await Cluster.start();
  await cluster.backUp();
  const { s0 } = cluster;
  const audit = join(cluster.folder, 'audit.log');
  const walbc = (...words: string[]) =>
    execa(join(ROOT, 'bin/walbc'), words, { env: { WALB_AUDIT_LOG: audit }, reject: false });
  const layout = writeLayout(cluster);
  await walbc('--layout', layout, '-c', `walbc.snapshot(s0, '${VOLUME}', [a0])`);
  await walbc('--layout', layout, '-c', `walbc.get_state(s0, '${VOLUME}')`);
  await walbc('--layout', layout, '-c', `walbc.start(s0, '${VOLUME}')`);
  await walbc('-a', s0.address, '-p', String(s0.port), 'snapshot', VOLUME);
  const ends = readAudit(audit).filter(({ event }) => event === 'end');
  expect(ends).toMatchObject([
    {
      call: `walbc.snapshot(s0, '${VOLUME}', [a0])`,
      layout,
      result: expect.stringMatching(/^\d+$/),
    },
    { call: `walbc.start(s0, '${VOLUME}')`, error: { code: 'wrong-state' } },
    { interface: 'one-shot', result: expect.stringMatching(/^'\d+'$/) },
  ]);
  expect(readFileSync(audit, 'utf8').trimEnd().split('\n')).toHaveLength(6);
});

/** All that a dry run could have changed. */
async function pictureOf({ walbc }: Cluster): Promise<unknown> {
  const { storageL, proxyL, archiveL } = walbc.sLayout;
  const lists = async (ax: ServerParam): Promise<unknown> =>
    (await walbc.get_state(ax, VOLUME)) === 'Clear'
      ? 'Clear'
      : [
          (await walbc.get_diff_list(ax, VOLUME)).map(String),
          (await walbc.get_restorable(ax, VOLUME, 'all')).map(String),
          await walbc.get_restored(ax, VOLUME),
          String(await walbc.get_base(ax, VOLUME)),
          await walbc.get_vol_size_lb(ax, VOLUME),
        ];
  return {
    states: await Promise.all(
      [...storageL, ...proxyL, ...archiveL].map((s) => walbc.get_state(s, VOLUME)),
    ),
    volumes: await Promise.all(storageL.map((s) => walbc.get_vol_list(s))),
    uuids: await Promise.all(storageL.map((s) => walbc.get_uuid(s, VOLUME))),
    followers: await Promise.all(proxyL.map((s) => walbc.get_archive_info_list(s, VOLUME))),
    archives: await Promise.all(archiveL.map(lists)),
    alive: await walbc.get_alive_server(),
  };
}
