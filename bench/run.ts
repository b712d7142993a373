/**
 * `npm run bench`: every benchmark, one after another, each in a process of its own with the flags the
 * programs get from bin/launch.sh. `npm run bench -- wdev rpc` runs some. Prints what machine it was.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';

/** In the order of the path of the data. */
const BENCHES = {
  kernels: 'checksum, zero test, hashes',
  codecs: 'compression of diff data',
  wdev: 'the device in one process',
  nbd: 'the device behind NBD, by fio',
  convert: 'log to diff',
  merge: 'merging diffs, virtual images',
  redo: 'a diff onto an image',
  rpc: 'calls and bulk transfers',
  shell: 'blocking calls of the shell',
  'full-backup': 'the whole path, real processes',
} as const;

const FLAGS = [
  '--disable-warning=ExperimentalWarning',
  '--external-memory-accounted-in-global-limit',
  '--initial-heap-size=256',
];

function machine(): string {
  const model = cpus()[0]?.model ?? 'unknown processor';
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  const kernel = readFileSync('/proc/sys/kernel/osrelease', 'utf8').trim();
  return `${cpus().length} x ${model}, ${memory} GiB, Linux ${kernel}, Node ${process.version}`;
}

function runOne(name: string): boolean {
  console.log(
    `--- ${name}: ${BENCHES[name as keyof typeof BENCHES]} (load ${loadavg()[0]?.toFixed(1)})\n`,
  );
  const program = join(import.meta.dirname, `${name}.ts`);
  return spawnSync(process.execPath, [...FLAGS, program], { stdio: 'inherit' }).status === 0;
}

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(`no benchmark ${unknown.join(', ')}; there are ${Object.keys(BENCHES).join(', ')}`);
  process.exit(2);
}
console.log(`${machine()}\n`);
const failed = (chosen.length > 0 ? chosen : Object.keys(BENCHES)).filter((name) => !runOne(name));
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`);
  process.exit(1);
}
