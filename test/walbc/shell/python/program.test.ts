/** The Python mode of `walbc` as a program. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-python-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function walbc(words: readonly string[], input = '', cwd = folder): Result {
  const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, WALB_LAYOUT: '' };
  const { status, stdout, stderr } = spawnSync(join(ROOT, 'bin/walbc'), [...words], {
    cwd,
    input,
    env,
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('walbc in Python', () => {
  test('-c prints the value of the last expression', () => {
    expect(walbc(['--python', '-c', 'x = 7; x // 2, x / 2'])).toEqual({
      status: 0,
      stdout: '(3, 3.5)\n',
      stderr: '',
    });
  });

  test('a script from stdin prints only what it prints; errors go to stderr', () => {
    const script =
      'for i in range(2):\n    print(i)\n1 + 1\nprint >>sys.stderr, "note"\nsys.exit(4)\n';
    expect(walbc(['shell', '--python'], script)).toEqual({
      status: 4,
      stdout: '0\n1\n',
      stderr: 'note\n',
    });
  });

  test("the original's kind of configuration is loaded by execfile, and by --layout", () => {
    const script =
      "execfile('examples/walb-config.py')\nsLayout.to_cmd_string()\nprint(wdev.path, walbc)\n";
    const { stdout, status } = walbc(['--python'], script, ROOT);
    expect(status).toBe(0);
    expect(stdout).toContain(
      `/usr/local/bin/walb-archive -vg vg0 -tp pool0 -p 10200 -b /var/lib/walb/a1 -l ${join(ROOT, 'log/a1.log')} -id a1 -fg 2`,
    );
    expect(stdout).toMatch(/\/dev\/walb\/0 .*s0, s1, p0, p1, a0, a1/);
    const layout = join(ROOT, 'examples/walb-config.py');
    const names = walbc(['--layout', layout, '--python', '-c', 'str(sLayout)']);
    expect(names.stdout).toBe("'s0, s1, p0, p1, a0, a1'\n");
  });

  test('run takes a book by its name', () => {
    const book = join(folder, 'book.py');
    writeFileSync(
      book,
      'import sys, os\nprint(os.path.basename(sys.argv[0]), sys.argv[1:])\n{}[1]\n',
    );
    const { status, stdout, stderr } = walbc(['run', book, 'a', '-x']);
    expect(stdout).toBe("book.py ['a', '-x']\n");
    expect(stderr).toContain(`File "${book}", line 3, in <module>\n    {}[1]\nKeyError: 1\n`);
    expect(status).toBe(1);
  });

  test('text that is no Python is refused as a whole', () => {
    const { status, stdout, stderr } = walbc(['--python'], 'print(1)\nx = = 2\n');
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toBe(
      '  File "stdin", line 2, column 5\n    x = = 2\n        ^\nSyntaxError: invalid syntax at \'=\'\n',
    );
  });

  test('SIGINT is an exception of a book that computes: finally runs', async () => {
    const book = join(folder, 'loop.py');
    writeFileSync(
      book,
      'try:\n    print("go")\n    while True: pass\nfinally:\n    print("put right")\n',
    );
    const env = { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, WALB_LAYOUT: '' };
    const child = spawn(join(ROOT, 'bin/walbc'), ['run', book], { cwd: folder, env });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (text.includes('go')) child.kill('SIGINT');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => void (stderr += text));
    const [code] = (await once(child, 'close')) as [number];
    expect({ code, stdout }).toEqual({ code: 130, stdout: 'go\nput right\n' });
    expect(stderr).toContain('line 3, in <module>');
    expect(stderr).toContain('KeyboardInterrupt');
  });

  test('a run that is resumed has the values of its steps as they were', () => {
    const book = join(folder, 'steps.py');
    writeFileSync(
      book,
      `values = step('one', lambda: [2.0, (1, 2.5), {1: 'a', 'b': None}, {3}, 2 ** 70, 'x'])
print(values, values[2][True])
raise RuntimeError('stop')
`,
    );
    const [first, again] = [walbc(['run', book]), walbc(['run', '--resume', book])];
    const printed = /^\[.*$/m.exec(first.stdout)?.[0];
    expect(printed).toBe(
      "[2.0, (1, 2.5), {1: 'a', 'b': None}, {3}, 1180591620717411303424, 'x'] a",
    );
    expect(again.stdout).toContain(printed);
    expect(again.stdout).not.toContain('took');
  });

  test('the usage names it', () => {
    expect(walbc(['shell', 'what']).stderr).toContain('--python');
  });
});
