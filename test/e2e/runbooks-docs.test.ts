/** The pages about recovery name only what exists, and every runbook is on a page. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Controller } from '../../src/walbc/index.ts';
import { ROOT, walb } from './support.ts';

const FOLDER = join(ROOT, 'docs/recovery');
const PAGES = [
  ...readdirSync(FOLDER).map((name) => join(FOLDER, name)),
  join(ROOT, 'docs/runbooks.md'),
];
const BOOKS = readdirSync(join(ROOT, 'examples/recovery')).filter((name) => /^w.*\.ts$/.test(name));

describe.each(PAGES)('%s', (page) => {
  const text = readFileSync(page, 'utf8');

  test('every method it calls is one', () => {
    const names = [...text.matchAll(/walbc\.([a-z_]+)\(/g)].map((match) => match[1] as string);
    expect(names.filter((name) => !(name in Controller.prototype))).toEqual([]);
  });

  test('every runbook and page it names is there', () => {
    const books = [...text.matchAll(/examples\/recovery\/([\w-]+\.ts)/g)].map(([, name]) => name);
    expect(books.filter((name) => !BOOKS.includes(name as string))).toEqual([]);
    const links = [...text.matchAll(/\]\((w[\w-]+\.md)\)/g)].map(([, name]) => name);
    expect(links.filter((name) => !readdirSync(FOLDER).includes(name as string))).toEqual([]);
  });
});

test('every runbook has its command on a page, with arguments that fit its usage', () => {
  const all = PAGES.map((page) => readFileSync(page, 'utf8')).join('\n');
  for (const book of BOOKS) {
    expect(all).toContain(`walbc run --layout group.yaml examples/recovery/${book}`);
    const source = readFileSync(join(ROOT, 'examples/recovery', book), 'utf8');
    expect(source).toContain(`usage: walbc run ${book} [--dry-run]`);
  }
});

test('a runbook of an installed package runs, where Node strips no types from modules', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'walb-books-'));
  try {
    const installed = join(folder, 'node_modules/walb-ts/examples/recovery');
    cpSync(join(ROOT, 'examples/recovery'), installed, { recursive: true });
    const { code, out } = await walb('walbc', 'run', join(installed, 'w2-overflow.ts'), '--help');
    expect({ code, out }).toEqual({
      code: 0,
      out: 'usage: walbc run w2-overflow.ts [--dry-run] [STORAGE...]',
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test.each([
  ['--what', 'unknown option --what'],
  ['--layout=group.yaml', '--layout goes before the name of the book'],
])('%s is refused with the usage', async (option, problem) => {
  const book = join(ROOT, 'examples/recovery/w3-proxy-restarted.ts');
  const { code, out } = await walb('walbc', 'run', book, option);
  expect(code).toBe(2);
  expect(out).toBe(`${problem}\nusage: walbc run w3-proxy-restarted.ts [--dry-run]`);
});

test('an archive does not take its own place', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'walb-books-'));
  try {
    const layout = join(folder, 'walb.yaml');
    writeFileSync(layout, 'archive: [{ name: a0, address: localhost, port: 1 }]\n');
    const book = join(ROOT, 'examples/recovery/w8-primary-archive-failover.ts');
    const { code, out } = await walb('walbc', 'run', '--layout', layout, book, 'a0', 'a0');
    expect([code, out]).toEqual([2, expect.stringMatching(/^LOST and NEXT are both a0\nusage: /)]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
