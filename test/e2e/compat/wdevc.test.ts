/**
 * `wdevc` with a device in user space, as scripts and the Python library call it: exact output, exit
 * codes, where complaints go (cli.md 3). The tests are the life of one device, in order.
 */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { wdevcProgram } from '../../../src/cli/wdevc-program.ts';
import { MIB } from '../../../src/core/index.ts';
import { connectUri, ROOT } from '../support.ts';
import { pattern } from './walbc.ts';

const W = '/dev/walb/0';
const LOG_SIZE = 16 * MIB;
const DATA_SIZE = 8 * MIB;

let folder: string;
let ldev: string;
let ddev: string;

interface Ran {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** In this process, which takes a moment; `bin/wdevc` is run below. */
async function wdevc(...args: string[]): Promise<Ran> {
  let [stdout, stderr] = ['', ''];
  const code = await wdevcProgram(args, {
    directory: join(folder, 'devices'),
    stdout: (text) => {
      stdout += text;
    },
    stderr: (text) => {
      stderr += text;
    },
  });
  return { code, stdout, stderr };
}

async function binWdevc(...args: string[]): Promise<Ran> {
  const { exitCode, stdout, stderr } = await execa(join(ROOT, 'bin/wdevc'), args, {
    env: { WALB_DEVICE_DIR: join(folder, 'devices') },
    cwd: folder,
    reject: false,
    stdin: 'ignore',
    stripFinalNewline: false,
  });
  return { code: exitCode, stdout, stderr };
}

/** stdout of a command that succeeds without a complaint. */
async function answer(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await wdevc(...args);
  expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
  return stdout;
}

/** What a command that fails says: a dated line on stderr, nothing on stdout. */
async function failure(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await wdevc(...args);
  expect({ args, code, stdout }).toEqual({ args, code: 1, stdout: '' });
  const line = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ERROR wdevc:(.*)\n$/.exec(stderr);
  expect(line).not.toBeNull();
  return line?.[1] as string;
}

/** The reason of a command line that does not parse: on stdout, with the usage. */
async function misuse(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await wdevc(...args);
  expect({ args, code, stderr }).toEqual({ args, code: 1, stderr: '' });
  const [reason = '', usage = ''] = stdout.split('\n');
  expect(usage).toMatch(/^usage: wdevc/);
  return reason;
}

/** Writes blocks through the device; all log of them is permanent then. */
async function write(blocks: number): Promise<void> {
  await using client = await connectUri(`unix:${join(folder, 'devices/0/nbd.sock')}`, '0');
  for (let i = 0; i < blocks; i += 1)
    await client.write(i * 4096, new Uint8Array(4096).fill(i + 1));
  await client.flush();
}

function makeFile(name: string, size: number): string {
  const path = join(folder, name);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-wdevc-'));
  ldev = makeFile('ldev', LOG_SIZE);
  ddev = makeFile('ddev', DATA_SIZE);
});

afterAll(async () => {
  await wdevc('delete-wdev', '-f', W);
  rmSync(folder, { recursive: true, force: true });
});

describe('words', () => {
  it.each([
    ['list x', 'redundant argVal:x'],
    ['list -n x', 'bad opt:-n'],
    ['format-ldev', 'param is necessary:LDEV'],
    ['format-ldev l', 'param is necessary:DDEV'],
    ['format-ldev l d x', 'redundant argVal:x'],
    ['format-ldev l d -n', 'no value:-n'],
    ['create-wdev l', 'param is necessary:DDEV'],
    ['create-wdev l d -qp x', 'bad value:-qp:x'],
    ['delete-wdev', 'param is necessary:WDEV'],
    ['set-checkpoint-interval w', 'param is necessary:MS'],
    ['set-checkpoint-interval w x', 'bad value:MS:x'],
    ['set-oldest-lsid w 1x', 'bad value:LSID:1x'],
    ['freeze w soon', 'bad value:SEC:soon'],
    ['clear-wal w soon', 'bad value:TIMEOUT_SEC:soon'],
    ['resize w big', 'bad value:SIZE_LB:big'],
    ['melt w 1', 'redundant argVal:1'],
    ['-x list', 'bad opt:-x'],
  ])('%s', async (words, reason) => {
    expect(await misuse(...words.split(' '))).toBe(`OptionError:${reason}`);
  });

  it('no command, an unknown one: the usage on stdout, exit 1', async () => {
    for (const args of [[], ['unknown'], ['-debug']]) {
      const { code, stdout, stderr } = await wdevc(...args);
      expect({ args, code, stderr }).toEqual({ args, code: 1, stderr: '' });
      expect(stdout).toMatch(/^usage: wdevc /);
    }
  });

  it('-h: help on stdout, exit 0; it lists every command of the original', async () => {
    const help = await answer('-h');
    const commands = [
      'format-ldev create-wdev delete-wdev list set-checkpoint-interval force-checkpoint',
      'set-oldest-lsid reset-wal melt freeze get-checkpoint-interval get-oldest-lsid',
      'get-written-lsid get-permanent-lsid get-completed-lsid get-log-usage get-log-capacity',
      'is-flush-capable is-log-overflow is-flozen resize clear-wal get-version',
    ].flatMap((line) => line.split(' '));
    for (const command of commands) expect(help).toMatch(new RegExp(`^  ${command}( |$)`, 'm'));
    expect(await answer('create-wdev', '-h')).toMatch(/^usage: wdevc create-wdev .*-maxp/s);
  });
});

test('format-ldev prints the super sector and an empty line', async () => {
  expect(await failure('format-ldev', join(folder, 'none'), ddev)).toContain('none');
  const superSector = (name: string): RegExp =>
    pattern(
      'sectorType: {n}',
      'version: {n}',
      'checksum: {n}',
      'lbs: 512',
      'pbs: 4096',
      'metadataSize: {n}',
      'salt: {n}',
      `name: ${name}`,
      'ringBufferSize: {n}',
      'oldestLsid: 0',
      'writtenLsid: 0',
      `deviceSize: ${DATA_SIZE / 512}`,
      'ringBufferOffset: {n}',
      'uuid: {hex}',
      '',
    );
  expect(await answer('format-ldev', ldev, ddev)).toMatch(superSector(''));
  expect(await answer('format-ldev', '-n', 'seven', '-nd', ldev, ddev)).toMatch(
    superSector('seven'),
  );
  // Options may stand anywhere.
  expect(await answer('format-ldev', ldev, ddev, '-nd')).toMatch(superSector(''));
});

test('format-ldev discards the whole log device first, unless -nd', async () => {
  const log = makeFile('other-log', LOG_SIZE);
  const filled = (): boolean =>
    readFileSync(log)
      .subarray(LOG_SIZE - 4096)
      .every((b) => b === 7);
  writeFileSync(log, new Uint8Array(LOG_SIZE).fill(7));
  await answer('format-ldev', '-nd', log, ddev);
  expect(filled()).toBe(true);
  await answer('format-ldev', log, ddev);
  expect(filled()).toBe(false);
});

test('create-wdev takes the options of the driver, in any order', async () => {
  expect(await failure('create-wdev', makeFile('raw', LOG_SIZE), ddev)).toContain('format-ldev');
  const limits = '-maxl 64 -maxp 64 -minp 32 -qp 50 -fs 32 -fp 50 -bp 64 -bi 512'.split(' ');
  expect(await answer('create-wdev', ldev, ddev, '-n', '0', ...limits)).toBe(
    'name 0\nmajor 0\nminor 0\n',
  );
  expect(await answer('list')).toBe('0 0 0\n');
  expect(await failure('create-wdev', ldev, ddev, '-n', '0')).toContain('0');
  expect(await failure('format-ldev', ldev, ddev)).toContain('ldev');
});

test('positions before and after writes', async () => {
  const value = async (what: string): Promise<number> => {
    const text = await answer(`get-${what}`, W);
    expect(text).toMatch(pattern('{n}'));
    return Number(text);
  };
  const positions = ['oldest-lsid', 'written-lsid', 'permanent-lsid', 'completed-lsid'];
  for (const what of [...positions, 'log-usage'])
    expect([what, await value(what)]).toEqual([what, 0]);
  const capacity = await value('log-capacity');
  expect(capacity).toBeGreaterThan(4000);
  expect(capacity).toBeLessThan(4096);
  await write(3);
  const permanent = await value('permanent-lsid');
  expect(permanent).toBeGreaterThanOrEqual(6);
  expect(await value('completed-lsid')).toBe(permanent);
  expect(await value('log-usage')).toBe(permanent);
  expect(await value('oldest-lsid')).toBe(0);
  expect(await answer('force-checkpoint', W)).toBe('');
  expect(await value('written-lsid')).toBe(permanent);
  for (const wrong of [String(permanent + 1), '18446744073709551615']) {
    expect(await failure('set-oldest-lsid', W, wrong)).toContain(wrong);
  }
  expect(await answer('set-oldest-lsid', W, String(permanent))).toBe('');
  expect(await value('oldest-lsid')).toBe(permanent);
  expect(await value('log-usage')).toBe(0);
});

test('clear-wal waits until all log is in the data, then gives it up', async () => {
  await write(2);
  expect(await answer('clear-wal', W)).toBe('');
  expect(await answer('get-log-usage', W)).toBe('0\n');
  expect(await answer('get-oldest-lsid', W)).toBe(await answer('get-permanent-lsid', W));
  await write(2);
  expect(await answer('clear-wal', W, '10')).toBe('');
});

test('yes and no are 1 and 0', async () => {
  expect(await answer('is-flush-capable', W)).toBe('1\n');
  expect(await answer('is-log-overflow', W)).toBe('0\n');
  expect(await answer('is-flozen', W)).toBe('0\n');
  expect(await answer('freeze', W)).toBe('');
  expect(await answer('is-flozen', W)).toBe('1\n');
  const writing = write(1);
  expect(await answer('melt', W)).toBe('');
  await writing;
  expect(await answer('is-flozen', W)).toBe('0\n');
  // By itself after so many seconds.
  expect(await answer('freeze', W, '1')).toBe('');
  await write(1);
  expect(await answer('is-flozen', W)).toBe('0\n');
});

test('the checkpoint interval, in milliseconds', async () => {
  for (const [words, shown] of [
    ['500', '500'],
    ['0x100', '256'],
    ['2k', '2000'],
  ] as const) {
    expect(await answer('set-checkpoint-interval', W, words)).toBe('');
    expect(await answer('get-checkpoint-interval', W)).toBe(`${shown}\n`);
  }
});

test('resize: to a size in logical blocks, or to that of the data device; never down', async () => {
  truncateSync(ddev, 2 * DATA_SIZE);
  expect(await answer('resize', W, '20480')).toBe('');
  expect(await answer('get-size-lb', W)).toBe('20480\n');
  expect(await failure('resize', W, '20479')).toContain('20479');
  expect(await answer('resize', W)).toBe('');
  expect(await answer('get-size-lb', W)).toBe(`${(2 * DATA_SIZE) / 512}\n`);
  expect(await answer('resize', W, '0')).toBe('');
});

test('reset-wal begins a new log', async () => {
  await write(2);
  expect(await answer('reset-wal', W)).toBe('');
  for (const what of ['oldest-lsid', 'permanent-lsid', 'log-usage']) {
    expect(await answer(`get-${what}`, W)).toBe('0\n');
  }
});

test('get-version: three numbers', async () => {
  expect(await answer('get-version')).toMatch(pattern('{n}.{n}.{n}'));
});

test('the program itself: output, failures and misuse go where they should', async () => {
  expect(await binWdevc('-debug', 'is-flozen', W)).toMatchObject({ code: 0, stdout: '0\n' });
  expect(await binWdevc('list')).toEqual({ code: 0, stdout: '0 0 0\n', stderr: '' });
  expect(await binWdevc('melt', '/dev/walb/9')).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(' ERROR wdevc:no device'),
  });
  expect(await binWdevc('melt')).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^OptionError:param is necessary:WDEV\nusage: wdevc melt/),
    stderr: '',
  });
});

test('delete-wdev: refused while it is in use, unless forced', async () => {
  const client = await connectUri(`unix:${join(folder, 'devices/0/nbd.sock')}`, '0');
  expect(await failure('delete-wdev', W)).toMatch(/-f|in use|connected/);
  expect(await answer('delete-wdev', '-f', W)).toBe('');
  await client.close();
  expect(await answer('list')).toBe('');
  for (const command of ['delete-wdev', 'get-oldest-lsid', 'melt', 'resize', 'reset-wal']) {
    expect(await failure(command, W)).toContain("no device '0'");
  }
  expect(await failure('melt', '/dev/sda')).toContain('/dev/walb/NAME');
});
