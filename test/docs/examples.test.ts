/** What the documents show can be typed: options of commands, layout files, configurations. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadLayout } from '../../src/walbc/shell/layout-file.ts';
import { workerConfig } from '../../src/walbc/worker/config.ts';
import { ROOT } from '../e2e/support.ts';

const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md') && !name.endsWith('commands.md'))
    .map((name) => join('docs', name)),
];
const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** Help by command, from the page that another test holds to the programs. */
const HELP = new Map(
  textOf('docs/commands.md')
    .split(/^## /m)
    .slice(1)
    .map((section): [string, string] => [section.slice(0, section.indexOf('\n')), section]),
);

/** Words that may stand behind the program: the longest command that has a help of its own. */
function helpFor(words: readonly string[]): string | undefined {
  const names = [3, 2].map((count) => words.slice(0, count).join(' '));
  return names.map((name) => HELP.get(name)).find((help) => help !== undefined);
}

interface Line {
  readonly page: string;
  readonly words: readonly string[];
}

/** Command lines in blocks and in `code`. */
function commandLines(): Line[] {
  return PAGES.flatMap((page) => {
    const text = textOf(page).replaceAll('\\\n', ' ');
    const blocks = [...text.matchAll(/^(?: {4}|\$ )?((?:walbc|walb) [a-z].*)$/gm)];
    const inline = [...text.matchAll(/`((?:walbc|walb) [a-z][^`]*)`/g)];
    return [...blocks, ...inline].map(([, line]) => ({
      page,
      words: (line as string).replace(/ # .*$/, '').split(/\s+/),
    }));
  });
}

test('every option of a command line is one of that command', () => {
  const lines = commandLines();
  // Otherwise it looks at nothing.
  expect(lines.length).toBeGreaterThan(60);
  const wrong = lines.flatMap(({ page, words }) => {
    const help = helpFor(words);
    if (help === undefined) return [];
    const end = words.indexOf('--');
    return (end < 0 ? words : words.slice(0, end))
      .map((word) => /^--[a-z][a-z-]*/.exec(word)?.[0])
      .filter((option) => option !== undefined && !new RegExp(`${option}(?![a-z-])`).test(help))
      .map((option) => `${page}: ${words.slice(0, 3).join(' ')} ... ${option}`);
  });
  // Behind the name of a book options are the book's own.
  expect(wrong.filter((text) => !text.includes('walbc run'))).toEqual([]);
});

/** Fenced YAML of a page, with the first key that tells what it is. */
function yamlOf(page: string, key: string): string[] {
  const blocks = [...textOf(page).matchAll(/^```yaml\n([\s\S]*?)^```/gm)];
  return blocks.map(([, text]) => text as string).filter((text) => text.startsWith(`${key}:`));
}

describe('YAML', () => {
  test('layout files can be loaded', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'walb-docs-'));
    try {
      const texts = yamlOf('docs/shell.md', 'storage');
      expect(texts).toHaveLength(2);
      for (const [i, text] of texts.entries()) {
        const path = join(folder, `walb-${i}.yaml`);
        // Certificates are not at hand here.
        writeFileSync(path, text.replace(/^tls:.*$/m, ''));
        const { layout } = await loadLayout(path);
        expect(layout.storageL.map(({ name }) => name)).toEqual(['s0']);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  test('configurations of the worker are taken, with retention in place of the keep period', () => {
    const [general] = yamlOf('docs/worker.md', 'general');
    const [retention] = yamlOf('docs/worker.md', 'retention');
    const whole = parse(general ?? '');
    expect(workerConfig([whole]).apply.keepPeriod).toBe(3 * 86_400);
    const { keep_period: _, ...apply } = whole.apply;
    const kept = workerConfig([{ ...whole, apply }, parse(retention ?? '')]).retention;
    expect(kept).toBeDefined();
  });
});
