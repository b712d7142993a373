import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { HISTORY_SIZE, HistoryFile } from '../../../src/walbc/shell/history.ts';

let folder: string;
let path: string;
let warnings: string[];
const open = (): HistoryFile => new HistoryFile(path, (text) => warnings.push(text));

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'walbc-history-'));
  path = join(folder, 'deep/history');
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

test('two sessions add to one file in the order of time, and a third has all of it', () => {
  const [a, b] = [open(), open()];
  expect([a.load(), b.load()]).toEqual([[], []]);
  a.add('a1');
  b.add('b1');
  a.add('a2');
  a.add('a2');
  b.add('b1');
  expect(readFileSync(path, 'utf8')).toBe('a1\nb1\na2\n');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(open().load()).toEqual(['a2', 'b1', 'a1']);
});

test('an entry that comes again is kept once, where it was last', () => {
  const file = open();
  file.load();
  for (const entry of ['x', 'y', 'x']) file.add(entry);
  expect(open().load()).toEqual(['x', 'y']);
});

test('an input of several lines is one entry', () => {
  const file = open();
  file.load();
  // As the editor reports it while it grows.
  for (const entry of ['for (;;) {', 'break\rfor (;;) {', '}\rbreak\rfor (;;) {', '1'])
    file.add(entry);
  expect(open().load()).toEqual(['1', '}\rbreak\rfor (;;) {']);
});

test('a long file is made small without losing what another session adds', () => {
  const other = open();
  other.load();
  const all = Array.from({ length: 2 * HISTORY_SIZE + 5 }, (_, index) => `line ${index}`);
  writeFileSync(path, `${all.join('\n')}\n`);
  const kept = open().load();
  expect(kept).toHaveLength(HISTORY_SIZE);
  expect(kept[0]).toBe(all.at(-1));
  other.add('mine');
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(HISTORY_SIZE + 1);
  expect(lines.at(-1)).toBe('mine');
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('where it can not be kept, that is said once', () => {
  mkdirSync(path, { recursive: true });
  const file = open();
  expect(file.load()).toEqual([]);
  file.add('x');
  file.add('y');
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toMatch(/^history can not be kept: EISDIR/);
});
