/** Units: what they start, what they may do, and that systemd takes them without a word. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseYamlLayout } from '../../../src/walbc/layout-file/yaml.ts';
import { hardening, type Needs } from '../../../src/walbc/systemd/hardening.ts';
import { execLine } from '../../../src/walbc/systemd/unit-text.ts';
import { checkUnits, serverUnit, workerUnits } from '../../../src/walbc/systemd/units.ts';
import { describeWith } from '../../support/tools.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PACKAGED = join(ROOT, 'packaging/systemd');
const WALB = join(ROOT, 'bin/walb');

const LAYOUT = `
storage: [{ name: s0, address: localhost, port: 1, dataDir: /srv/walb/s0, options: { devices: /srv/walb/dev } }]
proxy: [{ name: p0, address: localhost, port: 2, dataDir: '/srv/50% of $it', logPath: '/var/log/walb/p "0".log' }]
archive:
  - { name: a0, address: localhost, port: 3, dataDir: /home/walb/a0, vg: vg0 }
  - { name: a1, address: localhost, port: 4, dataDir: /srv/a1, binDir: /opt/walb/bin, ssh: root@a1.example }
`;
const OPTIONS = { binDir: join(ROOT, 'bin'), layoutFile: '/etc/walb/walb.yaml' };
const { layout } = parseYamlLayout(LAYOUT, OPTIONS.layoutFile);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-units-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('the unit of a server', () => {
  test('starts it as the layout says, with its log in the journal', () => {
    const { name, text } = serverUnit('s0', layout, OPTIONS);
    expect(name).toBe('walb-s0.service');
    expect(text).toContain(
      `ExecStart=${ROOT}bin/walb-storage -archive localhost:3 -proxy localhost:2 -p 1 -b /srv/walb/s0 -l - -id s0 -fg 2 -bg 1 -devices /srv/walb/dev\n`,
    );
    expect(text).toContain('ReadWritePaths=/srv/walb/s0\nReadWritePaths=-/srv/walb/dev\n');
    expect(text).toContain('ExecStartPre=+/bin/mkdir -p /srv/walb/s0\n');
  });

  test('a shutdown by walbc is not undone, a failure is', () => {
    expect(serverUnit('p0', layout, OPTIONS).text).toContain('Restart=on-failure\n');
  });

  test('blanks, quotes, % and $ reach the program as they are', () => {
    const { text } = serverUnit('p0', layout, OPTIONS);
    expect(text).toContain('-b "/srv/50%% of $$it" -l "/var/log/walb/p \\"0\\".log"');
    expect(text).toContain('ReadWritePaths="/srv/50%% of $it"\n');
    expect(text).toContain('ReadWritePaths=/var/log/walb\n');
    expect(execLine(['a\\b', 'c d'])).toBe('"a\\\\b" "c d"');
  });

  test('devices are left to a storage and to an archive on LVM only', () => {
    const isClosed = (name: string): boolean =>
      serverUnit(name, layout, OPTIONS).text.includes('PrivateDevices=yes');
    expect(['s0', 'p0', 'a0', 'a1'].map(isClosed)).toEqual([false, true, false, true]);
    expect(serverUnit('a0', layout, OPTIONS).text).toMatch(
      /ProtectHome=read-only[\s\S]*-\/run\/lvm/,
    );
    // It would close all devices but clocks.
    expect(serverUnit('a0', layout, OPTIONS).text).not.toContain('ProtectClock');
  });

  test('programs of the layout, another user', () => {
    const { text } = serverUnit('a1', layout, { ...OPTIONS, user: 'walb' });
    expect(text).toContain('for root@a1.example.');
    expect(text).toContain('ExecStart=/opt/walb/bin/walb-archive ');
    expect(text).toContain('User=walb\n');
    const s0 = serverUnit('s0', layout, { ...OPTIONS, user: 'walb' }).text;
    expect(s0).toContain('+/usr/bin/install -d -m 0750 -o walb /srv/walb/s0');
  });

  test('waits for the disk of its folder; that of an archive is never made', () => {
    const units = ['s0', 'p0', 'a0', 'a1'].map((name) => serverUnit(name, layout, OPTIONS).text);
    const waits = units.map((text) => /^RequiresMountsFor=(.*)$/m.exec(text)?.[1]);
    expect(waits).toEqual(['/srv/walb/s0', '"/srv/50%% of $it"', '/home/walb/a0', '/srv/a1']);
    const makes = units.map((text) => text.includes('ExecStartPre=+/bin/mkdir'));
    expect(makes).toEqual([true, true, false, false]);
    // A folder that is missing keeps no server from saying so.
    expect(units[3]).toContain('ReadWritePaths=-/srv/a1\n');
  });

  test('what can not be a unit is refused', () => {
    expect(() => serverUnit('x', layout, OPTIONS)).toThrow(
      /no server x; there are: s0, p0, a0, a1/,
    );
    const other = parseYamlLayout(
      'proxy: [{ name: p0, address: x, port: 1 }, { name: p1, address: x, port: 2, dataDir: d }]',
      'f',
    ).layout;
    expect(() => serverUnit('p0', other, OPTIONS)).toThrow(/p0 can not be started/);
    expect(() => serverUnit('p1', other, OPTIONS)).toThrow(/d is relative/);
    expect(() => workerUnits('w.yaml', OPTIONS)).toThrow(/full path/);
  });
});

describe('packaged units', () => {
  const NEEDS: Readonly<Record<string, Needs>> = {
    'walb-storage@.service': { writes: ['/var/lib/walb/%i', '-/srv/walb/devices'], devices: true },
    'walb-proxy@.service': { writes: ['/var/lib/walb/%i'] },
    'walb-archive@.service': { writes: ['-/var/lib/walb/%i'], lvm: true },
    'walb-worker@.service': { writes: [] },
    'walb-check.service': { writes: [] },
  };

  test.each(Object.entries(NEEDS))('%s may do what a written one may', (name, needs) => {
    const text = readFileSync(join(PACKAGED, name), 'utf8');
    for (const [key, value] of hardening(needs)) {
      for (const one of typeof value === 'string' ? [value] : value) {
        expect(text).toContain(`\n${key}=${one.replaceAll('%%', '%')}\n`);
      }
    }
  });
});

describe('walb systemd', () => {
  const run = (...words: string[]) =>
    spawnSync(WALB, ['systemd', '--layout', 'walb.yaml', ...words], {
      cwd: folder,
      encoding: 'utf8',
    });

  test('prints unless it is told to write; never replaces what somebody else wrote', () => {
    writeFileSync(join(folder, 'walb.yaml'), LAYOUT);
    const { stdout } = run('--server', 's0', 'p0');
    expect(stdout).toMatch(/^# walb-s0.service\n# Written by walb systemd from .*walb.yaml/);
    expect(stdout).toContain('# walb-p0.service\n');
    expect(stdout).not.toContain('walb-a0');

    const units = join(folder, 'units');
    expect(run('--output', 'units', '--server', 's0').stdout).toContain(
      `wrote ${units}/walb-s0.service`,
    );
    expect(run('--output', 'units', '--server', 's0').stdout).toContain('is as it should be');
    writeFileSync(join(units, 'walb-p0.service'), '# mine\n');
    const refused = run('--output', 'units', '--check');
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('walb-p0.service: not written by walb systemd');
    expect(readdirSync(units)).toEqual(['walb-p0.service', 'walb-s0.service']);
    expect(run('--output', 'units', '--check', '--force').status).toBe(0);
    expect(readdirSync(units)).toContain('walb-check.timer');
  });
});

describeWith(['systemd-analyze'], 'systemd-analyze verify', () => {
  /** What it complains about; units of the machine itself are not ours. */
  function complaints(files: Readonly<Record<string, string>>): string[] {
    const at = mkdtempSync(join(folder, 'verify-'));
    const paths = Object.entries(files).map(([name, text]) => {
      const path = join(at, name.replace('@.', '@x.'));
      writeFileSync(path, text.replaceAll('/usr/local/bin/', `${ROOT}bin/`));
      return path;
    });
    const { stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...paths], {
      encoding: 'utf8',
    });
    return stderr.split('\n').filter((line) => line.includes('walb'));
  }

  test('takes written units', () => {
    const units = [
      ...['s0', 'p0', 'a0'].map((name) => serverUnit(name, layout, OPTIONS)),
      ...checkUnits('5min', OPTIONS),
      ...workerUnits('/etc/walb/worker-a0.yaml', OPTIONS),
    ];
    expect(complaints(Object.fromEntries(units.map(({ name, text }) => [name, text])))).toEqual([]);
  });

  test('takes packaged units', () => {
    const files = readdirSync(PACKAGED).map(
      (name) => [name, readFileSync(join(PACKAGED, name), 'utf8')] as const,
    );
    expect(files.length).toBeGreaterThan(6);
    expect(complaints(Object.fromEntries(files))).toEqual([]);
  });

  test('would complain', () => {
    const text = serverUnit('s0', layout, OPTIONS).text.replace('Type=exec', 'Typ=exec');
    expect(complaints({ 'walb-s0.service': text })).not.toEqual([]);
  });
});
