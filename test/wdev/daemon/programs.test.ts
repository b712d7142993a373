/** `walb wdev` and `wdevc` as an operator types them. Source: cli.md 3. */
import { type ExecFileException, execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { RealClock } from '../../../src/core/real-clock.ts';
import { connectNbd } from '../../../src/wdev/nbd/index.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-cli-'));
});

afterEach(async () => {
  const { stdout } = await walb('wdev', 'list', '--json');
  for (const { name } of JSON.parse(stdout)) await walb('wdev', 'delete', name, '--force');
  rmSync(folder, { recursive: true, force: true });
});

function run(program: string, args: string[]): Promise<Result> {
  const env = { ...process.env, WALB_DEVICE_DIR: join(folder, 'devices') };
  return new Promise((resolve) => {
    execFile(
      join(ROOT, 'bin', program),
      args,
      { env, cwd: folder },
      (error: ExecFileException | null, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
      },
    );
  });
}

const walb = (...args: string[]) => run('walb', args);
const wdevc = (...args: string[]) => run('wdevc', args);

async function pidOf(name: string): Promise<number> {
  const rows = JSON.parse((await walb('wdev', 'list', '--json')).stdout);
  return rows.find((row: { name: string }) => row.name === name).pid;
}

describe('walb wdev', () => {
  test('create, use, kill -9, start again, delete', async () => {
    const created = await walb('wdev', 'create', 'v0', '--size', '16m');
    expect(created).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\/dev\/walb\/v0 unix:/),
    });
    const path = created.stdout.trim().replace(/^.*unix:/, '');
    const clock = new RealClock();
    const client = await connectNbd({ kind: 'unix', path }, { clock });
    await client.write(4096, Buffer.alloc(4096, 'kept'));
    expect(await walb('wdev', 'stop', 'v0')).toMatchObject({ code: 4 });
    process.kill(await pidOf('v0'), 'SIGKILL');
    await expect(client.flush()).rejects.toMatchObject({ code: 'unavailable' });
    await client.close();
    expect((await walb('wdev', 'list')).stdout).toMatch(/^v0 +stopped/m);
    expect((await walb('wdev', 'start')).stdout).toMatch(/^v0 unix:/);
    const again = await connectNbd({ kind: 'unix', path }, { clock });
    const into = Buffer.alloc(4096);
    await again.read(4096, into);
    await again.close();
    expect(into.equals(Buffer.alloc(4096, 'kept'))).toBe(true);
    expect((await walb('wdev', 'resize', '/dev/walb/v0', '32m')).stdout).toBe(
      'v0 65536 logical blocks\n',
    );
    expect((await walb('wdev', 'info', 'v0')).stdout).toContain('size 32m (65536 logical blocks)');
    expect(await walb('wdev', 'delete', 'v0', '--with-data')).toMatchObject({ code: 0 });
    expect(existsSync(join(folder, 'devices', 'v0'))).toBe(false);
  });

  test('kill -9 under load loses nothing that was acknowledged', async () => {
    const path = (await walb('wdev', 'create', 'v0', '--size', '16m')).stdout
      .trim()
      .replace(/^.*unix:/, '');
    const clock = new RealClock();
    const pid = await pidOf('v0');
    const client = await connectNbd({ kind: 'unix', path }, { clock });
    // Block i holds its newest acknowledged round, or the one that was under way.
    const [sent, acknowledged] = [new Uint32Array(64), new Uint32Array(64)];
    const writer = async (block: number): Promise<void> => {
      for (;;) {
        const round = ++sent[block]!;
        await client.write(block * 4096, Buffer.alloc(4096, `${block}:${round};`));
        acknowledged[block] = round;
        if (block === 0 && round === 200) process.kill(pid, 'SIGKILL');
      }
    };
    const ends = await Promise.allSettled(Array.from(sent, (_, block) => writer(block)));
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    await client.close();
    expect(await walb('wdev', 'start', 'v0')).toMatchObject({ code: 0 });
    const again = await connectNbd({ kind: 'unix', path }, { clock });
    const into = Buffer.alloc(4096);
    for (const [block, last] of acknowledged.entries()) {
      await again.read(block * 4096, into);
      const candidates = [last, last + 1].map((round) => Buffer.alloc(4096, `${block}:${round};`));
      expect(candidates.some((candidate) => candidate.equals(into))).toBe(true);
    }
    await again.close();
  });

  test.each([
    ['create without a size', ['create', 'v1'], 8, /say how big/],
    ['a name that is a path', ['create', '../x', '--size', '1m'], 2, /bad device name/],
    ['a size of no whole blocks', ['create', 'v1', '--size', '1000'], 2, /multiple of 512/],
    ['an unknown device', ['info', 'zz'], 3, /no device 'zz'/],
    ['serve for nobody', ['serve', '--log', 'l', '--data', 'd'], 2, /--socket PATH or --port/],
    [
      'serve in a folder that is not there',
      [
        'serve',
        '--log',
        '/nonexistent/l',
        '--data',
        '/nonexistent/d',
        '--port',
        '0',
        '--size',
        '1m',
      ],
      3,
      /nonexistent/,
    ],
    [
      'serve to everybody',
      ['serve', '--log', 'l', '--data', 'd', '--port', '0', '--host', '0.0.0.0', '--size', '1m'],
      10,
      /TLS/,
    ],
  ])('%s says what is wrong and leaves nothing behind', async (_what, args, code, message) => {
    expect(await walb('wdev', ...args)).toMatchObject({
      code,
      stderr: expect.stringMatching(message),
    });
    expect((await walb('wdev', 'list', '--json')).stdout).toBe('[]\n');
    const left = readdirSync(folder, { recursive: true });
    expect(left.filter((name) => name !== 'devices')).toEqual([]);
  });
});

describe('wdevc', () => {
  const [ldev, ddev] = ['ldev', 'ddev'];

  async function created(): Promise<void> {
    for (const name of [ldev, ddev]) {
      writeFileSync(join(folder, name), '');
      truncateSync(join(folder, name), 16 << 20);
    }
    const formatted = await wdevc('format-ldev', join(folder, ldev), join(folder, ddev));
    expect(formatted.stdout.split('\n').map((line) => line.split(':')[0])).toEqual([
      ...['sectorType', 'version', 'checksum', 'lbs', 'pbs', 'metadataSize', 'salt', 'name'],
      ...['ringBufferSize', 'oldestLsid', 'writtenLsid', 'deviceSize', 'ringBufferOffset', 'uuid'],
      ...['', ''],
    ]);
    const made = await wdevc(
      'create-wdev',
      join(folder, ldev),
      join(folder, ddev),
      '-n',
      '7',
      '-maxl',
      '64',
    );
    expect(made).toMatchObject({ code: 0, stdout: 'name 7\nmajor 0\nminor 0\n' });
  }

  test('a device from format to delete', async () => {
    await created();
    const w = '/dev/walb/7';
    expect((await wdevc('list')).stdout).toBe('0 0 7\n');
    expect((await wdevc('set-checkpoint-interval', w, '0x100')).code).toBe(0);
    expect((await wdevc('get-checkpoint-interval', w)).stdout).toBe('256\n');
    expect((await wdevc('get-oldest-lsid', w)).stdout).toBe('0\n');
    expect((await wdevc('is-log-overflow', w)).stdout).toBe('0\n');
    expect((await wdevc('freeze', w, '60')).code).toBe(0);
    expect((await wdevc('is-flozen', w)).stdout).toBe('1\n');
    expect((await wdevc('melt', w)).code).toBe(0);
    expect((await wdevc('clear-wal', w, '10')).code).toBe(0);
    truncateSync(join(folder, ddev), 32 << 20);
    expect((await wdevc('resize', w)).code).toBe(0);
    expect((await wdevc('get-size-lb', w)).stdout).toBe('65536\n');
    expect((await wdevc('get-lsids', w)).stdout).toMatch(
      /^latest 0\nsubmitted 0\n(.*\n)*prev_written 0\noldest 0\n$/,
    );
    expect(await wdevc('delete-wdev', w)).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(existsSync(join(folder, ldev))).toBe(true);
  });

  test('failures: one dated line on stderr and exit 1; parse errors on stdout', async () => {
    const missing = await wdevc('get-oldest-lsid', '/dev/walb/none');
    expect(missing).toMatchObject({ code: 1, stdout: '' });
    expect(missing.stderr).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ERROR wdevc:no device 'none'/,
    );
    for (const [args, reason] of [
      [['get-oldest-lsid'], 'OptionError:param is necessary:WDEV'],
      [['get-oldest-lsid', 'a', 'b'], 'OptionError:redundant argVal:b'],
      [['list', '-x'], 'OptionError:bad opt:-x'],
      [['create-wdev', 'l', 'd', '-maxl', 'x'], 'OptionError:bad value:-maxl:x'],
      [['unknown'], 'usage: wdevc'],
    ] as const) {
      const result = await wdevc(...args);
      expect(result).toMatchObject({ code: 1, stderr: '' });
      expect(result.stdout.startsWith(reason)).toBe(true);
    }
    expect(await wdevc('-h')).toMatchObject({ code: 0, stderr: '' });
    expect((await wdevc('resize', '-h')).stdout).toContain('wdevc resize');
  });

  test('create-wdev wants a formatted log', async () => {
    for (const name of ['l', 'd']) {
      writeFileSync(join(folder, name), '');
      truncateSync(join(folder, name), 16 << 20);
    }
    const result = await wdevc('create-wdev', join(folder, 'l'), join(folder, 'd'));
    expect(result).toMatchObject({ code: 1, stderr: expect.stringContaining('format-ldev') });
  });
});
