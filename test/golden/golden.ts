/**
 * The golden files: wlogs, log devices, wdiffs and images written by the original tools, with what
 * those tools said about them. They live beside the repository, or where `WALB_GOLDEN` points; tests
 * that need them use `describeGolden` and skip, with one printed notice, where they are missing.
 *
 * ```ts
 * describeGolden('formats.md 4: wdiff header', () => {
 *   test('...', () => decodeHeader(golden.read('wdiff/default-512.sorted.wdiff')));
 * });
 * ```
 */

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unxzSync } from 'node-liblzma';
import { describe } from 'vitest';
import { notice } from '../support/tools.ts';

/** What `expected.json` records; every hash is sha256 in hex. */
export interface Expected {
  /** The volume image that every redo starts from. */
  readonly base: FileFacts;
  readonly pack32: FileFacts;
  /** Command line of `bhash` or `checksum` -> what it printed. */
  readonly bhash: Readonly<Record<string, string>>;
  /** Merged file -> its inputs (oldest first) and command line options. */
  readonly merges: Readonly<
    Record<string, { readonly inputs: readonly string[]; readonly options: string }>
  >;
  /** Log name -> way of applying it -> hash of the image. */
  readonly redo: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** Command on a damaged file -> exit code, and messages or output hash. */
  readonly status: Readonly<
    Record<string, { readonly exit: number; readonly error?: readonly string[] }>
  >;
  /** Base and diffs -> hash of the virtual full image. */
  readonly virt: Readonly<Record<string, string>>;
}

interface FileFacts {
  readonly sha256: string;
  readonly size: number;
}

const repository = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const root = resolve(process.env['WALB_GOLDEN'] ?? join(repository, '../shared/golden'));
const available = existsSync(join(root, 'expected.json'));
if (!available) {
  notice(
    `golden files not found at ${root} (set WALB_GOLDEN): the tests that need them are skipped`,
  );
}

let expected: Expected | undefined;

export const golden = {
  root,
  /** Whether the golden folder is there. */
  available,
  /** `expected.json`, parsed; throws when the folder is missing. */
  get expected(): Expected {
    expected ??= JSON.parse(readFileSync(join(root, 'expected.json'), 'utf8')) as Expected;
    return expected;
  },
  /** Names of the files in `folder`, without `.xz`, in order. */
  list(folder: string): string[] {
    return readdirSync(join(root, folder))
      .map((name) => name.replace(/\.xz$/, ''))
      .sort();
  },
  /** Path of the stored file for `name`, such as `wdiff/m1.sorted.wdiff`; it may end in `.xz`. */
  path(name: string): string {
    const plain = join(root, name);
    if (existsSync(plain)) return plain;
    if (existsSync(`${plain}.xz`)) return `${plain}.xz`;
    throw new Error(`no golden file ${name} in ${root}`);
  },
  /** The decompressed content of `name`. */
  read(name: string): Buffer {
    const path = golden.path(name);
    const bytes = readFileSync(path);
    return path.endsWith('.xz') && !name.endsWith('.xz') ? unxzSync(bytes) : bytes;
  },
} as const;

/** `describe`, skipped where the golden files are missing. */
export function describeGolden(name: string, body: () => void): void {
  describe.skipIf(!available)(name, body);
}
