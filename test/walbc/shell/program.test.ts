import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { shellMain } from '../../../src/walbc/shell/main.ts';

const WALBC = fileURLToPath(new URL('../../../bin/walbc', import.meta.url));
/** A port nobody listens on: the one of the discard service, which only root may open. */
const CLOSED_PORT = 9;

interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-program-'));
  writeFileSync(
    join(folder, 'group.yaml'),
    `storage: [{ name: s0, address: 127.0.0.1, port: ${CLOSED_PORT} }]\narchive: [{ name: a0, address: 127.0.0.1, port: ${CLOSED_PORT} }]\n`,
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(words: readonly string[]): ChildProcess {
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, WALB_LAYOUT: '' };
  return spawn(WALBC, [...words], { cwd: folder, env });
}

async function finish(child: ChildProcess, stdin = ''): Promise<Result> {
  child.stdin?.end(stdin);
  const [stdout, stderr] = ['', ''].map(() => [] as Buffer[]) as [Buffer[], Buffer[]];
  child.stdout?.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout: String(Buffer.concat(stdout)), stderr: String(Buffer.concat(stderr)) };
}

function run(words: readonly string[], stdin?: string): Promise<Result> {
  return finish(start(words), stdin);
}

describe('walbc without a terminal', () => {
  test('-c prints the value of the expression, plainly', async () => {
    expect(await run(['-c', 'sorted([3, 1, 2n])'])).toEqual({
      code: 0,
      stdout: '[1, 2, 3]\n',
      stderr: '',
    });
  });

  test('a layout file defines servers, sLayout and walbc', async () => {
    const line = '[s0.get_host_port(), a0.name, len(sLayout.get_all()), typeof walbc.restore]';
    const { stdout } = await run(['-c', line, '--layout', 'group.yaml']);
    expect(stdout).toBe(`['127.0.0.1:${CLOSED_PORT}', 'a0', 2, 'function']\n`);
  });

  test('a server that is down: one line, the facts, and the exit code of the error', async () => {
    const { code, stdout, stderr } = await run([
      '-c',
      "walbc.get_state(s0, 'vol')",
      '--layout=group.yaml',
    ]);
    expect({ code, stdout }).toEqual({ code: 8, stdout: '' });
    expect(stderr).toMatch(/^WalbError: s0 .*127\.0\.0\.1:9/);
    expect(stderr).toContain('(unavailable ');
    expect(stderr).not.toContain('node:internal');
  });

  test('a script from stdin prints only what it prints', async () => {
    const script = '# loop\nfor (const i of range(2)) {\n  print(i)\n}\n1 + 1\n';
    expect(await run([], script)).toEqual({ code: 0, stdout: '0\n1\n', stderr: '' });
  });

  test('a syntax error behind a type is told where it is', async () => {
    const { stderr } = await run([], 'let a = 1;\nlet b: number = 2;\nfoo(;\n');
    expect(stderr).toBe('SyntaxError: Expression expected\n  at stdin:3\n');
    expect((await run([], 'let a = 1;\nfoo(;\n')).stderr).toBe(
      "SyntaxError: Unexpected token ';'\n  at stdin:2\n",
    );
  });

  test('a failing script says where', async () => {
    const { code, stderr } = await run([], 'print(1)\n\nnope()\n');
    expect(code).toBe(1);
    expect(stderr).toBe('ReferenceError: nope is not defined\n  at stdin:3:1\n');
  });

  test('run gives a runbook its arguments; options after the book are its own', async () => {
    writeFileSync(
      join(folder, 'book.ts'),
      "import { K_STORAGE } from 'walb-ts';\nconst words: string[] = argv;\nprint(words, K_STORAGE, sLayout);\nexit(3);\n",
    );
    const words = ['run', '--layout', 'group.yaml', 'book.ts', '--layout', 'x'];
    expect(await run(words)).toEqual({
      code: 3,
      stdout: "['--layout', 'x'] 0 s0, a0\n",
      stderr: expect.stringMatching(/^transcript: \S+book\.ts-\S+\.log\n$/) as string,
    });
  });

  test('SIGINT ends a wait with exit code 130, and finally blocks are run', async () => {
    // The program that is waited for says when: the wait has begun before it was started.
    const wait = "run_local_command(['/bin/sh', '-c', 'echo on >&2; exec sleep 1'])";
    const child = start(['-c', `try { ${wait} } finally { print("tidy") }`]);
    child.stderr?.once('data', () => child.kill('SIGINT'));
    const { code, stdout, stderr } = await finish(child);
    expect({ code, stdout, stderr }).toEqual({
      code: 130,
      stdout: 'tidy\n',
      stderr: 'on\nKeyboardInterrupt\n',
    });
  });

  test('SIGINT ends a busy loop', async () => {
    const child = start(['-c', 'print("on"); while (true) {}']);
    child.stdout?.once('data', () => child.kill('SIGINT'));
    expect((await finish(child)).code).toBe(130);
  });
});

describe('wrong use', () => {
  afterEach(() => void vi.restoreAllMocks());

  test.each([
    [['-c'], 2, '-c takes one expression'],
    [['-c', '1', '2'], 2, '-c takes one expression'],
    [['run'], 2, 'run takes the file of a runbook'],
    [['run', 'missing.ts'], 3, 'runbook missing.ts'],
    [['shell', 'what'], 2, "'what' is nothing the shell knows"],
    [['shell', '--layout'], 2, '--layout takes a file'],
    [['-c', '1', '--layout', 'missing.yaml'], 3, 'there is no layout file'],
  ])('%j', async (words, code, message) => {
    let stderr = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
      stderr += String(text);
      return true;
    });
    expect(await shellMain(words as string[])).toBe(code);
    expect(stderr).toContain(message);
  });
});
