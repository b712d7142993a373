/**
 * `npm run test:rig`: the conformance suite of image stores on real LVM (test/rig), in a QEMU guest,
 * because most machines neither have device-mapper in a container nor should lend their own.
 *
 * The rig (`../shared/rig`, or the folder in WALB_RIG) makes the guest from Debian packages, once, and
 * boots it. This program gives it two empty disks and the project, read-only; prepares a thin pool and a
 * plain volume group; runs the suite; and writes what came out into docs/reliability.md.
 */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const NEEDED = ['qemu-system-x86_64', 'qemu-img', 'mmdebstrap', 'cpio', 'bc', 'ssh', 'mke2fs'];
const PACKAGES = 'qemu-system-x86 qemu-utils mmdebstrap cpio bc openssh-client e2fsprogs';
const DISK_BYTES = 1024 ** 3;
const DOCUMENT = 'docs/reliability.md';
const BEGIN = '<!-- test:rig result -->';
const END = '<!-- end of test:rig result -->';

const project = process.cwd();
const rig = resolve(process.env['WALB_RIG'] ?? '../shared/rig', 'rig');
const place = process.env['WALB_RIG_PLACE'] ?? join(tmpdir(), 'walb-rig');
const environment = {
  ...process.env,
  RIG_BUILD: join(place, 'build'),
  RIG_VM: join(place, 'vm'),
  RIG_MEM: process.env['RIG_MEM'] ?? '1536',
  // The guest gets the node that runs this program.
  PATH: `${join(project, 'node_modules/.bin')}:${process.env['PATH']}`,
};

const SETUP = `
set -e
mount -o remount,ro /host
# Every command would write a copy of LVM's metadata below /etc, which nobody reads.
printf 'backup { backup=0 archive=0 }\\nactivation { udev_sync=1 udev_rules=1 monitoring=0 }\\n' \\
  >/etc/lvm/lvmlocal.conf
modprobe -a dm-thin-pool dm-snapshot
vgcreate -q walbthin /dev/disk/by-id/virtio-d0
vgcreate -q walbplain /dev/disk/by-id/virtio-d1
lvcreate -q --yes --type thin-pool --size 800m --name tp walbthin
# A pool without an active volume is shut down, and checked as a whole before the next one.
lvcreate -q --yes --type thin --virtualsize 4m --thinpool tp --name keep walbthin
lvm version | sed -n 's/.*LVM version: *//p' >/tmp/versions; uname -r >>/tmp/versions
`;

const SUITE = `cd /host && node node_modules/vitest/vitest.mjs run --config test/rig/vitest.config.ts \\
  --configLoader native --no-color --reporter=verbose --reporter=json --outputFile.json=/tmp/results.json`;

interface Results {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

function fail(message: string): never {
  process.stderr.write(`test:rig: ${message}\n`);
  process.exit(1);
}

function run(args: readonly string[], options: { input?: string; quiet?: boolean } = {}) {
  const { input, quiet } = options;
  // The host has other work as well: an emulated machine takes what is left.
  return spawnSync('nice', ['-n', '19', rig, ...args], {
    env: environment,
    encoding: 'utf8',
    stdio: [
      input === undefined ? 'ignore' : 'pipe',
      quiet === true ? 'pipe' : 'inherit',
      'inherit',
    ],
    ...(input === undefined ? {} : { input }),
  });
}

function must(what: string, result: SpawnSyncReturns<string>): string {
  if (result.status === 0) return result.stdout;
  throw new Error(`${what} failed (${result.error?.message ?? `exit ${result.status}`})`);
}

function checkMachine(): void {
  if (!existsSync(rig)) fail(`there is no ${rig}: WALB_RIG names the folder of the rig`);
  const missing = NEEDED.filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  );
  if (missing.length === 0) return;
  fail(`${missing.join(', ')} missing: apt-get install --no-install-recommends ${PACKAGES}`);
}

function boot(): void {
  mkdirSync(place, { recursive: true });
  if (!existsSync(join(environment.RIG_BUILD, 'root.img'))) {
    must('building the guest', run(['build']));
  }
  const disks = ['thin.img', 'plain.img'].map((name) => join(place, name));
  for (const disk of disks) {
    rmSync(disk, { force: true });
    writeFileSync(disk, '');
    truncateSync(disk, DISK_BYTES);
  }
  // An interrupted run leaves its guest behind.
  if (run(['alive']).status === 0) must('ending the old guest', run(['kill']));
  const drives = disks.flatMap((disk) => ['--drive', disk]);
  must('booting the guest', run(['up', ...drives, '--share', project]));
  must('preparing volume groups', run(['run', 'bash', '-s'], { input: SETUP }));
}

function record(results: Results, seconds: number, versions: readonly string[]): void {
  const { numTotalTests, numPassedTests, numFailedTests, numPendingTests } = results;
  const [lvm, kernel] = versions;
  const lines = [
    BEGIN,
    '',
    '| last run | tests | passed | failed | skipped | time | guest |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    `| ${new Date().toISOString().slice(0, 10)} | ${numTotalTests} | ${numPassedTests} | ${numFailedTests} | ${numPendingTests} | ${Math.round(seconds)} s | lvm2 ${lvm}, Linux ${kernel}, Node ${process.version} |`,
    '',
    END,
  ];
  const text = readFileSync(DOCUMENT, 'utf8');
  const [start, end] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${DOCUMENT} has no place for it (${BEGIN})`);
  writeFileSync(DOCUMENT, text.slice(0, start) + lines.join('\n') + text.slice(end + END.length));
}

checkMachine();
let status = 1;
try {
  boot();
  const started = performance.now();
  status = run(['run', SUITE]).status ?? 1;
  const seconds = (performance.now() - started) / 1000;
  const cat = (file: string) => must(`reading ${file}`, run(['run', 'cat', file], { quiet: true }));
  const results = JSON.parse(cat('/tmp/results.json')) as Results;
  record(results, seconds, cat('/tmp/versions').trim().split('\n'));
  process.stdout.write(
    `test:rig: ${results.numPassedTests} of ${results.numTotalTests} passed, ${results.numFailedTests} failed, ${results.numPendingTests} skipped, in ${Math.round(seconds)} s\n`,
  );
} catch (error) {
  process.stderr.write(`test:rig: ${String(error)}\n`);
} finally {
  run(['down']);
}
process.exit(status);
