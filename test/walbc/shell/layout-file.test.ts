import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServerStartupParam } from '../../../src/walbc/servers.ts';
import { findLayoutFile, loadLayout } from '../../../src/walbc/shell/layout-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-layout-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, text);
  return path;
}

const S0 = '{ name: s0, address: 127.0.0.1, port: 10000 }';

describe('reading a layout file', () => {
  test('servers of all kinds, with and without what starts them', async () => {
    const file = write(
      'good.yaml',
      `storage: [${S0}]\nproxy:\n  - { name: p0, address: p.example, port: 10100 }\n` +
        'archive:\n  - { name: a0, address: a.example, port: 10200, binDir: bin/, dataDir: /d, vg: vg0 }\n',
    );
    const { layout } = await loadLayout(file);
    expect(String(layout)).toBe('s0, p0, a0');
    expect(layout.get_primary_archive()).toBeInstanceOf(ServerStartupParam);
    expect(layout.get_primary_archive().get_host_port()).toBe('a.example:10200');
  });

  test('PEM files of tls are read from beside it', async () => {
    for (const name of ['ca', 'certificate', 'privateKey']) write(`pem/${name}.pem`, `PEM ${name}`);
    const tls = 'tls: { ca: ca.pem, certificate: certificate.pem, privateKey: privateKey.pem }';
    const { tls: read } = await loadLayout(write('pem/walb.yaml', `storage: [${S0}]\n${tls}\n`));
    expect(read).toEqual({
      ca: 'PEM ca',
      certificate: 'PEM certificate',
      privateKey: 'PEM privateKey',
    });
  });

  test.each([
    ['not a mapping', '- s0', 'the file must be a mapping'],
    ['empty', '', 'the file must be a mapping'],
    ['broken YAML', 'storage: [', 'layout file'],
    ['unknown section', 'storages: []', 'unknown keys storages; there are: storage, proxy'],
    ['unknown key', `storage: [{ name: s0, adress: x, port: 1 }]`, 'unknown keys adress'],
    ['no name', 'storage: [{ address: x, port: 1 }]', 'storage server 1: name is missing'],
    ['port as text', 'storage: [{ name: s0, address: x, port: "1" }]', 'port must be a number'],
    ['port out of range', 'storage: [{ name: s0, address: x, port: 99999 }]', 'bad port 99999'],
    ['the same name twice', `storage: [${S0}, ${S0}]`, 'two servers of the layout are called s0'],
    ['not a list', 'proxy: { name: p0 }', 'proxy must be a list'],
    [
      'a thin pool without its volume group',
      'archive: [{ name: a0, address: x, port: 1, dataDir: d, tp: pool }]',
      'no volume group',
    ],
    [
      'a volume group for a proxy',
      'proxy: [{ name: p0, address: x, port: 1, dataDir: d, vg: v }]',
      'vg is for archives',
    ],
    [
      'to be started, but without data',
      'proxy: [{ name: p0, address: x, port: 1, ssh: h }]',
      'dataDir is missing',
    ],
    [
      'an option that the layout decides',
      'proxy: [{ name: p0, address: x, port: 1, dataDir: d, options: { p: 5 } }]',
      'option p follows from the layout',
    ],
    [
      'an option with a list',
      'proxy: [{ name: p0, address: x, port: 1, dataDir: d, options: { wn: [1] } }]',
      'option wn must be',
    ],
    [
      'a PEM file that is not there',
      `storage: [${S0}]\ntls: { ca: x, certificate: x, privateKey: x }`,
      'tls: ca can not be read',
    ],
    ['tls incomplete', `storage: [${S0}]\ntls: { ca: x }`, 'tls: certificate must be'],
  ])('%s is refused and the file named', async (_, text, message) => {
    const file = write('bad.yaml', text);
    const loading = loadLayout(file);
    await expect(loading).rejects.toMatchObject({ code: 'invalid-argument', details: { file } });
    await expect(loading).rejects.toThrow(message);
    await expect(loading).rejects.toThrow(file);
  });
});

describe('an error names the line', () => {
  test.each([
    ['a key of a server', 'storage:\n  - name: s0\n    address: x\n    prot: 1\n', 4],
    ['a value', 'storage:\n  - name: s0\n    address: x\n    port: "1"\n', 4],
    [
      'a missing value: the server',
      'storage:\n  - { name: s0, address: x, port: 1 }\n  - { name: s1, port: 1 }\n',
      3,
    ],
    ['a section', 'storage: []\n\nproxies: []\n', 3],
    ['syntax', 'storage: []\nproxy: [\n', 3],
    ['a twin', `storage: [${S0}]\nproxy:\n  - ${S0}\n`, 3],
    ['a key said twice', 'storage: []\nstorage: []\n', 2],
    ['tls', `storage: [${S0}]\ntls:\n  ca: 1\n`, 3],
  ])('%s', async (_, text, line) => {
    const file = write('line.yaml', text);
    await expect(loadLayout(file)).rejects.toMatchObject({ details: { file, line } });
    await expect(loadLayout(file)).rejects.toThrow(`layout file ${file}:${line}: `);
  });
});

describe('what starts a server', () => {
  test('ssh, config and options become options of its command line', async () => {
    const file = write(
      'start.yaml',
      'storage: []\nproxy: [{ name: p0, address: p, port: 1, dataDir: /d a, ssh: root@p, config: /etc/p0.yaml, options: { stop: true, debug: false, wn: 5 } }]\n' +
        'archive: [{ name: a0, address: a, port: 2, dataDir: /d, vg: vg0, tp: tp0 }, { name: a1, address: b, port: 2, dataDir: /d }]\n',
    );
    const { layout } = await loadLayout(file);
    const lines: string[] = [];
    layout.to_cmd_string((line) => lines.push(line));
    expect(lines).toEqual([
      "walb-proxy -p 1 -b '/d a' -l '/d a/p0.log' -id p0 -config /etc/p0.yaml -stop -wn 5",
      'walb-archive -vg vg0 -tp tp0 -p 2 -b /d -l /d/a0.log -id a0 -fg 2',
      'walb-archive -p 2 -b /d -l /d/a1.log -id a1 -fg 2',
    ]);
  });

  test('a server that is only reached has no command line', async () => {
    const { layout } = await loadLayout(write('reach.yaml', `storage: [${S0}]\n`));
    expect(() => layout.to_cmd_string(() => {})).toThrow(/s0 can not be started .*dataDir/);
  });
});

test('a file of another kind is refused', async () => {
  await expect(loadLayout(write('walb.json', '{}'))).rejects.toThrow(/must end in .yaml/);
});

describe('finding the layout file', () => {
  test('--layout, then WALB_LAYOUT, then the working folder, then the configuration', () => {
    const option = write('o.yaml', '');
    const named = write('n.yaml', '');
    const home = join(folder, 'home');
    const config = write('home/.config/walb/walb.yaml', '');
    const cwd = join(folder, 'cwd');
    const local = write('cwd/walb.yaml', '');
    const env = { WALB_LAYOUT: named, HOME: home };
    expect(findLayoutFile({ option, env, cwd })).toBe(option);
    expect(findLayoutFile({ env, cwd })).toBe(named);
    expect(findLayoutFile({ env: { HOME: home }, cwd })).toBe(local);
    expect(findLayoutFile({ env: { HOME: home }, cwd: home })).toBe(config);
    const systemFolder = join(folder, 'etc');
    expect(findLayoutFile({ env: { HOME: cwd }, cwd: home, systemFolder })).toBeUndefined();
    const system = write('etc/walb.yaml', '');
    expect(findLayoutFile({ env: { HOME: cwd }, cwd: home, systemFolder })).toBe(system);
    const env2 = { HOME: cwd, XDG_CONFIG_HOME: join(home, '.config') };
    expect(findLayoutFile({ env: env2, cwd: home, systemFolder })).toBe(config);
  });

  test('two in one place are an error that names both', () => {
    const cwd = join(folder, 'two');
    const files = [write('two/walb.yaml', ''), write('two/walb-config.py', '')];
    expect(() => findLayoutFile({ env: { HOME: cwd }, cwd })).toThrow(files.join(' and '));
    expect(() => findLayoutFile({ option: cwd, env: {}, cwd: '/' })).toThrow(/Remove all but one/);
    expect(findLayoutFile({ option: 'walb.yaml', env: {}, cwd })).toBe(files[0]);
  });

  test('a folder that is named holds one', () => {
    const file = write('named/walb.yml', '');
    expect(findLayoutFile({ option: 'named', env: {}, cwd: folder })).toBe(file);
    mkdirSync(join(folder, 'empty'), { recursive: true });
    expect(() => findLayoutFile({ option: 'empty', env: {}, cwd: folder })).toThrow(
      /no layout file in/,
    );
  });

  test('code that everybody may write is not run unless it is named', () => {
    const cwd = join(folder, 'open');
    const file = write('open/walb.ts', '');
    expect(findLayoutFile({ env: { HOME: cwd }, cwd })).toBe(file);
    chmodSync(file, 0o666);
    expect(() => findLayoutFile({ env: { HOME: cwd }, cwd })).toThrow(/everybody may write it/);
    expect(findLayoutFile({ option: 'walb.ts', env: {}, cwd })).toBe(file);
  });

  test('one that was named must be there', () => {
    const search = { env: { WALB_LAYOUT: 'gone.yaml' }, cwd: folder };
    expect(() => findLayoutFile(search)).toThrow(/no layout file .*gone.yaml \(WALB_LAYOUT\)/);
  });
});
