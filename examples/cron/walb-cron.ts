/**
 * Snapshots and their retention from cron, every ten minutes; the times are UTC:
 *
 *     every ten minutes   a snapshot of every volume; merges
 *     every hour          also: snapshots that are not kept are made implicit
 *     at midnight         also: the base images move up
 *
 * So there are ten-minute snapshots for an hour, hourly ones for a day and daily ones for three days.
 * Edit the constants; docs/worker.md tells the rest.
 *
 *     crontab:  0-50/10 * * * *  walbc run --layout /etc/walb/walb.yaml /etc/walb/walb-cron.ts
 */
import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** `[storage, volume]` of each volume; none: every volume that a storage of the layout backs up. */
const VOLUMES: readonly (readonly [string, string])[] = [];
const POLICY = { keep_all: '1h', hourly: '24h', daily: '3d', min_restorable: 3 };
/** Seconds a snapshot may take to reach the archive. */
const ARRIVAL_SEC = 60;
/** Merges in one run, those of the smallest diffs: it has ten minutes. */
const MAX_MERGES = 20;

const ax = sLayout.get_primary_archive();
let troubles = 0;

const now = option('--now') ?? new Date().toISOString().slice(0, 16);
const job = jobAt(now);
if (job === undefined) {
  print(`nothing is due at ${now} UTC`);
  exit(0);
}
const lock = lockFile(option('--lock') ?? `${homedir()}/.local/state/walb/walb-cron.lock`);
if (lock === undefined) {
  print('locked');
  exit(0);
}
const volumes = VOLUMES.length > 0 ? VOLUMES : backedUp();
print(`${job} run of ${volumes.length} volumes`);

// All are taken before any is waited for, so that they are of about the same time.
const taken = volumes.map(([sx, vol]) => attempt(vol, () => takeSnapshot(sx, vol)));
for (const [index, [, vol]] of volumes.entries()) {
  const gid = taken[index];
  if (gid !== undefined) attempt(vol, () => walbc.wait_for_restorable(ax, vol, gid, ARRIVAL_SEC));
}
for (const [, vol] of volumes) attempt(vol, () => prune(vol));
lock.close();
print(troubles === 0 ? 'done' : `${troubles} troubles, see above`);
exit(troubles === 0 ? 0 : 1);

function takeSnapshot(sx: string, vol: string): bigint | undefined {
  // What can not be taken does not keep the other volumes from it, nor this one from being pruned.
  return walbc.snapshot_nbk(get_server(sx, sLayout.storageL), vol);
}

/** In this order each step by itself removes only what is not kept. */
function prune(vol: string): void {
  const plan = walbc.plan_retention(ax, vol, POLICY);
  if (plan.hold) throw new Error(`nothing is dropped: ${plan.hold}`);
  if (plan.pin.length > 0) walbc.enable_snapshot(ax, vol, plan.pin);
  if (job === 'daily' && plan.apply) walbc.apply(ax, vol, plan.apply);
  if (job !== 'ten-minute' && plan.disable.length > 0)
    walbc.disable_snapshot(ax, vol, plan.disable);
  // The plan counts on the steps above; those that were not due leave less to merge.
  const { merge } = dry_run ? plan : walbc.plan_retention(ax, vol, POLICY);
  const waiting = new Set(job === 'ten-minute' ? plan.disable : []);
  const ready = merge.filter(({ gids }) => !gids.some((gid) => waiting.has(gid)));
  ready.sort((a, b) => a.bytes / a.count - b.bytes / b.count);
  for (const { gidB, gidE } of ready.slice(0, MAX_MERGES)) walbc.merge(ax, vol, gidB, gidE);
}

/** A volume that fails does not keep the others from being done. */
function attempt<T>(vol: string, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    troubles += 1;
    print(`TROUBLE: ${vol}: ${(error as Error).message}`);
    return undefined;
  }
}

function backedUp(): [string, string][] {
  return sLayout.storageL.flatMap((sx) =>
    walbc
      .get_vol_list(sx)
      .filter((vol) => walbc.get_state(sx, vol) === 'Target')
      .map((vol): [string, string] => [sx.name, vol]),
  );
}

/** What is due at a UTC time; the longer jobs include the shorter ones. */
function jobAt(time: string): 'daily' | 'hourly' | 'ten-minute' | undefined {
  const [, hour, minute] = /^\d{4}-\d\d-\d\dT(\d\d):(\d\d)/.exec(time) ?? [];
  if (hour === undefined || minute === undefined) {
    print(`--now takes YYYY-MM-DDThh:mm, not '${time}'`);
    exit(2);
  }
  if (minute === '00') return hour === '00' ? 'daily' : 'hourly';
  return minute.endsWith('0') ? 'ten-minute' : undefined;
}

/** Held until this process ends, however it ends; undefined when another one holds it. */
function lockFile(path: string): DatabaseSync | undefined {
  mkdirSync(dirname(path), { recursive: true });
  const file = new DatabaseSync(path);
  try {
    file.exec('BEGIN EXCLUSIVE');
    return file;
  } catch (error) {
    if ((error as Error).message.includes('locked')) return undefined;
    throw error;
  }
}

function option(name: string): string | undefined {
  const at = argv.indexOf(name);
  return at < 0 ? undefined : argv[at + 1];
}
