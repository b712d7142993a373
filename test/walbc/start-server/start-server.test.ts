/**
 * Starting servers: real processes of this package, started by a real walbc, here and over a program
 * called `ssh` that does what sshd does: hands one command line to the login shell.
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parseAnswer } from '../../../src/walbc/start-server/script.ts';

const WALBC = fileURLToPath(new URL('../../../bin/walbc', import.meta.url));
const BIN = fileURLToPath(new URL('../../../bin/', import.meta.url));

let folder: string;
/** Compiled code, for all tests: each has a home of its own. */
let cache: string;
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'walbc-start-cache-'));
});
afterAll(() => rmSync(cache, { recursive: true, force: true }));

const ports: Record<string, number> = {};

/** A port nobody has at the moment. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

beforeEach(async () => {
  // A blank and a quote, which no shell on the way may take apart.
  folder = join(mkdtempSync(join(tmpdir(), 'walbc-start-')), "it's here");
  mkdirSync(folder);
  for (const name of ['s0', 'p0', 'a0']) ports[name] = await freePort();
});

afterEach(() => {
  for (const name of ['s0', 'p0', 'a0']) {
    const pid = pidOf(name);
    if (pid !== undefined && isOurs(pid)) process.kill(pid, 'SIGKILL');
  }
  rmSync(join(folder, '..'), { recursive: true, force: true });
});

const KINDS: Readonly<Record<string, string>> = { s0: 'storage', p0: 'proxy', a0: 'archive' };

function pidOf(name: string): number | undefined {
  const file = join(folder, name, `walb-${KINDS[name]}.pid`);
  return existsSync(file) ? Number(readFileSync(file, 'utf8')) : undefined;
}

function isOurs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(folder);
  } catch {
    return false;
  }
}

/** The folder of the archive, which is never made for one, is there unless a test removes it. */
function writeLayout(more: Readonly<Record<string, string>> = {}): void {
  const server = (name: string): string =>
    `{ name: ${name}, address: 127.0.0.1, port: ${ports[name]}, dataDir: ${JSON.stringify(join(folder, name))}${more[name] ?? ''} }`;
  mkdirSync(join(folder, 'a0'), { recursive: true });
  writeFileSync(
    join(folder, 'walb.yaml'),
    `storage: [${server('s0')}]\nproxy: [${server('p0')}]\narchive: [${server('a0')}]\n`,
  );
}

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function walbc(...words: string[]): Result {
  const env = {
    ...process.env,
    HOME: folder,
    PATH: `${folder}:${process.env['PATH']}`,
    WALB_AUDIT_LOG: join(folder, 'audit.log'),
    XDG_CACHE_HOME: cache,
  };
  return spawnSync(WALBC, words, { cwd: folder, env, encoding: 'utf8' });
}

/** Notes its words one per line, then runs the last one as sshd does: through the login shell. */
function writeFakeSsh(): void {
  const file = join(folder, 'ssh');
  writeFileSync(
    file,
    `#!/bin/sh\nprintf '%s\\n' "$@" >>"$HOME/ssh.log"\nfor word; do last=$word; done\ncd / && exec /bin/sh -c "$last"\n`,
  );
  chmodSync(file, 0o755);
}

describe('start_servers', () => {
  test('starts all, which outlive the shell, and leaves alone what runs', () => {
    writeLayout();
    const first = walbc('-c', 'walbc.start_servers()');
    expect(first.stderr).toBe('');
    expect(first.stdout).toMatch(
      /^a0: started on this machine, pid \d+, answers at 127.0.0.1:\d+\np0: started .*\ns0: started .*\n$/,
    );
    const pids = ['a0', 'p0', 's0'].map(pidOf);
    expect(pids.every((pid) => pid !== undefined && isOurs(pid))).toBe(true);
    expect(walbc('-c', 'walbc.get_alive_server()').stdout).toBe("['s0', 'p0', 'a0']\n");

    const again = walbc('start-servers');
    expect(again.stdout).toMatch(/^(\w\w: runs already at 127.0.0.1:\d+\n){3}$/);
    expect(['a0', 'p0', 's0'].map(pidOf)).toEqual(pids);
    const audit = walbc('audit').stdout;
    expect(audit.match(/walbc\.start_servers\(\)/g)).toHaveLength(2);
    expect(walbc('layout', 'check', '--connect').status).toBe(0);
  });

  test('a server is a session of its own without our pipes', () => {
    writeLayout();
    walbc('start-servers', 'p0');
    const pid = pidOf('p0')!;
    const [, session] = /^\d+ \(.*\) \S \d+ (\d+) /.exec(
      readFileSync(`/proc/${pid}/stat`, 'utf8'),
    )!;
    expect(Number(session)).toBe(pid);
    expect(pidOf('a0')).toBeUndefined();
  });

  test('over ssh, with words that shells would take apart', () => {
    writeLayout({ p0: `, ssh: backup@p0.example, binDir: ${JSON.stringify(BIN)}` });
    writeFakeSsh();
    const { stdout, stderr } = walbc('-c', 'walbc.start_server(p0)');
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^p0: started on backup@p0.example, pid \d+, answers at/);
    const words = readFileSync(join(folder, 'ssh.log'), 'utf8').split('\n');
    expect(words).toEqual(expect.arrayContaining(['BatchMode=yes', 'ConnectTimeout=10', '--']));
    expect(words.at(words.indexOf('--') + 1)).toBe('backup@p0.example');
    expect(isOurs(pidOf('p0')!)).toBe(true);
  });

  test('ssh that fails says so, and the others are started', () => {
    writeLayout({ p0: ', ssh: nobody@p0.example' });
    writeFileSync(
      join(folder, 'ssh'),
      '#!/bin/sh\necho "Permission denied (publickey)." >&2\nexit 255\n',
    );
    chmodSync(join(folder, 'ssh'), 0o755);
    const { status, stdout, stderr } = walbc('start-servers', 'a0', 'p0');
    expect(status).toBe(8);
    expect(stdout).toMatch(/^a0: started/);
    expect(stderr).toMatch(/p0 could not be started at nobody@p0.example: Permission denied/);
  });

  test('one that dies says why, with its command line', () => {
    writeLayout({ p0: ', options: { wn: nonsense }', s0: ', options: { bg: 0 }' });
    const { status, stderr } = walbc('start-servers', 'p0', 's0');
    expect(status).toBe(8);
    expect(stderr).toMatch(/2 servers were not started:/);
    expect(stderr).toMatch(/p0 ended at once with exit code 1 at this machine: .*wn/s);
    expect(stderr).toMatch(/It was started as: .*walb-proxy -p \d+ -b '.*'/);
    expect(pidOf('p0')).toBeUndefined();
  });

  test('the folder of an archive is not made: its disk may not be mounted', () => {
    writeLayout();
    rmSync(join(folder, 'a0'), { recursive: true });
    const { status, stdout, stderr } = walbc('start-servers', 'a0', 'p0');
    expect(status).toBe(8);
    expect(stdout).toMatch(/^p0: started/);
    expect(stderr).toContain(`its dataDir ${join(folder, 'a0')} does not exist there: mount its`);
    expect(existsSync(join(folder, 'a0'))).toBe(false);
  });

  test('a stale pid file of somebody else is no server', () => {
    writeLayout();
    mkdirSync(join(folder, 'p0'));
    writeFileSync(join(folder, 'p0', 'walb-proxy.pid'), `${process.pid}\n`);
    expect(walbc('start-servers', 'p0').stdout).toMatch(/^p0: started/);
    expect(pidOf('p0')).not.toBe(process.pid);
  });

  test('a server of another kind at the address is a conflict', () => {
    writeLayout();
    walbc('start-servers', 'p0');
    ports['a0'] = ports['p0']!;
    writeLayout();
    const { status, stderr } = walbc('start-servers', 'a0');
    expect(status).toBe(7);
    expect(stderr).toMatch(/the address of a0, a proxy server answers, not an archive server/);
  });

  test.each([
    [', ssh: "-oProxyCommand=touch /tmp/x"', /ssh of p0 must be user@host/],
    [', ssh: "a b"', /ssh of p0 must be user@host/],
  ])('ssh %s is refused', (more, message) => {
    writeLayout({ p0: more });
    const { status, stderr } = walbc('start-servers', 'p0');
    expect(status).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('a server of another machine needs ssh; one without dataDir can not be started', () => {
    writeFileSync(
      join(folder, 'walb.yaml'),
      'proxy: [{ name: p0, address: 192.0.2.1, port: 1, dataDir: /d }, { name: p1, address: localhost, port: 1 }]\ntls:\n',
    );
    expect(walbc('start-servers', 'p1').stderr).toMatch(/p1 can not be started .*dataDir/);
    expect(walbc('start-servers', 'p2').stderr).toMatch(/0 servers are called "p2"/);
  });
});

describe('what the script answers', () => {
  test.each([
    ['walb-start: running 5\n', { kind: 'running', pid: 5 }],
    [
      'Welcome!\nwalb-start: started 7 walb-proxy: p0 listens on x',
      { kind: 'started', pid: 7, line: 'walb-proxy: p0 listens on x' },
    ],
    [
      'walb-start: failed 1\n{"msg":"server failed","err":{"message":"no"}}\nplain\n',
      { kind: 'failed', code: 1, lastLines: 'server failed: no\nplain' },
    ],
    ['walb-start: failed 127\n', { kind: 'failed', code: 127, lastLines: '' }],
  ])('%j', (text, answer) => expect(parseAnswer(text)).toEqual(answer));

  test.each(['', 'hello', 'started', 'started 5 x'])('%j is none', (text) =>
    expect(parseAnswer(text)).toBeUndefined(),
  );
});
