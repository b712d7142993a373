/** What `npm pack` makes: installed for everybody on a machine, it works without the clone. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { notice } from '../support/tools.ts';
import { processesNaming, ROOT, run } from './support.ts';

/** Installing fetches about 100 packages and unpacks a Node. */
const INSTALL_TIMEOUT = 180_000;
const UNREACHABLE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|network/;

let folder: string;
let files: string[];
let tarball: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'walb-package-'));
  // A copy: packing compiles, and the clone is used by other tests meanwhile.
  const copy = join(folder, 'clone');
  const left = new Set(['node_modules', '.git', 'dist']);
  mkdirSync(copy);
  for (const name of readdirSync(ROOT).filter((entry) => !left.has(entry))) {
    cpSync(join(ROOT, name), join(copy, name), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  const packed = await execa('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: copy,
  });
  const [{ filename, files: entries }] = JSON.parse(
    packed.stdout.slice(packed.stdout.indexOf('[')),
  );
  tarball = join(folder, filename);
  files = entries.map(({ path }: { path: string }) => path);
}, INSTALL_TIMEOUT);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('the package holds what it needs and nothing else', () => {
  for (const needed of [
    ...['bin/walb', 'bin/walbc', 'bin/walb-storage', 'bin/walb-proxy', 'bin/walb-archive'],
    ...['bin/wdevc', 'bin/launch.sh', 'dist/cli/main.js', 'dist/kernels/kernels.wasm'],
    ...[
      'dist/walbc/index.js',
      'dist/walbc/index.d.ts',
      'dist/wlog/index.js',
      'dist/wdiff/index.js',
    ],
    ...['src/rpc/proto/walb/v1/storage.proto', 'docs/architecture.md', 'README.md', 'LICENSE'],
  ]) {
    expect(files).toContain(needed);
  }
  const folders = new Set(files.map((path) => path.split('/').slice(0, 2).join('/')));
  expect([...folders].filter((path) => /^(test|bench|tools|node_modules|\.ci)/.test(path))).toEqual(
    [],
  );
  expect(files.filter((path) => /^src\//.test(path) && !path.endsWith('.proto'))).toEqual([]);
});

describe('installed with npm install -g', () => {
  let prefix: string | undefined;

  beforeAll(async () => {
    const target = join(folder, 'prefix');
    const flags = ['--prefix', target, '--prefer-offline', '--no-audit', '--no-fund'];
    const { failed, stderr } = await execa('npm', ['install', '-g', ...flags, tarball], {
      reject: false,
    });
    if (!failed) prefix = target;
    else if (UNREACHABLE.test(stderr)) notice('no registry: the global installation is not tested');
    else throw new Error(`npm install -g failed:\n${stderr}`);
  }, INSTALL_TIMEOUT);

  test(
    'every program answers, the shell evaluates, the demo succeeds',
    async () => {
      if (prefix === undefined) return;
      const bin = join(prefix, 'bin');
      const programs = ['walb', 'walb-archive', 'walb-proxy', 'walb-storage', 'walbc', 'wdevc'];
      expect(readdirSync(bin).sort()).toEqual(programs);
      for (const program of programs) {
        expect((await run(join(bin, program), '-h')).toLowerCase()).toContain('usage');
      }
      expect(await run(join(bin, 'walbc'), '-c', '[1, 2].map(x => x * 2)')).toBe('[2, 4]');
      const own = join(folder, 'tmp');
      mkdirSync(own);
      const demo = await execa(join(bin, 'walb'), ['demo', '--no-shell', '--size', '16m'], {
        cwd: folder,
        env: { TMPDIR: own },
        reject: false,
      });
      expect(demo.stdout).toContain('2 of 2 restored snapshots are equal');
      expect(demo.exitCode).toBe(0);
      expect(readdirSync(own)).toEqual([]);
      expect(processesNaming(own)).toEqual([]);
    },
    INSTALL_TIMEOUT,
  );

  test('the library is imported under its names', async () => {
    if (prefix === undefined) return;
    const modules = join(prefix, 'lib/node_modules');
    const node = join(modules, 'walb-ts/node_modules/node/bin/node');
    mkdirSync(join(folder, 'user'));
    symlinkSync(modules, join(folder, 'user/node_modules'));
    const script = `
      import { K_STORAGE, ServerConnectionParam } from 'walb-ts';
      import { readWlogs } from 'walb-ts/wlog';
      import { openDiff } from 'walb-ts/wdiff';
      console.log(String(new ServerConnectionParam('s0', 'localhost', 1, K_STORAGE)), typeof readWlogs, typeof openDiff);`;
    const { stdout } = await execa(node, ['--input-type=module', '-e', script], {
      cwd: join(folder, 'user'),
    });
    expect(stdout).toBe('s0, localhost, 1, storage function function');
  });
});
