/**
 * Keyword arguments, None and Python's own types in calls of the library (controller-api.md 1 to 4): what
 * the configuration programs of the original do before any server is asked.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const WALBC = fileURLToPath(new URL('../../../../bin/walbc', import.meta.url));
const SERVERS = `
s = ServerStartupParam(connParam=ServerConnectionParam(name='s', address='h', port=1, kind=K_STORAGE), binDir='/bin/', dataDir='/s')
p = ServerStartupParam(connParam=ServerConnectionParam('p', 'h', 2, K_PROXY), binDir='/bin/', dataDir='/p', logPath=None)
a = ServerStartupParam(ServerConnectionParam('a', 'h', 3, K_ARCHIVE), '/bin/', '/a', vg='vg', tp=None)
l = ServerLayout(storageL=[s], proxyL=[p], archiveL=[a])
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-keywords-'));
  writeFileSync(
    join(folder, 'walb.yaml'),
    'storage: [{ name: s0, address: localhost, port: 1 }]\nproxy: []\narchive: []\n',
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function python(script: string): string {
  const { stdout, stderr } = spawnSync(WALBC, ['--python'], {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1' },
    input: script,
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return stdout;
}

test('a layout and its command lines', () => {
  const lines = python(`${SERVERS}
print l
print l.replace(storageL=None, proxyL=[], archiveL=None)
l.verify(minNrStorage=1, minNrProxy=1, minNrArchive=1)
print get_server_args(s=p, sLayout=l, isDebug=True, useRepeater=True, maxFgTasks=3, maxBgTasks=None)
print dict2args(d={'p': 1, 'debug': None, 'x': ['a', 'b']})
print serverKindMap[K_ARCHIVE], serverKindRmap['proxy']
try:
    serverKindMap[7]
except KeyError as e:
    print 'KeyError', e
`).split('\n');
  expect(lines.slice(0, -1)).toEqual([
    's, p, a',
    's, p, a',
    "['/bin/walb-proxy', '-p', '10002', '-b', '/p', '-l', '/p/p.log', '-id', 'p', '-fg', '3', '-bg', '1', '-debug']",
    "['-p', '1', '-debug', '-x', 'a', 'b']",
    'archive 1',
    'KeyError 7',
  ]);
});

test("checks take Python's types", () => {
  const lines = python(`
verify_type(obj=1, typeValue=int, elemType=None, allowNone=False)
verify_type([1, 'a', None], list, [int, str], True)
verify_type(Snapshot(gidB=1, gidE=2), typeValue=Snapshot)
for call in [lambda: verify_type(1, str), lambda: verify_type(['a'], list, int), lambda: verify_type(None, [int, str])]:
    try:
        call()
        print 'passed'
    except Exception as e:
        print e
`);
  expect(lines).toBe(
    'wrong type: expected str, got 1\n' +
      'wrong type of element 0: expected int, got "a"\n' +
      'wrong type: expected int or str, got undefined\n',
  );
});
