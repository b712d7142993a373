/** `walbc layout`: init, check, show. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { layoutCommand } from '../../../src/walbc/layout-file/command.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-layout-command-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly code: number;
  readonly text: string;
}

async function run(words: readonly string[], typed?: string): Promise<Result> {
  const isTTY = typed !== undefined;
  const input = Object.assign(new PassThrough(), { isTTY });
  const output = Object.assign(new PassThrough(), { isTTY });
  input.end(typed ?? '');
  const env = { HOME: folder };
  const code = await layoutCommand(words, { env, cwd: folder, input, output });
  return { code, text: String(output.read() ?? '') };
}

const GROUP = [
  ...['--storage', 's0=localhost:10000', '--storage', 's1=127.0.0.1:10001'],
  ...['--proxy', 'p0=localhost:10100', '--archive', 'a0=[::1]:10200'],
];

describe('init', () => {
  test('writes a file that the other commands read', async () => {
    const { code, text } = await run(['init', ...GROUP]);
    expect(code).toBe(0);
    expect(text).toContain(`wrote ${join(folder, 'walb.yaml')}`);
    expect(readFileSync(join(folder, 'walb.yaml'), 'utf8')).toMatch(
      /^# The servers of a backup group/,
    );
    expect(await run(['check'])).toEqual({
      code: 0,
      text: `${join(folder, 'walb.yaml')}: good, 4 servers\n`,
    });
  });

  test('names that YAML would take for something else come back as they are', async () => {
    await run(['init', '--archive', 'no=1e3:1', '--archive', '7=y:2']);
    const { text } = await run(['show', '--json']);
    const { servers } = JSON.parse(text) as { servers: { name: string; address: string }[] };
    expect(servers.map(({ name, address }) => [name, address])).toEqual([
      ['no', '1e3'],
      ['7', 'y'],
    ]);
  });

  test('never replaces a file without --force', async () => {
    const file = join(folder, 'walb.yaml');
    writeFileSync(file, '# mine\n');
    await expect(run(['init', ...GROUP])).rejects.toMatchObject({ code: 'already-exists' });
    expect(readFileSync(file, 'utf8')).toBe('# mine\n');
    await run(['init', ...GROUP, '--force']);
    expect(readFileSync(file, 'utf8')).toContain('s1');
  });

  test('asks at a terminal; an empty line takes what is offered, - nothing', async () => {
    await run(['init', '--output', 'asked.yaml'], 's7=localhost:7 s8=localhost:8\n\n-\n');
    const { text } = await run(['show', '--layout', 'asked.yaml']);
    expect(text).toMatch(
      /s7 +storage +localhost:7\ns8 +storage +localhost:8\np0 +proxy +localhost:10100\n$/,
    );
  });

  test('asks again for what it can not read, and asks nothing when it may not write', async () => {
    const answers = 's7=localhost\ns7=localhost:7\np7\n-\n-\n';
    const { text } = await run(['init', '--output', 'again.yaml'], answers);
    expect(text).toMatch(/bad address "localhost".*\nstorage \[/);
    expect(text).toMatch(/'p7' must be NAME=HOST:PORT.*\nproxy \[/);
    const shown = await run(['show', '--layout', 'again.yaml']);
    expect(shown.text).toMatch(/s7 +storage +localhost:7\n$/);
    await expect(run(['init', '--output', 'again.yaml'], '')).rejects.toThrow(/is there already/);
  });

  test.each([
    [['init'], /needs --storage, --proxy or --archive/],
    [['init', '--storage', 's0'], /'s0' must be NAME=HOST:PORT/],
    [['init', '--storage', 's0=h:99999'], /99999/],
    [
      ['init', '--storage', 's0=h:1', '--proxy', 's0=h:2'],
      /two servers of the layout are called s0/,
    ],
    [['init', '--output', 'x.txt', ...GROUP], /name it .yaml/],
    [['inti'], /'inti' is no command\nusage: walbc layout init/],
    [[], /a command is needed/],
    [['show', '--jsn'], /--jsn/],
    [['check'], /there is no layout file.*walbc layout init/],
  ])('%j is refused', async (words, message) => {
    await expect(run(words)).rejects.toThrow(message);
  });
});

describe('check', () => {
  async function findings(text: string, ...words: string[]): Promise<Result> {
    writeFileSync(join(folder, 'walb.yaml'), text);
    return await run(['check', ...words]);
  }

  test('a group without archive and proxy', async () => {
    const { code, text } = await findings('storage: [{ name: s0, address: localhost, port: 1 }]\n');
    expect(code).toBe(1);
    expect(text).toContain('error: archive: there is none');
    expect(text).toContain('error: proxy: there is none');
    expect(text).toContain('2 errors, 0 warnings');
  });

  test('two servers at one address', async () => {
    const { text } = await findings(
      'storage: []\nproxy: [{ name: p0, address: localhost, port: 1 }]\narchive: [{ name: a0, address: localhost, port: 1 }]\n',
    );
    expect(text).toContain('error: a0: has the address of p0, localhost:1');
    expect(text).toContain('warning: storage: there is none');
  });

  test('a name that does not resolve, and no TLS beyond this machine', async () => {
    const { code, text } = await findings(
      'proxy: [{ name: p0, address: no-such-host.invalid, port: 1 }]\narchive: [{ name: a0, address: 192.0.2.1, port: 1 }]\n',
    );
    expect(code).toBe(1);
    expect(text).toContain('error: p0: no-such-host.invalid can not be resolved');
    expect(text).toMatch(/error: a0: 192.0.2.1 is beyond this machine.*add tls:/);
  });

  test('servers that would not listen where they are to be reached', async () => {
    const { text } = await findings(
      'proxy: [{ name: p0, address: 192.0.2.1, port: 1, dataDir: /d, options: { listen: 0.0.0.0 } }]\n' +
        'archive: [{ name: a0, address: 192.0.2.1, port: 2, dataDir: d, config: /etc/a0.yaml, binDir: /nowhere }]\n',
    );
    expect(text).toContain('not be started with -tls-ca, -tls-cert, -tls-key: add them');
    expect(text).toContain('warning: a0: dataDir d is relative');
    expect(text).toContain('warning: a0: there is no program /nowhere/walb-archive');
    expect(text).not.toMatch(/a0.*-listen/);
  });

  test('PEM files that are none', async () => {
    for (const name of ['ca', 'cert', 'key'])
      writeFileSync(join(folder, name), 'x', { mode: 0o644 });
    const { code, text } = await findings('tls: { ca: ca, certificate: cert, privateKey: key }\n');
    expect(code).toBe(1);
    for (const key of ['ca', 'certificate', 'privateKey']) {
      expect(text).toMatch(new RegExp(`error: tls: ${key} .* can not be read as PEM`));
    }
  });

  test('--connect: a server that is down', async () => {
    const { code, text } = await findings(
      'storage: [{ name: s0, address: 127.0.0.1, port: 9 }]\n',
      '--connect',
    );
    expect(code).toBe(1);
    expect(text).toMatch(/error: s0: does not answer: .*127.0.0.1:9/);
  });
});
