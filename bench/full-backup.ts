/**
 * The whole path with real processes: `node bench/full-backup.ts [MIB]` (default 512). Workload ->
 * device -> storage -> proxy -> archive -> restore. CPU time and peak memory are those of all four
 * processes; the baseline is dd copying the same bytes on the same disk.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hashExport } from '../src/cli/demo-volume.ts';
import { BackupGroup } from '../src/cli/group.ts';
import { Keeper } from '../src/cli/group-keeping.ts';
import { type Bytes, MIB } from '../src/core/index.ts';
import { RealClock } from '../src/core/real-clock.ts';
import { Controller } from '../src/walbc/index.ts';
import { connectNbd, type NbdClient } from '../src/wdev/nbd/index.ts';
import { halfRandom, printRows } from './support.ts';

const SIZE: Bytes = Number(process.argv[2] ?? 512) * MIB;
const VOLUME = 'vol';
/** Kernel clock ticks per second, as /proc counts CPU time on Linux. */
const TICKS = 100;

interface Figures {
  readonly name: string;
  readonly bytes: Bytes;
  readonly seconds: number;
  readonly cpuSeconds: number | undefined;
}

/** User and system time of processes, in seconds. */
function cpuOf(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  });
  return ticks.reduce((sum, count) => sum + count, 0) / TICKS;
}

function peakMemoryMiB(pid: number): string {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return `${(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024).toFixed(0)} MiB`;
}

function copyWithDd(folder: string): Figures {
  const from = join(folder, 'dd-in');
  const piece = halfRandom(MIB);
  for (let at = 0; at < SIZE; at += MIB) writeFileSync(from, piece, { flag: 'a' });
  const began = performance.now();
  const args = [`if=${from}`, `of=${join(folder, 'dd-out')}`, 'bs=1M', 'conv=fsync', 'status=none'];
  execFileSync('dd', args);
  const seconds = (performance.now() - began) / 1000;
  for (const name of ['dd-in', 'dd-out']) rmSync(join(folder, name));
  return { name: 'dd, one copy, synced', bytes: SIZE, seconds, cpuSeconds: undefined };
}

async function writeAll(client: NbdClient, bytes: Bytes): Promise<void> {
  const piece = halfRandom(8 * MIB);
  for (let at = 0; at < bytes; at += piece.length) {
    await client.write(at, piece.subarray(0, Math.min(piece.length, bytes - at)));
  }
  await client.flush();
}

async function main(folder: string, keeper: Keeper): Promise<void> {
  const baseline = copyWithDd(folder);
  await using group = await BackupGroup.start({
    folder,
    keeper,
    device: { name: VOLUME, size: SIZE, logSize: 2 * SIZE },
  });
  using walbc = new Controller('walbc', group.layout(), false, 0, { print: () => {} });
  const [s0, a0] = [walbc.sLayout.storageL[0]!, walbc.sLayout.archiveL[0]!];
  const pids = group.members().map(({ pid }) => pid);
  const rows: Figures[] = [baseline];
  const measured = async (name: string, bytes: Bytes, work: () => Promise<unknown>) => {
    const [began, cpu] = [performance.now(), cpuOf(pids)];
    await work();
    const seconds = (performance.now() - began) / 1000;
    rows.push({ name, bytes, seconds, cpuSeconds: cpuOf(pids) - cpu });
  };
  await using client = await group.connect();
  await measured('write over NBD, logged, flushed', SIZE, () => writeAll(client, SIZE));
  await walbc.init_storage(s0, VOLUME, group.devicePath);
  await measured('full backup', SIZE, () => walbc.full_backup(s0, VOLUME));
  let gid = 0n;
  await measured('write half of it again, until restorable', SIZE / 2, async () => {
    await writeAll(client, SIZE / 2);
    gid = await walbc.snapshot(s0, VOLUME, [a0]);
  });
  await measured('restore to an image', SIZE, () => walbc.restore(a0, VOLUME, gid));
  const served = await walbc.export_snapshot(a0, VOLUME, gid, `unix:${folder}/export.sock`);
  await using copy = await connectNbd(
    { kind: 'unix', path: join(folder, 'export.sock') },
    { exportName: served.name, clock: new RealClock() },
  );
  await measured('read a snapshot over NBD, sha256', SIZE, () => hashExport(copy));
  await walbc.stop(s0, VOLUME);
  await measured('hash backup, nothing changed', SIZE, () => walbc.hash_backup(s0, VOLUME));
  print(rows, baseline);
  const memory = group.members().map(({ name, pid }) => [name, peakMemoryMiB(pid)]);
  printRows([['peak memory', ''], ...memory]);
}

function print(rows: readonly Figures[], baseline: Figures): void {
  const rate = ({ bytes, seconds }: Figures): number => bytes / 1e6 / seconds;
  printRows([
    [`one volume of ${SIZE / MIB} MiB`, 'MB/s', 'CPU-s/GB', 'x dd'],
    ...rows.map((row) => [
      row.name,
      rate(row).toFixed(0),
      row.cpuSeconds === undefined ? '' : (row.cpuSeconds / (row.bytes / 1e9)).toFixed(2),
      (rate(row) / rate(baseline)).toFixed(2),
    ]),
  ]);
}

const folder = mkdtempSync(join(tmpdir(), 'walb-bench-'));
const keeper = new Keeper();
keeper.removeAtEnd(folder);
try {
  await main(folder, keeper);
} finally {
  await keeper.end();
}
