import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
      'an archive to be started without vg',
      'archive: [{ name: a0, address: x, port: 1, binDir: b/, dataDir: d }]',
      'volume group',
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
    expect(findLayoutFile({ env: { HOME: cwd }, cwd: home })).toBeUndefined();
  });

  test('one that was named must be there', () => {
    const search = { env: { WALB_LAYOUT: 'gone.yaml' }, cwd: folder };
    expect(() => findLayoutFile(search)).toThrow(/no layout file .*gone.yaml \(WALB_LAYOUT\)/);
  });
});
