/** The documents name only what there is: files, headings, calls. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Controller } from '../../src/walbc/index.ts';
import { ROOT } from '../e2e/support.ts';

const PAGES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name))
    .sort(),
];

const textOf = (page: string): string => readFileSync(join(ROOT, page), 'utf8');

/** Anchors of a page, as GitHub makes them of headings. */
function anchorsOf(page: string): string[] {
  return [...textOf(page).matchAll(/^#+ (.*)$/gm)].map((match) =>
    (match[1] as string)
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .trim()
      .replaceAll(' ', '-'),
  );
}

describe.each(PAGES)('%s', (page) => {
  const text = textOf(page);

  test('its links lead somewhere', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(
      ([, link]) => link as string,
    );
    const dead = links.filter((link) => {
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(ROOT, target))) return true;
      return anchor !== undefined && !anchorsOf(target).includes(anchor);
    });
    expect(dead).toEqual([]);
  });

  test('the files of the project it names are there', () => {
    const names = [
      ...text.matchAll(/`((?:src|test|examples|docs|bin|bench|tools|packaging)\/[\w./-]+)`/g),
    ].map(([, name]) => name as string);
    expect(names.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
  });

  test('the calls of the controller in it exist', () => {
    const names = [...text.matchAll(/\bwalbc\.([a-z_]+)\(/g)].map(([, name]) => name as string);
    expect(names.filter((name) => !(name in Controller.prototype))).toEqual([]);
  });
});

test('every page is reached from the README', () => {
  const reached = new Set<string>();
  const visit = (page: string): void => {
    if (reached.has(page)) return;
    reached.add(page);
    for (const [, link] of textOf(page).matchAll(/\]\((?!https?:|#)([^)#\s]+\.md)/g)) {
      visit(relative(ROOT, join(ROOT, dirname(page), link as string)));
    }
  };
  visit('README.md');
  expect(PAGES.filter((page) => !reached.has(page) && page !== 'CHANGELOG.md')).toEqual([]);
});
