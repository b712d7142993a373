/** Running the recovery runbooks of examples/ as an operator does. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { ServerParam } from '../../../../src/walbc/index.ts';
import { ROOT, walb } from '../../support.ts';
import type { Cluster } from './cluster.ts';

export interface BookRun {
  readonly code: number;
  /** What it printed, line by line. */
  readonly lines: readonly string[];
}

/** The end of a step. */
const TOOK = /^ +\d+\. took /;

export async function runBook(
  cluster: Cluster,
  name: string,
  ...words: readonly string[]
): Promise<BookRun> {
  const layout = writeLayout(cluster);
  const book = join(ROOT, 'examples/recovery', `${name}.ts`);
  const { code, out, err } = await walb('walbc', 'run', '--layout', layout, book, ...words);
  // The rest of stderr are notes of the runner.
  expect(err).toMatch(/^transcript: \S+$/m);
  return { code, lines: out.split('\n').filter((line) => !TOOK.test(line)) };
}

/** A dry run says what it would do, and does nothing: the real run then says the same calls. */
export async function dryThenReal(
  cluster: Cluster,
  name: string,
  ...words: readonly string[]
): Promise<readonly string[]> {
  const dry = await runBook(cluster, name, '--dry-run', ...words);
  expect(dry.lines.at(-1)).toBe('dry run: nothing was changed');
  expect(dry.lines.filter((line) => line.startsWith('do: '))).toEqual([]);
  const real = await runBook(cluster, name, ...words);
  expect(real.lines.at(-1)).toBe('done');
  expect(real.code).toBe(0);
  return real.lines;
}

/** The calls a run made. */
export function callsOf(lines: readonly string[]): string[] {
  return lines.filter((line) => line.startsWith('do: ')).map((line) => line.slice('do: '.length));
}

/** The group as a layout file in its folder. */
export function writeLayout({ folder, walbc }: Cluster): string {
  const section = (servers: readonly ServerParam[]) =>
    servers.map(({ name, address, port }) => ({ name, address, port }));
  const { storageL, proxyL, archiveL } = walbc.sLayout;
  const path = join(folder, 'layout.yaml');
  // JSON is YAML.
  const layout = {
    storage: section(storageL),
    proxy: section(proxyL),
    archive: section(archiveL),
  };
  writeFileSync(path, JSON.stringify(layout));
  return path;
}
