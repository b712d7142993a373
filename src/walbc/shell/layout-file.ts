/**
 * The layout file: which servers the group has. In YAML (layout-file/yaml.ts), as the original's Python
 * (layout-file/python.ts) or as a module (layout-file/module.ts), by the ending of its name.
 *
 * It is what `--layout` or else WALB_LAYOUT names: a file, or a folder that holds one. Otherwise it is
 * looked for in the working directory, then in `walb/` of XDG_CONFIG_HOME (~/.config), then in
 * /etc/walb, under the names of LAYOUT_NAMES. Two of them in one place are an error: nobody could say
 * which group a command would reach.
 */
import { existsSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { extname, join, resolve } from 'node:path';
import { WalbError } from '../../core/index.ts';
import { type LoadedLayout, layoutError, readLayoutText } from '../layout-file/loaded.ts';

export type { LoadedLayout } from '../layout-file/loaded.ts';

export interface LayoutSearch {
  /** `--layout`. */
  readonly option?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Of the whole machine; /etc/walb unless given. */
  readonly systemFolder?: string;
}

/** What a layout file is called where it is not named. */
export const LAYOUT_NAMES = [
  'walb.yaml',
  'walb.yml',
  'walb-config.py',
  'walb.ts',
  'walb.js',
  'walb.mjs',
];

/** Reading one runs what is in it. */
const CODE = new Set(['.py', '.ts', '.js', '.mjs']);

/** Path of the layout file; undefined when there is none. A file that was named must be there. */
export function findLayoutFile(search: LayoutSearch): string | undefined {
  const { option, env, cwd } = search;
  const named = option ?? (env['WALB_LAYOUT'] || undefined);
  if (named !== undefined) {
    return namedFile(resolve(cwd, named), option === undefined ? 'WALB_LAYOUT' : '--layout');
  }
  for (const folder of layoutFolders(search)) {
    const file = onlyOneIn(folder);
    if (file !== undefined) return trusted(file);
  }
  return undefined;
}

/** Where a layout file is looked for, in this order. */
export function layoutFolders({ env, cwd, systemFolder = '/etc/walb' }: LayoutSearch): string[] {
  const config = env['XDG_CONFIG_HOME'] || resolve(env['HOME'] ?? homedir(), '.config');
  return [cwd, resolve(config, 'walb'), systemFolder];
}

function namedFile(path: string, source: string): string {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status?.isDirectory() === false) return path;
  const inside = status === undefined ? undefined : onlyOneIn(path);
  if (inside !== undefined) return inside;
  const problem =
    status === undefined
      ? `there is no layout file ${path} (${source})`
      : `there is no layout file in ${path} (${source}): it would be called ${LAYOUT_NAMES.join(', ')}`;
  throw new WalbError('not-found', problem, { details: { file: path } });
}

function onlyOneIn(folder: string): string | undefined {
  const found = LAYOUT_NAMES.map((name) => join(folder, name)).filter((path) => existsSync(path));
  if (found.length <= 1) return found[0];
  throw new WalbError(
    'conflict',
    `there are ${found.length} layout files in one place: ${found.join(' and ')}. Remove all but one, or name one with --layout`,
    { details: { folder } },
  );
}

/** Code that nobody has named is run only where the operator, or root, has written it. */
function trusted(file: string): string {
  if (!CODE.has(extname(file))) return file;
  const { uid, mode } = statSync(file);
  const isOurs = uid === 0 || uid === process.getuid?.();
  if (isOurs && (mode & 0o002) === 0) return file;
  throw new WalbError(
    'permission-denied',
    `layout file ${file} would be run, but ${isOurs ? 'everybody may write it' : `it belongs to another user (uid ${uid})`}: look into it, then say --layout ${file}`,
    { details: { file } },
  );
}

/** Reads a layout file. Throws `invalid-argument` that names the file, the line and what is wrong. */
export async function loadLayout(file: string): Promise<LoadedLayout> {
  switch (extname(file)) {
    case '.py': {
      const { loadPythonLayout } = await import('../layout-file/python.ts');
      return await loadPythonLayout(file);
    }
    case '.ts':
    case '.js':
    case '.mjs': {
      const { loadModuleLayout } = await import('../layout-file/module.ts');
      return await loadModuleLayout(file);
    }
    case '.yaml':
    case '.yml': {
      const { parseYamlLayout } = await import('../layout-file/yaml.ts');
      return parseYamlLayout(readLayoutText(file), file);
    }
    default:
      throw layoutError(file, 'its name must end in .yaml, .yml, .py, .ts, .js or .mjs');
  }
}
