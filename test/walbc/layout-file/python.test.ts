/** The layout file in Python (controller-api.md 4, the configuration example of the original). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LoadedLayout } from '../../../src/walbc/layout-file/loaded.ts';
import { ServerStartupParam } from '../../../src/walbc/servers.ts';
import { loadLayout } from '../../../src/walbc/shell/layout-file.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-layout-python-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function load(text: string): Promise<LoadedLayout> {
  const file = join(folder, 'walb-config.py');
  writeFileSync(file, text);
  return loadLayout(file);
}

const SERVERS = `#!/usr/bin/env python
import sys
sys.path.append('./python/walb/')
from walblib import *

binDir = '/usr/local/walb/bin/'
wdevcPath = binDir + 'wdevc'
walbcPath = binDir + 'walbc'

def dataPath(s):
    return '/var/forest/walb/%s/' % s

def logPath(s):
    return '/var/forest/walb/%s.log' % s

s0c = ServerConnectionParam('s0', '192.168.0.1', 10000, K_STORAGE)
s1c = ServerConnectionParam('s1', '192.168.0.2', port=10000, kind=K_STORAGE)
p0c, p1c = [ServerConnectionParam('p%d' % i, 'localhost', 10100 + i, K_PROXY) for i in range(2)]
a0c = ServerConnectionParam('a0', 'localhost', 10200, K_ARCHIVE)

s0 = ServerStartupParam(s0c, binDir, dataPath('s0'), logPath('s0'))
p0, p1 = [ServerStartupParam(c, binDir, dataPath(c.name), logPath(c.name)) for c in (p0c, p1c)]
a0 = ServerStartupParam(a0c, binDir, dataPath('a0'), logPath('a0'), vg='vg0')
`;

test('the configuration of the original, as it stands', async () => {
  const { layout } = await load(
    `${SERVERS}
sLayout = ServerLayout([s0, s1c], [p0, p1], [a0])
wdev0 = Device('0', '/dev/test/log', '/dev/test/data', wdevcPath)
walbc = Controller(walbcPath, sLayout, isDebug=True)
VOL = 'vol0'
`,
  );
  expect(String(layout)).toBe('s0, s1, p0, p1, a0');
  const [s0, s1] = layout.storageL;
  expect(s0).toBeInstanceOf(ServerStartupParam);
  expect(s1?.get_host_port()).toBe('192.168.0.2:10000');
  const [line] = layout.replace([s0!]).get_cmd_lines();
  expect(line).toContain(
    '/usr/local/walb/bin/walb-storage -archive localhost:10200 -proxy localhost:10100,localhost:10101 -p 10000 -b /var/forest/walb/s0/ -l /var/forest/walb/s0.log -id s0',
  );
  expect(layout.get_cmd_lines.call(layout.replace([s0!])).at(-1)).toContain('-vg vg0');
});

test('a controller brings its layout; tls is a dictionary of paths', async () => {
  for (const name of ['ca', 'crt', 'key']) writeFileSync(join(folder, name), name);
  const loaded = await load(
    `${SERVERS}walbc = Controller(walbcPath, ServerLayout([s0], [p0], [a0]))\ntls = {'ca': 'ca', 'certificate': 'crt', 'privateKey': 'key'}\n`,
  );
  expect(String(loaded.layout)).toBe('s0, p0, a0');
  expect(loaded.tls).toEqual({ ca: 'ca', certificate: 'crt', privateKey: 'key' });
});

test.each([
  ['syntax', 'x = 1\ny = = 2\n', 2, 'SyntaxError'],
  ['an unknown name', 'from walblib import *\n\nx = nothing\n', 3, "name 'nothing' is not defined"],
  [
    'what a class refuses',
    "\ns0 = ServerConnectionParam('s0', 'h', 0, K_STORAGE)\n",
    2,
    'bad port 0',
  ],
  [
    'an exception inside a function',
    "def f():\n    raise ValueError('no')\n\nf()\n",
    2,
    'ValueError: no',
  ],
  ['no layout', 'x = 1\n', undefined, 'must define sLayout'],
  [
    'tls that is none',
    'sLayout = ServerLayout([], [], [])\ntls = 5\n',
    undefined,
    'tls: ca must be',
  ],
])('%s: the file, the line, the problem', async (_, text, line, message) => {
  const file = join(folder, 'walb-config.py');
  const place = line === undefined ? file : `${file}:${line}`;
  await expect(load(text)).rejects.toThrow(`layout file ${place}: `);
  await expect(load(text)).rejects.toThrow(message);
  await expect(load(text)).rejects.toMatchObject({ code: 'invalid-argument' });
});
