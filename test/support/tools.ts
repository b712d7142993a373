/**
 * Which programs of the system a test may use. A test that needs a real client (nbdinfo, qemu-io,
 * xz, ...) skips where it is missing, and the run says so once per program:
 *
 * ```ts
 * test.skipIf(!has('nbdcopy'))('D3: nbdcopy reads the export back', async () => { ... });
 * ```
 */

import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe } from 'vitest';

const found = new Map<string, string | undefined>();

/** Full path of `program` in PATH, or undefined. The answer is remembered. */
export function pathOf(program: string): string | undefined {
  if (!found.has(program)) found.set(program, search(program));
  return found.get(program);
}

/** Whether every one of `programs` is installed; prints one notice for each that is not. */
export function has(...programs: string[]): boolean {
  const missing = programs.filter((program) => pathOf(program) === undefined);
  for (const program of missing)
    notice(`tests that need \`${program}\` are skipped: not installed`);
  return missing.length === 0;
}

/** `describe`, skipped (with a notice) unless all of `programs` are installed. */
export function describeWith(programs: string[], name: string, body: () => void): void {
  describe.skipIf(!has(...programs))(name, body);
}

const printed = new Set<string>();

/** Prints `text` to stderr once per test process. */
export function notice(text: string): void {
  if (printed.has(text)) return;
  printed.add(text);
  process.stderr.write(`note: ${text}\n`);
}

function search(program: string): string | undefined {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}
