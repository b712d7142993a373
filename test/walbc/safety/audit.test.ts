/** The audit log as a file, and `walbc audit`. */
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { auditMain, sinceTime } from '../../../src/walbc/safety/audit-command.ts';
import {
  AuditLog,
  type AuditOptions,
  auditFileOf,
  KEPT_FILES,
  originOf,
  readAudit,
  stateFolder,
} from '../../../src/walbc/safety/audit-log.ts';
import { callText, commandText } from '../../../src/walbc/safety/call-text.ts';
import { historyFileOf } from '../../../src/walbc/shell/prompt.ts';

const WALBC = fileURLToPath(new URL('../../../bin/walbc', import.meta.url));
const origin = { user: 'op', host: 'h', pid: 7, interface: 'shell', layout: '/l.yaml' } as const;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-audit-'));
  file = join(folder, 'deep/audit.log');
});
afterEach(() => rmSync(folder, { recursive: true }));

function logTo(path: string, more: Partial<AuditOptions> = {}): AuditLog {
  return new AuditLog({
    file: path,
    origin,
    warn: (text) => {
      throw new Error(text);
    },
    ...more,
  });
}

describe('the file', () => {
  test('holds two JSON lines per call and is readable by its owner only', () => {
    logTo(file, { now: () => Date.UTC(2026, 0, 31) }).begin("walbc.clear(a0, 'vol')")({
      durationMs: 12,
    });
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      {
        version: 1,
        ...origin,
        call: "walbc.clear(a0, 'vol')",
        id: `h-7-${Date.UTC(2026, 0, 31)}-1`,
        event: 'begin',
        time: '2026-01-31T00:00:00.000Z',
      },
      expect.objectContaining({ event: 'end', durationMs: 12, user: 'op' }),
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('is rotated at its size; a bounded number is kept, and all are read in order', () => {
    const log = logTo(file, { maxFile: 1000 });
    for (let i = 0; i < 100; i += 1) log.begin(`call ${i}`)({ durationMs: 0 });
    const names = readdirSync(join(folder, 'deep')).sort();
    expect(names).toEqual([
      'audit.log',
      ...Array.from({ length: KEPT_FILES }, (_, i) => `audit.log.${i + 1}`),
    ]);
    for (const name of names) expect(statSync(join(folder, 'deep', name)).size).toBeLessThan(1300);
    const calls = readAudit(file).map(({ call }) => Number(call.slice('call '.length)));
    expect(calls.at(-1)).toBe(99);
    expect(calls).toEqual(calls.toSorted((a, b) => a - b));
  });

  test('many programs may write and rotate at once: no line is torn', async () => {
    const module = new URL('../../../src/walbc/safety/audit-log.ts', import.meta.url).href;
    const program = `
      const { AuditLog } = await import(${JSON.stringify(module)});
      const log = new AuditLog({ file: process.argv[1], origin: { pid: process.pid, host: 'h' }, maxFile: 20_000, warn: (t) => { throw new Error(t) } });
      for (let i = 0; i < 60; i += 1) log.begin('call ' + 'x'.repeat(50))({ durationMs: i });
    `;
    const flags = ['--disable-warning=ExperimentalWarning', '--input-type=module'];
    await Promise.all(
      [1, 2, 3].map(() => execa(process.execPath, [...flags, '-e', program, file])),
    );
    expect(readAudit(file)).toHaveLength(3 * 60 * 2);
  });

  test('the lock of a program that died does not keep it from being rotated for good', () => {
    const log = logTo(file, { maxFile: 300 });
    log.begin('first')({ durationMs: 0 });
    writeFileSync(`${file}.lock`, '');
    utimesSync(`${file}.lock`, 0, 0);
    for (let i = 0; i < 4; i += 1) log.begin('next')({ durationMs: 0 });
    expect(readdirSync(join(folder, 'deep'))).toContain('audit.log.2');
  });

  test('lines that were cut off, or are of something else, are left out', () => {
    const end = logTo(file).begin('call');
    appendFileSync(file, '{"version":1,"id":"x"\nnull\n[]\n{"version":2}\n');
    end({ durationMs: 0 });
    expect(readAudit(file)).toHaveLength(2);
  });

  test('one that can not be written is said once, and the call goes on', () => {
    const warnings: string[] = [];
    writeFileSync(join(folder, 'file'), '');
    const log = logTo(join(folder, 'file/audit.log'), { warn: (text) => warnings.push(text) });
    for (let i = 0; i < 3; i += 1) log.begin('call')({ durationMs: 0 });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/^WARNING: THE AUDIT LOG CAN NOT BE WRITTEN: .*(EEXIST|ENOTDIR)/);
  });

  test('where it lies: WALB_AUDIT_LOG, XDG_STATE_HOME, /var/log for root, the home folder', () => {
    const isRoot = process.getuid?.() === 0;
    expect(auditFileOf({ WALB_AUDIT_LOG: '/a/b', XDG_STATE_HOME: '/s' })).toBe('/a/b');
    expect(auditFileOf({ WALB_AUDIT_LOG: '', XDG_STATE_HOME: '/s' })).toBe('/s/walb/audit.log');
    expect(auditFileOf({ HOME: '/h' })).toBe(
      isRoot ? '/var/log/walb/audit.log' : '/h/.local/state/walb/audit.log',
    );
  });

  test('in this run of tests nothing goes where its user keeps theirs', () => {
    for (const path of [auditFileOf(process.env), stateFolder(process.env)]) {
      expect(path.startsWith(join(tmpdir(), 'walb-test-state-'))).toBe(true);
    }
    expect(historyFileOf({ ...process.env, WALB_HISTORY: undefined })).toContain(
      'walb-test-state-',
    );
  });

  test('says who became root by sudo', () => {
    const how = { interface: 'run', layout: '', book: '/b.ts' } as const;
    expect(originOf({ SUDO_USER: 'alice' }, 'host', how)).toMatchObject({
      sudoUser: 'alice',
      host: 'host',
      book: '/b.ts',
    });
    expect(originOf({}, 'host', how)).not.toHaveProperty('sudoUser');
  });
});

describe('secrets', () => {
  const local = (...words: string[]): string =>
    callText({ className: '', target: undefined, member: 'run_local_command', args: [words] });

  test.each([
    [local('/bin/x', '--password', 'hunter2', 'y'), "'--password', '***', 'y'"],
    [local('/bin/x', '--password=hunter2'), "'--password=***'"],
    [local('/bin/x', 'https://u:hunter2@host/p'), 'https://u:***@host/p'],
    [commandText('h:1', ['exec', '/bin/x', '--api-token', 'hunter2']), '--api-token ***'],
    [commandText('h:1', ['exec', '/bin/x', 'MYSQL_PASSWORD=hunter2']), 'MYSQL_PASSWORD=***'],
  ])('%s', (text, shown) => {
    expect(text).not.toContain('hunter2');
    expect(text.replaceAll("'***'", '***')).toContain(shown.replaceAll("'***'", '***'));
  });

  test('what is no secret stays; what is long is cut', () => {
    expect(local('/bin/x', '--size=5', 'a=b')).toContain("'--size=5', 'a=b'");
    expect(local('y'.repeat(10_000)).length).toBeLessThan(2_100);
  });
});

describe('walbc audit', () => {
  const NOW = Date.UTC(2026, 0, 31, 12);

  function audit(...words: string[]): { code: number; out: string; err: string } {
    let [out, err] = ['', ''];
    const code = auditMain(words, {
      environment: { WALB_AUDIT_LOG: file },
      now: NOW,
      stdout: (text) => void (out += text),
      stderr: (text) => void (err += text),
    });
    return { code, out, err };
  }

  beforeEach(() => {
    const at = (
      hour: number,
      more: Partial<typeof origin> & { sudoUser?: string } = {},
    ): AuditLog =>
      logTo(file, { now: () => Date.UTC(2026, 0, 31, hour), origin: { ...origin, ...more } });
    at(1).begin("walbc.snapshot(s0, 'vol', [a0])")({ durationMs: 1500, result: '7' });
    at(2).begin("walbc.clear(a0, 'vol')", true)({ durationMs: 3 });
    at(3, { sudoUser: 'alice' }).begin("walbc.clear(a0, 'vol')")({ durationMs: 0, declined: true });
    const error = { code: 'wrong-state', message: 'vol is Clear\nmore' };
    at(4).begin("walbc.apply(a0, 'vol', 5)")({ durationMs: 20, error });
    at(5).begin("walbc.restore(a0, 'vol', 5)")({ durationMs: 9_000, error, interrupted: true });
    at(6).begin("walbc.reset(s0, 'vol')");
  });

  test('shows a line per call, with its result or error below', () => {
    // One blank for many: the widths of columns follow the longest cell.
    expect(
      audit()
        .out.replaceAll(/(?<=\S) +/g, ' ')
        .split('\n'),
    ).toEqual([
      'time (UTC) user by took outcome call',
      "2026-01-31T01:00:00 op@h shell 2 s done walbc.snapshot(s0, 'vol', [a0])",
      '    7',
      "2026-01-31T02:00:00 op@h shell 3 ms dry run walbc.clear(a0, 'vol')",
      "2026-01-31T03:00:00 op (sudo alice)@h shell 0 ms declined walbc.clear(a0, 'vol')",
      "2026-01-31T04:00:00 op@h shell 20 ms wrong-state walbc.apply(a0, 'vol', 5)",
      '    vol is Clear',
      "2026-01-31T05:00:00 op@h shell 9 s interrupted walbc.restore(a0, 'vol', 5)",
      '    vol is Clear',
      "2026-01-31T06:00:00 op@h shell no end recorded walbc.reset(s0, 'vol')",
      '',
    ]);
  });

  test('--since and --user choose', () => {
    expect(audit('--since', '8h').out.match(/walbc\./g)).toHaveLength(3);
    expect(audit('--since=2026-01-31T06:00:00').out.match(/walbc\./g)).toHaveLength(1);
    expect(audit('--user', 'alice').out.match(/walbc\./g)).toHaveLength(1);
    expect(audit('--user', 'nobody').out).toBe('no calls that change something are recorded\n');
  });

  test('--json gives one object per call', () => {
    const calls = audit('--json')
      .out.trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(calls.map(({ outcome }) => outcome)).toEqual([
      'done',
      'dry run',
      'declined',
      'wrong-state',
      'interrupted',
      'no end recorded',
    ]);
    expect(calls[0]).toMatchObject({ time: '2026-01-31T01:00:00.000Z', result: '7', user: 'op' });
  });

  test('wrong use', () => {
    expect(audit('--what')).toMatchObject({ code: 2, out: '' });
    expect(audit('--since', 'soon')).toMatchObject({ code: 2, out: '' });
    expect(audit('--help')).toMatchObject({ code: 0, err: '' });
    expect(sinceTime('1d', NOW)).toBe('2026-01-30T12:00:00.000Z');
    expect(sinceTime('2026-01-31T23:59:59+01:00', NOW)).toBe('2026-01-31T22:59:59.000Z');
  });
});

test('one-shot commands and one-liners are recorded by the program, queries are not', async () => {
  const env = { WALB_AUDIT_LOG: file, HOME: folder, XDG_CONFIG_HOME: folder, WALB_LAYOUT: '' };
  const walbc = (...words: string[]) => execa(WALBC, words, { env, reject: false, cwd: folder });
  await walbc('-a', '127.0.0.1', '-p', '9', 'get', 'state', 'vol');
  await walbc('-a', '127.0.0.1', '-p', '9', 'clear-vol', 'vol');
  const { stdout } = await walbc('-c', "run_local_command(['/bin/echo', 'hello'])");
  expect(stdout).toBe("'hello'");
  const records = readAudit(file).filter(({ event }) => event === 'end');
  expect(records).toMatchObject([
    {
      interface: 'one-shot',
      call: 'walbc 127.0.0.1:9 clear-vol vol',
      error: { code: 'unavailable' },
    },
    {
      interface: 'command',
      call: "run_local_command(['/bin/echo', 'hello'])",
      result: "'hello'",
    },
  ]);
  expect((await walbc('audit')).stdout).toContain('one-shot');
});
