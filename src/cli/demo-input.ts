/**
 * What the demo puts on its volume: an ext4 file system holding this package's own documents and
 * sources, made with e2fsprogs; where that is missing, the bytes of those files one after another.
 */
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import type { Bytes } from '../core/index.ts';

const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));
/** The system's programs are not in every user's PATH. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

export interface DemoInput {
  /** The image, as it is to be written from the start of the volume on. */
  readonly image: Uint8Array;
  /** For people: what it is. */
  readonly about: string;
  /** What the files hold, one after another, in whole blocks: for whoever needs real bytes. */
  readonly bytes: Uint8Array;
  /** The image after real work on it; equal in length. */
  changed(): Promise<{ readonly image: Uint8Array; readonly about: string }>;
  /** Looks at an image that should hold this input; says what is there. Throws when it is damaged. */
  check(path: string): Promise<string>;
}

/** `size`: of the image to be made. `folder`: for intermediate files. */
export async function makeInput(folder: string, size: Bytes): Promise<DemoInput> {
  const files = join(folder, 'files');
  const paths = collectFiles(files);
  const count = paths.length;
  const bytes = joined(paths);
  const tools = findTools('mke2fs', 'debugfs', 'e2fsck');
  if (tools === undefined) return plainBytes(bytes, size, count);
  const [mke2fs = '', debugfs = '', e2fsck = ''] = tools;
  const path = join(folder, 'ext4.img');
  await execa(mke2fs, [
    '-q',
    '-F',
    '-t',
    'ext4',
    '-b',
    '4096',
    '-d',
    files,
    path,
    `${size / 1024}k`,
  ]);
  return {
    bytes,
    image: readFileSync(path),
    about: `ext4 with ${count} files of this package`,
    changed: () => workOnFileSystem(debugfs, path, folder),
    check: (image) => checkFileSystem(e2fsck, image),
  };
}

/** The files of this package, copied to a folder of their own. Returns their paths. */
function collectFiles(target: string): string[] {
  // A clone has sources, an installed package has them compiled.
  const code = existsSync(join(PACKAGE, 'src/cli')) ? 'src' : 'dist';
  for (const name of ['docs', code]) {
    cpSync(join(PACKAGE, name), join(target, name), { recursive: true, filter: isReadable });
  }
  return filesIn(target);
}

/** Neither source maps nor type declarations: a small volume has no room for them. */
function isReadable(path: string): boolean {
  return !/\.(map|d\.ts)$/.test(path);
}

function filesIn(folder: string): string[] {
  return globSync('**/*', { cwd: folder })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())
    .sort();
}

/** Full paths, or undefined when one is missing. */
function findTools(...names: string[]): string[] | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS];
  const found = names.map((name) =>
    folders.map((folder) => join(folder, name)).find((path) => existsSync(path)),
  );
  return found.every((path) => path !== undefined) ? (found as string[]) : undefined;
}

const NEW_FILES = 8;
const NEW_FILE_SIZE: Bytes = 96 * 1024;

/** New files, and a directory of them: data, inodes, bitmaps and directory blocks change. */
async function workOnFileSystem(debugfs: string, path: string, folder: string) {
  const written = join(folder, 'new');
  mkdirSync(written);
  const commands = ['mkdir /written-later'];
  for (let i = 0; i < NEW_FILES; i++) {
    const file = join(written, `report-${i}.txt`);
    writeFileSync(
      file,
      `line ${i} of a report written after the first snapshot\n`.repeat(NEW_FILE_SIZE / 56),
    );
    commands.push(`write ${file} /written-later/report-${i}.txt`);
  }
  const script = join(folder, 'commands');
  writeFileSync(script, `${commands.join('\n')}\n`);
  await execa(debugfs, ['-w', '-f', script, path]);
  return { image: readFileSync(path), about: `${NEW_FILES} new files in it` };
}

/** The volume is longer than the file system on it, which e2fsck does not mind. */
async function checkFileSystem(e2fsck: string, image: string): Promise<string> {
  const { stdout } = await execa(e2fsck, ['-f', '-n', image]);
  const files = /(\d+)\/\d+ files/.exec(stdout)?.[1] ?? '?';
  return `e2fsck: clean, ${files} inodes`;
}

const BLOCK: Bytes = 4096;

function joined(paths: readonly string[]): Uint8Array {
  const all = Buffer.concat(paths.map((path) => readFileSync(path)));
  return all.subarray(0, all.length - (all.length % BLOCK));
}

function plainBytes(bytes: Uint8Array, size: Bytes, count: number): DemoInput {
  const image = new Uint8Array(size);
  image.set(bytes.subarray(0, size));
  return {
    bytes,
    image,
    about: `the bytes of ${count} files of this package (no e2fsprogs here)`,
    changed: async () => {
      const changed = image.slice();
      changed.copyWithin(0, bytes.length >>> 1, bytes.length);
      return { image: changed, about: 'half of it moved to the front' };
    },
    check: async () => 'content equal',
  };
}
