import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeGolden, golden } from '../golden/golden.ts';
import { sha256 } from './support.ts';

const main = join(import.meta.dirname, '../../src/cli/main.ts');

async function walb(...words: string[]) {
  return execa(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...words], {
    reject: false,
    stripFinalNewline: false,
  });
}

describeGolden('walb wdiff, walb wlog to-wdiff', () => {
  let folder = '';
  const at = (name: string) => join(folder, name);
  const put = (name: string) => {
    const path = at(name.replace(/.*\//, ''));
    writeFileSync(path, golden.read(name));
    return path;
  };
  const diffs = ['m1', 'm2', 'm3', 'm4'].map((m) => `wdiff/${m}.sorted.wdiff`);

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'walb-wdiff-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('to-wdiff converts several logs to the bytes of wlog-to-wdiff', async () => {
    const logs = ['wlog/split-a.wlog', 'wlog/split-b.wlog'].map(put);
    const words = ['wlog', 'to-wdiff', '--compress', 'none', '--format', 'indexed'];
    const done = await walb(...words, '-o', at('out.wdiff'), '--json', ...logs);
    expect(done.stderr).toBe('');
    expect(done.exitCode).toBe(0);
    const expected = golden.read('wdiff/default-512.indexed.none.wdiff');
    expect(readFileSync(at('out.wdiff')).equals(expected)).toBe(true);
    expect(JSON.parse(done.stdout)).toMatchObject({ size: expected.length });
    const swapped = await walb(...words, '-o', at('swapped.wdiff'), ...logs.toReversed());
    expect(swapped.exitCode).toBe(7);
    expect(existsSync(at('swapped.wdiff'))).toBe(false);
  });

  test('merge --uuid zero --compress none writes the bytes of wdiff-merge; redo and cat apply it', async () => {
    const inputs = diffs.map(put);
    const merged = at('merged.wdiff');
    await walb('wdiff', 'merge', '--uuid', 'zero', '--compress', 'none', '-o', merged, ...inputs);
    expect(readFileSync(merged).equals(golden.read('wdiff/merge-sorted-none.wdiff'))).toBe(true);

    const image = put('image/base-16M.img');
    const cat = await walb('wdiff', 'cat', image, ...inputs, '-o', at('virtual.img'));
    expect(cat.exitCode).toBe(0);
    const redo = await walb('wdiff', 'redo', '-z', '--verify', merged, image);
    expect(redo.exitCode).toBe(0);
    const hash = golden.expected.redo['merge-sorted.wdiff']?.['wdiff-redo -z'];
    expect(sha256(readFileSync(image))).toBe(hash);
    expect(sha256(readFileSync(at('virtual.img')))).toBe(hash);
  });

  test('redo reads a sorted diff from standard input', async () => {
    const image = at('stdin.img');
    writeFileSync(image, golden.read('image/base-16M.img'));
    const done = await execa(process.execPath, [main, 'wdiff', 'redo', '-z', '-', image], {
      input: golden.read('wdiff/default-512.sorted.wdiff'),
    });
    expect(done.exitCode).toBe(0);
    const hash = golden.expected.redo['default-512.sorted.wdiff']?.['wdiff-redo -z'];
    expect(sha256(readFileSync(image))).toBe(
      hash ?? golden.expected.redo['default-512']?.['wdiff-redo -z sorted'],
    );
  });

  test('dump lists a range as wdiff-dump does', async () => {
    const file = put('wdiff/default-512.sorted.wdiff');
    const done = await walb('wdiff', 'dump', file, '100', '300', '-o', at('dump.bin'));
    const text = golden.read('text/default-512.wdiff-dump-100-300.txt').toString();
    expect(done.stdout).toBe(text);
    expect(readFileSync(at('dump.bin')).length).toBe(300 * 512);
  });

  test('name makes the names of wdiff-name-gen', async () => {
    for (const line of golden.read('text/names.txt').toString().trim().split('\n')) {
      const [words = '', expected] = line.split('\t');
      const ours = words.replace('-nomerge', '--no-merge').replace('-comp', '--comp').split(' ');
      const done = await walb('wdiff', 'name', ...ours);
      expect(done.stdout.trim()).toBe(expected);
    }
  });

  test('a damaged input leaves no output, no temporary file and an untouched image', async () => {
    const bad = put('bad/bad-data-csum.wdiff');
    const image = at('untouched.img');
    writeFileSync(image, golden.read('image/base-16M.img'));
    const before = readdirSync(folder);
    for (const words of [
      ['merge', '--recompress', bad, '-o', at('bad-out.wdiff')],
      ['cat', image, bad, '-o', at('bad-out.img')],
      ['redo', '--verify', bad, image],
      ['verify', bad],
    ]) {
      const done = await walb('wdiff', ...words);
      expect(done.exitCode, words[0]).toBe(5);
    }
    expect(readdirSync(folder)).toEqual(before);
    expect(sha256(readFileSync(image))).toBe(golden.expected.base.sha256);
  });
});
