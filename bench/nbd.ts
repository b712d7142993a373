/**
 * NBD: our server over memory, over a file, and the whole walb device, beside `nbdkit file`, all driven
 * by fio over a unix socket. `node bench/nbd.ts [SECONDS]`; needs fio and nbdkit.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { printRows } from './support.ts';

const SECONDS = Number(process.argv[2] ?? 3);
const SIZE = 256 << 20;
const ROOT = fileURLToPath(new URL('../', import.meta.url));
/** Clock ticks per second of /proc/PID/stat on Linux. */
const TICKS = 100;

interface Workload {
  readonly name: string;
  readonly unit: 'IOPS' | 'MB/s';
  readonly args: readonly string[];
}

const WORKLOADS: readonly Workload[] = [
  { name: '4K write qd1', unit: 'IOPS', args: ['--rw=randwrite', '--bs=4k', '--iodepth=1'] },
  { name: '4K write qd32', unit: 'IOPS', args: ['--rw=randwrite', '--bs=4k', '--iodepth=32'] },
  { name: '4K read qd32', unit: 'IOPS', args: ['--rw=randread', '--bs=4k', '--iodepth=32'] },
  { name: '1M write qd4', unit: 'MB/s', args: ['--rw=write', '--bs=1M', '--iodepth=4'] },
  { name: '1M read qd4', unit: 'MB/s', args: ['--rw=read', '--bs=1M', '--iodepth=4'] },
];

interface Served {
  readonly process: ChildProcess;
  readonly uri: string;
}

interface Figures {
  readonly rates: readonly number[];
  readonly cpuSeconds: number;
  readonly peakMiB: number;
}

const folder = mkdtempSync(join(tmpdir(), 'walb-bench-'));
const image = join(folder, 'image');

const SERVERS: Readonly<Record<string, () => Promise<Served>>> = {
  'nbdkit file': () => start('nbdkit', ['-f', '-U', socket('nbdkit'), 'file', image], 'nbdkit', ''),
  'ours, memory': () => ours('ram'),
  'ours, file': () => ours('file'),
  'walb device': () => {
    const files = ['--log', join(folder, 'wlog'), '--data', join(folder, 'wdata')];
    const sizes = ['--size', String(SIZE), '--log-size', '8g', '--name', 'bench'];
    const args = ['wdev', 'serve', ...files, ...sizes, '--socket', socket('walb')];
    return start(join(ROOT, 'bin/walb'), args, 'walb', 'bench');
  },
};

function socket(name: string): string {
  return join(folder, `${name}.sock`);
}

function ours(kind: 'ram' | 'file'): Promise<Served> {
  const args = [join(ROOT, 'bench/nbd-server.ts'), kind, socket(kind), image, String(SIZE)];
  return start(process.execPath, args, kind, 'bench');
}

async function start(program: string, args: string[], name: string, exportName: string) {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  while (!existsSync(socket(name))) await new Promise((resolve) => setTimeout(resolve, 20));
  return { process: child, uri: `nbd+unix:///${exportName}?socket=${socket(name)}` };
}

async function measureServer({ process: child, uri }: Served): Promise<Figures> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  try {
    const rates = WORKLOADS.map((workload) => runFio(uri, workload));
    const pid = child.pid as number;
    return { rates, cpuSeconds: cpuOf(pid), peakMiB: peakOf(pid) };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function runFio(uri: string, { args, unit }: Workload): number {
  const fixed = ['--name=b', '--ioengine=nbd', `--uri=${uri}`, `--size=${SIZE}`, '--time_based'];
  const out = ['--output-format=json', `--runtime=${SECONDS}`, `--aux-path=${folder}`];
  const text = execFileSync('fio', [...fixed, ...args, ...out], { encoding: 'utf8', cwd: folder });
  const { read, write } = JSON.parse(text.slice(text.indexOf('{'))).jobs[0];
  const side = write.total_ios > 0 ? write : read;
  return unit === 'IOPS' ? side.iops : side.bw_bytes / 1e6;
}

function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

function peakOf(pid: number): number {
  const match = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1] ?? 0) / 1024;
}

try {
  writeFileSync(image, '');
  truncateSync(image, SIZE);
  const rows = [['', ...WORKLOADS.map(({ name, unit }) => `${name} ${unit}`), 'CPU s', 'peak MiB']];
  let base: Figures | undefined;
  for (const [name, begin] of Object.entries(SERVERS)) {
    const figures = await measureServer(await begin());
    base ??= figures;
    const cells = figures.rates.map((rate, i) => {
      const ratio = rate / (base?.rates[i] ?? rate);
      return `${rate.toFixed(0)} (x${ratio.toFixed(2)})`;
    });
    rows.push([name, ...cells, figures.cpuSeconds.toFixed(1), figures.peakMiB.toFixed(0)]);
  }
  printRows(rows);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
