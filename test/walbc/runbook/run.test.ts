/** `walbc run` as a program: dry runs, transcripts, going on after a run that failed. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeOldTranscripts, transcriptFileOf } from '../../../src/walbc/runbook/transcript.ts';
import { readAudit } from '../../../src/walbc/safety/audit-log.ts';

const WALBC = fileURLToPath(new URL('../../../bin/walbc', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walb-run-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const BOOK = `
const gid = step('choose', () => { print('choosing'); return 2n ** 60n; });
if (step('make a')) run_local_command(['/bin/touch', argv[0] + '/a']);
step('make b');
print('said', run_local_command(['/bin/sh', '-c', 'echo b; echo x >> ' + argv[0] + '/b']));
step('look', () => {
  if (typeof gid !== 'bigint') throw new Error('no gid');
  run_local_command(['/bin/ls', argv[0] + '/c']);
});
print('end', gid);
`;

interface Run {
  readonly code: number | undefined;
  readonly out: string[];
  readonly err: string;
}

async function walbc(...words: string[]): Promise<Run> {
  const env = { XDG_STATE_HOME: join(folder, 'state'), XDG_CONFIG_HOME: folder, WALB_LAYOUT: '' };
  const { exitCode, stdout, stderr } = await execa(WALBC, words, {
    env,
    cwd: folder,
    reject: false,
    stdin: 'ignore',
  });
  return {
    code: exitCode,
    out: stdout.split('\n').filter((line) => !/ took /.test(line)),
    err: stderr,
  };
}

function write(name: string, text = ''): string {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
}

const runs = (): string[] => readdirSync(join(folder, 'state/walb/runs')).sort();
const there = (name: string): boolean =>
  statSync(join(folder, name), { throwIfNoEntry: false }) !== undefined;
const withoutTimes = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace(/\(\d\d:\d\d:\d\d UTC\)|\(skipped.*\)/g, '(...)'));

describe('walbc run', () => {
  test('--dry-run says the calls and does nothing; it may stand before or behind the book', async () => {
    write('b.ts', BOOK);
    for (const words of [
      ['--dry-run', 'b.ts', folder],
      ['b.ts', folder, '--dry-run'],
    ]) {
      const { code, out } = await walbc('run', ...words);
      expect(code).toBe(0);
      expect(out.filter((line) => line.startsWith('would do: '))).toHaveLength(3);
      expect(out.filter((line) => line.startsWith('do: '))).toEqual([]);
      expect(out).toContain('said None');
      expect(['a', 'b'].filter(there)).toEqual([]);
    }
    expect(runs().filter((name) => name.endsWith('.progress'))).toEqual([]);
    expect(readAudit(join(folder, 'state/walb/audit.log')).every(({ dryRun }) => dryRun)).toBe(
      true,
    );
  });

  test('goes on after a failed run: finished steps are skipped, their values and results come back', async () => {
    write('b.ts', BOOK);
    const first = await walbc('run', 'b.ts', folder);
    expect(first.code).not.toBe(0);
    expect(first.err).toContain('3 steps are finished; walbc run --resume b.ts goes on');
    rmSync(join(folder, 'a'));
    write('c');
    const { code, out, err } = await walbc('run', '--resume', 'b.ts');
    expect({ code, err: err.replace(/\S+$/, '') }).toEqual({ code: 0, err: 'transcript: ' });
    expect(withoutTimes(out)).toEqual([
      '== 1. choose (...)',
      '== 2. make a (...)',
      '== 3. make b (...)',
      `done before: run_local_command(['/bin/sh', '-c', 'echo b; echo x >> ${folder}/b'])`,
      'said b',
      '== 4. look (...)',
      `do: run_local_command(['/bin/ls', '${folder}/c'])`,
      `end ${2n ** 60n}`,
    ]);
    expect(there('a')).toBe(false);
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('x\n');
    expect(runs().filter((name) => name.endsWith('.progress'))).toEqual([]);
    const none = await walbc('run', '--resume', 'b.ts');
    expect(none).toMatchObject({ code: 3, err: expect.stringContaining('no unfinished run') });
  });

  test('refuses to go on with another book, other arguments, or another layout', async () => {
    write('b.ts', BOOK);
    await walbc('run', 'b.ts', folder);
    expect(await walbc('run', 'b.ts', '--resume', '/elsewhere')).toMatchObject({
      code: 7,
      err: expect.stringContaining(`that run had other arguments (${folder})`),
    });
    const layout = write('l.yaml', 'archive: [{ name: a0, address: 127.0.0.1, port: 9 }]\n');
    expect(await walbc('run', '--layout', layout, '--resume', 'b.ts')).toMatchObject({
      code: 7,
      err: expect.stringContaining('the layout has changed'),
    });
    write('b.ts', `${BOOK}\n// changed\n`);
    expect(await walbc('run', '--resume', 'b.ts')).toMatchObject({
      code: 7,
      err: expect.stringContaining('has changed since the run of'),
    });
    write('c');
    const from = await walbc('run', '--from', 'look', 'b.ts');
    expect(from.code).toBe(0);
    expect(from.out.filter((line) => line.startsWith('do: '))).toHaveLength(1);
  });

  test('a new run beside an unfinished one says so', async () => {
    write('b.ts', BOOK);
    await walbc('run', 'b.ts', folder);
    const { err } = await walbc('run', 'b.ts', folder);
    expect(err).toMatch(/^note: the run of \S+ UTC ended early, after 3 finished steps/);
  });

  test('a killed run can be resumed as well', async () => {
    write(
      'k.ts',
      "step('one'); step('two'); run_local_command(['/bin/sh', '-c', 'kill -9 $PPID']);",
    );
    expect((await walbc('run', 'k.ts')).code).toBeUndefined();
    write('c');
    const { out } = await walbc('run', '--resume', 'k.ts', '--dry-run');
    expect(withoutTimes(out)[0]).toBe('== 1. one (...)');
    expect(out[0]).toContain('skipped: done');
    expect(out[1]).not.toContain('skipped');
  });

  test('the transcript has all that was printed and done, with times, and the exit code', async () => {
    const file = join(folder, 't.log');
    write('t.ts', "step('one'); print('a\\nb'); run_local_command(['/bin/echo', 'x']); nope()");
    const { err } = await walbc('run', 't.ts', '--transcript', file);
    expect(err).toContain(`transcript: ${file}`);
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    expect(lines.every((line) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /.test(line))).toBe(true);
    const texts = lines.map((line) => line.slice('2026-01-31T00:00:00.000Z '.length));
    expect(texts[0]).toBe(`# walbc run ${join(folder, 't.ts')}`);
    expect(withoutTimes(texts.slice(4)).map((text) => text.replace(/ \(\d.*s\)$/, ''))).toEqual([
      '== 1. one (...)',
      'a',
      'b',
      "do: run_local_command(['/bin/echo', 'x'])",
      "# 'x'",
      '# ReferenceError: nope is not defined',
      `#   at ${join(folder, 't.ts')}:1:68`,
      '# exit code 1',
    ]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('a transcript that can not be written does not stop the run', async () => {
    write('t.ts', "print('on')");
    const { code, out, err } = await walbc('run', 't.ts', '--transcript', '/dev/null/t.log');
    expect({ code, out }).toEqual({ code: 0, out: ['on'] });
    expect(err).toContain('WARNING: the transcript can not be written');
  });

  test('questions: --yes answers them, without a terminal the answer is no', async () => {
    write('q.ts', "print(ask('Really?'))");
    expect((await walbc('run', 'q.ts', '--yes')).out).toEqual(['Really? [y/N] y (--yes)', 'True']);
    expect((await walbc('run', 'q.ts')).out.at(-1)).toBe('False');
  });

  test('--confirm asks before calls that lose something, --yes answers that too', async () => {
    const layout = write('l.yaml', 'archive: [{ name: a0, address: 127.0.0.1, port: 9 }]\n');
    write('c.ts', "walbc.clear(a0, 'vol')");
    const refused = await walbc('run', '--layout', layout, '--confirm', 'c.ts');
    expect(refused).toMatchObject({ code: 9, err: expect.stringContaining('nothing was done') });
    expect(refused.out).toContain("walbc.clear(a0, 'vol')");
    const tried = await walbc('run', '--layout', layout, '--confirm', '--yes', 'c.ts');
    expect(tried.code).toBe(8);
    expect(tried.out.join('\n')).toContain('Proceed? [y/N] y (--yes)');
    const unasked = await walbc('run', '--layout', layout, 'c.ts');
    expect(unasked.out).toEqual(["do: walbc.clear(a0, 'vol')"]);
  });

  test('steps are headings in -c and scripts too', async () => {
    const { out } = await walbc('-c', "step('one', () => 5)");
    expect(withoutTimes(out)).toEqual(['== 1. one (...)', '5']);
  });

  test('--help', async () => {
    const { code, out } = await walbc('run', '--help');
    expect(code).toBe(0);
    expect(out[0]).toBe('usage: walbc run [OPTIONS] BOOK [OPTIONS] [ARGS...]');
  });
});

test('old transcripts are removed, other files are left', () => {
  const names = [3, 1, 2].map((day) => transcriptFileOf('', 'b.ts', Date.UTC(2026, 0, day)));
  for (const name of [...names, 'b.ts-1234.progress', 'mine.log']) write(name);
  removeOldTranscripts(folder, 2);
  expect(readdirSync(folder).sort()).toEqual([
    'b.ts-1234.progress',
    'b.ts-20260102T000000-000Z.log',
    'b.ts-20260103T000000-000Z.log',
    'mine.log',
  ]);
});
